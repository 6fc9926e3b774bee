/**
 * The Connect schema of an Avro schema, as Confluent's converter makes it, and a function that reads values of it. Both
 * are compiled together, once a schema.
 */
import { DataError } from '../errors.ts'
import { Decimal, logicalNames, type Field, type Schema } from '../schema.ts'
import {
  branchName,
  isNamed,
  simpleNameOf,
  type AvroArray,
  type AvroEnum,
  type AvroFixed,
  type AvroPrimitive,
  type AvroRecord,
  type AvroSchema,
  type AvroUnion,
} from './schema.ts'
import { decodeUnscaled } from '../values/decimal-bytes.ts'
import { javaToString } from '../values/java-text.ts'
import { setProperty } from '../values/property.ts'
import { readAnything } from './anything.ts'
import type { AvroInput } from './avro-input.ts'
import { connectDefault } from './connect-default.ts'
import {
  anything,
  avroEnum,
  avroUnion,
  decimalPrecision,
  defaultPrecision,
  defaultRecord,
  enumDefaultPrefix,
  enumDocPrefix,
  fieldDefaultFlag,
  fieldDocPrefix,
  fixedSize,
  generalizedEnum,
  generalizedUnion,
  mapEntry,
  recordDoc,
} from './names.ts'
import type { AvroOptions } from './options.ts'

export interface AvroReading {
  /** Undefined: values without a schema. */
  readonly schema: Schema | undefined
  readonly read: (input: AvroInput) => unknown
}

interface SchemaReading extends AvroReading {
  readonly schema: Schema
}

/** What the place of a schema adds to it. */
interface Place {
  readonly optional?: boolean
  /** JSON of the default of the field that it is the schema of; undefined: none. */
  readonly fieldDefault?: unknown
  readonly fieldDoc?: string | undefined
  readonly version?: number | undefined
}

type OpenSchema = { -readonly [K in keyof Schema]: Schema[K] }
type OpenParameters = Record<string, string>

/** More parts than a schema has that people write: named types that refer to one another can multiply without end. */
const maxParts = 50_000

/**
 * @param version goes into the schema where it does not say one itself
 * @throws DataError where Connect cannot express the schema
 */
export function avroReading(avro: AvroSchema, options: AvroOptions, version?: number): AvroReading {
  if (avro.type === 'record' && avro.name === anything)
    return { schema: undefined, read: (input) => readAnything(input) }
  return new AvroToConnect(options).convert(avro, { version })
}

class AvroToConnect {
  readonly #options: AvroOptions
  readonly #open = new Set<AvroSchema>()
  #parts = 0
  #unions = 0

  constructor(options: AvroOptions) {
    this.#options = options
  }

  convert(avro: AvroSchema, place: Place): SchemaReading {
    if (++this.#parts > maxParts) throw new DataError(`a schema of more than ${maxParts} parts`)
    if (this.#open.has(avro)) {
      throw new DataError(
        `the Avro type ${branchName(avro)} contains itself, which Connect schemas here cannot express`,
      )
    }
    this.#open.add(avro)
    try {
      return avro.type === 'union' ? this.#union(avro, place) : this.#nonUnion(avro, place)
    } finally {
      this.#open.delete(avro)
    }
  }

  #union(avro: AvroUnion, place: Place): SchemaReading {
    const { branches } = avro
    const only = branches.length === 1 ? branches[0] : undefined
    if (only !== undefined && this.#options.flattenSingletonUnions) {
      const { schema, read } = this.convert(only, { fieldDoc: place.fieldDoc })
      return { schema, read: branchReader([read]) }
    }
    const nullIndex = branches.findIndex(({ type }) => type === 'null')
    if (branches.length === 2 && nullIndex >= 0) {
      const { schema, read } = this.convert(branches[1 - nullIndex]!, { optional: true, fieldDoc: place.fieldDoc })
      return {
        schema,
        read: (input) => {
          const index = input.int()
          if (index === nullIndex) return null
          return index === 1 - nullIndex ? read(input) : noBranch(index)
        },
      }
    }
    return this.#unionStruct(avro, place)
  }

