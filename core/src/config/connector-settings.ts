/**
 * The settings that every connector has, whatever it connects: Kafka Connect's names, defaults and rules. What stands below
 * the aliases of transforms and predicates: transform-settings.ts.
 */
import { defineConfig, type ConfigOf, type Settings } from '@tidewire/sdk'
import type { SettingErrors } from './settings.ts'

const converterVersion = {
  type: 'string',
  default: 'latest',
  importance: 'low',
  group: 'Common',
  doc: 'Which version of the converter, as connector.plugin.version. Only where the connector names its converter.',
} as const

const common = defineConfig({
  name: {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Common',
    displayName: 'Connector name',
    doc: 'Unique name of the connector. Control characters are not allowed.',
  },
  'connector.class': {
    type: 'class',
    required: true,
    importance: 'high',
    group: 'Common',
    displayName: 'Connector class',
    doc: 'The connector: its short name (file-source), or the class name of the Kafka connector it stands in for, with or without package and Connector suffix.',
  },
  'connector.plugin.version': {
    type: 'string',
    default: 'latest',
    importance: 'medium',
    group: 'Common',
    displayName: 'Connector version',
    doc: 'Which version of the connector, where the plugin path has several: one (1.2.0), the newest within a range ([1.0,2.0)), or the newest of all (latest).',
  },
  'tasks.max': {
    type: 'int',
    default: 1,
    minimum: 1,
    importance: 'high',
    group: 'Common',
    displayName: 'Tasks max',
    doc: 'Most tasks to run for this connector.',
  },
  'tasks.max.enforce': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Common',
    displayName: 'Enforce tasks max',
    doc: 'Whether a connector that asks for more tasks than tasks.max fails.',
  },
  'task.weight': {
    type: 'double',
    default: 1,
    minimum: 0,
    importance: 'low',
    group: 'Common',
    displayName: 'Task weight',
    doc: 'What one task of this connector costs a worker, beside others: tasks are spread by it. A connector may give each of its tasks a weight of its own.',
  },
  'key.converter': {
    type: 'class',
    importance: 'low',
    group: 'Common',
    displayName: 'Key converter class',
    doc: 'Converter of record keys: json, string, bytes, or a class name as in Kafka Connect. Left out: the worker’s, with the worker’s settings.',
  },
  'value.converter': {
    type: 'class',
    importance: 'low',
    group: 'Common',
    displayName: 'Value converter class',
    doc: 'Converter of record values; as key.converter.',
  },
  'header.converter': {
    type: 'class',
    importance: 'low',
    group: 'Common',
    displayName: 'Header converter class',
    doc: 'Converter of header values; as key.converter.',
  },
  'key.converter.plugin.version': { ...converterVersion, displayName: 'Key converter version' },
  'value.converter.plugin.version': { ...converterVersion, displayName: 'Value converter version' },
  'header.converter.plugin.version': { ...converterVersion, displayName: 'Header converter version' },
  transforms: {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Transforms',
    displayName: 'Transforms',
    doc: 'Aliases of the transforms that records pass, in this order; transforms.<alias>.type says what each is.',
  },
  predicates: {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Predicates',
    displayName: 'Predicates',
    doc: 'Aliases of the predicates that transforms refer to; predicates.<alias>.type says what each is.',
  },
  'config.action.reload': {
    type: 'string',
    enum: ['restart', 'none'],
    default: 'restart',
    importance: 'low',
    group: 'Common',
    displayName: 'Reload Action',
    doc: 'What to do when an external config provider has a new value.',
  },
  'errors.tolerance': {
    type: 'string',
    enum: ['none', 'all'],
    default: 'none',
    group: 'Error Handling',
    displayName: 'Error Tolerance',
    doc: 'none: a record that cannot be converted or is rejected fails the task. all: it is skipped.',
  },
  'errors.retry.timeout': {
    type: 'long',
    default: 0,
    minimum: -1,
    group: 'Error Handling',
    displayName: 'Retry Timeout for Errors',
    doc: 'How long, in milliseconds, an operation that failed in passing is tried again. 0: not at all; -1: for ever.',
  },
  'errors.retry.delay.max.ms': {
    type: 'long',
    default: 60_000,
    minimum: 1,
    group: 'Error Handling',
    displayName: 'Maximum Delay Between Retries for Errors',
    doc: 'Longest pause between two retries, in milliseconds.',
  },
  'errors.log.enable': {
    type: 'boolean',
    default: false,
    group: 'Error Handling',
    displayName: 'Log Errors',
    doc: 'Whether tolerated errors are written to the worker’s log.',
  },
  'errors.log.include.messages': {
    type: 'boolean',
    default: false,
    group: 'Error Handling',
    displayName: 'Log Error Details',
    doc: 'Whether the log line of an error names the record: topic, partition, offset and timestamp.',
  },
  'errors.deadletterqueue.topic.name': {
    type: 'string',
    default: '',
    group: 'Error Handling',
    displayName: 'Dead Letter Queue Topic Name',
    doc: 'Topic that takes the records that are passed over (errors.tolerance=all), as they were. Empty: none. Unlike in Kafka Connect, sources may have one too.',
  },
  'errors.deadletterqueue.topic.replication.factor': {
    type: 'int',
    minimum: -1,
    group: 'Error Handling',
    displayName: 'Dead Letter Queue Topic Replication Factor',
    doc: 'Replicas of that topic when it is created; -1: the broker’s default. Left out: 3, or the broker’s default where there are fewer brokers.',
  },
  'errors.deadletterqueue.context.headers.enable': {
    type: 'boolean',
    default: false,
    group: 'Error Handling',
    displayName: 'Enable Error Context Headers',
    doc: 'Whether dead letters carry headers (__connect.errors.*) that say where they came from and what was wrong.',
  },
  'task.stalled.after.ms': {
    type: 'long',
    minimum: 0,
    importance: 'low',
    group: 'Common',
    displayName: 'Stalled after',
    doc: 'How long nothing may move of a task that has work to do before its state is STALLED, in milliseconds; 0: for ever. Left out: the worker’s. For a sink that keeps records back on purpose, more than that.',
  },
  'task.isolation': {
    type: 'string',
    enum: ['shared', 'thread'],
    default: 'shared',
    importance: 'low',
    group: 'Common',
    displayName: 'Task isolation',
    doc: 'shared: the tasks share a few threads (task.threads of the worker) with those of other connectors. thread: each has a thread of its own, for a connector that computes much or is not trusted.',
  },
})

