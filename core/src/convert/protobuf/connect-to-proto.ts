/**
 * The .proto file that a Connect schema is written as: the same text, to the letter, as Confluent's converter makes, so that
 * both find the same id in a registry.
 */
import { DataError, logicalNames, type Schema, type SchemaType } from '@tidewire/sdk'
import type {
  ProtoEnum,
  ProtoField,
  ProtoFile,
  ProtoLabel,
  ProtoMessage,
  ProtoOneof,
  ProtoOption,
  ProtoOptionValue,
  ProtoType,
} from '../../schemas/protobuf/proto-tree.ts'
import {
  decimalPrecision,
  enumParameter,
  enumSymbols,
  generalizedEnum,
  generalizedUnion,
  isUnion,
  isWrapped,
  logicalMessages,
  mapEntryName,
  meta,
  protobufEnum,
  protobufName,
  protobufUnion,
  tagParameter,
  typeParameter,
  wrapperTypes,
  wrappersFile,
} from './names.ts'
import type { ProtobufOptions } from './options.ts'

export interface DescribedProto {
  readonly file: ProtoFile
  /** The full name of the message that holds a value. */
  readonly message: string
}

/** @throws DataError where Protobuf cannot express the schema */
export function protoOf(schema: Schema, options: ProtobufOptions): DescribedProto {
  if (schema.type === 'array' || schema.type === 'map') {
    throw new DataError(`a Protobuf message is a struct or a primitive, not ${schema.type} by itself`)
  }
  if (schema.type !== 'struct') {
    if (schema.name !== undefined && logicalMessages.has(schema.name)) {
      throw new DataError(`${schema.name} by itself has no Protobuf message: only in a struct`)
    }
    return { file: wrappers, message: wrapperOf(schema) }
  }
  return new ConnectToProto(options).file(schema)
}

interface OpenMessage extends ProtoMessage {
  readonly fields: ProtoField[]
  readonly oneofs: ProtoOneof[]
  readonly types: ProtoType[]
}

const emptyFile = { publicImports: [], extends: [], services: [], options: [] }

class ConnectToProto {
  readonly #options: ProtobufOptions
  readonly #imports = new Set<string>()
  /** Schemas that are being converted: one that leads back to itself has no end. */
  readonly #open = new Set<Schema>()
  #unnamed = 0

  constructor(options: ProtobufOptions) {
    this.#options = options
  }

  file(schema: Schema): DescribedProto {
    const parts = this.#nameOf(schema.name)
      .split('.')
      .map((part) => protobufName(part, this.#options))
    const name = parts.pop() ?? ''
    const within = parts.join('.')
    const message = this.#message(name, schema)
    const file: ProtoFile = {
      ...emptyFile,
      syntax: 'proto3',
      ...(within === '' ? {} : { package: within }),
      imports: [...this.#imports],
      types: [message],
    }
    return { file, message: within === '' ? name : `${within}.${name}` }
  }

  #message(name: string, schema: Schema): ProtoMessage {
    this.#open.add(schema)
    const message = emptyMessage(name)
    const used = new Set((schema.fields ?? []).map((field) => tagOf(field.schema)))
    let next = 1
    for (const field of schema.fields ?? []) {
      // Confluent's converter fails where a number that it gives is taken by the tag of another field.
      while (used.has(next)) next++
      const tag = tagOf(field.schema) ?? (isUnion(field.schema) ? 0 : next++)
      if (isUnion(field.schema)) {
        next = this.#oneof(message, field.schema, field.name, next)
        continue
      }
      message.fields.push(this.#field(message, field.schema, protobufName(field.name, this.#options), tag, false))
    }
    this.#open.delete(schema)
    return message
  }

  /** @returns the next number that is free */
  #oneof(message: OpenMessage, schema: Schema, fieldName: string, next: number): number {
    const { generalizedSumTypes } = this.#options
    const named = schema.name?.slice(protobufUnion.length + 1) ?? ''
    const name = generalizedSumTypes
      ? schema.parameters?.[generalizedUnion]
      : this.#unqualified(named === '' ? fieldName : named)
    const fields = (schema.fields ?? []).map((member) =>
      // Confluent's converter knows members with tags only; unions of other formats have none.
      this.#field(
        message,
        member.schema,
        protobufName(member.name, this.#options),
        tagOf(member.schema) ?? next++,
        true,
      ),
    )
    message.oneofs.push({ name: name ?? fieldName, fields, groups: [], options: [] })
    return next
  }

  #field(message: OpenMessage, schema: Schema, name: string, number: number, isInOneof: boolean): ProtoField {
    const label = this.#label(schema, isInOneof)
    const valued = schema.type === 'array' ? (schema.values ?? { type: 'string' }) : schema
    if (schema.type === 'array' && (valued.type === 'array' || valued.type === 'map' || isUnion(valued))) {
      throw new DataError(`field ${name}: a Protobuf field cannot hold several of an ${valued.type}`)
    }
    const params: [string, string][] = []
    const type = this.#type(message, valued, name, params, isInOneof)
    return { name, number, type, options: params.length === 0 ? [] : [metaOption(params)], ...(label && { label }) }
  }

  #label(schema: Schema, isInOneof: boolean): ProtoLabel | undefined {
    if (schema.type === 'array' || schema.type === 'map') return 'repeated'
    return this.#options.optionalForNullables && schema.optional === true && !isInOneof ? 'optional' : undefined
  }

