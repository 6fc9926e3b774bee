/** JSON as Kafka Connect writes and reads it: from values with a schema or without, and schemas themselves. */
export { ExactFraction, parseExact, stringifyExact } from './exact-json.ts'
export type { JsonOptions } from './json-options.ts'
export { JsonOutput } from './json-output.ts'
export { hasDecimals, jsonReader } from './json-reader.ts'
export { parseSchema, schemaText } from './json-schema.ts'
export { defaultText, jsonMessageWriter, jsonWriter } from './json-writer.ts'
export { generalizedUnion, isUnion, jsonOneOf } from './unions.ts'
