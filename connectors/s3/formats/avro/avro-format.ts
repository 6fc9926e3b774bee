/**
 * Avro object container files (Apache Avro specification 1.12), as Confluent's AvroFormat writes them: a header with the
 * schema, then blocks of records, each ended by the marker of the file.
 */
import { createHash } from 'node:crypto'
import { originalPosition, type Schema, type SinkRecord } from '@tidewire/sdk'
import { AvroOutput, avroSchemaOf, avroText, compileAvroWriter, type AvroOptions } from '@tidewire/sdk/avro'
import type { ObjectFormat, ObjectWriter } from '../object-format.ts'
import type { PartReader } from '../record-part.ts'
import { blockCompressor, type AvroCodec } from './avro-codec.ts'

export const avroMagic = Buffer.from('Obj\u0001', 'latin1')
export const markerBytes = 16

/** Of records in a block, as in Avro's own writers. */
const blockBytes = 64_000

export function avroFormat(part: PartReader, codec: AvroCodec, options: AvroOptions): ObjectFormat {
  const compiled = new CompiledSchemas(options)
  const compress = blockCompressor(codec)
  return {
    extension: `${part.extension}.avro`,
    contentType: 'application/avro',
    hasSchema: true,
    open: (first) => new AvroWriter(part, compiled.of(part.schema(first)), codec, compress, first),
  }
}

interface Compiled {
  /** Of the schema. */
  readonly text: string
  readonly write: ReturnType<typeof compileAvroWriter>
}

class CompiledSchemas {
  readonly #options: AvroOptions
  readonly #known = new WeakMap<Schema, Compiled>()
  #schemaless: Compiled | undefined

  constructor(options: AvroOptions) {
    this.#options = options
  }

  of(schema: Schema | undefined): Compiled {
    if (schema === undefined) return (this.#schemaless ??= this.#compile(undefined))
    let compiled = this.#known.get(schema)
    if (compiled === undefined) {
      compiled = this.#compile(schema)
      this.#known.set(schema, compiled)
    }
    return compiled
  }

  #compile(schema: Schema | undefined): Compiled {
    const avro = avroSchemaOf(schema, this.#options)
    return { text: avroText(avro), write: compileAvroWriter(schema, avro, this.#options) }
  }
}

interface Block {
  readonly count: number
  readonly data: Buffer
}

class AvroWriter implements ObjectWriter {
  readonly #part: PartReader
  readonly #write: Compiled['write']
  readonly #compress: ReturnType<typeof blockCompressor>
  readonly #marker: Buffer
  readonly #output = new AvroOutput()
  /** What stands before the blocks; empty when it has been taken. */
  #header: Buffer
  #count = 0
  #blocks: Block[] = []
  #blocksBytes = 0

  constructor(
    part: PartReader,
    { text, write }: Compiled,
    codec: AvroCodec,
    compress: ReturnType<typeof blockCompressor>,
    first: SinkRecord,
  ) {
    this.#part = part
    this.#write = write
    this.#compress = compress
    this.#marker = markerOf(text, first)
    this.#header = fileHeader(text, codec, this.#marker)
  }

  append(record: SinkRecord): void {
    const output = this.#output
    const { at } = output
    try {
      this.#write(output, this.#part.value(record))
    } catch (error) {
      output.at = at
      throw error
    }
    this.#count++
    if (output.at >= blockBytes) this.#endBlock()
  }

  get heldBytes(): number {
    return this.#output.bytes.length + this.#blocksBytes + this.#header.length
  }

  async take(): Promise<readonly Uint8Array[]> {
    const blocks = this.#blocks
    if (blocks.length === 0) return []
    const header = this.#header
    const bytes = this.#blocksBytes
    this.#blocks = []
    this.#header = Buffer.alloc(0)
    const pieces: Buffer[] = header.length > 0 ? [header] : []
    try {
      const compressed =
        this.#compress === undefined
          ? blocks.map(({ data }) => data)
          : await Promise.all(blocks.map(({ data }) => this.#compress!(data)))
      for (const [index, data] of compressed.entries()) {
        const head = new AvroOutput()
        head.int(blocks[index]!.count)
        head.int(data.length)
        pieces.push(head.take(), data, this.#marker)
      }
      return [Buffer.concat(pieces)]
    } finally {
      this.#blocksBytes -= bytes
    }
  }

  async end(): Promise<readonly Uint8Array[]> {
    this.#endBlock()
    const pieces = await this.take()
    return this.#header.length > 0 ? [this.#header] : pieces
  }

  squeeze(): void {
    this.#endBlock()
  }

  #endBlock(): void {
    if (this.#count === 0) return
    const data = this.#output.take()
    this.#output.at = 0
    this.#blocks.push({ count: this.#count, data })
    this.#blocksBytes += data.length
    this.#count = 0
  }
}

/**
 * The sync marker: 16 bytes that stand nowhere else. Others draw them by lot; here they follow from the first record, so
 * that an object that is written once more after a crash is the same object.
 */
function markerOf(schemaText: string, first: SinkRecord): Buffer {
  const { topic, partition, offset } = originalPosition(first)
  const seed = JSON.stringify([topic, partition, offset, schemaText])
  return createHash('sha256').update(seed).digest().subarray(0, markerBytes)
}

function fileHeader(schemaText: string, codec: AvroCodec, marker: Buffer): Buffer {
  const output = new AvroOutput()
  output.raw(avroMagic)
  output.int(2)
  output.string('avro.codec')
  output.sized(Buffer.from(codec))
  output.string('avro.schema')
  output.sized(Buffer.from(schemaText))
  output.int(0)
  output.raw(marker)
  return output.take()
}
