/**
 * What the converters with a schema registry have in common: Confluent's wire format (a zero byte, the schema's id in
 * four bytes, the value), which schema a record is written with, and what has been compiled for it.
 */
import {
  ConfigError,
  ConnectError,
  DataError,
  isErrorKind,
  type Bytes,
  type Converter,
  type Schema,
  type SchemaAndValue,
} from '@tidewire/sdk'
import { messageOf } from '../../logging/message-of.ts'
import { BoundedCache } from '../../registry-client/bounded-cache.ts'
import { RegistryClient, type RegisteredSchema, type RegistrySchema } from '../../registry-client/registry-client.ts'
import type { DescribedSchema, MessageReader, MessageWriter, ResolvedSchema, SchemaCodec } from './schema-codec.ts'
import { subjectStrategy, type RegistryConverterConfig, type SubjectOf } from './settings.ts'

const headerBytes = 5

/** Most bytes of schema texts whose readers are kept. A reader takes several times its text. */
const maxReaderBytes = 8 * 1024 * 1024
/** A reader of the smallest schema, as if it were text. */
const minReaderBytes = 500

interface PreparedWriter {
  readonly header: Uint8Array
  readonly write: MessageWriter
  /** When the latest version is to be looked at again. */
  readonly until: number
}

const nothing: SchemaAndValue = { value: null }

/** Stands for "no schema" where schemas are keys. */
const schemaless: Schema = { type: 'struct' }

export class RegistryConverter implements Converter {
  readonly #codec: SchemaCodec
  readonly #client: RegistryClient
  readonly #config: RegistryConverterConfig
  readonly #subjectOf: SubjectOf
  /**
   * By topic, then by the identity of the schema, and gone with it: no more is held than belongs to schemas that the
   * connector holds.
   */
  readonly #writers: BoundedCache<string, WeakMap<Schema, PreparedWriter | Promise<PreparedWriter>>>
  /** By topic and id. */
  readonly #readers: BoundedCache<string, MessageReader>
  readonly #readersUnderWay = new Map<string, Promise<MessageReader>>()
  #lastWritten: { topic: string; schema: Schema | undefined; writer: PreparedWriter } | undefined
  #lastRead: { topic: string; id: number; reader: MessageReader } | undefined

  /**
   * @param signal ends requests that are under way
   * @throws ConfigError
   */
  constructor(
    codec: SchemaCodec,
    config: RegistryConverterConfig,
    use: 'key' | 'value' | 'header',
    signal?: AbortSignal,
  ) {
    this.#codec = codec
    this.#config = config
    this.#client = new RegistryClient(config, signal)
    this.#subjectOf = subjectStrategy(config, use)
    this.#writers = new BoundedCache(config['schemas.cache.config'], Infinity)
    this.#readers = new BoundedCache(config['schemas.cache.config'], maxReaderBytes)
  }

  fromConnect(topic: string, schema: Schema | undefined, value: unknown): Bytes | Promise<Bytes> {
    if ((value === null || value === undefined) && this.#isTombstone(topic, schema)) return null
    const last = this.#lastWritten
    if (last !== undefined && last.schema === schema && last.topic === topic && isFresh(last.writer)) {
      return this.#write(topic, last.writer, value)
    }
    const writer = this.#writer(topic, schema)
    if (writer instanceof Promise) return writer.then((prepared) => this.#write(topic, prepared, value))
    this.#lastWritten = { topic, schema, writer }
    return this.#write(topic, writer, value)
  }

  toConnect(topic: string, bytes: Uint8Array | null): SchemaAndValue | Promise<SchemaAndValue> {
    if (bytes === null) return nothing
    const message = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (message.length < headerBytes || message[0] !== 0) {
      throw new DataError(
        `topic ${topic}: not written with a schema registry: a message begins with a zero byte and a schema's id, this ` +
          `one has ${message.length} bytes and begins ${JSON.stringify(message.toString('latin1', 0, 16))}`,
      )
    }
    const id = message.readInt32BE(1)
    const last = this.#lastRead
    if (last !== undefined && last.id === id && last.topic === topic) return this.#read(topic, last.reader, message)
    const reader = this.#reader(topic, id)
    if (reader instanceof Promise) return reader.then((compiled) => this.#read(topic, compiled, message))
    this.#lastRead = { topic, id, reader }
    return this.#read(topic, reader, message)
  }

  #isTombstone(topic: string, schema: Schema | undefined): boolean {
    try {
      return this.#codec.isTombstone(schema)
    } catch (error) {
      throw this.#failure(topic, error)
    }
  }

  #write(topic: string, { header, write }: PreparedWriter, value: unknown): Bytes {
    try {
      return write(header, value)
    } catch (error) {
      throw this.#failure(topic, error)
    }
  }

  #read(topic: string, reader: MessageReader, message: Buffer): SchemaAndValue {
    try {
      const value = reader.read(message, headerBytes)
      return { schema: reader.schema, value }
    } catch (error) {
      throw this.#failure(topic, error)
    }
  }

