/** What the sinks are given: JSON with schemas, as JsonConverter writes it, of rows of about 200 bytes. */

export interface TopicRecord {
  readonly key: string
  readonly value: string
}

interface Field {
  readonly type: string
  readonly optional: boolean
  readonly field: string
  readonly name?: string
  readonly version?: number
  readonly fields?: readonly Field[]
}

const id: Field = { type: 'int64', optional: false, field: 'id' }
const text = (field: string, optional = true): Field => ({ type: 'string', optional, field })
const columns: readonly Field[] = [
  id,
  text('customer'),
  text('status'),
  { type: 'double', optional: true, field: 'amount' },
  { type: 'int32', optional: true, field: 'quantity' },
  { ...text('created_at'), name: 'io.debezium.time.ZonedTimestamp', version: 1 },
  text('note'),
]

const struct = (fields: readonly Field[], name: string) => ({ type: 'struct', fields, optional: false, name })
const row = (field: string): Field => ({ ...struct(columns, 'shop.public.orders.Value'), optional: true, field })
const source: Field = {
  ...struct(
    [
      ...['version', 'connector', 'name'].map((field) => text(field, false)),
      { type: 'int64', optional: false, field: 'ts_ms' },
      { ...text('snapshot'), name: 'io.debezium.data.Enum', version: 1 },
      ...['db', 'schema', 'table'].map((field) => text(field, false)),
      { type: 'int64', optional: true, field: 'txId' },
      { type: 'int64', optional: true, field: 'lsn' },
    ],
    'io.debezium.connector.postgresql.Source',
  ),
  field: 'source',
}
const envelope = {
  ...struct(
    [
      row('before'),
      row('after'),
      source,
      text('op', false),
      { type: 'int64', optional: true, field: 'ts_ms' },
      { ...struct([text('id', false)], 'event.block'), optional: true, field: 'transaction' },
    ],
    'shop.public.orders.Envelope',
  ),
  version: 2,
}

const keyHead = `{"schema":${JSON.stringify(struct([id], 'shop.public.orders.Key'))},"payload":`
const rowHead = `{"schema":${JSON.stringify(struct(columns, 'shop.public.orders.Value'))},"payload":`
const eventHead = `{"schema":${JSON.stringify(envelope)},"payload":`

const note = 'a note of some seventy characters so that the row gets to about 200 bytes'
const begun = 1_790_000_000_000

const keyOf = (number: number): string => `${keyHead}{"id":${number}}}`

const rowOf = (number: number, status: string): string =>
  `{"id":${number},"customer":"customer-${(number * 7919) % 100_000}","status":"${status}","amount":${(number % 99_991) / 100},` +
  `"quantity":${number % 10},"created_at":"${new Date(begun + number).toISOString()}","note":"${note}"}`

/** One row after another. */
export function plainRecord(index: number): TopicRecord {
  return { key: keyOf(index), value: `${rowHead}${rowOf(index, 'NEW')}}` }
}

/**
 * Of ten: six inserts, three updates and a delete of rows a little before. The first and the last of all are inserts, and
 * the rows of records whose number ends in 0 or 9 stay.
 */
export function changeEvent(index: number): TopicRecord {
  const place = index % 10
  const kind = place === 3 || place === 5 || place === 7 ? 'u' : place === 8 ? 'd' : 'c'
  const number = kind === 'u' ? index - 1 : kind === 'd' ? index - 7 : index
  const before = kind === 'd' ? rowOf(number, 'NEW') : 'null'
  const after = kind === 'd' ? 'null' : rowOf(number, kind === 'c' ? 'NEW' : 'PAID')
  const time = begun + index
  const origin =
    `{"version":"3.7.0.Final","connector":"postgresql","name":"shop","ts_ms":${time},"snapshot":"false","db":"shop","schema":"public",` +
    `"table":"orders","txId":${1000 + index},"lsn":${10_000_000 + index * 200}}`
  return {
    key: keyOf(number),
    value: `${eventHead}{"before":${before},"after":${after},"source":${origin},"op":"${kind}","ts_ms":${time},"transaction":null}}`,
  }
}
