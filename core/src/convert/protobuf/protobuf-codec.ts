import { DataError, type Schema } from '@tidewire/sdk'
import type { ReferencedSchema } from '../../registry-client/registry-client.ts'
import { printProto } from '../../schemas/protobuf/print-proto.ts'
import { parseProtobuf, type ParsedProto } from '../../schemas/protobuf/protobuf-format.ts'
import { InvalidSchemaError } from '../../schemas/schema-format.ts'
import type {
  DescribedSchema,
  MessageReader,
  MessageWriter,
  ResolvedSchema,
  SchemaCodec,
} from '../registry/schema-codec.ts'
import { protoOf } from './connect-to-proto.ts'
import { messageAt, messageIndexes, readIndexes } from './message-indexes.ts'
import type { ProtobufOptions } from './options.ts'
import { ProtoInput } from './proto-input.ts'
import { ProtoOutput } from './proto-output.ts'
import { protoReading, type ProtoReading } from './proto-to-connect.ts'
import { ProtoTypes } from './proto-types.ts'
import { compileProtoWriter } from './proto-writer.ts'

interface DescribedProtobuf extends DescribedSchema {
  readonly proto: ParsedProto
  /** The full name of the message that values are written as. */
  readonly message: string
}

export class ProtobufCodec implements SchemaCodec {
  readonly type = 'PROTOBUF'
  readonly #options: ProtobufOptions
  /** Used for one message at a time: nothing that writes or reads one waits. */
  readonly #output = new ProtoOutput()
  readonly #input = new ProtoInput()

  constructor(options: ProtobufOptions) {
    this.#options = options
  }

  isTombstone(): boolean {
    // As in Confluent's converter, whether or not the schema says that it may be null.
    return true
  }

  describe(schema: Schema | undefined): DescribedProtobuf {
    if (schema === undefined) throw new DataError('a value without a schema has no form in Protobuf')
    const { file, message } = protoOf(schema, this.#options)
    const text = printProto(file)
    return { text, proto: parsed(text, []), message }
  }

  recordName(text: string, references: readonly ReferencedSchema[]): string {
    return messageAt(parsed(text, references).file, [0])
  }

  writer(schema: Schema | undefined, registered: DescribedSchema | ResolvedSchema): MessageWriter {
    if (schema === undefined) throw new DataError('a value without a schema has no form in Protobuf')
    // Whatever the registered schema, values have the form of their own; its message is found by the name.
    const own = 'schema' in registered ? this.describe(schema) : (registered as DescribedProtobuf)
    const { file } = 'schema' in registered ? parsed(registered.schema.schema, registered.references) : own.proto
    const indexes = messageIndexes(file, own.message)
    const write = compileProtoWriter(schema, new ProtoTypes(own.proto).message(own.message), this.#options)
    const output = this.#output
    return (header, value) => {
      output.at = 0
      output.raw(header)
      output.raw(indexes)
      write(output, value)
      return output.take()
    }
  }

  reader({ schema, references }: ResolvedSchema, version: number | undefined): MessageReader {
    return new ProtobufReader(parsed(schema.schema, references), this.#options, version, this.#input)
  }

  async incompatibilities(
    { schema, references }: ResolvedSchema,
    { text }: DescribedSchema,
  ): Promise<readonly string[]> {
    return parsed(schema.schema, references).compatibility(parsed(text, []))
  }
}

/** More messages of one schema than anyone mixes in a topic. */
const maxReadings = 1_000

class ProtobufReader implements MessageReader {
  schema: Schema | undefined
  readonly #proto: ParsedProto
  readonly #types: ProtoTypes
  readonly #options: ProtobufOptions
  readonly #version: number | undefined
  readonly #input: ProtoInput
  /** By their indexes. */
  readonly #readings = new Map<string, ProtoReading>()
  /** Of the first message, which most topics have alone. */
  #first: ProtoReading | undefined

  constructor(proto: ParsedProto, options: ProtobufOptions, version: number | undefined, input: ProtoInput) {
    this.#proto = proto
    this.#types = new ProtoTypes(proto)
    this.#options = options
    this.#version = version
    this.#input = input
  }

  read(message: Buffer, at: number): unknown {
    const input = this.#input
    input.start(message, at)
    const reading = message[at] === 0 ? this.#firstReading() : this.#reading(readIndexes(input))
    this.schema = reading.schema
    return reading.read(input, message.length)
  }

  #firstReading(): ProtoReading {
    this.#input.at++
    return (this.#first ??= this.#reading([0]))
  }

  #reading(indexes: readonly number[]): ProtoReading {
    const key = indexes.join()
    const known = this.#readings.get(key)
    if (known !== undefined) return known
    const type = this.#types.message(messageAt(this.#proto.file, indexes))
    const reading = protoReading(type, this.#options, this.#version)
    if (this.#readings.size < maxReadings) this.#readings.set(key, reading)
    return reading
  }
}

function parsed(text: string, references: readonly ReferencedSchema[]): ParsedProto {
  try {
    return parseProtobuf(text, references)
  } catch (error) {
    if (error instanceof InvalidSchemaError) {
      throw new DataError(`not a Protobuf schema: ${error.message}`, { cause: error })
    }
    throw error
  }
}
