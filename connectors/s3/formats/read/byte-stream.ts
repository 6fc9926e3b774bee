/** The bytes of an object, unpacked, in pieces as they come. */
import { Readable, pipeline, type Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { DataError } from '@tidewire/sdk'
import type { ReadableObject, ReadOptions } from './object-reader.ts'

/** Nothing is fetched or unpacked ahead of who reads but what the streams between hold, some 100 KiB. */
export async function* unpackedBytes(
  object: ReadableObject,
  compression: ReadOptions['compression'] = 'auto',
): AsyncGenerator<Buffer, void> {
  const unpack = decompressor(object.name, compression)
  if (unpack === undefined) {
    for await (const piece of object.stream()) yield viewOf(piece)
    return
  }
  // An error of the object's own stream ends the other too, and comes out of it as it is.
  pipeline(Readable.from(object.stream(), { objectMode: false }), unpack, () => undefined)
  try {
    for await (const piece of unpack) yield viewOf(piece as Uint8Array)
  } catch (error) {
    if (!isOfZlib(error)) throw error
    throw new DataError(`${object.name} cannot be unpacked: ${error.message}`, { cause: error })
  }
}

function decompressor(name: string, compression: ReadOptions['compression']): Transform | undefined {
  const isGzip = compression === 'gzip' || (compression === 'auto' && name.endsWith('.gz'))
  if (isGzip) return createGunzip()
  const isZstd = compression === 'zstd' || (compression === 'auto' && name.endsWith('.zst'))
  return isZstd ? createZstdDecompress() : undefined
}

function isOfZlib(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(?:Z_|ZSTD_|ERR_ZLIB)/.test(String(error.code))
}

/** The same memory as a Buffer. */
function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Bytes that are asked for by number, from a stream of pieces. */
export class ByteCursor {
  readonly #pieces: AsyncIterator<Uint8Array>
  #bytes: Buffer = Buffer.alloc(0)

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Waits until there are so many bytes. @returns what there is, less only where the stream has ended */
  async peek(length: number): Promise<Buffer> {
    if (this.#bytes.length >= length) return this.#bytes
    const pieces = [this.#bytes]
    let held = this.#bytes.length
    while (held < length) {
      const next = await this.#pieces.next()
      if (next.done === true) break
      pieces.push(viewOf(next.value))
      held += next.value.length
    }
    this.#bytes = Buffer.concat(pieces, held)
    return this.#bytes
  }

  /** Passes over bytes that have been seen. */
  skip(length: number): void {
    this.#bytes = this.#bytes.subarray(length)
  }

  /** Passes over bytes whether they have come or not, without holding them. @returns whether there were so many */
  async skipAll(length: number): Promise<boolean> {
    let left = length
    while (left > this.#bytes.length) {
      left -= this.#bytes.length
      const next = await this.#pieces.next()
      if (next.done === true) return false
      this.#bytes = viewOf(next.value)
    }
    this.#bytes = this.#bytes.subarray(left)
    return true
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    await this.#pieces.return?.()
  }
}
