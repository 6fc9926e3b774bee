/** The worker's own settings: Kafka Connect's names, and its defaults except where the doc says otherwise. */
import { defineConfig, type ConfigOf } from '@tidewire/sdk'
import { isProviderSetting, parseConfigProviders, type ProviderSpec } from './config-providers.ts'
import { clientKinds, overridePolicies, parseClientSettings, type ClientKind } from './client-settings.ts'
import { logSecuritySettings } from './log-security.ts'
import { restSettings } from './rest-settings.ts'
import { compileSettings, type ParsedSettings, type RawConfig, type SettingErrors } from './settings.ts'

export const workerSettings = defineConfig({
  'bootstrap.servers': {
    type: 'list',
    default: ['127.0.0.1:9092'],
    importance: 'high',
    doc: 'Where the log is, host:port: the bundled one, Apache Kafka or Redpanda.',
  },
  'group.id': {
    type: 'string',
    default: 'connect-cluster',
    pattern: '\\S',
    importance: 'high',
    doc: 'The cluster: workers with the same group.id share their connectors.',
  },
  'config.storage.topic': {
    type: 'string',
    default: 'connect-configs',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'high',
    doc: 'Topic that holds connector and task configs.',
  },
  'offset.storage.topic': {
    type: 'string',
    default: 'connect-offsets',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'high',
    doc: 'Topic that holds source offsets.',
  },
  'status.storage.topic': {
    type: 'string',
    default: 'connect-status',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'high',
    doc: 'Topic that holds the states of connectors and tasks.',
  },
  'assignment.storage.topic': {
    type: 'string',
    default: 'connect-assignments',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'high',
    doc: 'Topic that holds which worker runs what. Not known to Kafka Connect; several clusters may share one.',
  },
  'config.storage.replication.factor': {
    type: 'int',
    minimum: -1,
    importance: 'low',
    doc: 'Replicas of the config topic when it is created; -1: the broker’s default. Left out: 3, or the broker’s default where there are fewer brokers.',
  },
  'offset.storage.replication.factor': {
    type: 'int',
    minimum: -1,
    importance: 'low',
    doc: 'As config.storage.replication.factor, for the offset topic.',
  },
  'status.storage.replication.factor': {
    type: 'int',
    minimum: -1,
    importance: 'low',
    doc: 'As config.storage.replication.factor, for the status topic.',
  },
  'assignment.storage.replication.factor': {
    type: 'int',
    minimum: -1,
    importance: 'low',
    doc: 'As config.storage.replication.factor, for the assignment topic.',
  },
  'offset.storage.partitions': {
    type: 'int',
    default: 25,
    minimum: -1,
    importance: 'low',
    doc: 'Partitions of the offset topic when it is created.',
  },
  'status.storage.partitions': {
    type: 'int',
    default: 5,
    minimum: -1,
    importance: 'low',
    doc: 'Partitions of the status topic when it is created.',
  },
  'key.converter': {
    type: 'class',
    default: 'json',
    importance: 'high',
    doc: 'Converter of record keys for connectors that name none; its settings follow below key.converter.*.',
  },
  'value.converter': { type: 'class', default: 'json', importance: 'high', doc: 'Converter of record values.' },
  'header.converter': {
    type: 'class',
    default: 'org.apache.kafka.connect.storage.SimpleHeaderConverter',
    importance: 'low',
    doc: 'Converter of header values.',
  },
  listeners: {
    type: 'list',
    default: ['http://127.0.0.1:8083'],
    pattern: '^https?://\\S*:\\d+$',
    doc: 'Where REST listens, http://host:port or https://host:port; an empty host stands for all addresses. Unlike Kafka Connect, on loopback by default.',
  },
  'rest.advertised.host.name': {
    type: 'string',
    importance: 'low',
    doc: 'The host that other workers and the status call this worker by. Left out: the listener’s.',
  },
  'rest.advertised.port': {
    type: 'int',
    minimum: 1,
    maximum: 65535,
    importance: 'low',
    doc: 'As the host, for the port.',
  },
  'plugin.path': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: 'Where connectors from elsewhere are: each entry is a package folder, a folder that holds such, or a single module file. Looked at again whenever it matters, so that a plugin is added or changed with no restart.',
  },
  'offset.flush.interval.ms': {
    type: 'long',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    doc: 'How often the offsets of tasks are committed, in milliseconds.',
  },
  'offset.flush.timeout.ms': {
    type: 'long',
    default: 5000,
    minimum: 1,
    importance: 'low',
    doc: 'Longest wait for records to be acknowledged before a commit of offsets is put off, in milliseconds.',
  },
  'task.shutdown.graceful.timeout.ms': {
    type: 'long',
    default: 5000,
    minimum: 0,
    importance: 'low',
    doc: 'How long tasks that stop together may take, in milliseconds, before they are cut off.',
  },
  'task.threads': {
    type: 'int',
    minimum: 1,
    maximum: 64,
    importance: 'low',
    doc: 'How many threads tasks share, at most. Left out: one less than there are processors, but no more than 4. Not known to Kafka Connect.',
  },
  'task.stalled.after.ms': {
    type: 'long',
    default: 60_000,
    minimum: 0,
    importance: 'low',
    doc: 'A task that has work to do, and of which nothing moves for so long, is STALLED, with what it waits for in its status; in milliseconds, 0: never. A connector may have its own. Not known to Kafka Connect.',
  },
  'worker.max.buffered.bytes': {
    type: 'long',
    default: 256 * 1024 * 1024,
    minimum: 1,
    importance: 'low',
    doc: 'Most bytes of records that all tasks of this worker hold together: fetched, under way to the log, or kept by sinks. Each task has 512 KiB in any case, and borrows the rest while there is any, up to its source.max.buffered.bytes or sink.max.buffered.bytes. Not known to Kafka Connect.',
  },
  'exactly.once.source.support': {
    type: 'string',
    enum: ['disabled', 'preparing', 'enabled'],
    default: 'enabled',
    importance: 'high',
    doc: 'Whether source connectors that can deliver exactly once write records and offsets in one transaction (enabled). preparing is the step between, for a rolling change of several workers. Unlike in Kafka Connect, on by default.',
  },
  'topic.creation.enable': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether topics that source connectors write to are created where they are missing.',
  },
  'session.timeout.ms': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    doc: 'Silence after which a member of a group counts as gone, in milliseconds.',
  },
  'heartbeat.interval.ms': { type: 'int', default: 3000, minimum: 1, doc: 'Time between heartbeats, in milliseconds.' },
  'rebalance.timeout.ms': {
    type: 'int',
    default: 60_000,
    minimum: 1,
    doc: 'Longest time that giving up work may take in a rebalance, in milliseconds.',
  },
  'scheduled.rebalance.max.delay.ms': {
    type: 'int',
    default: 300_000,
    minimum: 0,
    doc: 'How long the work of a worker that vanished waits for it to come back, in milliseconds. A worker that stops in order hands over at once.',
  },
  'rest.write.hold.ms': {
    type: 'int',
    default: 60_000,
    minimum: 0,
    maximum: 85_000,
    importance: 'low',
    doc: 'How long a write by REST waits for a leader, or for a change of leader to end, in milliseconds, before it is answered with 409. Not known to Kafka Connect, which answers at once.',
  },
  'inter.worker.key.generation.algorithm': {
    type: 'string',
    enum: ['HmacSHA1', 'HmacSHA224', 'HmacSHA256', 'HmacSHA384', 'HmacSHA512'],
    default: 'HmacSHA256',
    importance: 'low',
    doc: 'What the keys are for that workers sign their requests to one another with.',
  },
  'inter.worker.key.size': {
    type: 'int',
    minimum: 64,
    importance: 'low',
    doc: 'Size of these keys, in bits. Left out: that of the algorithm’s hash.',
  },
  'inter.worker.key.ttl.ms': {
    type: 'int',
    default: 3_600_000,
    minimum: 1000,
    importance: 'low',
    doc: 'Age at which the leader makes a new key, in milliseconds.',
  },
  'inter.worker.signature.algorithm': {
    type: 'string',
    enum: ['HmacSHA1', 'HmacSHA224', 'HmacSHA256', 'HmacSHA384', 'HmacSHA512'],
    default: 'HmacSHA256',
    importance: 'low',
    doc: 'What this worker signs with.',
  },
  'inter.worker.verification.algorithms': {
    type: 'list',
    enum: ['HmacSHA1', 'HmacSHA224', 'HmacSHA256', 'HmacSHA384', 'HmacSHA512'],
    default: ['HmacSHA256'],
    importance: 'low',
    doc: 'Which signatures of other workers it takes.',
  },
  'connector.client.config.override.policy': {
    type: 'string',
    enum: overridePolicies,
    default: 'All',
    importance: 'low',
    doc: 'What connectors may change of their clients by producer.override.*, consumer.override.* and admin.override.*: All, None, or Principal (who they are: security.protocol, sasl.mechanism, sasl.jaas.config). The worker’s own producer.*, consumer.* and admin.* hold below these.',
  },
  'config.providers': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: 'Names of the config providers, by which configs refer to what is not in them: ${name:[path:]key}. Of each, config.providers.<name>.class says what it is: EnvVarConfigProvider, FileConfigProvider or DirectoryConfigProvider, as env, file and dir are without. What they may read: config.providers.<name>.param.allowlist.pattern of an env provider, param.allowed.paths of the others.',
  },
  'config.storage.encryption.key': {
    type: 'password',
    importance: 'low',
    doc: 'Encrypts secrets of connectors in the config topic: 32 bytes in base64 or hexadecimal. Of several, with commas between, the first encrypts and all decrypt. Left out: they stand there as in Kafka Connect, in clear. Not known to Kafka Connect.',
  },
  'config.storage.encryption.key.file': {
    type: 'string',
    importance: 'low',
    doc: 'A file with such keys, one a line. Read at start.',
  },
  'request.timeout.ms': {
    type: 'int',
    default: 40_000,
    minimum: 1,
    importance: 'low',
    doc: 'Longest wait for the log’s answer to a request, in milliseconds.',
  },
  ...logSecuritySettings,
  ...restSettings,
})

