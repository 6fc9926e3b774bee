import type { Logger } from '@tidewire/sdk'
import type { PgColumn, TypeOptions } from '../types/column-reader.ts'
import { TypeCatalog, type PgType } from '../types/type-catalog.ts'
import type { RowChange } from '../cdc/replication/wal-message.ts'
import { EventWriter, type EventWriterOptions, type SourceState } from '../cdc/events/event-writer.ts'
import { eventSettings, type EventConfig, type NamedSettings } from '../cdc/events/settings.ts'
import { ShapeBuilder } from '../cdc/events/shape-builder.ts'
import { TableFilter } from '../cdc/events/table-filter.ts'
import type { TableShape } from '../cdc/events/table-shape.ts'
import { TopicNames, type TopicNaming } from '../cdc/events/topic-names.ts'

/** What unit tests of this room make rows and events of: no database, tuples made by hand. */

const base = {
  schema: 'pg_catalog',
  kind: 'base',
  elementOid: 0,
  delimiter: ',',
  baseOid: 0,
  baseModifier: -1,
  labels: [],
} as const

/** A base type, unless it says otherwise. */
export const pgType = (oid: number, name: string, more: Partial<PgType> = {}): PgType => ({
  ...base,
  oid,
  name,
  ...more,
})

/** Oids of the types that tests have columns of. */
export const types = {
  int4: 23,
  text: 25,
  bool: 16,
  int8: 20,
  varchar: 1043,
  timestamp: 1114,
  bytea: 17,
  mood: 9001,
  box: 603,
}

const catalog = (moods: readonly string[] = ['sad', 'happy']): TypeCatalog =>
  TypeCatalog.of([
    pgType(types.int4, 'int4'),
    pgType(types.int8, 'int8'),
    pgType(types.bool, 'bool'),
    pgType(types.text, 'text'),
    pgType(types.varchar, 'varchar'),
    pgType(types.timestamp, 'timestamp'),
    pgType(types.bytea, 'bytea'),
    pgType(types.mood, 'mood', { kind: 'enum', labels: moods }),
  ])

export const typeOptions: TypeOptions = {
  decimal: 'precise',
  time: 'adaptive',
  interval: 'numeric',
  hstore: 'json',
  binary: 'bytes',
  moneyFractionDigits: 2,
  unavailable: '__debezium_unavailable_value',
  includeUnknown: false,
}

/** The settings with their defaults, as the worker gives them. */
export function eventConfig(settings: Partial<EventConfig> = {}): EventConfig {
  const defaults = Object.entries(eventSettings).map(([name, setting]) => [
    name,
    'default' in setting ? setting.default : undefined,
  ])
  return { ...Object.fromEntries(defaults), 'topic.prefix': 'server', ...settings } as EventConfig
}

export const topicNaming: TopicNaming = {
  prefix: 'server',
  delimiter: '.',
  strategy: 'SchemaTopicNamingStrategy',
  transaction: 'transaction',
  heartbeatPrefix: '__debezium-heartbeat',
  heartbeatName: undefined,
}

export const topicNames = new TopicNames(topicNaming)

export const column = (name: string, type: keyof typeof types, more: Partial<PgColumn> = {}): PgColumn => ({
  name,
  typeOid: types[type],
  typeModifier: -1,
  nullable: true,
  ...more,
})

export interface TableUnderTest {
  readonly columns: readonly PgColumn[]
  readonly key?: readonly string[]
  readonly settings?: Partial<EventConfig>
  readonly named?: NamedSettings
  readonly checksLabels?: boolean
  readonly warnings?: string[]
}

/** The shape of the table `public.t`. */
export function shapeOf(table: TableUnderTest): TableShape {
  const { columns, key = [], settings, named = {}, checksLabels = true, warnings = [] } = table
  const config = eventConfig(settings)
  const nothing = (): void => undefined
  const log: Logger = { debug: nothing, info: nothing, warn: (message) => warnings.push(message), error: nothing }
  const filter = new TableFilter(config)
  const options = { config, named, types: typeOptions, catalog: catalog(), filter, topics: topicNames, log }
  const builder = new ShapeBuilder(options)
  return builder.build(builder.factsOf({ schema: 'public', table: 't' }, columns, key, checksLabels))
}

/** A value of a tuple: its text, null, or that it was not sent. */
export type TupleValue = string | null | typeof notSent
export const notSent = Symbol('not sent')

export function tuple(values: readonly TupleValue[]): Buffer {
  const parts = [Buffer.from([values.length >> 8, values.length & 0xff])]
  for (const value of values) {
    if (value === null) parts.push(Buffer.from('n'))
    else if (value === notSent) parts.push(Buffer.from('u'))
    else {
      const bytes = Buffer.from(value)
      const length = Buffer.alloc(4)
      length.writeInt32BE(bytes.length)
      parts.push(Buffer.from('t'), length, bytes)
    }
  }
  return Buffer.concat(parts)
}

interface Tuples {
  readonly new?: readonly TupleValue[]
  readonly old?: readonly TupleValue[]
  readonly oldKind?: 'K' | 'O'
}

/** A change as the stream brings it, with its tuples somewhere in a larger piece. */
export function change(kind: RowChange['kind'], tuples: Tuples): RowChange {
  const before = Buffer.from('what came before')
  const old = tuples.old === undefined ? Buffer.alloc(0) : tuple(tuples.old)
  const current = tuples.new === undefined ? Buffer.alloc(0) : tuple(tuples.new)
  const oldAt = tuples.old === undefined ? -1 : before.length
  const newAt = tuples.new === undefined ? -1 : before.length + old.length
  const oldKind = tuples.old === undefined ? undefined : (tuples.oldKind ?? 'O')
  return { kind, lsn: 100, relationId: 1, bytes: Buffer.concat([before, old, current]), newAt, oldAt, oldKind }
}

export function writerOf(settings: Partial<EventConfig> = {}, more: Partial<EventWriterOptions> = {}): EventWriter {
  const config = eventConfig({ 'extended.headers.enabled': false, ...settings })
  return new EventWriter({
    config,
    database: 'db',
    binary: 'bytes',
    topics: topicNames,
    version: '1.2.3',
    task: 0,
    runId: 'run',
    now: () => 1_700_000_000_123,
    ...more,
  })
}

/** Within transaction 7, which was committed 2023-11-14T22:13:20.000456Z. */
export const state: SourceState = {
  lsn: 100,
  lastCommitLsn: 90,
  txId: 7,
  commitTimeUs: 1_700_000_000_000_456,
  snapshot: 'false',
}
