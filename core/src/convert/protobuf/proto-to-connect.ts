/**
 * The Connect schema of a Protobuf message, as Confluent's converter makes it, and a function that reads values of it. Both
 * are compiled together, once a message.
 */
import { DataError, logicalNames, type Field, type Schema } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { decimalReader, emptyValue, readDate, readTime, readTimestamp } from './logical-values.ts'
import {
  decimalPrecision,
  generalizedEnum,
  generalizedUnion,
  logicalMessages,
  mapName,
  meta,
  protobufEnum,
  protobufUnion,
  tagParameter,
  variant,
  wrapperParameter,
  wrapperTypes,
} from './names.ts'
import type { ProtobufOptions } from './options.ts'
import { wireTypes, type ProtoInput } from './proto-input.ts'
import { wireTypeOf } from './proto-writer.ts'
import {
  noBytes,
  scalarReader,
  scalarValue,
  zeroOf,
  type FieldValue,
  type OpenSchema,
  type OpenStruct,
} from './field-value.ts'
import {
  isEntry,
  type EnumType,
  type MessageField,
  type MessageType,
  type OneofType,
  type ScalarType,
} from './proto-types.ts'

export interface ProtoReading {
  readonly schema: Schema
  /** Reads a message that goes up to `end`. */
  readonly read: (input: ProtoInput, end: number) => unknown
}

interface Message {
  readonly schema: Schema
  readonly create: () => OpenStruct
  readonly fill: (input: ProtoInput, end: number, struct: OpenStruct) => void
}

type FillField = (input: ProtoInput, struct: OpenStruct, tag: number) => void

/**
 * @param version goes into the schema
 * @throws DataError where Connect cannot express the message
 */
export function protoReading(type: MessageType, options: ProtobufOptions, version?: number): ProtoReading {
  const compiler = new ProtoToConnect(options)
  const versioned = version === undefined ? {} : { version }
  const wrapped = options.wrapperForRawPrimitives
    ? wrapperTypes.get(type.fullName as 'google.protobuf.BoolValue')
    : undefined
  if (wrapped !== undefined) {
    return { schema: { type: wrapped.type, ...versioned }, read: wrapperReader(wrapped.holds) }
  }
  const { schema, create, fill } = compiler.message(type)
  return {
    schema: { ...schema, ...versioned },
    read: (input, end) => {
      const struct = create()
      fill(input, end, struct)
      return struct
    },
  }
}

class ProtoToConnect {
  readonly #options: ProtobufOptions
  readonly #messages = new Map<MessageType, Message>()
  readonly #open = new Set<MessageType>()

  constructor(options: ProtobufOptions) {
    this.#options = options
  }

  message(type: MessageType): Message {
    const known = this.#messages.get(type)
    if (known !== undefined) return known
    if (this.#open.has(type)) {
      throw new DataError(`message ${type.fullName} contains itself, which Connect schemas here cannot express`)
    }
    this.#open.add(type)
    const made = this.#message(type)
    this.#open.delete(type)
    this.#messages.set(type, made)
    return made
  }