  #unionStruct({ branches }: AvroUnion, place: Place): SchemaReading {
    const { generalizedSumTypes } = this.#options
    const name = generalizedSumTypes ? `connect_union_${this.#unions++}` : avroUnion
    const parameters: OpenParameters = generalizedSumTypes ? { [generalizedUnion]: name } : {}
    const fields: Field[] = []
    let optional = place.optional ?? false
    const reads = branches.map((branch, index) => {
      if (branch.type === 'null') {
        optional = true
        return () => null
      }
      const fieldName = this.#branchField(branch, index)
      if (fields.some((field) => field.name === fieldName)) {
        throw new DataError(
          `two branches of a union are called ${fieldName} (enhanced.avro.schema.support tells them apart)`,
        )
      }
      const { schema, read } = this.convert(branch, { optional: true })
      fields.push({ name: fieldName, schema })
      return (input: AvroInput) => ({ [fieldName]: read(input) })
    })
    const schema: OpenSchema = { type: 'struct', name, fields }
    const withDefault = this.#defaulted(schema, { type: 'union', branches }, undefined, place, parameters)
    if (Object.keys(parameters).length > 0) withDefault.parameters = parameters
    if (optional) withDefault.optional = true
    return { schema: withDefault, read: branchReader(reads) }
  }

  #branchField(branch: AvroSchema, index: number): string {
    if (this.#options.generalizedSumTypes) return `connect_union_field_${index}`
    const name = branchName(branch)
    return isNamed(branch) && !this.#options.enhancedSchemas ? simpleNameOf(name) : name
  }

  #nonUnion(avro: Exclude<AvroSchema, AvroUnion>, place: Place): SchemaReading {
    const { schema: base, read, parameters = {} } = this.#base(avro)
    const schema: OpenSchema = { ...base }
    const { props } = avro
    this.#describe(avro, schema, place, parameters)
    this.#version(props, schema, place.version)
    const kept = props.get('connect.parameters')
    if (this.#options.connectMetaData && kept !== undefined) Object.assign(parameters, parametersOf(kept))
    for (const [name, value] of props) {
      if (name.startsWith('avro')) parameters[name] = javaToString(undefined, value)
    }
    if (Object.keys(parameters).length > 0) schema.parameters = parameters
    const defaulted = this.#defaulted(schema, avro, props.get('connect.default'), place, parameters)
    this.#name(avro, defaulted)
    if (place.optional === true) defaulted.optional = true
    return { schema: defaulted, read }
  }

  #describe(avro: Exclude<AvroSchema, AvroUnion>, schema: OpenSchema, place: Place, parameters: OpenParameters): void {
    const { discardTypeDocDefault, connectMetaData } = this.#options
    const kept = textProp(avro.props, 'connect.doc')
    const own = isNamed(avro) ? avro.doc : undefined
    const doc = discardTypeDocDefault ? (place.fieldDoc ?? own ?? kept) : connectMetaData ? kept : undefined
    if (doc !== undefined) schema.doc = doc
    if (discardTypeDocDefault && connectMetaData && own !== undefined) parameters['connect.record.doc'] = own
  }

  #version(props: ReadonlyMap<string, unknown>, schema: OpenSchema, version: number | undefined): void {
    const given = props.get('connect.version') ?? version
    if (given === undefined) return
    if (typeof given !== 'number') throw new DataError('connect.version is not a number')
    // A logical type has its version, whatever version of a subject it is.
    schema.version ??= given
  }

  #name(avro: Exclude<AvroSchema, AvroUnion>, schema: OpenSchema): void {
    const given = avro.props.get('connect.name')
    if (given !== undefined && typeof given !== 'string') throw new DataError('connect.name is not text')
    const own =
      isNamed(avro) && !(avro.type === 'fixed' && schema.name === logicalNames.decimal) ? avro.name : undefined
    const name = given ?? own
    if (name === undefined || name.startsWith(defaultRecord)) return
    if (schema.name !== undefined && schema.name !== name) {
      throw new DataError(`connect.name is ${name}, but the logical type of the schema is ${schema.name}`)
    }
    schema.name = name
  }

  #defaulted(
    schema: OpenSchema,
    avro: AvroSchema,
    kept: unknown,
    { fieldDefault, optional }: Place,
    parameters: OpenParameters,
  ): OpenSchema {
    const { discardTypeDocDefault, connectMetaData } = this.#options
    if (fieldDefault !== undefined && !discardTypeDocDefault && connectMetaData && kept === undefined) {
      parameters[fieldDefaultFlag] = 'true'
      schema.parameters = parameters
    }
    const json = fieldDefault ?? kept
    if (json === undefined || json === null) return schema
    try {
      schema.default = connectDefault({ ...schema, optional: optional ?? false }, avro, json)
    } catch (error) {
      // One that is not of the type is passed over, as Confluent's converter does.
      if (!(error instanceof DataError)) throw error
    }
    return schema
  }

  #base(avro: Exclude<AvroSchema, AvroUnion>): SchemaReading & { readonly parameters?: OpenParameters } {
    const logicalType = textProp(avro.props, 'logicalType')?.toLowerCase()
    switch (avro.type) {
      case 'null':
        throw new DataError('a null schema by itself has no form in Connect')
      case 'boolean':
        return { schema: { type: 'boolean' }, read: (input) => input.boolean() }
      case 'int':
        return { schema: intSchema(avro.props, logicalType), read: (input) => input.int() }
      case 'long':
        return {
          schema:
            logicalType === 'timestamp-millis'
              ? { type: 'int64', name: logicalNames.timestamp, version: 1 }
              : { type: 'int64' },
          read: (input) => input.long(),
        }
      case 'float':
        return { schema: { type: 'float32' }, read: (input) => input.float() }
      case 'double':
        return { schema: { type: 'float64' }, read: (input) => input.double() }
      case 'string':
        return { schema: { type: 'string' }, read: (input) => input.string() }
      case 'bytes':
      case 'fixed':
        return bytesReading(avro, logicalType)
      case 'enum':
        return this.#enum(avro)
      case 'array':
        return this.#array(avro)
      case 'map': {
        const values = this.convert(avro.values, {})
        return {
          schema: { type: 'map', keys: { type: 'string' }, values: values.schema },
          read: mapReader(values.read),
        }
      }
      case 'record':
        return this.#record(avro)
    }
  }

  #enum(avro: AvroEnum): SchemaReading & { readonly parameters: OpenParameters } {
    const { connectMetaData, discardTypeDocDefault, generalizedSumTypes } = this.#options
    const parameters: OpenParameters = {}
    const simple = simpleNameOf(avro.name)
    if (connectMetaData && avro.doc !== undefined) {
      parameters[discardTypeDocDefault ? 'connect.enum.doc' : enumDocPrefix + simple] = avro.doc
    }
    if (connectMetaData && !discardTypeDocDefault && avro.default !== undefined) {
      parameters[enumDefaultPrefix + simple] = avro.default
    }
    const parameter = generalizedSumTypes ? generalizedEnum : avroEnum
    parameters[parameter] = avro.name
    for (const [index, symbol] of avro.symbols.entries()) {
      parameters[`${parameter}.${symbol}`] = generalizedSumTypes ? String(index) : symbol
    }
    const { symbols } = avro
    return {
      schema: { type: 'string' },
      parameters,
      read: (input) => symbols[input.int()] ?? outside(avro.name),
    }
  }

  #array(avro: AvroArray): SchemaReading {
    const { items } = avro
    const isEntry =
      items.type === 'record' && (items.name === mapEntry || items.props.get('connect.internal.type') === 'MapEntry')
    if (!isEntry) {
      const { schema, read } = this.convert(items, {})
      return { schema: { type: 'array', values: schema }, read: arrayReader(read) }
    }
    const [key, value] = items.fields
    if (items.fields.length !== 2 || key?.name !== 'key' || value?.name !== 'value') {
      throw new DataError(`${items.name} stands for the entries of a map, but has other fields than key and value`)
    }
    const keys = this.convert(key.schema, {})
    const values = this.convert(value.schema, {})
    return {
      schema: { type: 'map', keys: keys.schema, values: values.schema },
      read: entriesReader(keys.read, values.read),
    }
  }

  #record(avro: AvroRecord): SchemaReading & { readonly parameters: OpenParameters } {
    const { connectMetaData, discardTypeDocDefault } = this.#options
    const keepsDocs = connectMetaData && !discardTypeDocDefault
    const parameters: OpenParameters = {}
    if (keepsDocs && avro.doc !== undefined) parameters[recordDoc] = avro.doc
    const reads: { name: string; read: (input: AvroInput) => unknown }[] = []
    const fields = avro.fields.map((field): Field => {
      if (keepsDocs && field.doc !== undefined) parameters[fieldDocPrefix + field.name] = field.doc
      const { schema, read } = this.convert(field.schema, { fieldDefault: field.default, fieldDoc: field.doc })
      reads.push({ name: field.name, read })
      const kept = field.props.get('connect.parameters')
      if (!connectMetaData || kept === undefined) return { name: field.name, schema }
      return { name: field.name, schema: { ...schema, parameters: { ...schema.parameters, ...parametersOf(kept) } } }
    })
    return { schema: { type: 'struct', fields }, parameters, read: structReader(reads) }
  }
}

