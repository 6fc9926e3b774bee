/** Reads the records of one batch, one after the other, out of its decompressed bytes. */
import { corrupt } from './errors.ts'

/** A record header. The value is a view into the batch. */
interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record out of a batch. Key and value are views into the batch: copy what is kept for long. */
export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

const NO_HEADERS: readonly RecordHeader[] = []

/** Every method throws ProtocolError where the bytes are not what they should be. */
export class RecordReader {
  private readonly buffer: Buffer
  private at = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** @param appendTime where the log gave all records of the batch its own time */
  record(baseOffset: number, baseTimestamp: number, appendTime: number | undefined): DecodedRecord {
    const end = this.start()
    const timestampDelta = this.varlong()
    const offsetDelta = this.varint()
    const key = this.bytes()
    const value = this.bytes()
    const headers = this.headers()
    if (this.at !== end) throw corrupt(`a record ends at byte ${this.at}, not ${end}`)
    return {
      offset: baseOffset + offsetDelta,
      timestamp: appendTime ?? baseTimestamp + timestampDelta,
      key,
      value,
      headers,
    }
  }

  /** Passes over a record; whether it has a key. */
  check(offsetDelta: number): boolean {
    const end = this.start()
    this.varlong()
    const delta = this.varint()
    if (delta !== offsetDelta) throw corrupt(`offset delta ${delta} of record ${offsetDelta}`)
    const hasKey = this.skipBytes()
    this.skipBytes()
    for (let left = this.headerCount(); left > 0; left--) {
      if (!this.skipBytes()) throw corrupt('a header without a key')
      this.skipBytes()
    }
    if (this.at !== end) throw corrupt(`a record ends at byte ${this.at}, not ${end}`)
    return hasKey
  }

  expectEnd(): void {
    if (this.at !== this.buffer.length) throw corrupt(`${this.buffer.length - this.at} bytes after the last record`)
  }

  /** Reads a record's length and passes over its attributes, which have no use yet. Returns where it ends. */
  private start(): number {
    const length = this.varint()
    const end = this.at + length
    if (length < 1 || end > this.buffer.length) throw corrupt(`record of ${length} bytes`)
    this.at++
    return end
  }

  private headers(): readonly RecordHeader[] {
    const count = this.headerCount()
    if (count === 0) return NO_HEADERS
    const headers: RecordHeader[] = []
    for (let i = 0; i < count; i++) {
      const key = this.bytes()
      if (key === null) throw corrupt('a header without a key')
      headers.push({ key: key.toString(), value: this.bytes() })
    }
    return headers
  }

  private headerCount(): number {
    const count = this.varint()
    // A header takes two bytes at least.
    if (count < 0 || count * 2 > this.buffer.length - this.at) throw corrupt(`${count} headers`)
    return count
  }

  private bytes(): Buffer | null {
    const length = this.length()
    if (length < 0) return null
    const at = this.at
    this.at = at + length
    return this.buffer.subarray(at, at + length)
  }

  private skipBytes(): boolean {
    const length = this.length()
    if (length > 0) this.at += length
    return length >= 0
  }

  /** -1 stands for null. */
  private length(): number {
    const length = this.varint()
    if (length < -1 || length > this.buffer.length - this.at) {
      throw corrupt(`${length} bytes in a record, ${this.buffer.length - this.at} left`)
    }
    return length
  }

  private varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
    throw corrupt('varint of more than five bytes')
  }

  private varlong(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    throw corrupt('varint of more than ten bytes')
  }

  private byte(): number {
    const at = this.at
    if (at >= this.buffer.length) throw corrupt('the records are cut off')
    this.at = at + 1
    return this.buffer[at]!
  }
}
