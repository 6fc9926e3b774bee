const startBytes = 4096
const keptBytes = 1024 * 1024

/** Bytes written one after the other, into one buffer that grows and is used again. */
export class GrowingBytes {
  bytes = Buffer.allocUnsafeSlow(startBytes)
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
    if (this.bytes.length > keptBytes) this.bytes = Buffer.allocUnsafeSlow(startBytes)
    return taken
  }

  float(value: number): void {
    this.reserve(4)
    this.at = this.bytes.writeFloatLE(value, this.at)
  }

  double(value: number): void {
    this.reserve(8)
    this.at = this.bytes.writeDoubleLE(value, this.at)
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
  }

  /**
   * A short text, behind the byte that tells its length: a call into native code costs more than a few characters do.
   * @returns whether it is of ASCII; otherwise nothing is written
   */
  protected shortAscii(value: string, lengthByte: number): boolean {
    const { length } = value
    this.reserve(length + 1)
    const bytes = this.bytes
    const start = this.at
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) return false
      bytes[start + 1 + index] = code
    }
    bytes[start] = lengthByte
    this.at = start + 1 + length
    return true
  }
}

/** The text from one place of the bytes to another, of a few bytes: undefined where it is not of ASCII. */
export function readShortAscii(bytes: Buffer, from: number, to: number): string | undefined {
  let text = ''
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if (byte > 0x7f) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}
