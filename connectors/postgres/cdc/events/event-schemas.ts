import { schema, type Schema } from '@tidewire/sdk'
import type { NameAdjuster } from './name-adjuster.ts'

/** Where a change stands in relation to a snapshot; in `source.snapshot`. */
export const snapshotMarks = [
  'true',
  'first',
  'first_in_data_collection',
  'last_in_data_collection',
  'last',
  'false',
  'incremental',
] as const

export type SnapshotMark = (typeof snapshotMarks)[number]

const string = schema.string()
const int64 = schema.int64()
const optionalString = schema.string({ optional: true })
const optionalInt64 = schema.int64({ optional: true })

/** The `source` block of every event. Its name is never adjusted. */
const sourceSchema: Schema = schema.struct(
  {
    version: string,
    connector: string,
    name: string,
    ts_ms: int64,
    snapshot: schema.string({
      name: 'io.debezium.data.Enum',
      version: 1,
      parameters: { allowed: snapshotMarks.join(',') },
      default: 'false',
      optional: true,
    }),
    db: string,
    sequence: optionalString,
    ts_us: optionalInt64,
    ts_ns: optionalInt64,
    schema: string,
    table: string,
    txId: optionalInt64,
    lsn: optionalInt64,
    xmin: optionalInt64,
    origin: optionalString,
    origin_lsn: optionalInt64,
  },
  { name: 'io.debezium.connector.postgresql.Source', version: 1 },
)

/** The `transaction` block: null where `provide.transaction.metadata` is off. */
const transactionBlock: Schema = schema.struct(
  { id: string, total_order: int64, data_collection_order: int64 },
  { name: 'event.block', version: 1, optional: true },
)

/** Value of a table's events around its row's schema. */
export function envelopeSchema(name: string, row: Schema): Schema {
  return schema.struct(
    {
      before: row,
      after: row,
      source: sourceSchema,
      transaction: transactionBlock,
      op: string,
      ts_ms: optionalInt64,
      ts_us: optionalInt64,
      ts_ns: optionalInt64,
    },
    { name, version: 2 },
  )
}

/** A key and a value. */
export interface SchemaPair {
  readonly key: Schema
  readonly value: Schema
}

export function transactionSchemas(adjustName: NameAdjuster): SchemaPair {
  const ofTable = schema.struct(
    { data_collection: string, event_count: int64 },
    { name: 'event.collection', version: 1, optional: true },
  )
  return {
    key: schema.struct(
      { id: string },
      { name: adjustName('io.debezium.connector.common.TransactionMetadataKey'), version: 1 },
    ),
    value: schema.struct(
      {
        status: string,
        id: string,
        event_count: optionalInt64,
        data_collections: schema.array(ofTable, { optional: true }),
        ts_ms: int64,
      },
      { name: adjustName('io.debezium.connector.common.TransactionMetadataValue'), version: 1 },
    ),
  }
}

export function heartbeatSchemas(adjustName: NameAdjuster): SchemaPair {
  return {
    key: schema.struct(
      { serverName: string },
      { name: adjustName('io.debezium.connector.common.ServerNameKey'), version: 1 },
    ),
    value: schema.struct({ ts_ms: int64 }, { name: adjustName('io.debezium.connector.common.Heartbeat'), version: 1 }),
  }
}

/** Of logical messages (`pg_logical_emit_message`). */
export function messageSchemas(adjustName: NameAdjuster, isBinary: boolean): SchemaPair {
  const content = isBinary ? schema.bytes({ optional: true }) : optionalString
  return {
    key: schema.struct(
      { prefix: optionalString },
      { name: adjustName('io.debezium.connector.postgresql.MessageKey'), version: 1 },
    ),
    value: schema.struct(
      {
        op: string,
        ts_ms: optionalInt64,
        source: sourceSchema,
        transaction: transactionBlock,
        message: schema.struct(
          { prefix: optionalString, content },
          { name: adjustName('io.debezium.connector.postgresql.Message'), version: 1 },
        ),
      },
      { name: adjustName('io.debezium.connector.postgresql.MessageValue'), version: 1 },
    ),
  }
}
