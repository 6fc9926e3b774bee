import type { Schema } from '../schema.ts'

/** The name of a struct that Confluent's JSON Schema converter makes of a `oneOf`. */
export const jsonOneOf = 'io.confluent.connect.json.OneOf'

/** The parameter that marks such a struct where sum types are generalized, in every format. */
export const generalizedUnion = 'org.apache.kafka.connect.data.Union'

/** Whether a struct stands for a value that is one of several types, with a field for each. */
export function isUnion(schema: Schema): boolean {
  return schema.type === 'struct' && (schema.name === jsonOneOf || schema.parameters?.[generalizedUnion] !== undefined)
}