  #message(type: MessageType): Message {
    const name = this.#options.enhancedSchemas ? type.fullName : type.name
    const fields: Field[] = []
    const template: OpenStruct = {}
    const anew: { readonly name: string; readonly make: () => unknown }[] = []
    const fills = new Map<number, FillField>()
    for (const oneof of type.oneofs) {
      if (this.#options.flattenUnions) this.#flatUnion(oneof, fields, template, fills)
      else this.#union(oneof, fields, template, fills)
    }
    for (const field of type.fields) {
      if (field.oneof !== undefined) continue
      const value = this.#value(field)
      fields.push({ name: field.name, schema: this.#fieldSchema(field, value, false) })
      const make = this.#whenAbsent(field, value)
      setProperty(template, field.name, make())
      if (typeof template[field.name] === 'object' && template[field.name] !== null)
        anew.push({ name: field.name, make })
      fills.set(field.number, field.isRepeated ? repeatedFill(field, value) : singularFill(field.name, value))
    }
    const schema: Schema = { type: 'struct', name, fields }
    const create = () => {
      const struct = { ...template }
      for (const { name: fieldName, make } of anew) struct[fieldName] = make()
      return struct
    }
    return { schema, create, fill: filler(fills) }
  }

  /** What a field has that a message does not. */
  #whenAbsent(field: MessageField, value: FieldValue): () => unknown {
    if (field.isRepeated) return value.schema.type === 'map' ? () => new Map() : () => []
    const { structForNulls, optionalForProto2 } = this.#options
    if (structForNulls) return value.empty
    const isMessage = typeof field.type === 'object' && field.type.kind === 'message'
    const isNullable = isMessage || (field.isOptional && (!field.isProto2 || optionalForProto2))
    return isNullable ? () => null : value.empty
  }

  #union(oneof: OneofType, fields: Field[], template: OpenStruct, fills: Map<number, FillField>): void {
    const { generalizedSumTypes, enhancedSchemas, indexForUnions } = this.#options
    const unionName = indexForUnions ? `${oneof.name}_${oneof.index}` : oneof.name
    const unionTemplate: OpenStruct = {}
    const members: Field[] = []
    for (const field of oneof.fields) {
      const value = this.#value(field)
      members.push({ name: field.name, schema: this.#fieldSchema(field, value, true) })
      setProperty(unionTemplate, field.name, null)
      const fillMember = singularFill(field.name, value)
      fills.set(field.number, (input, struct, tag) => {
        const known = struct[unionName] as OpenStruct | null
        // What comes last counts; a message that comes in parts is one message.
        const union = value.merge === undefined || known?.[field.name] == null ? { ...unionTemplate } : known
        fillMember(input, union, tag)
        if (union[field.name] !== null) struct[unionName] = union
      })
    }
    const shared: Schema = { type: 'struct', optional: true, fields: members }
    const schema: Schema = generalizedSumTypes
      ? { ...shared, name: oneof.name, parameters: { [generalizedUnion]: oneof.name } }
      : { ...shared, name: `${protobufUnion}.${enhancedSchemas ? oneof.fullName : oneof.name}` }
    fields.push({ name: unionName, schema })
    setProperty(template, unionName, null)
  }

  #flatUnion(oneof: OneofType, fields: Field[], template: OpenStruct, fills: Map<number, FillField>): void {
    for (const field of oneof.fields) {
      const value = this.#value(field)
      fields.push({ name: field.name, schema: this.#fieldSchema(field, value, true) })
      setProperty(template, field.name, null)
      const fillMember = singularFill(field.name, value)
      const others = oneof.fields.filter((other) => other !== field)
      fills.set(field.number, (input, struct, tag) => {
        fillMember(input, struct, tag)
        for (const other of others) struct[other.name] = null
      })
    }
  }

  /** @param isInOneof of which at most one is set, so that each may be null */
  #fieldSchema(field: MessageField, { schema, parameters }: FieldValue, isInOneof: boolean): Schema {
    const { wrapperForNullables, optionalForNullables } = this.#options
    let made: OpenSchema = { ...schema }
    let params = parameters
    if (field.isRepeated && schema.type !== 'map') {
      if (Object.keys(params).length > 0) made.parameters = params
      made.optional = true
      made = { type: 'array', values: made, optional: true }
      params = {}
    }
    if (isInOneof) {
      made.optional = true
      const { type } = field
      const isWrapper = typeof type === 'object' && wrapperTypes.has(type.fullName as 'google.protobuf.BoolValue')
      if (isWrapper && wrapperForNullables) params = { ...params, [wrapperParameter]: 'true' }
    } else if (optionalForNullables ? field.isOptional : !wrapperForNullables) made.optional = true
    made.parameters = { ...params, [tagParameter]: String(field.number) }
    return made
  }

  #value(field: MessageField): FieldValue {
    const { type } = field
    if (typeof type === 'string') return scalarValue(type, field)
    return type.kind === 'enum' ? this.#enum(type, field) : this.#messageValue(type, field)
  }

  #enum({ name, fullName, values }: EnumType, { isProto2, defaultText }: MessageField): FieldValue {
    const { intForEnums, enhancedSchemas, generalizedSumTypes } = this.#options
    const parameter = generalizedSumTypes ? generalizedEnum : protobufEnum
    const parameters: Record<string, string> = { [parameter]: name }
    for (const value of values) parameters[`${parameter}.${value.name}`] = String(value.number)
    // Of several names for a number the first counts.
    const names = new Map(values.toReversed().map((value) => [value.number, value.name]))
    const first = values.find((value) => value.name === defaultText) ?? values[0]
    const whenAbsent = intForEnums ? (first?.number ?? 0) : (first?.name ?? '')
    const show = (number: number) => {
      const known = names.get(number)
      // Proto2 has no place for numbers without a name: who reads them takes the field for absent.
      if (known === undefined && isProto2) return undefined
      return intForEnums ? number : (known ?? `UNKNOWN_ENUM_VALUE_${name}_${number}`)
    }
    return {
      schema: { type: intForEnums ? 'int32' : 'string', name: enhancedSchemas ? fullName : name, optional: true },
      parameters,
      wireType: wireTypes.varint,
      read: (input) => show(input.int32()),
      empty: () => whenAbsent,
    }
  }

