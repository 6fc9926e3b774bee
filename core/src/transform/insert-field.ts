import {
  DataError,
  defineConfig,
  schema as schemas,
  type ConfigOf,
  type ConnectRecord,
  type Field,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { replaceNullWithDefault, structOf } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import { timestampOf } from './record-timestamp.ts'
import { compileStructCopy, perSchema, requireFields, requireMap, requireStruct } from './struct-values.ts'

const purpose = 'InsertField'
const suffixes = 'Ends in `!` for a required field, in `?` (or nothing) for an optional one.'

const config = defineConfig({
  'topic.field': { type: 'string', doc: `The field for the topic. ${suffixes}` },
  'partition.field': { type: 'string', doc: `The field for the topic partition. ${suffixes}` },
  'offset.field': { type: 'string', doc: `The field for the offset; sinks only. ${suffixes}` },
  'timestamp.field': { type: 'string', doc: `The field for the record's timestamp. ${suffixes}` },
  'static.field': { type: 'string', doc: `The field for \`static.value\`. ${suffixes}` },
  'static.value': { type: 'string', doc: 'The text that `static.field` gets.' },
  ...replaceNullWithDefault,
})

export const insertFieldTransforms = defineForKeyAndValue({
  name: 'insert-field',
  className: 'InsertField',
  doc: 'Adds fields: topic, partition, offset, timestamp, or a text.',
  config,
  check(settings): Record<string, string> {
    if (insertionsOf(settings).length === 0) {
      return { 'static.field': 'no field to insert: one of the settings that end in .field is needed' }
    }
    return settings['static.field'] !== undefined && settings['static.value'] === undefined
      ? { 'static.value': `no value for ${settings['static.field']}` }
      : {}
  },
  create: (settings, part) => new InsertField(part, insertionsOf(settings), settings['replace.null.with.default']),
})

interface Insertion {
  readonly field: Field
  /** Undefined where the record has none: nothing is set then. */
  readonly valueOf: (record: ConnectRecord) => unknown
}

function insertionsOf(settings: ConfigOf<typeof config>): Insertion[] {
  const text = settings['static.value']
  return [
    ...insertion(settings['topic.field'], schemas.string, (record) => record.topic),
    ...insertion(settings['partition.field'], schemas.int32, (record) => record.partition),
    ...insertion(settings['offset.field'], schemas.int64, offsetOf),
    ...insertion(settings['timestamp.field'], schemas.timestamp, timestampOf),
    ...insertion(settings['static.field'], schemas.string, () => text),
  ]
}

function insertion(
  spec: string | undefined,
  make: (options: { optional?: true }) => Schema,
  valueOf: Insertion['valueOf'],
): Insertion[] {
  if (spec === undefined) return []
  const isRequired = spec.endsWith('!')
  const name = isRequired || spec.endsWith('?') ? spec.slice(0, -1) : spec
  return [{ field: { name, schema: make(isRequired ? {} : { optional: true }) }, valueOf }]
}

function offsetOf({ offset }: ConnectRecord): number {
  if (offset === undefined) throw new DataError(`${purpose}: a source's record has no offset`)
  return offset
}

class InsertField implements Transform {
  readonly #part: RecordPart
  readonly #insertions: readonly Insertion[]
  readonly #bySchema

  constructor(part: RecordPart, insertions: readonly Insertion[], useDefault: boolean) {
    this.#part = part
    this.#insertions = insertions
    this.#bySchema = perSchema((schema) => {
      const fields = requireFields(schema, purpose)
      return {
        to: structOf([...fields, ...insertions.map(({ field }) => field)], purpose, schema),
        copy: compileStructCopy(fields, useDefault, purpose),
      }
    })
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    if (value === null) return record
    const schema = this.#part.schemaOf(record)
    const compiled = schema === undefined ? undefined : this.#bySchema(schema)
    const made =
      compiled === undefined ? { ...requireMap(value, purpose) } : compiled.copy(requireStruct(value, schema!, purpose))
    for (const { field, valueOf } of this.#insertions) {
      const inserted = valueOf(record)
      if (inserted !== undefined) setProperty(made, field.name, inserted)
    }
    return this.#part.replaced(record, compiled?.to, made)
  }
}
