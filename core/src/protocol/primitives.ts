/**
 * Readers and writers of the protocol's primitive types. The reader checks every length against the bytes that are
 * there before it allocates or slices; the writer collects chunks, so that record batches are passed on uncopied.
 */
import { ProtocolError } from './errors.ts'
import type { RecordsInput } from './message.ts'

const TWO_32 = 2 ** 32

/** Reads one frame. Every method throws ProtocolError where the frame ends too early or a length makes no sense. */
export class Reader {
  readonly buffer: Buffer
  offset: number

  /** Array elements that may still come. */
  private elementsLeft: number

  constructor(buffer: Buffer, offset = 0, maxElements = Infinity) {
    this.buffer = buffer
    this.offset = offset
    this.elementsLeft = maxElements
  }

  get remaining(): number {
    return this.buffer.length - this.offset
  }

  /** Moves past `size` bytes and returns where they start. */
  private take(size: number): number {
    const at = this.offset
    if (size < 0 || size > this.buffer.length - at) throw truncated(size, at, this.buffer.length)
    this.offset = at + size
    return at
  }

  boolean(): boolean {
    return this.buffer[this.take(1)] !== 0
  }

  int8(): number {
    return (this.buffer[this.take(1)]! << 24) >> 24
  }

  int16(): number {
    const at = this.take(2)
    return (((this.buffer[at]! << 8) | this.buffer[at + 1]!) << 16) >> 16
  }

  int32(): number {
    const at = this.take(4)
    const b = this.buffer
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
  }

  /** Clamped to the safe integers. */
  int64(): number {
    const high = this.int32()
    const value = high * TWO_32 + (this.int32() >>> 0)
    if (high >= 0x200000) return Number.MAX_SAFE_INTEGER
    if (high < -0x200000) return Number.MIN_SAFE_INTEGER
    return value
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.take(8))
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)]!
      // The fifth byte has four bits to give.
      if (shift === 28 && byte > 15) break
      value |= (byte & 0x7f) << shift
      if (byte < 128) return value >>> 0
    }
    throw new ProtocolError('CORRUPT_FRAME', `varint longer than 32 bits before byte ${this.offset}`)
  }

  uuid(): string {
    const at = this.take(16)
    return this.buffer.toString('base64url', at, at + 16)
  }

  string(): string {
    return this.text(this.int16())
  }

  nullableString(): string | null {
    const length = this.int16()
    return length === -1 ? null : this.text(length)
  }

  compactString(): string {
    return this.text(this.unsignedVarint() - 1)
  }

  nullableCompactString(): string | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.text(length)
  }

  /** A view, as all bytes that are read. */
  bytes(): Buffer {
    return this.view(this.int32())
  }

  nullableBytes(): Buffer | null {
    const length = this.int32()
    return length === -1 ? null : this.view(length)
  }

  compactBytes(): Buffer {
    return this.view(this.unsignedVarint() - 1)
  }

  nullableCompactBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.view(length)
  }

  private text(length: number): string {
    const at = this.take(length)
    return length === 0 ? '' : this.buffer.toString('utf8', at, at + length)
  }

  private view(length: number): Buffer {
    const at = this.take(length)
    return this.buffer.subarray(at, at + length)
  }

  /** For an array with a negative length. */
  noArray(length: number, nullable: boolean): null {
    if (length === -1 && nullable) return null
    throw new ProtocolError('CORRUPT_FRAME', `array of ${length} elements before byte ${this.offset}`)
  }

  /** Refuses an array that its bytes cannot hold, before anything is allocated for it. */
  expectElements(count: number, leastBytesEach: number): void {
    this.elementsLeft -= count
    if (count * leastBytesEach > this.remaining || this.elementsLeft < 0) {
      throw new ProtocolError('CORRUPT_FRAME', `array of ${count} elements, ${this.remaining} bytes left`)
    }
  }

  /** Reads the size of a tagged field and returns where it ends. */
  taggedEnd(): number {
    const size = this.unsignedVarint()
    if (size > this.remaining) throw truncated(size, this.offset, this.buffer.length)
    return this.offset + size
  }

  expectAt(end: number): void {
    if (this.offset === end) return
    throw new ProtocolError('CORRUPT_FRAME', `tagged field ends at byte ${this.offset}, not ${end}`)
  }

  /** Passes over tagged fields that nothing wants. */
  skipTaggedFields(): void {
    for (let count = this.unsignedVarint(); count > 0; count--) {
      this.unsignedVarint()
      this.take(this.unsignedVarint())
    }
  }
}

function truncated(size: number, at: number, end: number): ProtocolError {
  return size < 0
    ? new ProtocolError('CORRUPT_FRAME', `length ${size} before byte ${at}`)
    : new ProtocolError('CORRUPT_FRAME', `${size} bytes expected at byte ${at}, ${end - at} left`)
}

const FIRST_CHUNK_BYTES = 512
/** Characters of a short string. */
const SHORT = 48

/** Writes one frame as a list of chunks. Never copies what {@link Writer.append} is given. */
export class Writer {
  private chunk: Buffer
  private start = 0
  private at = 0
  private readonly done: Buffer[] = []
  private doneBytes = 0

  constructor(firstChunkBytes = FIRST_CHUNK_BYTES) {
    this.chunk = Buffer.allocUnsafe(firstChunkBytes)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.doneBytes + this.at - this.start
  }