  #messageValue(type: MessageType, field: MessageField): FieldValue {
    if (field.isRepeated && isEntry(type) && !logicalMessageTypes.has(type.fullName)) return this.#map(type)
    const logical = logicalValue(type, field)
    if (logical !== undefined) return sizedValue(logical.schema, logical.parameters, logical.read)
    const wrapper = wrapperTypes.get(type.fullName as 'google.protobuf.BoolValue')
    const { wrapperForNullables, wrapperForRawPrimitives } = this.#options
    // Not at the root alone: the setting's effect in Confluent's converter.
    if (wrapper !== undefined && (wrapperForNullables || wrapperForRawPrimitives)) {
      return sizedValue({ type: wrapper.type, optional: true }, {}, wrapperReader(wrapper.holds))
    }
    const { schema, create, fill } = this.message(type)
    const read = (input: ProtoInput, end: number) => {
      const struct = create()
      fill(input, end, struct)
      return struct
    }
    return { ...sizedValue({ ...schema, optional: true }, {}, read), empty: create, merge: fill }
  }

  #map(type: MessageType): FieldValue {
    const [key, item] = type.fields as readonly [MessageField, MessageField]
    const keyValue = this.#value(key)
    const itemValue = this.#value(item)
    const schema: OpenSchema = {
      type: 'map',
      optional: true,
      name: mapName(this.#options.enhancedSchemas ? type.fullName : type.name),
      keys: this.#fieldSchema(key, keyValue, false),
      values: this.#fieldSchema(item, itemValue, false),
    }
    const fills = new Map([
      [1, singularFill('key', keyValue)],
      [2, singularFill('value', itemValue)],
    ])
    const fill = filler(fills)
    const read = (input: ProtoInput, end: number) => {
      const entry: OpenStruct = { key: undefined, value: undefined }
      fill(input, end, entry)
      entry['key'] ??= keyValue.empty()
      entry['value'] ??= itemValue.empty()
      return entry
    }
    return sizedValue(schema, {}, read)
  }
}

const logicalMessageTypes = new Map([...logicalMessages].map(([name, { type }]) => [type, name]))

function sizedValue(
  schema: OpenSchema,
  parameters: Record<string, string>,
  readFields: (input: ProtoInput, end: number) => unknown,
): FieldValue {
  return {
    schema,
    parameters,
    wireType: wireTypes.sized,
    read: (input) => {
      const end = input.end()
      const value = readFields(input, end)
      if (input.at !== end) throw new DataError('a field goes on after the message that it is in')
      return value
    },
    empty: () => emptyValue(readFields) ?? null,
  }
}

