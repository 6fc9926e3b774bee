import { ConfigError, defineConfig, defineConverter, schema, type Converter } from '@tidewire/sdk'
import { javaToString } from '@tidewire/sdk/values'

const config = defineConfig({
  'converter.encoding': {
    type: 'string',
    default: 'UTF-8',
    importance: 'high',
    doc: 'The character set: UTF-8, US-ASCII, ISO-8859-1 or UTF-16LE.',
  },
})

type Charset = 'utf8' | 'ascii' | 'latin1' | 'utf16le'

const encodings: Readonly<Record<string, Charset>> = {
  'utf-8': 'utf8',
  utf8: 'utf8',
  'us-ascii': 'ascii',
  ascii: 'ascii',
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
        return encoding === 'utf8' ? text : encoded(text, encoding)
      },
      toConnect(_topic, bytes) {
        return { schema: optionalString, value: bytes === null ? null : decoded(viewOf(bytes), encoding) }
      },
    }
  },
})

/** What a character set has no place for becomes `?`, as in Java. */
function encoded(text: string, charset: Charset): Buffer {
  if (charset === 'utf16le') return Buffer.from(text, 'utf16le')
  const beyond = charset === 'ascii' ? /[^\0-\x7f]/gu : /[^\0-\xff]/gu
  return Buffer.from(text.replace(beyond, '?'), 'latin1')
}

/** What is not of the character set becomes U+FFFD, as in Java. */
function decoded(bytes: Buffer, charset: Charset): string {
  if (charset === 'ascii') return bytes.toString('latin1').replace(/[^\0-\x7f]/g, '\ufffd')
  return bytes.toString(charset) + (charset === 'utf16le' && bytes.length % 2 === 1 ? '\ufffd' : '')
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
