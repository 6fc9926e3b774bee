import type { ConfigProblems } from '@tidewire/sdk'
import type { Address } from '../link/connection-settings.ts'
import { addressOfUrl } from '../link/connection-url.ts'
import type { PostgresSinkConfig } from './settings.ts'

/** What the settings come to, whether Confluent's or Debezium's names were used. */
export interface SinkOptions {
  readonly mode: 'insert' | 'upsert' | 'update'
  readonly keyMode: 'none' | 'kafka' | 'record_key' | 'record_value'
  /** Empty: all. */
  readonly keyFields: readonly string[]
  /** Fields of the value to write; undefined: all. */
  readonly fields: ReadonlySet<string> | undefined
  readonly deletes: boolean
  readonly truncates: boolean
  readonly creates: boolean
  readonly evolves: boolean
  readonly batchRows: number
  readonly tableFormat: string
  /** Whether a dot in a topic comes between schema and table, or is an underscore. */
  readonly topicDots: 'separate' | 'underscore'
  /** Whether names are in lower case, as where nothing is quoted. */
  readonly foldsNames: boolean
  /** pg_class.relkind of what may be written to. */
  readonly relationKinds: ReadonlySet<string>
  readonly replacesNulls: boolean
  readonly timeZone: string
  readonly timestampFields: ReadonlySet<string>
  readonly timestampUnit: 'microseconds' | 'nanoseconds'
  readonly unavailable: string
}

const kafkaKeyFields = ['__connect_topic', '__connect_partition', '__connect_offset']

const relationKinds = { TABLE: 'r', 'PARTITIONED TABLE': 'p', VIEW: 'v', 'FOREIGN TABLE': 'f' } as const

export function optionsOf(config: PostgresSinkConfig): SinkOptions {
  const evolution = config['schema.evolution'] === 'basic'
  const keyMode = config['pk.mode'] ?? config['primary.key.mode'] ?? 'none'
  const keyFields = config['pk.fields'] ?? config['primary.key.fields'] ?? []
  const collectionFormat = config['collection.name.format']
  const fields = config['fields.whitelist'] ?? []
  return {
    mode: config['insert.mode'],
    keyMode,
    keyFields: keyMode === 'kafka' && keyFields.length === 0 ? kafkaKeyFields : keyFields,
    fields: fields.length === 0 ? undefined : new Set(fields),
    deletes: config['delete.enabled'],
    truncates: config['truncate.enabled'],
    creates: config['auto.create'] || evolution,
    evolves: config['auto.evolve'] || evolution,
    batchRows: config['batch.size'],
    tableFormat: config['table.name.format'] ?? collectionFormat ?? '${topic}',
    topicDots: collectionFormat === undefined ? 'separate' : 'underscore',
    foldsNames: config['quote.sql.identifiers'] === 'never' || config['quote.identifiers'] === false,
    relationKinds: new Set(config['table.types'].map((type) => relationKinds[type])),
    replacesNulls: config['replace.null.with.default'],
    timeZone: config['db.timezone'],
    timestampFields: new Set(config['timestamp.fields.list']),
    timestampUnit: config['timestamp.precision.mode'],
    unavailable: config['unavailable.value.placeholder'],
  }
}

/** @throws ConfigError where the URL is none */
export function addressOf(config: PostgresSinkConfig): Address {
  const user = config['connection.user'] ?? config['connection.username']
  return addressOfUrl(
    config['connection.url'],
    { user, password: config['connection.password'] },
    'tidewire postgres-sink',
  )
}

const synonyms = [
  ['connection.user', 'connection.username'],
  ['pk.mode', 'primary.key.mode'],
  ['pk.fields', 'primary.key.fields'],
  ['table.name.format', 'collection.name.format'],
  ['quote.sql.identifiers', 'quote.identifiers'],
] as const

/** Rules across settings. */
export function checkSink(config: PostgresSinkConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  for (const [one, other] of synonyms) {
    if (config[one] !== undefined && config[other] !== undefined)
      problems[other] = `stands for ${one}, which is set too`
  }
  try {
    addressOf(config)
  } catch (error) {
    problems['connection.url'] = (error as Error).message
  }
  const { mode, keyMode, keyFields, deletes, timeZone, tableFormat } = optionsOf(config)
  const keySetting = config['primary.key.mode'] === undefined ? 'pk.mode' : 'primary.key.mode'
  if (mode !== 'insert' && keyMode === 'none') {
    problems[keySetting] = `insert.mode=${mode} needs to know what a row's key is: record_key, record_value or kafka`
  }
  if (deletes && keyMode !== 'record_key') problems['delete.enabled'] = `needs ${keySetting}=record_key`
  if (keyMode === 'kafka' && keyFields.length !== 3) {
    problems['pk.fields'] = 'for pk.mode=kafka these are three: of the topic, the partition and the offset'
  }
  if (tableFormat.trim() === '') problems['table.name.format'] = 'is empty'
  if (config['exactly.once'] && config['offsets.table.name'].trim() === '') problems['offsets.table.name'] = 'is empty'
  try {
    new Intl.DateTimeFormat('en', { timeZone })
  } catch {
    problems['db.timezone'] = `no time zone has the name ${timeZone}`
  }
  return problems
}