function logicalValue(type: MessageType, { params }: MessageField) {
  const name = logicalMessageTypes.get(type.fullName)
  if (name === undefined) return undefined
  const optional = { name, version: 1, optional: true }
  switch (name) {
    case logicalNames.decimal: {
      const scale = integerOf(params.get(meta.scale)) ?? 0
      const precision = integerOf(params.get(meta.precision))
      const parameters = {
        scale: String(scale),
        ...(precision !== undefined && { [decimalPrecision]: String(precision) }),
      }
      return { schema: { type: 'bytes' as const, ...optional }, parameters, read: decimalReader(scale) }
    }
    case logicalNames.date:
      return { schema: { type: 'int32' as const, ...optional }, parameters: {}, read: readDate }
    case logicalNames.time:
      return { schema: { type: 'int32' as const, ...optional }, parameters: {}, read: readTime }
    case logicalNames.timestamp:
      return { schema: { type: 'int64' as const, ...optional }, parameters: {}, read: readTimestamp }
    default:
      return { schema: variantSchema, parameters: {}, read: readVariant }
  }
}

function integerOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined
}

const variantSchema: OpenSchema = {
  type: 'struct',
  name: variant,
  optional: true,
  fields: [
    { name: 'metadata', schema: { type: 'bytes' } },
    { name: 'value', schema: { type: 'bytes' } },
  ],
}

function readVariant(input: ProtoInput, end: number): OpenStruct {
  const made: OpenStruct = { metadata: noBytes, value: noBytes }
  while (input.at < end) {
    const tag = input.uint32()
    if (tag === 0x0a) made['metadata'] = input.sized()
    else if (tag === 0x12) made['value'] = input.sized()
    else input.skip(tag)
  }
  return made
}

function wrapperReader(holds: ScalarType): (input: ProtoInput, end: number) => unknown {
  const readValue = scalarReader(holds)
  const tag = (1 << 3) | wireTypeOf(holds)
  const whenAbsent = zeroOf(holds)
  return (input, end) => {
    let value = whenAbsent
    while (input.at < end) {
      const next = input.uint32()
      if (next === tag) value = readValue(input)
      else input.skip(next)
    }
    return value
  }
}

/** Reads the fields of a message, in whatever order they come. */
function filler(fills: ReadonlyMap<number, FillField>): Message['fill'] {
  const byNumber: (FillField | undefined)[] = []
  for (const [number, fill] of fills) if (number < 1_024) byNumber[number] = fill
  return (input, end, struct) => {
    while (input.at < end) {
      const tag = input.uint32()
      const number = tag >>> 3
      const fill = number < byNumber.length ? byNumber[number] : fills.get(number)
      if (fill !== undefined) fill(input, struct, tag)
      else if (number === 0) throw new DataError('a field has no number')
      else input.skip(tag)
    }
    if (input.at !== end) throw new DataError('a field goes on after the message that it is in')
  }
}

/** What comes last counts, but of structs, which come in parts. */
function singularFill(name: string, { wireType, read, merge }: FieldValue): FillField {
  if (merge !== undefined) {
    return (input, struct, tag) => {
      const known = struct[name]
      if ((tag & 7) !== wireType) input.skip(tag)
      else if (known === null || known === undefined) struct[name] = read(input)
      else merge(input, input.end(), known as OpenStruct)
    }
  }
  return (input, struct, tag) => {
    if ((tag & 7) !== wireType) {
      input.skip(tag)
      return
    }
    const value = read(input)
    if (value !== undefined) struct[name] = value
  }
}

function repeatedFill({ name }: MessageField, { schema, wireType, read }: FieldValue): FillField {
  if (schema.type === 'map') {
    return (input, struct, tag) => {
      if ((tag & 7) !== wireType) {
        input.skip(tag)
        return
      }
      const { key, value } = read(input) as OpenStruct
      ;(struct[name] as Map<unknown, unknown>).set(key, value)
    }
  }
  return (input, struct, tag) => {
    const list = struct[name] as unknown[]
    const wire = tag & 7
    if (wire === wireType) push(list, read(input))
    else if (wire === wireTypes.sized) {
      const end = input.end()
      while (input.at < end) push(list, read(input))
    } else input.skip(tag)
  }
}

function push(list: unknown[], value: unknown): void {
  if (value !== undefined) list.push(value)
}
