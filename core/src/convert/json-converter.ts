/**
 * Kafka Connect's JsonConverter, byte for byte: with `schemas.enable` (the default, as there) each message is an envelope
 * `{"schema": …, "payload": …}`, without it plain JSON.
 */
import {
  ConfigError,
  DataError,
  defineConfig,
  defineConverter,
  type Converter,
  type Schema,
  type SchemaAndValue,
} from '@tidewire/sdk'
import { messageOf } from '../logging/message-of.ts'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import {
  jsonReader,
  hasDecimals,
  parseSchema,
  schemaText,
  jsonMessageWriter,
  type JsonOptions,
} from '@tidewire/sdk/json'

const config = defineConfig({
  'schemas.enable': {
    type: 'boolean',
    default: true,
    importance: 'high',
    group: 'Schemas',
    displayName: 'Enable Schemas',
    doc: 'Whether each message carries its schema, as {"schema": …, "payload": …}. Without: plain JSON.',
  },
  'schemas.cache.size': {
    type: 'int',
    default: 1000,
    minimum: 0,
    importance: 'high',
    group: 'Schemas',
    displayName: 'Schema Cache Size',
    doc: 'How many schemas read from messages are kept.',
  },
  'decimal.format': {
    type: 'string',
    default: 'BASE64',
    pattern: '^(?:[bB][aA][sS][eE]64|[nN][uU][mM][eE][rR][iI][cC])$',
    importance: 'low',
    group: 'Serialization',
    displayName: 'Decimal Format',
    doc: 'How Decimals are written: BASE64 (of the unscaled value) or NUMERIC. Both are read.',
  },
  'replace.null.with.default': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Serialization',
    displayName: 'Replace null with default',
    doc: 'Whether a null in a field that has a default value stands for that value.',
  },
  'schema.content': {
    type: 'string',
    importance: 'high',
    group: 'Schemas',
    displayName: 'Schema Content',
    doc: 'With schemas.enable: the schema, in JSON, of all messages that are read; they are payloads alone then.',
  },
})

/** See the head of the file. */
export const jsonConverter = defineConverter({
  name: 'json',
  aliases: ['org.apache.kafka.connect.json.JsonConverter', 'JsonConverter'],
  doc: 'JSON, with each message carrying its schema (schemas.enable) or plain. No integer or decimal loses a digit.',
  config,
  create: (settings): Converter => {
    const decimalFormat = settings['decimal.format'].toUpperCase()
    if (decimalFormat !== 'BASE64' && decimalFormat !== 'NUMERIC') {
      throw new ConfigError(`decimal.format is BASE64 or NUMERIC, not ${decimalFormat}`, { setting: 'decimal.format' })
    }
    const options = { decimalFormat, replaceNullWithDefault: settings['replace.null.with.default'] } as const
    const writer = new JsonMessageWriter(options, settings['schemas.enable'])
    if (!settings['schemas.enable']) {
      return {
        fromConnect: (topic, schema, value) => writer.write(topic, schema, value),
        toConnect: (topic, bytes) => (bytes === null ? nothing : { value: parse(topic, textOf(bytes), 'integers') }),
      }
    }
    const content = settings['schema.content']
    const reader =
      content === undefined || content === ''
        ? new EnvelopeReader(options, settings['schemas.cache.size'])
        : new PayloadReader(options, content)
    return {
      fromConnect: (topic, schema, value) => writer.write(topic, schema, value),
      toConnect: (topic, bytes) => (bytes === null ? nothing : reader.read(topic, viewOf(bytes))),
    }
  },
})

const nothing: SchemaAndValue = { value: null }

interface CompiledWriter {
  readonly prefix: Uint8Array
  readonly write: (prefix: Uint8Array, value: unknown) => Buffer
}

class JsonMessageWriter {
  readonly #options: JsonOptions
  readonly #envelope: boolean
  readonly #schemaless: CompiledWriter
  /** By identity: a schema lives as long as its connector holds it. */
  readonly #compiled = new WeakMap<Schema, CompiledWriter>()
  #lastSchema: Schema | undefined
  #last: CompiledWriter

  constructor(options: JsonOptions, envelope: boolean) {
    this.#options = options
    this.#envelope = envelope
    this.#schemaless = this.#compile(undefined)
    this.#last = this.#schemaless
  }

  write(topic: string, schema: Schema | undefined, value: unknown): Buffer | null {
    if (schema === undefined && (value === null || value === undefined)) return null
    try {
      if (schema !== this.#lastSchema) {
        this.#last = schema === undefined ? this.#schemaless : this.#writer(schema)
        this.#lastSchema = schema
      }
      return this.#last.write(this.#last.prefix, value)
    } catch (error) {
      throw new DataError(`topic ${topic}: no JSON for this value: ${messageOf(error)}`, { cause: error })
    }
  }

  #writer(schema: Schema): CompiledWriter {
    const known = this.#compiled.get(schema)
    if (known !== undefined) return known
    const compiled = this.#compile(schema)
    this.#compiled.set(schema, compiled)
    return compiled
  }

  #compile(schema: Schema | undefined): CompiledWriter {
    const envelope = this.#envelope
    const text = schema === undefined ? 'null' : envelope ? schemaText(schema, this.#options) : ''
    return {
      prefix: Buffer.from(envelope ? `{"schema":${text},"payload":` : ''),
      write: jsonMessageWriter(schema, this.#options, envelope ? '}' : ''),
    }
  }
}

interface CompiledReader {
  readonly schema: Schema
  readonly read: (json: unknown) => unknown
  readonly exact: 'integers' | 'all'
}

/** `schema.content`: messages are payloads of one schema (KAFKA-16913). */
class PayloadReader {
  readonly #reader: CompiledReader

