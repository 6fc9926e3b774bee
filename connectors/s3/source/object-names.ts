import { createHash } from 'node:crypto'
import type { ConfigProblems } from '@tidewire/sdk'
import type { ReadFormat } from '../formats/index.ts'
import { readPrefix, type S3SourceConfig } from './settings.ts'

/** An object as a listing, or a notification, tells of it. */
export interface FoundObject {
  readonly key: string
  /** In quotes, as the store gives it. */
  readonly etag: string
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modified: number
  readonly version?: string | undefined
}

/** What an object's key says of it. */
export interface NamedObject {
  /** Objects of one stream are read one after the other, by one task. */
  readonly stream: Stream
  /** Where in its stream, compared with `compareRanks`. */
  readonly rank: string
  readonly topic: string
  readonly partition: number | undefined
  readonly format: ReadFormat
  /** Restoring: what of the records the object has. */
  readonly part: 'value' | 'keys' | 'headers'
  /** Restoring: the same for an object and those beside it. */
  readonly family: string
  /** Restoring: whether the values are null, so that there is no object of them. */
  readonly tombstones: boolean
}

export interface Stream {
  readonly name: string
  /** Spreads streams over tasks: this modulo their number. */
  readonly share: number
}

/** By how many streams objects without a partition of their own are divided, whatever the number of tasks. */
export const laneCount = 32

/** Undefined: the object is none of what is to be read. */
export type ReadName = (object: FoundObject) => NamedObject | undefined

type NameConfig = Pick<
  S3SourceConfig,
  | 'mode'
  | 'topics'
  | 'topics.dir'
  | 'topic.regex.list'
  | 'file.name.template'
  | 'directory.delim'
  | 'file.delim'
  | 'tombstone.encoded.partition'
  | 'format.class'
  | 'keys.format.class'
  | 'headers.format.class'
  | 'listing.order'
>

/** What ranks are made of: part of the stored positions. */
export function orderOf(config: Pick<S3SourceConfig, 'mode' | 'listing.order' | 'sqs.queue.url'>): string {
  if (config.mode !== 'GENERIC') return 'offset'
  return config['sqs.queue.url'] === undefined ? config['listing.order'] : 'notification'
}

/** The streams there are whatever objects there are: none where those make them. */
export function fixedStreams(config: Pick<S3SourceConfig, 'mode' | 'file.name.template'>): readonly Stream[] {
  return config.mode === 'GENERIC' && !hasPartition(config) ? lanes : []
}

const lanes: readonly Stream[] = Array.from({ length: laneCount }, (_, lane) => ({
  name: `lane-${String(lane).padStart(2, '0')}`,
  share: lane,
}))

