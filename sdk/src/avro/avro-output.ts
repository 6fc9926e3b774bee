import { GrowingBytes } from '../values/growing-bytes.ts'

/** Avro's binary encoding, written. */
export class AvroOutput extends GrowingBytes {
  byte(value: number): void {
    if (this.at === this.bytes.length) this.reserve(1)
    this.bytes[this.at++] = value
  }

  /** An int, or a length or index. */
  int(value: number): void {
    this.reserve(5)
    const bytes = this.bytes
    let at = this.at
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  /** A safe integer. */
  long(value: number): void {
    if (value >= -0x40000000 && value <= 0x3fffffff) {
      this.int(value)
      return
    }
    this.reserve(10)
    const bytes = this.bytes
    let at = this.at
    // Zigzag of magnitude m is 2m for m ≥ 0 and 2m + 1 for −m − 1, which would not stay exact beyond 2^52: bits by parts.
    const magnitude = value < 0 ? -(value + 1) : value
    let rest = Math.floor(magnitude / 64)
    bytes[at++] = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0) | (rest > 0 ? 0x80 : 0)
    while (rest > 0) {
      const group = rest % 128
      rest = Math.floor(rest / 128)
      bytes[at++] = rest > 0 ? group | 0x80 : group
    }
    this.at = at
  }

  bigLong(value: bigint): void {
    this.reserve(10)
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[this.at++] = Number(rest)
  }

  string(value: string): void {
    const length = value.length
    if (length > 24 || !this.shortAscii(value, length << 1)) {
      const size = Buffer.byteLength(value)
      this.int(size)
      this.reserve(size)
      this.bytes.write(value, this.at, size, size === length ? 'latin1' : 'utf8')
      this.at += size
    }
  }

  sized(value: Uint8Array): void {
    this.int(value.length)
    this.raw(value)
  }
}
