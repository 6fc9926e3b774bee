import type { AvroLogicalType, AvroSchema, AvroUnion } from './schema.ts'

type Carrier = Exclude<AvroSchema, AvroUnion>

const simple: Readonly<Record<string, (schema: Carrier) => boolean>> = {
  'big-decimal': ({ type }) => type === 'bytes',
  uuid: (schema) => schema.type === 'string' || (schema.type === 'fixed' && schema.size === 16),
  date: ({ type }) => type === 'int',
  'time-millis': ({ type }) => type === 'int',
  'time-micros': ({ type }) => type === 'long',
  'timestamp-millis': ({ type }) => type === 'long',
  'timestamp-micros': ({ type }) => type === 'long',
  'timestamp-nanos': ({ type }) => type === 'long',
  'local-timestamp-millis': ({ type }) => type === 'long',
  'local-timestamp-micros': ({ type }) => type === 'long',
  'local-timestamp-nanos': ({ type }) => type === 'long',
  duration: (schema) => schema.type === 'fixed' && schema.size === 12,
}

/** The logical type that a schema's properties give it; undefined where there is none, or it is none of Avro's on this type. */
export function logicalTypeOf(schema: Carrier): AvroLogicalType | undefined {
  const name = schema.props.get('logicalType')
  if (typeof name !== 'string') return undefined
  if (name === 'decimal') return decimalOf(schema)
  if (!Object.hasOwn(simple, name) || !simple[name]!(schema)) return undefined
  return { name } as AvroLogicalType
}

function decimalOf(schema: Carrier): AvroLogicalType | undefined {
  const precision = schema.props.get('precision')
  const scale = schema.props.get('scale') ?? 0
  if (!isInt(precision) || !isInt(scale) || precision <= 0 || scale < 0 || scale > precision) return undefined
  if (schema.type !== 'bytes' && schema.type !== 'fixed') return undefined
  // As many digits as the two's complement of that many bytes always holds.
  if (schema.type === 'fixed' && precision > Math.floor(Math.log10(2) * (8 * schema.size - 1))) return undefined
  return { name: 'decimal', precision, scale }
}

function isInt(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 0x7fffffff
}
