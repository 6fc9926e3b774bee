import type { SchemaFormat, SchemaType } from './schema-format.ts'

/** Loads what is needed for schemas of a type: nobody pays for formats that are not used. */
export async function loadFormat(type: SchemaType): Promise<SchemaFormat> {
  switch (type) {
    case 'AVRO':
      return (await import('./avro/avro-format.ts')).avroFormat
    case 'JSON':
      return (await import('./json/json-format.ts')).jsonFormat
    case 'PROTOBUF':
      return (await import('./protobuf/protobuf-format.ts')).protobufFormat
  }
}
