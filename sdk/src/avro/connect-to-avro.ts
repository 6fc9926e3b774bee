/**
 * The Avro schema that a Connect schema is written as: the same, property for property, as Confluent's converter
 * makes, so that both find the same id in a registry.
 */
import { DataError } from '../errors.ts'
import { Decimal, logicalNames, type Schema } from '../schema.ts'
import { ExactFraction } from '../json/exact-json.ts'
import { isValidDefault } from './default-value.ts'
import { logicalTypeOf } from './logical-type.ts'
import { parseAvro } from './parse.ts'
import {
  isNamed,
  simpleNameOf,
  type AvroField,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  type AvroUnion,
} from './schema.ts'
import { avroText } from './text.ts'
import { encodeUnscaled } from '../values/decimal-bytes.ts'
import { doubleText, floatText } from '../values/java-number-text.ts'
import { schemaText } from '../json/json-schema.ts'
import {
  avroEnum,
  decimalPrecision,
  defaultPrecision,
  defaultRecord,
  enumDefaultPrefix,
  enumDocPrefix,
  fieldDefaultFlag,
  fieldDocPrefix,
  fieldName,
  fixedSize,
  fullName,
  generalizedEnum,
  isAvroMap,
  isDecimal,
  isEnum,
  isFixed,
  isUnion,
  mapEntry,
  recordDoc,
} from './names.ts'
import type { AvroOptions } from './options.ts'

/** What a value without a schema is written as: one field for each type that JSON and Connect know. */
const anythingSchema = parseAvro(
  JSON.stringify({
    type: 'record',
    name: 'Anything',
    namespace: 'io.confluent.connect.avro',
    fields: [
      ...['boolean', 'bytes', 'double', 'float', 'int', 'long', 'string'].map((type) => ({
        name: type,
        type: ['null', type],
        default: null,
      })),
      { name: 'array', type: ['null', { type: 'array', items: 'Anything' }], default: null },
      {
        name: 'map',
        type: [
          'null',
          {
            type: 'array',
            items: {
              type: 'record',
              name: 'MapEntry',
              fields: [
                { name: 'key', type: 'Anything' },
                { name: 'value', type: 'Anything' },
              ],
            },
          },
        ],
        default: null,
      },
    ],
  }),
).schema

/** @throws DataError where Avro cannot express the schema */
export function avroSchemaOf(schema: Schema | undefined, options: AvroOptions): AvroSchema {
  return schema === undefined ? anythingSchema : new ConnectToAvro(options).convert(schema, false)
}

/** A union's branches and a record's fields are full before anything but the converter sees them. */
interface Open {
  readonly props: Map<string, unknown>
}
type NonUnion = Exclude<AvroSchema, AvroUnion>

const nullSchema: AvroSchema = { type: 'null', props: new Map() }

class ConnectToAvro {
  readonly #options: AvroOptions
  readonly #named = new Map<string, AvroNamed>()
  /** Names of field schemas met so far: the parameters of a later one stand with its field. */
  readonly #fieldNames = new Set<string>()
  /** Schemas that are being converted: one that leads back to itself has no end. */
  readonly #open = new Set<Schema>()
  /** By what they are: equal ones have the same name. */
  readonly #unnamed = new Map<string, string>()

  constructor(options: AvroOptions) {
    this.#options = options
  }

