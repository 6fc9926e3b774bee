/** The wire format, as far as descriptors of schemas need it. */

const varint = 0
const fixed64 = 1
const lengthDelimited = 2
const startGroup = 3
const endGroup = 4
const fixed32 = 5

/** One field of a message: a varint, or bytes (of a message, a string, a packed list, or a fixed number). */
export interface WireField {
  readonly number: number
  readonly value: bigint | Buffer
}

/** @throws RangeError where the bytes are no message; groups are passed over */
export function readFields(bytes: Buffer): WireField[] {
  const fields: WireField[] = []
  const cursor = { at: 0 }
  while (cursor.at < bytes.length) {
    const tag = Number(readVarint(bytes, cursor))
    const number = tag >>> 3
    if (number === 0) throw new RangeError('a field has no number')
    const value = readValue(bytes, cursor, tag & 7)
    if (value !== undefined) fields.push({ number, value })
  }
  return fields
}

function readValue(bytes: Buffer, cursor: { at: number }, wireType: number): bigint | Buffer | undefined {
  if (wireType === varint) return readVarint(bytes, cursor)
  if (wireType === startGroup || wireType === endGroup) return undefined
  const length =
    wireType === fixed64
      ? 8
      : wireType === fixed32
        ? 4
        : wireType === lengthDelimited
          ? Number(readVarint(bytes, cursor))
          : NaN
  const end = cursor.at + length
  if (!(end <= bytes.length)) throw new RangeError('the bytes end inside a field')
  const value = bytes.subarray(cursor.at, end)
  cursor.at = end
  return value
}

export function readVarint(bytes: Buffer, cursor: { at: number }): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) throw new RangeError('the bytes end inside a number')
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
  throw new RangeError('a number is too long')
}

/** Writes a message field by field, in the order of the calls. */
export class WireWriter {
  readonly #parts: Buffer[] = []

  /** Signed numbers too, as 64 bits; left out where undefined. */
  varint(number: number, value: number | bigint | boolean | undefined): this {
    if (value !== undefined) this.#parts.push(varintBytes(BigInt(number << 3)), varintBytes(BigInt(value)))
    return this
  }

  bytes(number: number, value: Uint8Array | string | undefined): this {
    if (value === undefined) return this
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value)
    this.#parts.push(varintBytes(BigInt((number << 3) | lengthDelimited)), varintBytes(BigInt(bytes.length)), bytes)
    return this
  }

  /** Four or eight bytes of a number of fixed length. */
  fixed(number: number, value: Buffer): this {
    this.#parts.push(varintBytes(BigInt((number << 3) | (value.length === 4 ? fixed32 : fixed64))), value)
    return this
  }

  all<T>(number: number, values: readonly T[], encode: (value: T) => Uint8Array | string): this {
    for (const value of values) this.bytes(number, encode(value))
    return this
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function varintBytes(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}
