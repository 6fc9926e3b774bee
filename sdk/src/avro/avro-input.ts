import { DataError } from '../errors.ts'
import { readShortAscii } from '../values/growing-bytes.ts'

/** Avro's binary encoding, read from a message. Everything throws DataError where the message ends too early. */
export class AvroInput {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  /** Of arrays and maps, at all levels, so far. */
  #items = 0

  start(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.at = at
    this.#items = 0
  }

  /** A long whose value is known to fit: an int, an index, a length. */
  int(): number {
    const bytes = this.bytes
    let at = this.at
    let byte = bytes[at++]
    if (byte === undefined) return tooShort()
    let value = byte & 0x7f
    let shift = 7
    while (byte > 0x7f) {
      byte = bytes[at++]
      if (byte === undefined) return tooShort()
      if (shift === 28 && byte > 0x0f) throw new DataError('an int of more than 32 bits')
      value |= (byte & 0x7f) << shift
      shift += 7
    }
    this.at = at
    return (value >>> 1) ^ -(value & 1)
  }

  long(): number | bigint {
    const bytes = this.bytes
    let at = this.at
    let byte = bytes[at++]
    if (byte === undefined) return tooShort()
    const negative = (byte & 1) === 1
    let value = (byte & 0x7f) >> 1
    let scale = 64
    while (byte > 0x7f) {
      byte = bytes[at++]
      if (byte === undefined) return tooShort()
      // From bit 48 on the sum might not stay exact.
      if (scale > 2 ** 46 && byte !== 0) return this.#bigLong(this.at)
      value += (byte & 0x7f) * scale
      scale *= 128
    }
    this.at = at
    return negative ? -value - 1 : value
  }

  #bigLong(from: number): number | bigint {
    let at = from
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[at++]
      if (byte === undefined) return tooShort()
      if (shift === 63n && byte > 1) throw new DataError('a long of more than 64 bits')
      value |= BigInt(byte & 0x7f) << shift
      if (byte <= 0x7f) break
    }
    this.at = at
    const signed = (value >> 1n) ^ -(value & 1n)
    return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(signed)
      : signed
  }

  boolean(): boolean {
    const byte = this.bytes[this.at++]
    return byte === undefined ? tooShort() : byte === 1
  }

  float(): number {
    const at = this.take(4)
    return this.bytes.readFloatLE(at)
  }

  double(): number {
    const at = this.take(8)
    return this.bytes.readDoubleLE(at)
  }

  string(): string {
    const length = this.#length()
    const at = this.take(length)
    if (length <= 16) {
      const text = readShortAscii(this.bytes, at, at + length)
      if (text !== undefined) return text
    }
    return this.bytes.toString('utf8', at, at + length)
  }

  /** Bytes of the message's own memory, not a copy. */
  sized(): Buffer {
    return this.raw(this.#length())
  }

  raw(length: number): Buffer {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** The number of items in the next block of an array or map; 0 at its end. */
  block(): number {
    let count = this.long()
    if (count === 0) return 0
    if (count < 0) {
      count = -count
      this.long()
    }
    if (typeof count !== 'number') return tooShort()
    // An item has a byte of its own at least, an array the one that ends it; but for those that have no content, of which
    // this many are more than anyone means. Counted over the whole message: arrays within arrays multiply.
    this.#items += count
    if (this.#items > this.bytes.length + 65_536) return tooShort()
    return count
  }

  /** Passes over that many bytes; where they begin. */
  take(length: number): number {
    const at = this.at
    if (length > this.bytes.length - at) return tooShort()
    this.at = at + length
    return at
  }

  #length(): number {
    const length = this.long()
    if (typeof length !== 'number' || length < 0) return tooShort()
    return length
  }
}

function tooShort(): never {
  throw new DataError('the message ends before its schema does')
}
