/** Avro: schemas and their texts, Connect's schemas in them as Confluent's converter has it, and values in its binary encoding. */
export { AvroInput } from './avro-input.ts'
export { AvroOutput } from './avro-output.ts'
export { avroReading, type AvroReading } from './avro-to-connect.ts'
export { compileAvroWriter } from './avro-writer.ts'
export { avroSchemaOf } from './connect-to-avro.ts'
export type { AvroOptions } from './options.ts'
export { InvalidAvroError, parseAvro, type ParsedAvro } from './parse.ts'
export {
  isNamed,
  simpleNameOf,
  type AvroEnum,
  type AvroField,
  type AvroFixed,
  type AvroLogicalType,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  type AvroUnion,
} from './schema.ts'
export { avroText } from './text.ts'