  #type(message: OpenMessage, schema: Schema, field: string, params: [string, string][], isInOneof: boolean): string {
    const logical = schema.name === undefined ? undefined : logicalMessages.get(schema.name)
    if (logical !== undefined) {
      if (schema.name === logicalNames.decimal) params.push(...decimalParams(schema))
      this.#imports.add(logical.file)
      return logical.type
    }
    const symbols = enumParameter(schema)
    if (symbols !== undefined) return this.#enum(message, schema, symbols)
    if (schema.type === 'map') return this.#mapEntry(message, schema)
    if (schema.type === 'struct') return this.#struct(message, schema, field)
    if (schema.type === 'int8' || schema.type === 'int16') params.push([meta.connectType, schema.type])
    if (!isWrapped(schema, isInOneof, this.#options)) return scalarOf(schema)
    this.#imports.add(wrappersFile)
    return wrapperOf(schema, scalarOf(schema))
  }

  #enum(message: OpenMessage, schema: Schema, parameter: string): string {
    const type = schema.parameters?.[parameter] ?? ''
    const name = this.#unqualified(schema.name ?? type)
    if (!has(message, 'enum', name)) {
      const wanted = this.#options.generalizedSumTypes ? generalizedEnum : protobufEnum
      const values = enumSymbols(schema, wanted).map(([symbol, number]) => ({ name: symbol, number, options: [] }))
      if (values.length === 0) {
        throw new DataError(
          `enum ${name} has no symbols (generalized.sum.type.support says which parameters bear them)`,
        )
      }
      const declared: ProtoEnum = { kind: 'enum', name, values, reserved: [], options: [] }
      message.types.push(declared)
    }
    return type
  }

  #mapEntry(message: OpenMessage, schema: Schema): string {
    const name = mapEntryName(this.#unqualified(schema.name))
    if (has(message, 'message', name)) return name
    const entry = emptyMessage(name)
    for (const [field, type, number] of [
      ['key', schema.keys, 1],
      ['value', schema.values, 2],
    ] as const) {
      if (type === undefined) throw new DataError(`map ${name} has no schema for its ${field}s`)
      if (isUnion(type)) throw new DataError(`map ${name}: a oneof cannot be a ${field}`)
      entry.fields.push(this.#field(entry, type, field, number, false))
    }
    message.types.push(entry)
    return name
  }

  #struct(message: OpenMessage, schema: Schema, field: string): string {
    let name = this.#unqualified(schema.name)
    if (this.#open.has(schema)) {
      throw new DataError(`schema ${name} contains itself, which the Protobuf converter cannot write`)
    }
    // A type and a field of one message must not have the same name.
    if (name === field) name += 'Message'
    // A name that is declared already means what it means there; that it fits is found out when the writer is compiled.
    if (message.name !== name && !has(message, 'message', name)) message.types.push(this.#message(name, schema))
    return name
  }

  #unqualified(name: string | undefined): string {
    const full = this.#nameOf(name)
    return protobufName(full.slice(full.lastIndexOf('.') + 1), this.#options)
  }

  #nameOf(name: string | undefined): string {
    return name === undefined || name === '' ? `ConnectDefault${++this.#unnamed}` : name
  }
}

