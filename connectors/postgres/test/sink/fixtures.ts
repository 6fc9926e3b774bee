import { schema, type Schema, type SinkRecord } from '@tidewire/sdk'
import { sinkRecord } from '@tidewire/sdk/testing'

const optional = { optional: true }

/** A table's rows as a plain topic has them: key a struct, value a struct. */
export const customerKey = schema.struct({ id: schema.int64() })
export const customer = schema.struct({
  id: schema.int64(),
  name: schema.string(),
  note: schema.string(optional),
  score: schema.int32(optional),
})

/** A record of the topic `customers`; a value of null is a tombstone. */
export function customerRecord(
  offset: number,
  id: number,
  fields: object | null,
  more: Partial<SinkRecord> = {},
): SinkRecord {
  return sinkRecord({
    topic: 'customers',
    offset,
    key: { id },
    keySchema: customerKey,
    value: fields === null ? null : { id, ...fields },
    valueSchema: fields === null ? undefined : customer,
    ...more,
  })
}

const source = schema.struct({ db: schema.string(), schema: schema.string(), table: schema.string() })

export function envelopeOf(row: Schema): Schema {
  const optionalRow = { ...row, optional: true }
  return schema.struct(
    { before: optionalRow, after: optionalRow, source, op: schema.string(), ts_ms: schema.int64(optional) },
    { name: 'server.public.customers.Envelope' },
  )
}

const customerEnvelope = envelopeOf(customer)

/** A change event of Debezium's. */
export function customerEvent(offset: number, op: string, id: number | null, after: object | null): SinkRecord {
  return sinkRecord({
    topic: 'server.public.customers',
    offset,
    key: id === null ? null : { id },
    keySchema: id === null ? undefined : customerKey,
    value: {
      before: null,
      after: after === null ? null : { id, ...after },
      source: { db: 'shop', schema: 'public', table: 'customers' },
      op,
      ts_ms: 0,
    },
    valueSchema: customerEnvelope,
  })
}
