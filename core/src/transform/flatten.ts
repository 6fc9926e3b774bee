import { DataError, defineConfig, type ConnectRecord, type Field, type Schema, type Transform } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { namesOf, nullability, structOf } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import {
  fieldReader,
  isPlainObject,
  kindOf,
  nullInRequired,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
  type Struct,
} from './struct-values.ts'

const purpose = 'Flatten'

const config = defineConfig({
  delimiter: { type: 'string', default: '.', doc: 'What stands between the names that make up a new name.' },
})

export const flattenTransforms = defineForKeyAndValue({
  name: 'flatten',
  className: 'Flatten',
  doc: 'Lifts the fields of nested structs or objects to the top, under names joined by a delimiter. Arrays stay.',
  config,
  create: ({ delimiter }, part) => new Flatten(part, delimiter),
})

class Flatten implements Transform {
  readonly #part: RecordPart
  readonly #delimiter: string
  readonly #bySchema

  constructor(part: RecordPart, delimiter: string) {
    this.#part = part
    this.#delimiter = delimiter
    this.#bySchema = perSchema((schema) => compileFlat(schema, delimiter))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    if (value === null) return record
    const schema = this.#part.schemaOf(record)
    const made: NewStruct = {}
    if (schema === undefined) {
      this.#flattenMap(requireMap(value, purpose), '', made)
      return this.#part.replaced(record, undefined, made)
    }
    const { to, steps } = this.#bySchema(schema)
    copyFlat(steps, requireStruct(value, schema, purpose), made)
    return this.#part.replaced(record, to, made)
  }

  #flattenMap(map: Struct, prefix: string, made: NewStruct): void {
    for (const key of Object.keys(map)) {
      const value = map[key]
      const name = prefix === '' ? key : prefix + this.#delimiter + key
      if (isPlainObject(value) || value instanceof Map) this.#flattenMap(requireMap(value, purpose), name, made)
      else if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
        setProperty(made, name, value ?? null)
      } else throw new DataError(`${purpose}: field ${name} is ${kindOf(value)}, which has no schema`)
    }
  }
}

/** What becomes of one field: it is copied under its new name, or it is a struct whose fields are gone through. */
interface FlatStep {
  readonly to: string
  readonly read: (struct: Struct) => unknown
  readonly isOptional: boolean
  readonly inner: { readonly schema: Schema; readonly steps: readonly FlatStep[] } | undefined
}

function copyFlat(steps: readonly FlatStep[], struct: Struct, made: NewStruct): void {
  for (const { to, read, isOptional, inner } of steps) {
    const value = read(struct)
    if (inner === undefined) {
      if (value === null && !isOptional) throw nullInRequired(to, purpose)
      setProperty(made, to, value)
    } else if (value !== null) {
      copyFlat(inner.steps, requireStruct(value, inner.schema, purpose), made)
    }
  }
}

function compileFlat(schema: Schema, delimiter: string): { readonly to: Schema; readonly steps: readonly FlatStep[] } {
  const fields: Field[] = []
  const walk = (from: Schema, prefix: string, isOptional: boolean, defaults: Struct | undefined): FlatStep[] =>
    requireFields(from, purpose).map((field) => {
      const { name, schema: own } = field
      const to = prefix === '' ? name : prefix + delimiter + name
      const optional = isOptional || own.optional === true
      const fallback = own.default ?? (defaults === undefined ? null : fieldReader(field, true)(defaults))
      if (own.type === 'map') throw new DataError(`${purpose}: field ${to} is a map, which has no fields`)
      if (own.type === 'struct') {
        const steps = walk(own, to, optional, (fallback ?? undefined) as Struct | undefined)
        return { to, read: fieldReader(field, false), isOptional: optional, inner: { schema: own, steps } }
      }
      const { type, values } = own
      const leaf = {
        type,
        ...namesOf(own),
        ...(values === undefined ? {} : { values }),
        ...nullability(optional, fallback),
      }
      fields.push({ name: to, schema: leaf })
      return { to, read: fieldReader(field, true), isOptional: optional, inner: undefined }
    })
  const steps = walk(schema, '', schema.optional === true, (schema.default ?? undefined) as Struct | undefined)
  return { to: structOf(fields, purpose, schema), steps }
}