  /** @throws ConfigError where the text is no schema */
  constructor(options: JsonOptions, content: string) {
    try {
      this.#reader = compiledReader(parseExact(content, 'all'), options)
    } catch (cause) {
      throw new ConfigError(`schema.content: ${messageOf(cause)}`, { setting: 'schema.content', cause })
    }
  }

  read(topic: string, bytes: Buffer): SchemaAndValue {
    const { schema, read, exact } = this.#reader
    const payload = parse(topic, textOf(bytes), exact)
    try {
      return { schema, value: read(payload) }
    } catch (error) {
      throw new DataError(`topic ${topic}: ${messageOf(error)}; the message begins ${firstBytes(bytes)}`, {
        cause: error,
      })
    }
  }
}

function compiledReader(schemaNode: unknown, options: JsonOptions): CompiledReader {
  const schema = parseSchema(schemaNode, options)
  return { schema, read: jsonReader(schema, options), exact: hasDecimals(schema) ? 'all' : 'integers' }
}

/** A message's bytes before its payload, and what they say; found again in the next message, they are not parsed again. */
interface KnownPrefix {
  readonly bytes: Buffer
  readonly reader: CompiledReader
}

/** Topics mostly carry one schema at a time; a few allow for one that is changing or shared. */
const prefixesPerTopic = 4

const closingBrace = 0x7d

class EnvelopeReader {
  readonly #options: JsonOptions
  readonly #cacheSize: number
  readonly #prefixes = new Map<string, KnownPrefix[]>()
  /** By the schema's text; the oldest goes first. */
  readonly #readers = new Map<string, CompiledReader>()

  constructor(options: JsonOptions, cacheSize: number) {
    this.#options = options
    this.#cacheSize = cacheSize
  }

  read(topic: string, bytes: Buffer): SchemaAndValue {
    const known = this.#prefixes.get(topic)
    if (known !== undefined) {
      for (const prefix of known) {
        const result = readAfter(prefix, bytes)
        if (result !== undefined) return result
      }
    }
    return this.#readWhole(topic, bytes)
  }

  #readWhole(topic: string, bytes: Buffer): SchemaAndValue {
    const text = textOf(bytes)
    const envelope = parse(topic, text, 'all')
    if (!isEnvelope(envelope)) {
      throw new DataError(
        `topic ${topic}: with schemas.enable a message is {"schema": …, "payload": …} and nothing more, ` +
          `but this one begins ${firstBytes(bytes)}; for plain JSON set schemas.enable=false on the converter`,
      )
    }
    try {
      // Without a schema the payload is any JSON, where a fraction is a float64 whatever its digits.
      if (envelope.schema === null) return { value: (parseExact(text, 'integers') as typeof envelope).payload }
      const schemaJson = stringifyExact(envelope.schema)
      const reader = this.#reader(schemaJson, envelope.schema)
      this.#remember(topic, text, schemaJson, reader)
      return { schema: reader.schema, value: reader.read(envelope.payload) }
    } catch (error) {
      throw new DataError(`topic ${topic}: ${messageOf(error)}; the message begins ${firstBytes(bytes)}`, {
        cause: error,
      })
    }
  }

  #reader(key: string, schemaNode: unknown): CompiledReader {
    const known = this.#readers.get(key)
    if (known !== undefined) return known
    const reader = compiledReader(schemaNode, this.#options)
    if (this.#readers.size >= this.#cacheSize) this.#forgetOldest(this.#readers)
    this.#readers.set(key, reader)
    return reader
  }

  #remember(topic: string, text: string, schemaJson: string, reader: CompiledReader): void {
    const prefix = `{"schema":${schemaJson},"payload":`
    if (!text.startsWith(prefix)) return
    let known = this.#prefixes.get(topic)
    if (known === undefined) {
      known = []
      if (this.#prefixes.size >= this.#cacheSize) this.#forgetOldest(this.#prefixes)
      this.#prefixes.set(topic, known)
    }
    known.unshift({ bytes: Buffer.from(prefix), reader })
    if (known.length > prefixesPerTopic) known.pop()
  }

  #forgetOldest(map: Map<string, unknown>): void {
    const oldest = map.keys().next()
    if (oldest.done !== true) map.delete(oldest.value)
  }
}

/**
 * The message if it begins with the known bytes; undefined when it does not, or when what follows is not just the payload
 * and the closing brace: then the whole is parsed and any fault in it named.
 */
function readAfter({ bytes: prefix, reader }: KnownPrefix, message: Buffer): SchemaAndValue | undefined {
  const length = prefix.length
  if (message.length <= length || message[message.length - 1] !== closingBrace) return undefined
  if (message.compare(prefix, 0, length, 0, length) !== 0) return undefined
  try {
    const payload = parseExact(message.toString('utf8', length, message.length - 1), reader.exact)
    return { schema: reader.schema, value: reader.read(payload) }
  } catch {
    return undefined
  }
}

function isEnvelope(json: unknown): json is { readonly schema: unknown; readonly payload: unknown } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  return Object.keys(json).length === 2 && 'schema' in json && 'payload' in json
}

function parse(topic: string, text: string, exact: 'integers' | 'all'): unknown {
  try {
    return parseExact(text, exact)
  } catch (cause) {
    throw new DataError(`topic ${topic}: not JSON: ${messageOf(cause)}; it begins ${firstBytes(Buffer.from(text))}`, {
      cause,
    })
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function textOf(bytes: Uint8Array): string {
  return viewOf(bytes).toString('utf8')
}

/** Enough of a message to recognise it by, safe to print. */
function firstBytes(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 32)) + (bytes.length > 32 ? '…' : '')
}
