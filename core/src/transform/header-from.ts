import {
  DataError,
  defineConfig,
  type ConnectRecord,
  type Header,
  type Schema,
  type Transform,
  changed,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { replaceNullWithDefault, structOf } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import {
  compileFieldCopies,
  fieldReader,
  nullInRequired,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
} from './struct-values.ts'

const purpose = 'HeaderFrom'

const config = defineConfig({
  fields: {
    type: 'list',
    required: true,
    importance: 'high',
    doc: 'The fields whose values go into headers.',
  },
  headers: {
    type: 'list',
    required: true,
    importance: 'high',
    doc: 'The names of the headers, in the order of `fields`.',
  },
  operation: {
    type: 'string',
    enum: ['move', 'copy'],
    required: true,
    importance: 'high',
    doc: 'Whether the fields leave the key or value (`move`) or stay in it too (`copy`).',
  },
  ...replaceNullWithDefault,
})

export const headerFromTransforms = defineForKeyAndValue({
  name: 'header-from',
  className: 'HeaderFrom',
  doc: 'Copies or moves fields into headers.',
  config,
  check: ({ fields, headers }): Record<string, string> =>
    fields.length === headers.length ? {} : { headers: `${headers.length} headers for ${fields.length} fields` },
  create: (settings, part) =>
    new HeaderFrom(
      part,
      settings.fields.map((field, i) => ({ field, header: settings.headers[i]! })),
      settings.operation === 'move',
      settings['replace.null.with.default'],
    ),
})

interface FieldHeader {
  readonly field: string
  readonly header: string
}

class HeaderFrom implements Transform {
  readonly #part: RecordPart
  readonly #pairs: readonly FieldHeader[]
  readonly #isMove: boolean
  readonly #bySchema

  constructor(part: RecordPart, pairs: readonly FieldHeader[], isMove: boolean, useDefault: boolean) {
    this.#part = part
    this.#pairs = pairs
    this.#isMove = isMove
    this.#bySchema = perSchema((schema) => compileHeaders(schema, pairs, isMove, useDefault))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    const schema = this.#part.schemaOf(record)
    const headers: Header[] = [...(record.headers ?? [])]
    if (schema === undefined) {
      return changed(this.#part.replaced(record, undefined, this.#ofMap(value, headers)), { headers })
    }
    const { to, copyRest, reads } = this.#bySchema(schema)
    const struct = requireStruct(value, schema, purpose)
    for (const { header, read, field } of reads) {
      const found = read(struct)
      if (found === null && field.schema.optional !== true) throw nullInRequired(field.name, purpose)
      headers.push({ key: header, value: found, schema: field.schema })
    }
    if (!this.#isMove) return changed(record, { headers })
    return changed(this.#part.replaced(record, to, copyRest(struct)), { headers })
  }

  #ofMap(value: unknown, headers: Header[]): NewStruct {
    const map = requireMap(value, purpose)
    for (const { field, header } of this.#pairs) {
      headers.push({ key: header, value: Object.hasOwn(map, field) ? (map[field] ?? null) : null })
    }
    if (!this.#isMove) return { ...map }
    const rest: NewStruct = {}
    for (const name of Object.keys(map)) {
      if (!this.#pairs.some(({ field }) => field === name)) setProperty(rest, name, map[name])
    }
    return rest
  }
}

function compileHeaders(schema: Schema, pairs: readonly FieldHeader[], isMove: boolean, useDefault: boolean) {
  const fields = requireFields(schema, purpose)
  const reads = pairs.map(({ field: name, header }) => {
    const field = fields.find((each) => each.name === name)
    if (field === undefined) throw new DataError(`${purpose}: there is no field ${name}`)
    return { header, field, read: fieldReader(field, useDefault) }
  })
  const rest = isMove ? fields.filter(({ name }) => !pairs.some(({ field }) => field === name)) : []
  return {
    reads,
    to: structOf(rest, purpose, schema),
    copyRest: compileFieldCopies(
      rest.map((field) => ({ field, to: field.name })),
      useDefault,
      purpose,
    ),
  }
}
