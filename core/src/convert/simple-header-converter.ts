import { defineConfig, defineConverter, schema, type Converter } from '@tidewire/sdk'
import { headerText, parseHeaderText } from '@tidewire/sdk/values'

const string = schema.string()

const converter: Converter = {
  fromConnect: (_topic, valueSchema, value) =>
    value === null || value === undefined ? null : headerText(valueSchema, value),
  toConnect(_topic, bytes) {
    if (bytes === null) return { value: null }
    if (bytes.length === 0) return { schema: string, value: '' }
    return parseHeaderText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  },
}

/** Kafka Connect's SimpleHeaderConverter, the default for headers. */
export const simpleHeaderConverter = defineConverter({
  name: 'simple',
  aliases: ['org.apache.kafka.connect.storage.SimpleHeaderConverter', 'SimpleHeaderConverter'],
  doc: 'Text whose type is found out when it is read: numbers, booleans, dates and times, [arrays], {maps}, else text.',
  config: defineConfig({}),
  create: () => converter,
})
