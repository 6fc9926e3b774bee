/** Avro's binary encoding into one buffer that grows and is used again. */
export class AvroOutput {
  bytes = Buffer.allocUnsafeSlow(4096)
  at = 0

  /** Room for that many bytes more. */
  reserve(length: number): void {
    const needed = this.at + length
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length))
    this.bytes.copy(grown, 0, 0, this.at)
    this.bytes = grown
  }

  /** What has been written since `at` was 0, as bytes of its own. A buffer that one large value has grown is let go. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.at)
    this.bytes.copy(taken, 0, 0, this.at)
    if (this.bytes.length > 1024 * 1024) this.bytes = Buffer.allocUnsafeSlow(4096)
    return taken
  }

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

  float(value: number): void {
    this.reserve(4)
    this.at = this.bytes.writeFloatLE(value, this.at)
  }

  double(value: number): void {
    this.reserve(8)
    this.at = this.bytes.writeDoubleLE(value, this.at)
  }

  string(value: string): void {
    const length = value.length
    if (length > 24 || !this.#shortAscii(value, length)) {
      const size = Buffer.byteLength(value)
      this.int(size)
      this.reserve(size)
      this.bytes.write(value, this.at, size, size === length ? 'latin1' : 'utf8')
      this.at += size
    }
  }

  /** A call into native code costs more than a few characters do. */
  #shortAscii(value: string, length: number): boolean {
    this.reserve(length + 1)
    const bytes = this.bytes
    const start = this.at
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) return false
      bytes[start + 1 + index] = code
    }
    bytes[start] = length << 1
    this.at = start + 1 + length
    return true
  }

  sized(value: Uint8Array): void {
    this.int(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
  }
}
