import type { SinkRecord } from '@tidewire/sdk'
import { ByteChunks } from './byte-chunks.ts'
import type { Compress } from './compression.ts'
import type { ObjectFormat, ObjectWriter } from './object-format.ts'
import type { PartReader } from './record-part.ts'

/** A line of JSON for each record, as JsonConverter writes it with schemas.enable=false: Confluent's JsonFormat. */
export function jsonFormat(extension: string, part: PartReader, compress: Compress | undefined): ObjectFormat {
  return {
    extension,
    contentType: 'application/x-ndjson',
    hasSchema: false,
    open: () => new JsonLinesWriter(part, compress),
  }
}

const lineFeed = Buffer.from('\n')

class JsonLinesWriter implements ObjectWriter {
  readonly #chunks: ByteChunks
  readonly #part: PartReader

  constructor(part: PartReader, compress: Compress | undefined) {
    this.#part = part
    this.#chunks = new ByteChunks(compress)
  }

  append(record: SinkRecord): void {
    this.#chunks.add(Buffer.from(JSON.stringify(this.#part.value(record))), lineFeed)
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
