import { schema, type Schema, type SinkRecord } from '@tidewire/sdk'
import { headerText } from '@tidewire/sdk/values'
import type { StoredPart } from './object-format.ts'

/** What of a record an object holds, as Confluent's record views have it. */
export interface PartReader {
  /** Before the format's extension: `.keys`, `.headers`. */
  readonly extension: string
  schema(record: SinkRecord): Schema | undefined
  value(record: SinkRecord): unknown
}

const headersSchema = schema.array(schema.struct({ key: schema.string(), value: schema.string() }))
const headersEnvelope = schema.struct({ headers: headersSchema }, { name: 'RecordHeaders' })

/** @param enveloped whether a part that is no struct is to be made one: what Parquet needs, and JSON has of headers */
export function partReader(part: StoredPart, enveloped: boolean): PartReader {
  if (part === 'value') {
    return { extension: '', schema: (record) => record.valueSchema, value: (record) => record.value }
  }
  if (part === 'key') return enveloped ? envelopedKey() : plainKey
  return {
    extension: '.headers',
    schema: () => (enveloped ? headersEnvelope : headersSchema),
    value: enveloped ? (record) => ({ headers: headersOf(record) }) : headersOf,
  }
}

const plainKey: PartReader = {
  extension: '.keys',
  schema: (record) => record.keySchema,
  value: (record) => record.key,
}

function envelopedKey(): PartReader {
  let last: Schema | undefined
  let envelope: Schema | undefined
  return {
    extension: '.keys',
    schema: ({ keySchema }) => {
      if (keySchema !== last) {
        last = keySchema
        envelope = keySchema && schema.struct({ key: keySchema }, { name: 'RecordKey' })
      }
      return envelope
    },
    value: (record) => ({ key: record.key }),
  }
}

function headersOf({ headers }: SinkRecord): unknown {
  return headers.map((header) => ({ key: header.key, value: headerText(header.schema, header.value) }))
}
