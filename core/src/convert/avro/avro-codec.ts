import { DataError, type Schema } from '@tidewire/sdk'
import type { ReferencedSchema } from '../../registry-client/registry-client.ts'
import {
  parseAvro,
  isNamed,
  avroText,
  AvroInput,
  AvroOutput,
  avroReading,
  compileAvroWriter,
  avroSchemaOf,
  type AvroNamed,
  type AvroSchema,
  type AvroOptions,
  InvalidAvroError,
} from '@tidewire/sdk/avro'
import type {
  DescribedSchema,
  MessageReader,
  MessageWriter,
  ResolvedSchema,
  SchemaCodec,
} from '../registry/schema-codec.ts'

interface DescribedAvro extends DescribedSchema {
  readonly avro: AvroSchema
}

export class AvroCodec implements SchemaCodec {
  readonly type = 'AVRO'
  readonly #options: AvroOptions
  /** Used for one message at a time: nothing that writes or reads one waits. */
  readonly #output = new AvroOutput()
  readonly #input = new AvroInput()

  constructor(options: AvroOptions) {
    this.#options = options
  }

  isTombstone(schema: Schema | undefined): boolean {
    if (schema === undefined || schema.optional === true) return true
    throw new DataError('value is null, but its schema is not optional')
  }

  describe(schema: Schema | undefined): DescribedAvro {
    const avro = avroSchemaOf(schema, this.#options)
    return { avro, text: avroText(avro) }
  }

  recordName(text: string, references: readonly ReferencedSchema[]): string | undefined {
    const avro = parsed(text, references)
    return isNamed(avro) ? avro.name : undefined
  }

  writer(schema: Schema | undefined, registered: DescribedSchema | ResolvedSchema): MessageWriter {
    const avro =
      'schema' in registered
        ? parsed(registered.schema.schema, registered.references)
        : (registered as DescribedAvro).avro
    const write = compileAvroWriter(schema, avro, this.#options)
    const output = this.#output
    if (avro.type === 'bytes') {
      // Confluent's serializers write bytes by themselves as they are, without their length.
      return (header, value) => {
        output.at = 0
        write(output, value)
        const bytes = new AvroInput()
        bytes.start(output.bytes.subarray(0, output.at), 0)
        return Buffer.concat([header, bytes.sized()])
      }
    }
    return (header, value) => {
      output.at = 0
      output.raw(header)
      write(output, value)
      return output.take()
    }
  }

  reader({ schema, references }: ResolvedSchema, version: number | undefined): MessageReader {
    const avro = parsed(schema.schema, references)
    const reading = avroReading(avro, this.#options, version)
    const input = this.#input
    if (avro.type === 'bytes') {
      const sized = new AvroOutput()
      return {
        schema: reading.schema,
        read: (message, at) => {
          sized.at = 0
          sized.sized(message.subarray(at))
          input.start(sized.take(), 0)
          return reading.read(input)
        },
      }
    }
    return {
      schema: reading.schema,
      read: (message, at) => {
        input.start(message, at)
        return reading.read(input)
      },
    }
  }

  async incompatibilities(
    { schema, references }: ResolvedSchema,
    described: DescribedSchema,
  ): Promise<readonly string[]> {
    const { avroFormat } = await import('../../schemas/avro/avro-format.ts')
    return avroFormat.parse(schema.schema, references).compatibility(avroFormat.parse(described.text, []))
  }
}

function parsed(text: string, references: readonly ReferencedSchema[]): AvroSchema {
  try {
    let names: ReadonlyMap<string, AvroNamed> = new Map()
    for (const reference of references) names = parseAvro(reference.schema, { names, validateDefaults: false }).names
    return parseAvro(text, { names, validateDefaults: false }).schema
  } catch (error) {
    if (error instanceof InvalidAvroError) throw new DataError(`not an Avro schema: ${error.message}`, { cause: error })
    throw error
  }
}
