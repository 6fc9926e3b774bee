import { ConfigError, defineConfig, defineConverter, schema, type Converter } from '@tidewire/sdk'
import { javaToString } from './java-text.ts'

const config = defineConfig({
  'converter.encoding': {
    type: 'string',
    default: 'UTF-8',
    importance: 'high',
    doc: 'The character set: UTF-8, US-ASCII, ISO-8859-1 or UTF-16LE.',
  },
})

const encodings: Readonly<Record<string, BufferEncoding>> = {
  'utf-8': 'utf8',
  utf8: 'utf8',
  'us-ascii': 'latin1',
  ascii: 'latin1',
  'iso-8859-1': 'latin1',
  latin1: 'latin1',
  'utf-16le': 'utf16le',
}

const optionalString = schema.string({ optional: true })

/** Kafka Connect's StringConverter: text as it is, anything else as its Java `toString()` form. */
export const stringConverter = defineConverter({
  name: 'string',
  aliases: ['org.apache.kafka.connect.storage.StringConverter', 'StringConverter'],
  doc: 'Text. What is not text is written in the form that Kafka Connect gives it: 1, true, {a=1}, Struct{id=1}.',
  config,
  create: ({ 'converter.encoding': name }): Converter => {
    const encoding = encodings[name.toLowerCase()]
    if (encoding === undefined) {
      throw new ConfigError(`converter.encoding ${name} is not one of UTF-8, US-ASCII, ISO-8859-1, UTF-16LE`, {
        setting: 'converter.encoding',
      })
    }
    return {
      fromConnect(_topic, valueSchema, value) {
        if (value === null || value === undefined) return null
        // Bytes that a source took for text (a device's payload) go through as they are.
        if (value instanceof Uint8Array) return value
        const text = typeof value === 'string' ? value : javaToString(valueSchema, value)
        return encoding === 'utf8' ? text : Buffer.from(text, encoding)
      },
      toConnect(_topic, bytes) {
        return { schema: optionalString, value: bytes === null ? null : viewOf(bytes).toString(encoding) }
      },
    }
  },
})

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
