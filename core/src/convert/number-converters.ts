/**
 * Kafka Connect's converters for one primitive type each: the bytes of Kafka's own serializers, big endian. What is read has
 * the type's schema, optional; null is null both ways.
 */
import {
  DataError,
  defineConfig,
  defineConverter,
  schema,
  type Converter,
  type ConverterDefinition,
} from '@tidewire/sdk'

interface Primitive {
  /** As in the names of Kafka's converters. */
  readonly name: 'Boolean' | 'Short' | 'Integer' | 'Long' | 'Float' | 'Double'
  readonly type: 'boolean' | 'int16' | 'int32' | 'int64' | 'float32' | 'float64'
  readonly length: number
  /** Undefined: the value is not of the type. */
  readonly write: (value: unknown) => Buffer | undefined
  /** Undefined: the bytes are not of the type. */
  readonly read: (bytes: Buffer) => unknown
}

const config = defineConfig({})

function primitiveConverter(primitive: Primitive): ConverterDefinition<typeof config> {
  const { name, type } = primitive
  const converter = converterOf(primitive)
  return defineConverter({
    name: name.toLowerCase(),
    aliases: [`org.apache.kafka.connect.converters.${name}Converter`, `${name}Converter`],
    doc: `One ${type}, ${primitive.length === 1 ? 'in one byte' : `in ${primitive.length} bytes, big endian`}, as Kafka's ${name}Serializer writes it.`,
    config,
    create: () => converter,
  })
}

function converterOf({ name, type, length, write, read }: Primitive): Converter {
  const optional = schema[type]({ optional: true })
  const title = `the ${name.toLowerCase()} converter`
  return {
    fromConnect(topic, valueSchema, value) {
      if (valueSchema !== undefined && valueSchema.type !== type) {
        throw new DataError(`topic ${topic}: ${title} takes ${type}, not a value of schema ${valueSchema.type}`)
      }
      if (value === null || value === undefined) return null
      const bytes = write(value)
      if (bytes !== undefined) return bytes
      const shown = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
      throw new DataError(`topic ${topic}: ${title} takes ${type}, not ${shown}`)
    },
    toConnect(topic, bytes) {
      if (bytes === null) return { schema: optional, value: null }
      if (bytes.length !== length) {
        throw new DataError(`topic ${topic}: ${title} reads ${length} bytes, not ${bytes.length}`)
      }
      const value = read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      if (value !== undefined) return { schema: optional, value }
      throw new DataError(`topic ${topic}: ${title} reads 0 and 1, not ${bytes[0]}`)
    },
  }
}

function integerWriter(bits: 16 | 32): Primitive['write'] {
  const limit = 2 ** (bits - 1)
  return (value) => {
    if (!Number.isInteger(value) || (value as number) >= limit || (value as number) < -limit) return undefined
    const bytes = Buffer.allocUnsafe(bits / 8)
    bytes.writeIntBE(value as number, 0, bits / 8)
    return bytes
  }
}

function longBytes(value: unknown): Buffer | undefined {
  const isLong = typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value)
  if (!isLong) return undefined
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(BigInt(value as number | bigint))
  return bytes
}

function longOf(bytes: Buffer): number | bigint {
  const value = bytes.readBigInt64BE()
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

const [no, yes] = [0, 1]

export const numberConverters = [
  primitiveConverter({
    name: 'Boolean',
    type: 'boolean',
    length: 1,
    write: (value) => (typeof value === 'boolean' ? Buffer.of(value ? yes : no) : undefined),
    read: ([byte]) => (byte === yes ? true : byte === no ? false : undefined),
  }),
  primitiveConverter({
    name: 'Short',
    type: 'int16',
    length: 2,
    write: integerWriter(16),
    read: (bytes) => bytes.readInt16BE(),
  }),
  primitiveConverter({
    name: 'Integer',
    type: 'int32',
    length: 4,
    write: integerWriter(32),
    read: (bytes) => bytes.readInt32BE(),
  }),
  primitiveConverter({ name: 'Long', type: 'int64', length: 8, write: longBytes, read: longOf }),
  primitiveConverter({
    name: 'Float',
    type: 'float32',
    length: 4,
    write(value) {
      if (typeof value !== 'number') return undefined
      const bytes = Buffer.allocUnsafe(4)
      bytes.writeFloatBE(value)
      return bytes
    },
    read: (bytes) => bytes.readFloatBE(),
  }),
  primitiveConverter({
    name: 'Double',
    type: 'float64',
    length: 8,
    write(value) {
      if (typeof value !== 'number') return undefined
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeDoubleBE(value)
      return bytes
    },
    read: (bytes) => bytes.readDoubleBE(),
  }),
]
