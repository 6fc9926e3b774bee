import { DataError, type SinkRecord } from '@tidewire/sdk'
import { ByteChunks } from './byte-chunks.ts'
import type { Compress } from './compression.ts'
import type { ObjectFormat, ObjectWriter } from './object-format.ts'
import type { PartReader } from './record-part.ts'

/** Values as they are, bytes or texts, with a separator after each: Confluent's ByteArrayFormat, which takes bytes alone. */
export function bytesFormat(
  extension: string,
  separator: Uint8Array,
  part: PartReader,
  compress: Compress | undefined,
): ObjectFormat {
  return {
    extension,
    contentType: 'application/octet-stream',
    hasSchema: false,
    open: () => new BytesWriter(separator, part, compress),
  }
}

class BytesWriter implements ObjectWriter {
  readonly #chunks: ByteChunks
  readonly #separator: Uint8Array
  readonly #part: PartReader

  constructor(separator: Uint8Array, part: PartReader, compress: Compress | undefined) {
    this.#separator = separator
    this.#part = part
    this.#chunks = new ByteChunks(compress)
  }

  append(record: SinkRecord): void {
    const value = this.#part.value(record)
    if (!(value instanceof Uint8Array) && typeof value !== 'string') {
      const given = value === null || value === undefined ? 'null' : Array.isArray(value) ? 'a list' : typeof value
      throw new DataError(`an object of bytes takes bytes and texts, not ${given}: use ByteArrayConverter`)
    }
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    this.#chunks.add(bytes, this.#separator)
  }

  get heldBytes(): number {
    return this.#chunks.heldBytes
  }

  take(): Promise<readonly Uint8Array[]> {
    return this.#chunks.take()
  }

  end(): Promise<readonly Uint8Array[]> {
    return this.#chunks.end()
  }

  squeeze(): void {
    this.#chunks.endChunk()
  }
}
