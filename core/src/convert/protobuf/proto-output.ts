import { GrowingBytes } from '@tidewire/sdk/values'

/** Protobuf's wire format, written. */
export class ProtoOutput extends GrowingBytes {
  /** 0 to 2^32 − 1: lengths, tags, unsigned numbers. */
  uint32(value: number): void {
    this.reserve(5)
    const bytes = this.bytes
    let at = this.at
    let rest = value >>> 0
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  /** A signed number of 32 bits, in ten bytes where it is negative. */
  int32(value: number): void {
    if (value >= 0) this.uint32(value)
    else this.#varint64(value >>> 0, 0xffff_ffff)
  }

  sint32(value: number): void {
    this.uint32((value << 1) ^ (value >> 31))
  }

  /** An integer of 64 bits, signed or not; numbers are safe integers. */
  int64(value: number | bigint): void {
    if (typeof value === 'number') {
      if (value >= 0 && value <= 0xffff_ffff) this.uint32(value)
      else this.#varint64(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0)
    } else this.#varint64(lowOf(value), highOf(value))
  }

  sint64(value: number | bigint): void {
    if (typeof value === 'number' && value >= -0x4000_0000 && value <= 0x3fff_ffff) {
      this.sint32(value)
      return
    }
    const wide = BigInt(value)
    const zigzag = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
    this.#varint64(lowOf(zigzag), highOf(zigzag))
  }

  #varint64(low: number, high: number): void {
    this.reserve(10)
    const bytes = this.bytes
    let at = this.at
    while (high > 0) {
      bytes[at++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    while (low > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80
      low >>>= 7
    }
    bytes[at++] = low
    this.at = at
  }

  fixed32(value: number): void {
    this.reserve(4)
    this.at = this.bytes.writeUInt32LE(value >>> 0, this.at)
  }

  fixed64(value: number | bigint): void {
    this.reserve(8)
    const isNumber = typeof value === 'number'
    this.at = this.bytes.writeUInt32LE(isNumber ? value >>> 0 : lowOf(value), this.at)
    this.at = this.bytes.writeUInt32LE(isNumber ? Math.floor(value / 0x1_0000_0000) >>> 0 : highOf(value), this.at)
  }

  string(value: string): void {
    const length = value.length
    if (length <= 24 && this.shortAscii(value, length)) return
    const size = Buffer.byteLength(value)
    this.uint32(size)
    this.reserve(size)
    this.bytes.write(value, this.at, size, size === length ? 'latin1' : 'utf8')
    this.at += size
  }

  sized(value: Uint8Array): void {
    this.uint32(value.length)
    this.raw(value)
  }

  /**
   * Leaves room for a length that is not known yet.
   * @param width how many bytes the length will probably take
   * @returns where its content begins, for {@link endSized}
   */
  beginSized(width: number): number {
    this.reserve(width)
    return (this.at += width)
  }

  /** Fills in the length. @returns how many bytes it took, the best guess for the next of its kind */
  endSized(start: number, width: number): number {
    const length = this.at - start
    const needed = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5
    if (needed !== width) {
      if (needed > width) this.reserve(needed - width)
      this.bytes.copyWithin(start + needed - width, start, start + length)
    }
    this.at = start - width
    this.uint32(length)
    this.at += length
    return needed
  }
}

function lowOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value))
}

function highOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n))
}