function intSchema(props: ReadonlyMap<string, unknown>, logicalType: string | undefined): Schema {
  if (logicalType === 'date') return { type: 'int32', name: logicalNames.date, version: 1 }
  if (logicalType === 'time-millis') return { type: 'int32', name: logicalNames.time, version: 1 }
  const connectType = textProp(props, 'connect.type')
  if (logicalType !== undefined || connectType === undefined) return { type: 'int32' }
  if (connectType === 'int8' || connectType === 'int16') return { type: connectType }
  throw new DataError(`connect.type of an int is ${connectType}, which is none that Connect knows`)
}

function bytesReading(
  avro: AvroPrimitive | AvroFixed,
  logicalType: string | undefined,
): SchemaReading & { readonly parameters?: OpenParameters } {
  const parameters: OpenParameters = {}
  const size = avro.type === 'fixed' ? avro.size : undefined
  const readBytes = (input: AvroInput) => (size === undefined ? input.sized() : input.raw(size))
  if (logicalType !== 'decimal') {
    if (size !== undefined) parameters[fixedSize] = String(size)
    return { schema: { type: 'bytes' }, parameters, read: readBytes }
  }
  const given = avro.props.get('scale')
  const scale = typeof given === 'number' ? Math.trunc(given) : 0
  const precision = avro.props.get('precision')
  if (precision !== undefined && typeof precision !== 'number')
    throw new DataError('precision of a decimal is not a number')
  parameters['scale'] = String(scale)
  if (precision !== undefined && precision !== defaultPrecision) parameters[decimalPrecision] = String(precision)
  if (size !== undefined) parameters[fixedSize] = String(size)
  return {
    schema: { type: 'bytes', name: logicalNames.decimal, version: 1 },
    parameters,
    read: (input) => new Decimal(decodeUnscaled(readBytes(input)), scale),
  }
}

