import { DataError, defineConfig, defineConverter, schema, type Converter } from '@tidewire/sdk'

const optionalBytes = schema.bytes({ optional: true })

const converter: Converter = {
  fromConnect(topic, valueSchema, value) {
    if (valueSchema !== undefined && valueSchema.type !== 'bytes') {
      throw new DataError(`topic ${topic}: the bytes converter takes bytes, not a value of schema ${valueSchema.type}`)
    }
    if (value === null || value === undefined) return null
    if (value instanceof Uint8Array) return value
    throw new DataError(`topic ${topic}: the bytes converter takes bytes, not ${typeof value}`)
  },
  toConnect: (_topic, bytes) => ({ schema: optionalBytes, value: bytes }),
}

/** Kafka Connect's ByteArrayConverter: bytes as they are. */
export const bytesConverter = defineConverter({
  name: 'bytes',
  aliases: ['org.apache.kafka.connect.converters.ByteArrayConverter', 'ByteArrayConverter'],
  doc: 'Bytes as they are, untouched in both directions.',
  config: defineConfig({}),
  create: () => converter,
})
