import { isUtf8 } from 'node:buffer'
import { DataError } from '@tidewire/sdk'
import { readShortAscii } from '@tidewire/sdk/values'

/** What follows a field's number. */
export const wireTypes = { varint: 0, fixed64: 1, sized: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const

const maxGroups = 100

/** Protobuf's wire format, read from a message. Everything throws DataError where the message ends too early. */
export class ProtoInput {
  bytes: Buffer = Buffer.alloc(0)
  at = 0

  start(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.at = at
  }

  /** The lower 32 bits of a varint. */
  uint32(): number {
    const bytes = this.bytes
    let at = this.at
    let byte = bytes[at++]
    if (byte === undefined) return tooShort()
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[at++]
      if (byte === undefined || shift > 63) return tooShort()
      if (shift < 32) value |= (byte & 0x7f) << shift
    }
    this.at = at
    return value >>> 0
  }

  int32(): number {
    return this.uint32() | 0
  }

  sint32(): number {
    const value = this.uint32()
    return (value >>> 1) ^ -(value & 1)
  }

  bool(): boolean {
    // Not only the lower 32 bits count.
    return this.int64() !== 0
  }

  int64(): number | bigint {
    const bytes = this.bytes
    let at = this.at
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) return tooShort()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return low
      }
    }
    this.at = at
    return this.#longInt64(low)
  }

  /** What comes after the first 28 bits. */
  #longInt64(low: number): number | bigint {
    const bytes = this.bytes
    let at = this.at
    let byte = bytes[at++]
    if (byte === undefined) return tooShort()
    low = (low | ((byte & 0x0f) << 28)) >>> 0
    let high = (byte & 0x7f) >>> 4
    for (let shift = 3; byte >= 0x80; shift += 7) {
      byte = bytes[at++]
      if (byte === undefined || shift > 31) return tooShort()
      high |= (byte & 0x7f) << shift
    }
    this.at = at
    return signed64(low, high)
  }

  sint64(): number | bigint {
    const value = this.int64()
    if (typeof value === 'number' && value >= 0 && value <= 0xffff_ffff)
      return (value % 2 === 0 ? value : -value - 1) / 2
    const zigzag = BigInt.asUintN(64, BigInt(value))
    const signed = (zigzag >> 1n) ^ -(zigzag & 1n)
    const number = Number(signed)
    return Number.isSafeInteger(number) ? number : signed
  }

  fixed32(): number {
    return this.bytes.readUInt32LE(this.#take(4))
  }

  sfixed32(): number {
    return this.bytes.readInt32LE(this.#take(4))
  }

  fixed64(): number | bigint {
    const at = this.#take(8)
    return signed64(this.bytes.readUInt32LE(at), this.bytes.readUInt32LE(at + 4))
  }

  float(): number {
    return this.bytes.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#take(8))
  }

  string(): string {
    const length = this.uint32()
    const at = this.#take(length)
    if (length <= 16) {
      const text = readShortAscii(this.bytes, at, at + length)
      if (text !== undefined) return text
    }
    const text = this.bytes.toString('utf8', at, at + length)
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(at, at + length))) {
      throw new DataError('a string is not in UTF-8')
    }
    return text
  }

  /** Bytes of the message's own memory, not a copy. */
  sized(): Buffer {
    const length = this.uint32()
    const at = this.#take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** Where something sized that begins here ends. */
  end(): number {
    const length = this.uint32()
    if (length > this.bytes.length - this.at) return tooShort()
    return this.at + length
  }

  /** Passes over a field that nobody asked for. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case wireTypes.varint:
        this.int64()
        break
      case wireTypes.fixed64:
        this.#take(8)
        break
      case wireTypes.sized:
        this.at = this.end()
        break
      case wireTypes.startGroup:
        if (depth === maxGroups) throw new DataError(`groups nested deeper than ${maxGroups} levels`)
        for (let next = this.uint32(); next !== tag + 1; next = this.uint32()) this.skip(next, depth + 1)
        break
      case wireTypes.fixed32:
        this.#take(4)
        break
      default:
        throw new DataError(`wire type ${tag & 7} of field ${tag >>> 3} is not one of Protobuf's`)
    }
  }

  #take(length: number): number {
    const at = this.at
    if (length > this.bytes.length - at) return tooShort()
    this.at = at + length
    return at
  }
}

function signed64(low: number, high: number): number | bigint {
  const signed = high | 0
  if (signed >= -0x20_0000 && signed < 0x20_0000) {
    const value = signed * 0x1_0000_0000 + low
    if (value !== Number.MIN_SAFE_INTEGER - 1) return value
  }
  return (BigInt(signed) << 32n) | BigInt(low)
}

function tooShort(): never {
  throw new DataError('the message ends in the middle of a field')
}
