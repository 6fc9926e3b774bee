/** The names under which Confluent's converter keeps what Avro has no place for. */
import { logicalNames, type Schema } from '../schema.ts'
import type { AvroOptions } from './options.ts'

const namespace = 'io.confluent.connect.avro'
export const defaultRecord = `${namespace}.ConnectDefault`
export const mapEntry = `${namespace}.MapEntry`
export const avroUnion = `${namespace}.Union`
export const avroEnum = `${namespace}.Enum`
export const anything = `${namespace}.Anything`
export const recordDoc = `${namespace}.record.doc`
export const enumDocPrefix = `${namespace}.enum.doc.`
export const enumDefaultPrefix = `${namespace}.enum.default.`
export const fieldDocPrefix = `${namespace}.field.doc.`
export const fieldDefaultFlag = `${namespace}.field.default`
export const generalizedUnion = 'org.apache.kafka.connect.data.Union'
export const generalizedEnum = 'org.apache.kafka.connect.data.Enum'
export const fixedSize = 'connect.fixed.size'
export const decimalPrecision = 'connect.decimal.precision'
export const defaultPrecision = 64

/** Whether a struct stands for a union of Avro's, with a field for each branch. */
export function isUnion(schema: Schema): boolean {
  return schema.name === avroUnion || schema.parameters?.[generalizedUnion] !== undefined
}

export function isFixed(schema: Schema): boolean {
  return schema.type === 'bytes' && schema.name !== undefined && schema.parameters?.[fixedSize] !== undefined
}

/** Whether the schema becomes an enum: it always bears the symbols, but only the settings make them count. */
export function isEnum(schema: Schema, options: AvroOptions): boolean {
  if (schema.type !== 'string' || (!options.generalizedSumTypes && !options.enhancedSchemas)) return false
  return schema.parameters?.[generalizedEnum] !== undefined || schema.parameters?.[avroEnum] !== undefined
}

export function isDecimal(schema: Schema): boolean {
  return schema.name === logicalNames.decimal
}

/** Whether Avro's own map will do: its keys are strings. */
export function isAvroMap(schema: Schema, options: AvroOptions): boolean {
  const keys = schema.keys
  return keys === undefined || (keys.type === 'string' && (keys.optional !== true || options.optionalMapKeys))
}

const validName = /^[A-Za-z_][A-Za-z0-9_]*$/

/** `scrub.invalid.names`: as URL-encoded, with an underscore for each character that Avro does not take. */
function scrubbed(name: string): string {
  if (name === '' || validName.test(name)) return name
  const encoded = encodeURIComponent(name.toWellFormed())
    .replace(/%20/g, '+')
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  return (/^[0-9]/.test(encoded) ? `x${encoded}` : encoded).replace(/[^A-Za-z0-9_]/g, '_')
}

export function fieldName(name: string, options: AvroOptions): string {
  return options.scrubInvalidNames ? scrubbed(name) : name
}

/** A name with dots, each part of it as {@link fieldName} has it. */
export function fullName(name: string, options: AvroOptions): string {
  return options.scrubInvalidNames ? name.split('.').map(scrubbed).join('.') : name
}