/** What every source connector has. */
export const sourceSettings = defineConfig({
  ...common,
  'exactly.once.support': {
    type: 'string',
    enum: ['requested', 'required'],
    default: 'requested',
    group: 'Exactly Once Support',
    displayName: 'Exactly once support',
    doc: 'required: the connector is refused unless it can deliver exactly once on this worker.',
  },
  'transaction.boundary': {
    type: 'string',
    enum: ['poll', 'interval', 'connector'],
    default: 'poll',
    group: 'Exactly Once Support',
    displayName: 'Transaction Boundary',
    doc: 'Where transactions end, on a worker with exactly-once sources: after each batch, after an interval, or where the connector says.',
  },
  'transaction.boundary.interval.ms': {
    type: 'long',
    minimum: 0,
    importance: 'low',
    group: 'Exactly Once Support',
    displayName: 'Transaction boundary interval',
    doc: 'The interval, in milliseconds. Left out: the worker’s offset.flush.interval.ms.',
  },
  'offsets.storage.topic': {
    type: 'string',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'low',
    group: 'offsets.topic',
    displayName: 'Offsets topic',
    doc: 'A topic of its own for this connector’s offsets; it is made, compacted, where it does not exist. Left out: the worker’s offset.storage.topic.',
  },
  'topic.creation.groups': {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Topic Creation',
    displayName: 'Topic Creation Groups',
    doc: 'Groups of topics that this connector makes with settings of their own, the first that matches first: topic.creation.<group>.include, .exclude, .partitions, .replication.factor and any setting of topics. For all others topic.creation.default.* holds; without any of these, the broker’s defaults.',
  },
  'source.max.buffered.bytes': {
    type: 'long',
    default: 16 * 1024 * 1024,
    minimum: 1,
    importance: 'low',
    group: 'Common',
    displayName: 'Maximum buffered bytes',
    doc: 'Most bytes of records that a task may have under way to the log; beyond that its source has to wait.',
  },
})

