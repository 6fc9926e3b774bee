import { doubleText } from '../values/java-number-text.ts'
import { quote } from './json-text.ts'

/** Messages lie side by side in blocks of this size, as Node's own small buffers do. */
const blockSize = 64 * 1024

/** From here on, native code encodes a text sooner than it is gone through here. */
const longText = 128

const quotationMark = 0x22
const minus = 0x2d
const point = 0x2e
const digit0 = 0x30
const backslash = 0x5c
const letterU = 0x75

/** The letters of the escapes `\b`, `\n` and so on, by the character that each stands for. */
const shortEscapes: ReadonlyMap<number, number> = new Map([
  [0x08, 0x62],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0c, 0x66],
  [0x0d, 0x72],
  [quotationMark, quotationMark],
  [backslash, backslash],
])
const hexDigits = Buffer.from('0123456789ABCDEF')

/**
 * JSON in UTF-8 as Kafka Connect writes it, a message after the other. Byte by byte: for the short texts and the numbers
 * that records are made of, that takes less time than strings that are put together and encoded in the end.
 */
export class JsonOutput {
  #block = Buffer.alloc(0)
  #start = 0
  #at = 0

  /** Begins a message; one that failed half-way is forgotten. */
  begin(): void {
    this.#at = this.#start
  }

  /** Of the message so far, in bytes. */
  get length(): number {
    return this.#at - this.#start
  }

  /** Takes back what was written since the message had this length. */
  truncate(length: number): void {
    this.#at = this.#start + length
  }

  /** The message: bytes that nothing else will be written to. */
  take(): Buffer {
    const message = this.#block.subarray(this.#start, this.#at)
    this.#start = this.#at
    if (this.#block.length <= blockSize) return message
    // A block that was made for a large message is not kept longer or larger than that.
    const own = Buffer.allocUnsafeSlow(message.length)
    own.set(message)
    this.#forget()
    return own
  }

  #forget(): void {
    this.#block = Buffer.alloc(0)
    this.#start = 0
    this.#at = 0
  }

  /** Copies the message to `target`, which has room for it at `offset`, instead of taking it. */
  copyTo(target: Buffer, offset: number): void {
    this.#block.copy(target, offset, this.#start, this.#at)
    this.#at = this.#start
    if (this.#block.length > blockSize) this.#forget()
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#block[this.#at++] = value
  }

  /** Bytes as they are. */
  bytes(value: Uint8Array): void {
    const length = value.length
    this.#reserve(length)
    const block = this.#block
    let at = this.#at
    if (length > 48) block.set(value, at)
    else for (let index = 0; index < length; index++) block[at++] = value[index]!
    this.#at += length
  }

  /** A short text of ASCII characters, as it is. */
  ascii(text: string): void {
    const length = text.length
    this.#reserve(length)
    const block = this.#block
    let at = this.#at
    for (let index = 0; index < length; index++) block[at++] = text.charCodeAt(index)
    this.#at = at
  }

  /** Any text as it is: it is JSON already. */
  text(text: string): void {
    // Of a short one, to count its bytes takes as long as to write them.
    this.#reserve(text.length < 4096 ? 3 * text.length : Buffer.byteLength(text))
    this.#at += this.#block.write(text, this.#at)
  }

  /** A JSON string. */
  quoted(text: string): void {
    const length = text.length
    if (length >= longText) {
      this.text(quote(text))
      return
    }
    // No character takes more than an escape does.
    this.#reserve(6 * length + 2)
    const block = this.#block
    let at = this.#at
    block[at++] = quotationMark
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code >= 0x20 && code < 0x80 && code !== quotationMark && code !== backslash) block[at++] = code
      else at = writeSpecial(block, at, code)
    }
    block[at++] = quotationMark
    this.#at = at
  }

  /** Bytes in base64, as a JSON string. */
  base64(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
    this.byte(quotationMark)
    this.text(text)
    this.byte(quotationMark)
  }

  /** A safe integer. */
  integer(value: number): void {
    this.#reserve(17)
    let rest = value
    if (value < 0) {
      this.#block[this.#at++] = minus
      rest = -value
    }
    if (rest < 1e9) {
      this.#digits(rest, digitsOf(rest))
      return
    }
    const billions = Math.floor(rest / 1e9)
    this.#digits(billions, digitsOf(billions))
    this.#digits(rest - billions * 1e9, 9)
  }

  /** A finite number as Java writes a double: `1.0`, `1.0E10`. */
  double(value: number): void {
    if (!this.#thousandths(value)) this.ascii(doubleText(value))
  }

  /** A finite number as JSON.stringify writes it: `1`, `1e+21`. */
  number(value: number): void {
    if (Number.isSafeInteger(value)) this.integer(value)
    else if (!this.#thousandths(value)) this.ascii(String(value))
  }

  /**
   * Writes a number of at most three digits after the point. A decimal of no more than fifteen digits that reads as a
   * float64 is the only one, so it is the one that both languages' shortest forms give.
   * @returns whether it is such a number
   */
  #thousandths(value: number): boolean {
    const magnitude = Math.abs(value)
    if (!(magnitude >= 1e-3 && magnitude < 1e6)) return false
    const thousandths = Math.round(magnitude * 1000)
    if (thousandths / 1000 !== magnitude) return false
    this.#reserve(11)
    if (value < 0) this.#block[this.#at++] = minus
    const whole = Math.trunc(thousandths / 1000)
    const fraction = thousandths - whole * 1000
    this.#digits(whole, digitsOf(whole))
    this.#block[this.#at++] = point
    if (fraction % 100 === 0) this.#digits(fraction / 100, 1)
    else if (fraction % 10 === 0) this.#digits(fraction / 10, 2)
    else this.#digits(fraction, 3)
    return true
  }

  /** The last `count` digits of an integer below 10^9. The room has been reserved. */
  #digits(value: number, count: number): void {
    const block = this.#block
    const end = this.#at + count
    let rest = value | 0
    for (let at = end - 1; at >= this.#at; at--) {
      const tenth = (rest / 10) | 0
      block[at] = digit0 + rest - tenth * 10
      rest = tenth
    }
    this.#at = end
  }

  #reserve(length: number): void {
    if (this.#at + length > this.#block.length) this.#grow(length)
  }

  #grow(length: number): void {
    const written = this.length
    const block = Buffer.allocUnsafeSlow(Math.max(blockSize, 2 * written + length))
    this.#block.copy(block, 0, this.#start, this.#at)
    this.#block = block
    this.#start = 0
    this.#at = written
  }
}

/** Of an integer from 0 to 10^9 − 1. */
function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4
  if (value < 1e6) return value < 1e5 ? 5 : 6
  return value < 1e8 ? (value < 1e7 ? 7 : 8) : 9
}

/** A character of a JSON string that is not just its byte. @returns where the next one goes */
function writeSpecial(block: Buffer, from: number, code: number): number {
  let at = from
  const isSurrogate = code >= 0xd800 && code <= 0xdfff
  if (code >= 0x80 && !isSurrogate) {
    if (code < 0x800) block[at++] = 0xc0 | (code >> 6)
    else {
      block[at++] = 0xe0 | (code >> 12)
      block[at++] = 0x80 | ((code >> 6) & 0x3f)
    }
    block[at++] = 0x80 | (code & 0x3f)
    return at
  }
  block[at++] = backslash
  const letter = shortEscapes.get(code)
  if (letter !== undefined) {
    block[at++] = letter
    return at
  }
  block[at++] = letterU
  for (let shift = 12; shift >= 0; shift -= 4) block[at++] = hexDigits[(code >> shift) & 0xf]!
  return at
}