export type WorkerConfig = ConfigOf<typeof workerSettings>

const unsupported: Readonly<Record<string, string>> = {
  'admin.listeners.*': 'https is for admin.listeners as listeners.https.* says',
  'sasl.*': 'there are PLAIN and SCRAM, with sasl.mechanism and sasl.jaas.config',
  'ssl.*': 'certificates and keys are PEM; see docs/security.md for the settings there are',
  'listeners.https.*': 'certificates and keys are PEM; see docs/security.md for the settings there are',
  'rest.extension.classes':
    'there are no REST extensions; for log-ins there are rest.users.file and rest.bearer.issuer',
  'metric.reporters': 'there are no metric reporters',
}

/** The settings that only Java needs, or that name classes of the JVM, are left out and give a warning. */
const parse = compileSettings(workerSettings, {
  unsupported,
  foreign: (name) =>
    /^((key|value|header)\.converter|producer|consumer|admin)\../.test(name) || isProviderSetting(name),
})

/** A worker's parsed settings, with the settings of its converters, which each converter parses for itself. */
export interface ParsedWorkerConfig {
  readonly config: WorkerConfig
  /** By full name, prefix included: what begins with `key.converter.`, `value.converter.` or `header.converter.`. */
  readonly converterSettings: Readonly<Record<string, string>>
  /** Parsed, by bare name: what begins with `producer.`, `consumer.` or `admin.`. */
  readonly clientSettings: Readonly<Record<ClientKind, Readonly<Record<string, unknown>>>>
  readonly configProviders: readonly ProviderSpec[]
}