const hasPartition = (config: Pick<S3SourceConfig, 'file.name.template'>): boolean =>
  /\{\{\s*partition\s*\}\}|\(\?<partition>/.test(config['file.name.template'] ?? '')

/** The settings of the tasks: no more than have a share. */
export function sharesOf(
  config: Pick<S3SourceConfig, 'mode' | 'file.name.template' | 'sqs.queue.url'>,
  maxTasks: number,
): { 'task.share': string }[] {
  const streams = fixedStreams(config).length
  const count = streams === 0 || config['sqs.queue.url'] !== undefined ? maxTasks : Math.min(maxTasks, streams)
  return Array.from({ length: count }, (_, index) => ({ 'task.share': `${index}/${count}` }))
}

export function nameReader(config: NameConfig): ReadName {
  return config.mode === 'GENERIC' ? genericNames(config) : restoredNames(config)
}

function genericNames(config: NameConfig): ReadName {
  const prefix = readPrefix(config)
  const template = templateOf(config)
  const choices = topicChoices(config['topic.regex.list'], (expression) => new RegExp(expression))
  const byTime = config['listing.order'] === 'modified'
  const partitioned = hasPartition(config)
  return ({ key, modified }) => {
    if (!key.startsWith(prefix) || key.endsWith(config['directory.delim'])) return undefined
    const match = template === undefined ? undefined : template.exec(key.slice(prefix.length))
    if (match === null) return undefined
    const format = formatOf(config['format.class'], key)
    const topic = match?.groups?.['topic'] ?? (choices.length > 0 ? chooseTopic(choices, key) : config.topics[0])
    if (topic === undefined || format === undefined) return undefined
    const partition = match?.groups?.['partition'] === undefined ? undefined : Number(match.groups['partition'])
    return {
      stream: partitioned && partition !== undefined ? partitionStream(topic, partition) : laneOf(key),
      rank: byTime ? `${new Date(modified).toISOString()} ${key}` : key,
      ...{ topic, partition, format, part: 'value', family: key, tombstones: false },
    }
  }
}

/**
 * `<topics.dir>/<topic>/<folders>/<topic>+<partition>+<first offset><extension>`. Before the partition s3-sink puts the topic
 * that records came from, where a transform gave them another; behind the offset, that dead letters were put again.
 */
function restoredNames(config: NameConfig): ReadName {
  const prefix = readPrefix(config)
  const delimiter = config['directory.delim']
  const between = escape(config['file.delim'])
  const form = new RegExp(
    `^(.+)${between}(\\d+)${between}(\\d+)(${between}redrive-[\\w-]+)?(?:\\.(keys|headers)(?=\\.))?((?:\\.[^.]+)*)$`,
  )
  const chosen = config.topics.length === 0 ? undefined : new Set(config.topics)
  const choices = topicChoices(config['topic.regex.list'], (expression) => new RegExp(`^(?:${expression})$`))
  const formats = {
    value: config['format.class'],
    keys: config['keys.format.class'],
    headers: config['headers.format.class'],
  } as const
  return ({ key }) => {
    if (!key.startsWith(prefix)) return undefined
    const nameAt = key.lastIndexOf(delimiter) + delimiter.length
    const match = form.exec(key.slice(Math.max(nameAt, prefix.length)))
    if (match === null) return undefined
    const [, source = '', partitionText = '', offset = '', redriven = '', side] = match
    const [folderTopic = ''] = key.slice(prefix.length).split(delimiter)
    const written = source.startsWith(folderTopic + config['file.delim']) ? folderTopic : source
    if (chosen?.has(written) === false) return undefined
    const part = side === undefined ? 'value' : (side as 'keys' | 'headers')
    const format = formatOf(formats[part], key)
    const topic = choices.length > 0 ? chooseTopic(choices, written) : written
    if (topic === undefined || format === undefined) return undefined
    const folder = key.slice(0, nameAt - delimiter.length)
    const family = key.slice(0, nameAt) + [source, partitionText, offset].join(config['file.delim']) + redriven
    return {
      stream: partitionStream(source, Number(partitionText)),
      rank: `${offset.padStart(20, '0')} ${family}`,
      ...{ topic, partition: Number(partitionText), format, part, family },
      tombstones: folder.endsWith(delimiter + config['tombstone.encoded.partition']),
    }
  }
}

const hash = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE(0)

const laneOf = (key: string): Stream => lanes[hash(key) % laneCount]!

/** Neighbours of a topic go to different tasks. */
function partitionStream(topic: string, partition: number): Stream {
  return { name: `${topic}/${partition}`, share: hash(topic) + partition }
}

interface TopicChoice {
  readonly topic: string
  readonly expression: RegExp
}

/** @throws TypeError naming an entry that is wrong */
function topicChoices(list: readonly string[], compile: (expression: string) => RegExp): TopicChoice[] {
  return list.map((entry) => {
    const colon = entry.indexOf(':')
    if (colon < 1 || colon === entry.length - 1) throw new TypeError(`'${entry}' is not of the form topic:expression`)
    return { topic: entry.slice(0, colon).trim(), expression: compiled(entry.slice(colon + 1).trim(), compile) }
  })
}

function chooseTopic(choices: readonly TopicChoice[], text: string): string | undefined {
  for (const { topic, expression } of choices) {
    const match = expression.exec(text)
    if (match !== null) return topic.replace(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? '')
  }
  return undefined
}

const variables: Readonly<Record<string, string>> = {
  topic: '(?<topic>[a-zA-Z0-9\\-_.]+)',
  partition: '(?<partition>\\d+)',
  start_offset: '(?<start_offset>\\d+)',
  timestamp: '(?<timestamp>\\d+)',
}

/** @throws TypeError */
function templateOf(config: Pick<S3SourceConfig, 'file.name.template'>): RegExp | undefined {
  const template = config['file.name.template']
  if (template === undefined) return undefined
  const expression = template.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => {
    const variable = variables[name]
    if (variable === undefined) throw new TypeError(`{{${name}}} is not one of ${Object.keys(variables).join(', ')}`)
    return variable
  })
  return compiled(expression, (text) => new RegExp(text))
}

function compiled(expression: string, compile: (expression: string) => RegExp): RegExp {
  try {
    return compile(expression)
  } catch (cause) {
    throw new TypeError(`'${expression}' is not a regular expression: ${(cause as Error).message}`, { cause })
  }
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

const formatsByExtension: Readonly<Record<string, ReadFormat>> = {
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  csv: 'csv',
  avro: 'avro',
  parquet: 'parquet',
  bin: 'lines',
  txt: 'lines',
  log: 'lines',
}

/** Undefined: the key does not tell. */
function formatOf(given: S3SourceConfig['format.class'], key: string): ReadFormat | undefined {
  if (given === 'auto') {
    const [, extension = ''] = /\.([^./]+)(?:\.(?:gz|zst))?$/.exec(key) ?? []
    return formatsByExtension[extension.toLowerCase()]
  }
  if (given.endsWith('JsonFormat')) return 'json'
  if (given.endsWith('AvroFormat')) return 'avro'
  if (given.endsWith('ParquetFormat')) return 'parquet'
  if (given.endsWith('ByteArrayFormat') || given === 'bytes') return 'lines'
  return given as ReadFormat
}

/** What is wrong with the settings that names are read by. */
export function checkNames(config: NameConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const attempt = (setting: string, compile: () => unknown): void => {
    try {
      compile()
    } catch (error) {
      problems[setting] = (error as Error).message
    }
  }
  const generic = config.mode === 'GENERIC'
  attempt('topic.regex.list', () => topicChoices(config['topic.regex.list'], (expression) => new RegExp(expression)))
  attempt('file.name.template', () => templateOf(config))
  const template = config['file.name.template'] ?? ''
  if (generic && config['topic.regex.list'].length === 0 && !/\{\{\s*topic\s*\}\}|\(\?<topic>/.test(template)) {
    if (config.topics.length !== 1) {
      problems['topics'] =
        'with mode=GENERIC one topic is needed, or topic.regex.list, or {{topic}} in file.name.template'
    }
  }
  if (!generic && template !== '') problems['file.name.template'] = 'belongs to mode=GENERIC'
  for (const setting of ['directory.delim', 'file.delim'] as const) {
    if (config[setting] === '') problems[setting] = 'is not to be empty'
  }
  return problems
}