  convert(schema: Schema, ignoreOptional: boolean): AvroSchema {
    if (this.#open.has(schema)) {
      throw new DataError(`schema ${schema.name ?? schema.type} contains itself, which the Avro converter cannot write`)
    }
    this.#open.add(schema)
    try {
      if (schema.type === 'struct' && isUnion(schema)) return this.#union(schema)
      if (schema.type === 'struct' && schema.optional === true && !ignoreOptional) {
        return { type: 'union', branches: [nullSchema, this.#record(schema)] }
      }
      const base = this.#base(schema)
      if (schema.optional !== true || ignoreOptional) return base
      // A default has to be of the first branch.
      return { type: 'union', branches: schema.default == null ? [nullSchema, base] : [base, nullSchema] }
    } finally {
      this.#open.delete(schema)
    }
  }

  #union(schema: Schema): AvroUnion {
    const branches = (schema.fields ?? []).map((field) => this.convert(field.schema, true))
    return { type: 'union', branches: schema.optional === true ? [nullSchema, ...branches] : branches }
  }

  #base(schema: Schema): NonUnion {
    const options = this.#options
    switch (schema.type) {
      case 'int8':
      case 'int16':
        return this.#annotated(schema, { type: 'int', props: new Map() }, schema.type)
      case 'int32':
        return this.#annotated(schema, { type: 'int', props: new Map() })
      case 'int64':
        return this.#annotated(schema, { type: 'long', props: new Map() })
      case 'float32':
        return this.#annotated(schema, { type: 'float', props: new Map() })
      case 'float64':
        return this.#annotated(schema, { type: 'double', props: new Map() })
      case 'boolean':
        return this.#annotated(schema, { type: 'boolean', props: new Map() })
      case 'string':
        return isEnum(schema, options)
          ? this.#enum(schema)
          : this.#annotated(schema, { type: 'string', props: new Map() })
      case 'bytes':
        return isFixed(schema)
          ? this.#fixed(schema)
          : this.#annotated(schema, { type: 'bytes', props: decimalProps(schema) })
      case 'array':
        return this.#annotated(schema, { type: 'array', items: this.#part(schema.values), props: new Map() })
      case 'map':
        return isAvroMap(schema, options)
          ? this.#annotated(schema, { type: 'map', values: this.#part(schema.values), props: new Map() })
          : this.#annotated(schema, { type: 'array', items: this.#mapEntry(schema), props: new Map() })
      case 'struct':
        return this.#record(schema)
    }
  }