function emptyMessage(name: string): OpenMessage {
  return {
    kind: 'message',
    name,
    fields: [],
    oneofs: [],
    groups: [],
    types: [],
    reserved: [],
    extensions: [],
    extends: [],
    options: [],
  }
}

function has(message: ProtoMessage, kind: ProtoType['kind'], name: string): boolean {
  return message.types.some((type) => type.kind === kind && type.name === name)
}

function tagOf({ parameters }: Schema): number | undefined {
  const tag = parameters?.[tagParameter]
  if (tag === undefined) return undefined
  if (/^[1-9]\d{0,8}$/.test(tag)) return Number(tag)
  throw new DataError(`${tagParameter} is a field number, not ${tag}`)
}

const integers32: ReadonlySet<string> = new Set(['int32', 'sint32', 'sfixed32'])
const integers64: ReadonlySet<string> = new Set([
  'int64',
  'uint32',
  'fixed32',
  'uint64',
  'sint64',
  'fixed64',
  'sfixed64',
])

const scalars: Partial<Record<SchemaType, string>> = {
  int8: 'int32',
  int16: 'int32',
  float32: 'float',
  float64: 'double',
  boolean: 'bool',
  string: 'string',
  bytes: 'bytes',
}

function scalarOf({ type, parameters }: Schema): string {
  const scalar = scalars[type]
  if (scalar !== undefined) return scalar
  const given = parameters?.[typeParameter] ?? type
  if ((type === 'int32' ? integers32 : integers64).has(given)) return given
  throw new DataError(`${typeParameter} of ${type} is ${given}, which does not hold all its values`)
}

/** @param scalar what the message is to hold; undefined: what a root of this type does */
function wrapperOf({ type }: Schema, scalar: string = type): string {
  const wanted = type === 'int8' || type === 'int16' ? 'int32' : type
  const unsigned = scalar.startsWith('u') || scalar.startsWith('fixed') ? `uint${scalar.slice(-2)}` : undefined
  for (const [name, wrapper] of wrapperTypes) {
    if (wrapper.type === wanted && (unsigned ?? wanted) === (unsigned === undefined ? wrapper.type : wrapper.holds))
      return name
  }
  throw new DataError(`${type} has no wrapper message`)
}

function decimalParams({ parameters }: Schema): [string, string][] {
  const found: [string, string | undefined][] = [
    [meta.precision, parameters?.[decimalPrecision]],
    [meta.scale, parameters?.['scale']],
  ]
  return found.filter((param): param is [string, string] => param[1] !== undefined)
}

function metaOption(params: readonly (readonly [string, string])[]): ProtoOption {
  const string = (text: string): ProtoOptionValue => ({ kind: 'string', text })
  const items = params.map(([key, value]): ProtoOptionValue => {
    const pair: [string, ProtoOptionValue][] = [
      ['key', string(key)],
      ['value', string(value)],
    ]
    // Confluent's order, for texts that are the same to the letter.
    const entries = new Map(key === meta.connectType ? pair : pair.reverse())
    return { kind: 'message', entries }
  })
  const entries = new Map<string, ProtoOptionValue>([['params', { kind: 'list', items }]])
  return { name: 'confluent.field_meta', isCustom: true, value: { kind: 'message', entries } }
}

const wrapperOptions: readonly ProtoOption[] = (
  [
    ['java_package', 'com.google.protobuf'],
    ['java_outer_classname', 'WrappersProto'],
    ['java_multiple_files', true],
    ['go_package', 'google.golang.org/protobuf/types/known/wrapperspb'],
    ['cc_enable_arenas', true],
    ['objc_class_prefix', 'GPB'],
    ['csharp_namespace', 'Google.Protobuf.WellKnownTypes'],
  ] as const
).map(([name, value]) => ({
  name,
  isCustom: false,
  value: value === true ? { kind: 'word', text: 'true' } : { kind: 'string', text: value },
}))

/** What a primitive by itself is registered as: google/protobuf/wrappers.proto, whole, as protobuf's own Java has it. */
const wrappers: ProtoFile = {
  ...emptyFile,
  syntax: 'proto3',
  package: 'google.protobuf',
  imports: [],
  options: wrapperOptions,
  types: [...wrapperTypes].map(([name, { holds }]) => ({
    ...emptyMessage(name.slice('google.protobuf.'.length)),
    fields: [{ name: 'value', number: 1, type: holds, jsonName: 'value', options: [] }],
  })),
}