  #writer(topic: string, schema: Schema | undefined): PreparedWriter | Promise<PreparedWriter> {
    let writers = this.#writers.get(topic)
    if (writers === undefined) this.#writers.set(topic, (writers = new WeakMap()), 0)
    const key = schema ?? schemaless
    const known = writers.get(key)
    if (known instanceof Promise || (known !== undefined && isFresh(known))) return known
    const ofTopic = writers
    const underWay = this.#prepare(topic, schema).then(
      (prepared) => {
        ofTopic.set(key, prepared)
        return prepared
      },
      (error: unknown) => {
        ofTopic.delete(key)
        throw this.#failure(topic, error)
      },
    )
    writers.set(key, underWay)
    return underWay
  }

  async #prepare(topic: string, schema: Schema | undefined): Promise<PreparedWriter> {
    const config = this.#config
    const described = this.#codec.describe(schema)
    const asked: RegistrySchema = {
      type: this.#codec.type,
      schema: described.text,
      references: described.references ?? [],
    }
    const subject = () => this.#subjectOf(topic, () => this.#recordName(described.text, []))
    const normalize = config['normalize.schemas']
    const own = (id: number): PreparedWriter => ({
      header: headerOf(id),
      write: this.#codec.writer(schema, described),
      until: Infinity,
    })
    if (config['auto.register.schemas']) return own((await this.#client.register(subject(), asked, { normalize })).id)
    if (config['use.schema.id'] >= 0) {
      const registered = await this.#client.schemaById(config['use.schema.id'])
      return this.#foreign(schema, described, registered, config['id.compatibility.strict'], Infinity)
    }
    if (config['use.latest.version']) {
      const seconds = config['latest.cache.ttl.sec']
      const until = seconds < 0 ? Infinity : performance.now() + seconds * 1_000
      const latest = await this.#client.latest(subject())
      return this.#foreign(schema, described, latest, config['latest.compatibility.strict'], until)
    }
    return own((await this.#client.lookUp(subject(), asked, { normalize })).id)
  }

  async #foreign(
    schema: Schema | undefined,
    described: DescribedSchema,
    registered: RegisteredSchema,
    strict: boolean,
    until: number,
  ): Promise<PreparedWriter> {
    const resolved = await this.#resolved(registered)
    if (strict) {
      const reasons = await this.#codec.incompatibilities(resolved, described)
      if (reasons.length > 0) {
        throw new DataError(
          `the schema with id ${registered.id} cannot read what the record's schema describes: ${reasons.join('; ')} ` +
            '(latest.compatibility.strict=false or id.compatibility.strict=false turns this off)',
        )
      }
    }
    return { header: headerOf(registered.id), write: this.#codec.writer(schema, resolved), until }
  }

  #reader(topic: string, id: number): MessageReader | Promise<MessageReader> {
    const key = `${id} ${topic}`
    const known = this.#readers.get(key) ?? this.#readersUnderWay.get(key)
    if (known !== undefined) return known
    const underWay = this.#makeReader(topic, id, key)
      .catch((error: unknown) => {
        throw this.#failure(topic, error)
      })
      .finally(() => this.#readersUnderWay.delete(key))
    this.#readersUnderWay.set(key, underWay)
    return underWay
  }

  async #makeReader(topic: string, id: number, key: string): Promise<MessageReader> {
    const resolved = await this.#resolved(await this.#client.schemaById(id))
    if (this.#config['use.latest.version']) await this.#requireLatest(topic, resolved)
    const reader = this.#codec.reader(resolved, await this.#versionOf(topic, resolved))
    const texts = [resolved.schema, ...resolved.references].map(({ schema }) => schema.length)
    this.#readers.set(
      key,
      reader,
      texts.reduce((sum, length) => sum + length, minReaderBytes),
    )
    return reader
  }

  /** Confluent's converters turn what they read into the latest version. @throws ConfigError where that is another one */
  async #requireLatest(topic: string, { schema, references }: ResolvedSchema): Promise<void> {
    const subject = this.#subjectOf(topic, () => this.#recordName(schema.schema, references))
    const latest = await this.#client.latest(subject)
    if (latest.id === schema.id) return
    throw new ConfigError(
      `topic ${topic}: use.latest.version=true asks for records in the latest version of ${subject} (id ${latest.id}); one is ` +
        `written with id ${schema.id}, and is read by its own schema alone. Where records are read, use.latest.version has to be false`,
      { setting: 'use.latest.version' },
    )
  }

  /** The version goes into the Connect schema; a schema that is not under the topic's subject has none. */
  async #versionOf(topic: string, { schema, references }: ResolvedSchema): Promise<number | undefined> {
    try {
      const subject = this.#subjectOf(topic, () => this.#recordName(schema.schema, references))
      return (await this.#client.lookUp(subject, schema, { normalize: false })).version
    } catch (error) {
      if (isErrorKind(error, 'DataError')) return undefined
      throw error
    }
  }

  async #resolved(schema: RegisteredSchema): Promise<ResolvedSchema> {
    if (schema.type !== this.#codec.type) {
      throw new DataError(
        `the schema with id ${schema.id} is of type ${schema.type}, which is another converter's than ${this.#codec.type}`,
      )
    }
    return { schema, references: await this.#client.references(schema) }
  }

  #recordName(text: string, references: ResolvedSchema['references']): string {
    const name = this.#codec.recordName(text, references)
    if (name !== undefined) return name
    throw new DataError('RecordNameStrategy and TopicRecordNameStrategy take records with a name only')
  }

  /** With the topic; what the caller goes by (retriable, the config at fault) stays as it is. */
  #failure(topic: string, error: unknown): ConnectError {
    if (error instanceof ConnectError && error.name !== 'DataError') return error
    return new DataError(`topic ${topic}: ${messageOf(error)}`, { cause: error })
  }
}

function isFresh(writer: PreparedWriter): boolean {
  return writer.until === Infinity || writer.until > performance.now()
}

function headerOf(id: number): Uint8Array {
  const header = Buffer.alloc(headerBytes)
  header.writeInt32BE(id, 1)
  return header
}
