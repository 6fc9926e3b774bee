/** The names under which Confluent's JSON Schema converter keeps what JSON Schema has no place for. */
import type { Schema } from '@tidewire/sdk'

const namespace = 'io.confluent.connect.json'
export const ownParameters = namespace
export const jsonEnum = `${namespace}.Enum`
export const jsonOneOf = `${namespace}.OneOf`
export const generalizedUnion = 'org.apache.kafka.connect.data.Union'
export const generalizedEnum = 'org.apache.kafka.connect.data.Enum'
/** Stands for null among the symbols of an enum. */
export const nullSymbol = '<NULL>'

/** Whether a struct stands for a value that is one of several types, with a field for each. */
export function isUnion(schema: Schema): boolean {
  return schema.type === 'struct' && (schema.name === jsonOneOf || schema.parameters?.[generalizedUnion] !== undefined)
}
