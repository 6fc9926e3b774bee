import { defineConfig, type ConnectRecord, type Schema, type Transform } from '@tidewire/sdk'
import { castTypes, compileCast, type CastType } from './cast-value.ts'
import { namesOf, nullability, replaceNullWithDefault, structOf } from './derived-schema.ts'
import { setProperty } from '@tidewire/sdk/values'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import {
  compileStructCopy,
  fieldReader,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
} from './struct-values.ts'

const purpose = 'Cast'

const config = defineConfig({
  spec: {
    type: 'list',
    required: true,
    importance: 'high',
    doc:
      'Fields and their new types, `field1:int32,field2:string`; or one type, for the key or value as a whole. ' +
      `Types: ${castTypes.join(', ')}. Of bytes only a string (base64) can be made.`,
  },
  ...replaceNullWithDefault,
})

interface CastSpec {
  readonly whole: CastType | undefined
  readonly fields: ReadonlyMap<string, CastType>
}

/** @throws RangeError where it is none */
function parseSpec(items: readonly string[]): CastSpec {
  const fields = new Map<string, CastType>()
  let whole: CastType | undefined
  for (const item of items) {
    const parts = item.split(':').map((part) => part.trim())
    while (parts.length > 1 && parts.at(-1) === '') parts.pop()
    if (parts.length > 2) throw new RangeError(`'${item}' is neither a type nor field:type`)
    const type = castTypes.find((each) => each === parts.at(-1)!.toLowerCase())
    if (type === undefined) throw new RangeError(`'${item}': the type is one of ${castTypes.join(', ')}`)
    if (parts.length === 1) whole = type
    else fields.set(parts[0]!, type)
  }
  if (whole !== undefined && items.length > 1) {
    throw new RangeError('a type for the whole stands alone, with no other beside it')
  }
  return { whole, fields }
}

export const castTransforms = defineForKeyAndValue({
  name: 'cast',
  className: 'Cast',
  doc: 'Casts fields, or the whole, to another type.',
  config,
  check({ spec }): Record<string, string> {
    try {
      parseSpec(spec)
      return {}
    } catch (error) {
      return { spec: (error as Error).message }
    }
  },
  create(settings, part) {
    const { whole, fields } = parseSpec(settings.spec)
    return whole === undefined
      ? new FieldCast(part, fields, settings['replace.null.with.default'])
      : new WholeCast(part, whole)
  },
})

class WholeCast implements Transform {
  readonly #part: RecordPart
  readonly #castSchemaless: (value: unknown) => unknown
  readonly #bySchema

  constructor(part: RecordPart, type: CastType) {
    this.#part = part
    this.#castSchemaless = compileCast(undefined, type)
    this.#bySchema = perSchema((from) => {
      const cast = compileCast(from, type)
      const fallback = cast(from.default)
      const to: Schema = { type, ...namesOf(from), ...nullability(from.optional, fallback) }
      return { cast, to }
    })
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    if (value === null) return record
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#castSchemaless(value))
    const { cast, to } = this.#bySchema(schema)
    return this.#part.replaced(record, to, cast(value))
  }
}

class FieldCast implements Transform {
  readonly #part: RecordPart
  readonly #schemaless: readonly { readonly name: string; readonly cast: (value: unknown) => unknown }[]
  readonly #bySchema

  constructor(part: RecordPart, types: ReadonlyMap<string, CastType>, useDefault: boolean) {
    this.#part = part
    this.#schemaless = [...types].map(([name, type]) => ({ name, cast: compileCast(undefined, type) }))
    this.#bySchema = perSchema((from) => compileFields(from, types, useDefault))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    if (value === null) return record
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#castMap(value))
    const { copy, casts, to } = this.#bySchema(schema)
    const made = copy(requireStruct(value, schema, purpose))
    for (const { name, read, cast } of casts) setProperty(made, name, cast(read(made)))
    return this.#part.replaced(record, to, made)
  }

  #castMap(value: unknown): NewStruct {
    const made = { ...requireMap(value, purpose) }
    for (const { name, cast } of this.#schemaless) {
      setProperty(made, name, cast(Object.hasOwn(made, name) ? made[name] : null))
    }
    return made
  }
}

function compileFields(from: Schema, types: ReadonlyMap<string, CastType>, useDefault: boolean) {
  const fields = requireFields(from, purpose)
  const castFields = fields.filter(({ name }) => types.has(name))
  const casts = castFields.map((field) => ({
    name: field.name,
    read: fieldReader(field, false),
    cast: compileCast(field.schema, types.get(field.name)!),
  }))
  const castByName = new Map(casts.map(({ name, cast }) => [name, cast]))
  const toFields = fields.map((field) => {
    const type = types.get(field.name)
    if (type === undefined) return field
    const { optional, default: fallback } = field.schema
    return { name: field.name, schema: { type, ...nullability(optional, castByName.get(field.name)!(fallback)) } }
  })
  // Kafka Connect's Cast fails for a struct with a default of its own, which it would have to cast too.
  const fallback = from.default == null ? undefined : compileCast(from, 'string')(from.default)
  const to: Schema = { ...structOf(toFields, purpose, from), ...nullability(from.optional, fallback) }
  return { copy: compileStructCopy(fields, useDefault, purpose), casts, to }
}