/** What every sink connector has. */
export const sinkSettings = defineConfig({
  ...common,
  topics: {
    type: 'list',
    default: [],
    importance: 'high',
    group: 'Common',
    displayName: 'Topics',
    doc: 'Topics to read. Either this or topics.regex is given.',
  },
  'topics.regex': {
    type: 'string',
    default: '',
    importance: 'high',
    group: 'Common',
    displayName: 'Topics regex',
    doc: 'Regular expression (JavaScript) that a topic’s whole name must match; topics made later are read too.',
  },
  'sink.max.buffered.bytes': {
    type: 'long',
    default: 16 * 1024 * 1024,
    minimum: 1,
    importance: 'low',
    group: 'Common',
    displayName: 'Maximum buffered bytes',
    doc: 'Most bytes of records that a task should gather before it writes them out.',
  },
})

export type ConnectorType = 'source' | 'sink'
export type SourceConnectorConfig = ConfigOf<typeof sourceSettings>
export type SinkConnectorConfig = ConfigOf<typeof sinkSettings>

/** The framework's settings for a connector of this type. */
export function frameworkSettings(type: ConnectorType): Settings {
  return type === 'source' ? sourceSettings : sinkSettings
}

/** Names below a converter's prefix, which the converter itself checks. */
export function isConverterSetting(name: string): boolean {
  return /^(key|value|header)\.converter\.(?!plugin\.version$)./.test(name)
}

/** A name stands in the path of REST requests, percent-encoded: a longer one could be made, but neither seen nor deleted. */
const maxNameLength = 1000
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/

/** What is wrong with a connector's name, or undefined. */
export function connectorNameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'Connector name must not be empty'
  if (name.length > maxNameLength) return `Connector name must have at most ${maxNameLength} characters`
  if (controlCharacter.test(name)) return 'Connector name must not contain control characters'
  return undefined
}

/** Rules that go across a sink's framework settings. */
export function sinkProblems(config: SinkConnectorConfig): SettingErrors {
  const errors: SettingErrors = {}
  const pattern = config['topics.regex']
  const both = config.topics.length > 0 && pattern !== ''
  const neither = config.topics.length === 0 && pattern === ''
  if (both || neither) {
    const text = both
      ? 'topics and topics.regex are mutually exclusive, but both are set'
      : 'Must configure one of topics or topics.regex'
    errors['topics'] = [text]
    errors['topics.regex'] = [text]
    return errors
  }
  const wrong = config.topics.find((topic) => !isTopicName(topic))
  if (wrong !== undefined) {
    errors['topics'] = [
      `Invalid value ${config.topics.join(',')} for configuration topics: '${wrong}' is not a topic name (letters, digits, '.', '_' and '-', at most 249)`,
    ]
  }
  const deadLetters = config['errors.deadletterqueue.topic.name']
  if (deadLetters !== '' && !isTopicName(deadLetters)) {
    errors['errors.deadletterqueue.topic.name'] = [
      `Invalid value ${deadLetters} for configuration errors.deadletterqueue.topic.name: not a topic name`,
    ]
  }
  if (deadLetters !== '' && config.topics.includes(deadLetters)) {
    errors['topics'] = [`The dead letter topic '${deadLetters}' must not be among the topics that the connector reads`]
  }
  if (pattern === '') return errors
  try {
    if (deadLetters !== '' && new RegExp(`^(?:${pattern})$`).test(deadLetters)) {
      errors['topics.regex'] = [
        `The dead letter topic '${deadLetters}' must not match the regex of the topics that the connector reads`,
      ]
    }
    new RegExp(pattern)
  } catch (error) {
    errors['topics.regex'] = [`Invalid value ${pattern} for configuration topics.regex: ${(error as Error).message}`]
  }
  return errors
}

/** Kafka's rule for topic names. */
function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'
}