/** Parses a worker's settings, as a properties file, flags or the environment give them. */
export function parseWorkerConfig(raw: RawConfig): ParsedSettings<WorkerConfig> & ParsedWorkerConfig {
  const parsed = parse(raw)
  const converterSettings = textsOf(raw, (name) => /^(key|value|header)\.converter\../.test(name))
  const clients = parseClients(raw)
  const { providers: configProviders, ...providers } = parseConfigProviders(textsOf(raw, isOfProviders))
  return {
    config: parsed.config,
    errors: { ...parsed.errors, ...clients.errors, ...providers.errors },
    warnings: [...parsed.warnings, ...clients.warnings, ...providers.warnings],
    converterSettings,
    configProviders,
    clientSettings: clients.clientSettings,
  }
}

function parseClients(
  raw: RawConfig,
): Pick<ParsedWorkerConfig, 'clientSettings'> & Pick<ParsedSettings<unknown>, 'errors' | 'warnings'> {
  const given = textsOf(raw, (name) => !name.startsWith('admin.listeners'))
  const parsed = clientKinds.map((kind) => ({ kind, ...parseClientSettings(kind, `${kind}.`, given) }))
  return {
    clientSettings: Object.fromEntries(parsed.map(({ kind, config }) => [kind, config])) as Record<
      ClientKind,
      Readonly<Record<string, unknown>>
    >,
    errors: Object.assign({}, ...parsed.map(({ errors }) => errors)) as SettingErrors,
    warnings: parsed.flatMap(({ warnings }) => warnings),
  }
}

function isOfProviders(name: string): boolean {
  return name === 'config.providers' || isProviderSetting(name)
}

function textsOf(raw: RawConfig, isMeant: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(raw).flatMap(([name, value]) =>
      value != null && isMeant(name) ? [[name, String(value as string | number)]] : [],
    ),
  )
}