type Read = (input: AvroInput) => unknown

function branchReader(reads: readonly Read[]): Read {
  return (input) => {
    const index = input.int()
    const read = reads[index]
    return read === undefined ? noBranch(index) : read(input)
  }
}

function arrayReader(read: Read): Read {
  return (input) => {
    const items: unknown[] = []
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let index = 0; index < count; index++) items.push(read(input))
    }
    return items
  }
}

function mapReader(read: Read): Read {
  return (input) => {
    const map = new Map<string, unknown>()
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let index = 0; index < count; index++) {
        const key = input.string()
        map.set(key, read(input))
      }
    }
    return map
  }
}

function entriesReader(readKey: Read, readValue: Read): Read {
  return (input) => {
    const map = new Map<unknown, unknown>()
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let index = 0; index < count; index++) {
        const key = readKey(input)
        map.set(key, readValue(input))
      }
    }
    return map
  }
}

function structReader(fields: readonly { readonly name: string; readonly read: Read }[]): Read {
  const plain = fields.every(({ name }) => name !== '__proto__')
  return (input) => {
    const struct: Record<string, unknown> = {}
    for (let index = 0; index < fields.length; index++) {
      const { name, read } = fields[index]!
      if (plain) struct[name] = read(input)
      else setProperty(struct, name, read(input))
    }
    return struct
  }
}

function textProp(props: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = props.get(name)
  return typeof value === 'string' ? value : undefined
}

function parametersOf(json: unknown): Readonly<Record<string, string>> {
  if (typeof json === 'object' && json !== null && Object.values(json).every((value) => typeof value === 'string')) {
    return json as Record<string, string>
  }
  throw new DataError('connect.parameters is not an object of texts')
}

function noBranch(index: number): never {
  throw new DataError(`the union has no branch ${index}`)
}

function outside(name: string): never {
  throw new DataError(`no such symbol of ${name}`)
}