  /** What was written, in order. The writer is spent. */
  finish(): Buffer[] {
    this.seal()
    return this.done
  }

  /** Makes room for `size` bytes in one piece and returns where they start. */
  private room(size: number): number {
    const at = this.at
    if (size > this.chunk.length - at) return this.nextChunk(size)
    this.at = at + size
    return at
  }

  private nextChunk(size: number): number {
    this.seal()
    this.chunk = Buffer.allocUnsafe(Math.max(size, Math.min(this.chunk.length * 2, 1 << 20)))
    this.start = 0
    this.at = size
    return 0
  }

  private seal(): void {
    if (this.at === this.start) return
    this.done.push(this.chunk.subarray(this.start, this.at))
    this.doneBytes += this.at - this.start
    this.start = this.at
  }

  /** Adds bytes as a chunk of their own. */
  private append(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.seal()
    this.done.push(bytes)
    this.doneBytes += bytes.length
  }

  boolean(value: boolean): void {
    const at = this.room(1)
    this.chunk[at] = value ? 1 : 0
  }

  int8(value: number): void {
    const at = this.room(1)
    this.chunk.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.room(2)
    this.chunk.writeInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.room(4)
    this.chunk.writeInt32BE(value, at)
  }

  /** @throws TypeError beyond the safe integers */
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new TypeError(`not a safe integer: ${value}`)
    const at = this.room(8)
    const high = Math.floor(value / TWO_32)
    this.chunk.writeInt32BE(high, at)
    this.chunk.writeUInt32BE(value - high * TWO_32, at + 4)
  }

  float64(value: number): void {
    const at = this.room(8)
    this.chunk.writeDoubleBE(value, at)
  }

  unsignedVarint(value: number): void {
    let rest = value >>> 0
    while (rest > 127) {
      const at = this.room(1)
      this.chunk[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    const at = this.room(1)
    this.chunk[at] = rest
  }

  uuid(value: string): void {
    const at = this.room(16)
    if (value.length !== 22 || this.chunk.write(value, at, 16, 'base64url') !== 16) {
      throw new TypeError(`not a uuid in base64url: ${value}`)
    }
  }

  string(value: string): void {
    if (value.length <= SHORT) {
      const at = this.room(value.length + 2)
      if (this.ascii(value, at + 2)) {
        this.chunk[at] = 0
        this.chunk[at + 1] = value.length
        return
      }
      this.at = at
    }
    const length = Buffer.byteLength(value)
    if (length > 0x7fff) throw new TypeError(`string of ${length} bytes: 32767 are the most that fit`)
    this.int16(length)
    this.utf8(value, length)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    if (value.length <= SHORT) {
      const at = this.room(value.length + 1)
      if (this.ascii(value, at + 1)) {
        this.chunk[at] = value.length + 1
        return
      }
      this.at = at
    }
    const length = Buffer.byteLength(value)
    this.unsignedVarint(length + 1)
    this.utf8(value, length)
  }

  nullableCompactString(value: string | null): void {
    if (value === null) this.unsignedVarint(0)
    else this.compactString(value)
  }

  /** Writes a short string by its characters, which beats a call into native code. False where it is not ASCII. */
  private ascii(value: string, start: number): boolean {
    const chunk = this.chunk
    for (let i = 0; i < value.length; i++) {
      const character = value.charCodeAt(i)
      if (character > 127) return false
      chunk[start + i] = character
    }
    return true
  }

  private utf8(value: string, length: number): void {
    const at = this.room(length)
    this.chunk.write(value, at, length, 'utf8')
  }

  /** Copies, as everything does but {@link Writer.records}. */
  bytes(value: Uint8Array): void {
    this.int32(value.length)
    this.copy(value)
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Uint8Array): void {
    this.unsignedVarint(value.length + 1)
    this.copy(value)
  }

  nullableCompactBytes(value: Uint8Array | null): void {
    if (value === null) this.unsignedVarint(0)
    else this.compactBytes(value)
  }

  private copy(value: Uint8Array): void {
    const at = this.room(value.length)
    this.chunk.set(value, at)
  }

  records(value: RecordsInput): void {
    this.int32(lengthOf(value))
    this.appendAll(value)
  }

  nullableRecords(value: RecordsInput | null): void {
    if (value === null) this.int32(-1)
    else this.records(value)
  }

  compactRecords(value: RecordsInput): void {
    this.unsignedVarint(lengthOf(value) + 1)
    this.appendAll(value)
  }

  nullableCompactRecords(value: RecordsInput | null): void {
    if (value === null) this.unsignedVarint(0)
    else this.compactRecords(value)
  }

  private appendAll(value: RecordsInput): void {
    if (Buffer.isBuffer(value)) this.append(value)
    else for (const chunk of value) this.append(chunk)
  }

  /** A tagged field, written apart because its size comes first. */
  tagged(tag: number, content: Writer): void {
    this.unsignedVarint(tag)
    this.unsignedVarint(content.size)
    for (const chunk of content.finish()) this.copy(chunk)
  }
}

function lengthOf(records: RecordsInput): number {
  if (Buffer.isBuffer(records)) return records.length
  let length = 0
  for (const chunk of records) length += chunk.length
  return length
}
