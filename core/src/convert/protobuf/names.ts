/** The names under which Confluent's converter keeps what one of the two, Connect and Protobuf, has no place for. */
import { DataError, logicalNames, type Schema } from '@tidewire/sdk'
import type { ProtobufOptions } from './options.ts'

const namespace = 'io.confluent.connect.protobuf'
/** Parameter: a field's number. */
export const tagParameter = `${namespace}.Tag`
/** Parameter: which of Protobuf's integers it is. */
export const typeParameter = `${namespace}.Type`
/** Parameter of a member of a oneof: it is a wrapper message there. */
export const wrapperParameter = `${namespace}.Wrapper`
export const protobufEnum = `${namespace}.Enum`
export const protobufUnion = `${namespace}.Union`
export const generalizedUnion = 'org.apache.kafka.connect.data.Union'
export const generalizedEnum = 'org.apache.kafka.connect.data.Enum'
export const decimalPrecision = 'connect.decimal.precision'
export const variant = 'org.apache.kafka.connect.data.Variant'

/** Keys of `(confluent.field_meta).params`. */
export const meta = { connectType: 'connect.type', precision: 'precision', scale: 'scale' } as const

/** Messages that Connect's logical types are written as, with the files that declare them. */
export const logicalMessages: ReadonlyMap<string, { readonly type: string; readonly file: string }> = new Map([
  [logicalNames.decimal, { type: 'confluent.type.Decimal', file: 'confluent/type/decimal.proto' }],
  [logicalNames.date, { type: 'google.type.Date', file: 'google/type/date.proto' }],
  [logicalNames.time, { type: 'google.type.TimeOfDay', file: 'google/type/timeofday.proto' }],
  [logicalNames.timestamp, { type: 'google.protobuf.Timestamp', file: 'google/protobuf/timestamp.proto' }],
  [variant, { type: 'confluent.type.Variant', file: 'confluent/type/variant.proto' }],
])

/** The Connect types that the messages of google/protobuf/wrappers.proto hold, in the order of that file. */
export const wrapperTypes = new Map([
  ['google.protobuf.DoubleValue', { holds: 'double', type: 'float64' }],
  ['google.protobuf.FloatValue', { holds: 'float', type: 'float32' }],
  ['google.protobuf.Int64Value', { holds: 'int64', type: 'int64' }],
  ['google.protobuf.UInt64Value', { holds: 'uint64', type: 'int64' }],
  ['google.protobuf.Int32Value', { holds: 'int32', type: 'int32' }],
  ['google.protobuf.UInt32Value', { holds: 'uint32', type: 'int64' }],
  ['google.protobuf.BoolValue', { holds: 'bool', type: 'boolean' }],
  ['google.protobuf.StringValue', { holds: 'string', type: 'string' }],
  ['google.protobuf.BytesValue', { holds: 'bytes', type: 'bytes' }],
] as const)

export const wrappersFile = 'google/protobuf/wrappers.proto'

/** Whether a struct stands for a oneof, with a field for each member. */
export function isUnion(schema: Schema): boolean {
  if (schema.type !== 'struct') return false
  return schema.name?.startsWith(protobufUnion) === true || schema.parameters?.[generalizedUnion] !== undefined
}

/** The name of the parameter by which a schema says that it is an enum; undefined where it is none. */
export function enumParameter(schema: Schema): string | undefined {
  const { type, parameters } = schema
  if (parameters === undefined) return undefined
  if (type === 'string' && parameters[generalizedEnum] !== undefined) return generalizedEnum
  const isInteger = type === 'int8' || type === 'int16' || type === 'int32'
  return (type === 'string' || isInteger) && parameters[protobufEnum] !== undefined ? protobufEnum : undefined
}

/** An enum's symbols with their numbers, as its parameters have them. */
export function enumSymbols(schema: Schema, parameter: string): readonly (readonly [string, number])[] {
  const prefix = `${parameter}.`
  return Object.entries(schema.parameters ?? {})
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, number]) => [name.slice(prefix.length), Number(number)] as const)
}

/** Whether a primitive is written in a message of its own, so that null differs from zero. */
export function isWrapped(schema: Schema, isInOneof: boolean, options: ProtobufOptions): boolean {
  if (!options.wrapperForNullables || schema.optional !== true) return false
  return !isInOneof || schema.parameters?.[wrapperParameter]?.toLowerCase() === 'true'
}

const validName = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * A name of Connect's in Protobuf; with `scrub.invalid.names` as URL-encoded, with underscores.
 * @throws DataError where Protobuf does not take it
 */
export function protobufName(name: string, { scrubInvalidNames }: ProtobufOptions): string {
  if (!scrubInvalidNames) {
    if (validName.test(name)) return name
    throw new DataError(`${name} is no name for Protobuf (scrub.invalid.names replaces what it does not take)`)
  }
  if (name === '' || (validName.test(name) && !name.startsWith('_'))) return name
  const encoded = encodeURIComponent(name.toWellFormed())
    .replace(/%20/g, '+')
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
  return (/^[0-9_]/.test(encoded) ? `x${encoded}` : encoded).replace(/[^A-Za-z0-9_]/g, '_')
}

/** The message of a map's entries, by the map's name. */
export function mapEntryName(name: string): string {
  if (!name.includes('_')) return `${name}Entry`
  const words = name.split('_').map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
  return `${words.join('')}Entry`
}

/** The inverse: the name of the map whose entries a message holds. */
export function mapName(entryName: string): string {
  const dot = entryName.lastIndexOf('.') + 1
  const words = entryName.slice(dot, -'Entry'.length).split(/(?=[A-Z])/)
  return entryName.slice(0, dot) + words.map((word) => word.toLowerCase()).join('_')
}
