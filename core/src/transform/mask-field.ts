import {
  DataError,
  Decimal,
  defineConfig,
  logicalNames,
  schema as schemas,
  type ConnectRecord,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { compileCast, type CastType } from './cast-value.ts'
import { replaceNullWithDefault } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import { checkNames } from './settings-checks.ts'
import {
  compileStructCopy,
  fieldReader,
  kindOf,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
} from './struct-values.ts'

const purpose = 'MaskField'

const config = defineConfig({
  fields: { type: 'list', required: true, importance: 'high', doc: 'The fields to mask.' },
  replacement: {
    type: 'string',
    pattern: '.',
    importance: 'low',
    doc: 'What numbers and texts become, as far as it is one of their type. Left out: 0, and the empty text.',
  },
  ...replaceNullWithDefault,
})

export const maskFieldTransforms = defineForKeyAndValue({
  name: 'mask-field',
  className: 'MaskField',
  doc: 'Replaces the values of fields by the null of their type (0, false, empty) or by a given value. Null stays null.',
  config,
  check: ({ fields }) => checkNames({ fields }),
  create: (settings, part) =>
    new MaskField(part, settings.fields, settings.replacement, settings['replace.null.with.default']),
})

class MaskField implements Transform {
  readonly #part: RecordPart
  readonly #fields: readonly string[]
  readonly #replacement: string | undefined
  readonly #bySchema

  constructor(part: RecordPart, names: readonly string[], replacement: string | undefined, useDefault: boolean) {
    this.#part = part
    this.#fields = names
    this.#replacement = replacement
    this.#bySchema = perSchema((schema) => {
      const fields = requireFields(schema, purpose)
      const masks = fields
        .filter(({ name }) => names.includes(name))
        .map((field) => ({
          name: field.name,
          read: fieldReader(field, false),
          mask: compileMask(field.schema, replacement),
        }))
      return { copy: compileStructCopy(fields, useDefault, purpose), masks }
    })
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#maskMap(value))
    const { copy, masks } = this.#bySchema(schema)
    const made = copy(requireStruct(value, schema, purpose))
    for (const { name, read, mask } of masks) {
      if (read(made) !== null) setProperty(made, name, mask())
    }
    return this.#part.replaced(record, schema, made)
  }

  #maskMap(value: unknown): NewStruct {
    const made = { ...requireMap(value, purpose) }
    for (const name of this.#fields) {
      const found = Object.hasOwn(made, name) ? (made[name] ?? null) : null
      setProperty(made, name, found === null ? null : compileMask(schemaOf(found), this.#replacement)())
    }
    return made
  }
}

/** What stands for a value of the schema; the function throws a DataError where there is nothing for its type. */
function compileMask(schema: Schema, replacement: string | undefined): () => unknown {
  try {
    const mask = replacement === undefined ? emptyOf(schema) : replacementOf(schema, replacement)
    return () => mask
  } catch (error) {
    // A field of such a type is let through as long as it is null, as in Kafka Connect.
    const cause = error as Error
    return () => {
      throw new DataError(cause.message, { cause })
    }
  }
}

function emptyOf(schema: Schema): unknown {
  if (schema.name === logicalNames.decimal) return new Decimal(0n, 0)
  switch (schema.type) {
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'array':
      return []
    case 'map':
      return schema.keys === undefined ? {} : new Map()
    case 'bytes':
    case 'struct':
      throw new DataError(`${purpose}: there is no mask for ${kindOf('', schema)}`)
    default:
      return 0
  }
}

const times: ReadonlySet<string> = new Set([logicalNames.date, logicalNames.time, logicalNames.timestamp])

function replacementOf(schema: Schema, text: string): unknown {
  if (schema.type === 'string') return text
  const isDecimal = schema.name === logicalNames.decimal
  const isNumber = /^(int|float)\d+$/.test(schema.type) && !(schema.name !== undefined && times.has(schema.name))
  if (!isDecimal && !isNumber) {
    throw new DataError(`${purpose}: a given replacement cannot stand for ${kindOf('', schema)}`)
  }
  const number = Decimal.parse(text)
  return isDecimal ? number : castDecimal[schema.type as Exclude<CastType, 'boolean' | 'string'>](number)
}

const decimal = schemas.decimal(0)
const castDecimal = {
  int8: compileCast(decimal, 'int8'),
  int16: compileCast(decimal, 'int16'),
  int32: compileCast(decimal, 'int32'),
  int64: compileCast(decimal, 'int64'),
  float32: compileCast(decimal, 'float32'),
  float64: compileCast(decimal, 'float64'),
} as const

const schemaless = {
  string: schemas.string(),
  boolean: schemas.boolean(),
  int64: schemas.int64(),
  float64: schemas.float64(),
  bytes: schemas.bytes(),
  array: { type: 'array' },
  map: { type: 'map' },
} as const satisfies Record<string, Schema>

/** The schema that a value without one has by its nature. */
function schemaOf(value: unknown): Schema {
  if (typeof value === 'string') return schemaless.string
  if (typeof value === 'boolean') return schemaless.boolean
  if (typeof value === 'bigint' || Number.isInteger(value)) return schemaless.int64
  if (typeof value === 'number') return schemaless.float64
  if (value instanceof Uint8Array) return schemaless.bytes
  if (value instanceof Decimal) return decimal
  return Array.isArray(value) ? schemaless.array : schemaless.map
}