  #part(schema: Schema | undefined): AvroSchema {
    return schema === undefined ? anythingSchema : this.convert(schema, false)
  }

  #enum(schema: Schema): AvroNamed {
    const { generalizedSumTypes, discardTypeDocDefault } = this.#options
    const parameters = schema.parameters ?? {}
    const parameter = generalizedSumTypes ? generalizedEnum : avroEnum
    const name = parameters[parameter]
    if (name === undefined) throw new DataError(`schema ${schema.name ?? ''} has no parameter ${parameter}`)
    const symbols = Object.keys(parameters)
      .filter((key) => key.startsWith(`${parameter}.`))
      .map((key) => key.slice(parameter.length + 1))
    const simple = simpleNameOf(this.#nameOf(schema))
    const doc = parameters[discardTypeDocDefault ? 'connect.enum.doc' : enumDocPrefix + simple]
    const fallback = discardTypeDocDefault ? undefined : parameters[enumDefaultPrefix + simple]
    return this.#define(
      this.#annotated(schema, {
        type: 'enum',
        name,
        aliases: [],
        symbols,
        ...(doc === undefined ? {} : { doc }),
        ...(fallback === undefined ? {} : { default: fallback }),
        props: new Map(),
      }),
    )
  }

  #fixed(schema: Schema): AvroNamed {
    const size = Number(schema.parameters?.[fixedSize])
    if (!Number.isInteger(size) || size < 0)
      throw new DataError(`parameter ${fixedSize} of ${schema.name ?? ''} is no size`)
    return this.#define(
      this.#annotated(schema, {
        type: 'fixed',
        name: this.#nameOf(schema),
        aliases: [],
        size,
        props: decimalProps(schema),
      }),
    )
  }

  #mapEntry(schema: Schema): AvroNamed {
    const fields: AvroField[] = []
    const props = new Map<string, unknown>(schema.name === undefined ? [] : [['connect.internal.type', 'MapEntry']])
    const name = schema.name === undefined ? mapEntry : this.#nameOf(schema)
    const record: AvroRecord = { type: 'record', name, aliases: [], isError: false, fields, props }
    for (const [part, partSchema] of [
      ['key', schema.keys],
      ['value', schema.values],
    ] as const) {
      fields.push(
        partSchema === undefined
          ? { name: part, schema: anythingSchema, aliases: [], order: 'ascending', props: new Map() }
          : this.#field(part, partSchema, undefined),
      )
    }
    return this.#define(schema.name === undefined ? this.#ownMapEntry(record, props) : record)
  }

  /** Of maps without names, Confluent's calls all entries the same; a second kind of them would then be taken for the first. */
  #ownMapEntry(record: AvroRecord, props: Map<string, unknown>): AvroRecord {
    let entry = record
    for (let number = 2; this.#isTaken(entry, false); number++) {
      props.set('connect.internal.type', 'MapEntry')
      entry = { ...record, name: `${mapEntry}${number}` }
    }
    return entry
  }

  /** @param bare whether only what the bytes depend on counts, not what else Connect keeps in the schema */
  #isTaken(schema: AvroNamed, bare: boolean): boolean {
    const known = this.#named.get(schema.name)
    return known !== undefined && avroText(known, { bare }) !== avroText(schema, { bare })
  }

  #record(schema: Schema): AvroNamed {
    const { discardTypeDocDefault } = this.#options
    const parameters = schema.parameters ?? {}
    const name = this.#nameOf(schema)
    const fields: AvroField[] = []
    const doc = parameters[discardTypeDocDefault ? 'connect.record.doc' : recordDoc]
    const record: AvroRecord & Open = {
      type: 'record',
      name,
      aliases: [],
      ...(doc === undefined ? {} : { doc }),
      isError: false,
      fields,
      props: new Map(),
    }
    for (const field of schema.fields ?? []) {
      const fieldDoc = discardTypeDocDefault ? undefined : parameters[fieldDocPrefix + field.name]
      fields.push(this.#field(fieldName(field.name, this.#options), field.schema, fieldDoc))
    }
    return this.#define(this.#annotated(schema, record))
  }

  #field(name: string, schema: Schema, fieldDoc: string | undefined): AvroField {
    const { discardTypeDocDefault, connectMetaData } = this.#options
    const known = schema.name !== undefined && this.#fieldNames.has(fullName(schema.name, this.#options))
    if (schema.name !== undefined) this.#fieldNames.add(fullName(schema.name, this.#options))
    const avro = this.convert(schema, false)
    const doc = discardTypeDocDefault ? schema.doc : fieldDoc
    const fallback =
      schema.default != null ? this.#json(schema, schema.default) : schema.optional === true ? null : undefined
    const props = new Map<string, unknown>()
    if (connectMetaData && known && schema.parameters !== undefined && hasNamed(avro)) {
      const parameters = this.#parameters(schema.parameters)
      if (Object.keys(parameters).length > 0) props.set('connect.parameters', parameters)
    }
    return {
      name,
      schema: avro,
      ...(doc === undefined ? {} : { doc }),
      aliases: [],
      order: 'ascending',
      // One that Avro does not take is left out, as Confluent's converter does.
      ...(fallback === undefined || !isValidDefault(avro, fallback) ? {} : { default: fallback }),
      props,
    }
  }

  /** With what Connect knows beyond Avro. The order of the properties is part of the schema's identity in a registry. */
  #annotated<S extends NonUnion>(schema: Schema, avro: S & Open, connectType?: string): S {
    const { connectMetaData, discardTypeDocDefault } = this.#options
    const props = avro.props
    const parameters = schema.parameters
    if (connectMetaData) {
      if (schema.doc !== undefined) props.set('connect.doc', schema.doc)
      if (schema.version !== undefined) props.set('connect.version', schema.version)
      if (parameters !== undefined) {
        const kept = this.#parameters(parameters)
        if (Object.keys(kept).length > 0) props.set('connect.parameters', kept)
      }
      if (schema.default != null && (discardTypeDocDefault || parameters?.[fieldDefaultFlag] === undefined)) {
        props.set('connect.default', this.#json(schema, schema.default))
      }
      if (schema.name !== undefined) props.set('connect.name', schema.name)
      if (connectType !== undefined) props.set('connect.type', connectType)
    }
    const logicalType = logicalTypeNames[schema.name ?? '']
    if (logicalType !== undefined) props.set('logicalType', logicalType)
    for (const [name, value] of Object.entries(parameters ?? {})) if (name.startsWith('avro')) props.set(name, value)
    const known = logicalTypeOf(avro)
    return known === undefined ? avro : { ...avro, logicalType: known }
  }

  #parameters(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (this.#options.discardTypeDocDefault || parameters[fieldDefaultFlag] === undefined) return parameters
    return Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== fieldDefaultFlag))
  }

  /** Structs of no name are numbered; equal ones have the same. */
  #nameOf(schema: Schema): string {
    if (schema.name !== undefined) return fullName(schema.name, this.#options)
    const text = schemaText({ ...schema, optional: false }, { decimalFormat: 'BASE64', replaceNullWithDefault: true })
    let name = this.#unnamed.get(text)
    if (name === undefined) {
      name = `${defaultRecord}${this.#unnamed.size === 0 ? '' : this.#unnamed.size + 1}`
      this.#unnamed.set(text, name)
    }
    return name
  }

  /** The same type for the same name: a schema text defines a name once. */
  #define<S extends AvroNamed>(schema: S): S {
    if (this.#isTaken(schema, true)) {
      throw new DataError(`the schema has two different types of the name ${schema.name}, which Avro does not allow`)
    }
    const known = this.#named.get(schema.name)
    if (known === undefined) this.#named.set(schema.name, schema)
    return (known ?? schema) as S
  }

  /** A default as JSON. */
  #json(schema: Schema, value: unknown): unknown {
    if (value === null || value === undefined) return null
    if (value instanceof Decimal) return encodeUnscaled(value.unscaled).toString('latin1')
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    switch (schema.type) {
      case 'float32':
        return fraction(value, floatText)
      case 'float64':
        return fraction(value, doubleText)
      case 'array':
        return (value as readonly unknown[]).map((item) => this.#json(schema.values ?? anyJson, item))
      case 'map':
        return this.#mapJson(schema, value)
      case 'struct': {
        const struct = value as Readonly<Record<string, unknown>>
        const fields = schema.fields ?? []
        const first = fields[0]
        if (isUnion(schema)) return first === undefined ? null : this.#json(first.schema, struct[first.name])
        return Object.fromEntries(
          fields.map((field) => [
            fieldName(field.name, this.#options),
            this.#json(field.schema, struct[field.name] ?? field.schema.default),
          ]),
        )
      }
      default:
        return value
    }
  }

  #mapJson(schema: Schema, value: unknown): unknown {
    const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value as object)
    const items = entries.map(([key, item]): [unknown, unknown] => [
      this.#json(schema.keys ?? anyJson, key),
      this.#json(schema.values ?? anyJson, item),
    ])
    return isAvroMap(schema, this.#options) ? Object.fromEntries(items as [string, unknown][]) : items
  }
}

const anyJson: Schema = { type: 'string' }

const logicalTypeNames: Readonly<Record<string, string>> = {
  [logicalNames.decimal]: 'decimal',
  [logicalNames.date]: 'date',
  [logicalNames.time]: 'time-millis',
  [logicalNames.timestamp]: 'timestamp-millis',
}

function decimalProps(schema: Schema): Map<string, unknown> {
  if (!isDecimal(schema)) return new Map()
  return new Map([
    ['scale', integerParameter(schema, 'scale', undefined)],
    ['precision', integerParameter(schema, decimalPrecision, defaultPrecision)],
  ])
}

function integerParameter(schema: Schema, name: string, fallback: number | undefined): number {
  const text = schema.parameters?.[name]
  const value = text === undefined ? fallback : Number(text)
  if (value !== undefined && Number.isInteger(value)) return value
  throw new DataError(`parameter ${name} of a Decimal's schema is not an integer`)
}

function fraction(value: unknown, text: (value: number) => string): unknown {
  const number = Number(value)
  return Number.isFinite(number) ? new ExactFraction(text(number)) : String(number)
}

function hasNamed(schema: AvroSchema): boolean {
  return schema.type === 'union' ? schema.branches.some(isNamed) : isNamed(schema)
}
