import { schema } from '@tidewire/sdk'
import type { Mapping, ReadText } from './mapping.ts'

/** `binary.handling.mode`. */
export type BinaryMode = 'bytes' | 'base64' | 'base64-url-safe' | 'hex'

/** bytea, whose text is `\x` and hexadecimal digits (bytea_output hex). */
export function binaryMapping(mode: BinaryMode): Mapping {
  return formOf(mode, readHex)
}

/** A type that is not known, where `include.unknown.datatypes` asks for it: its text, as bytes. */
export function opaqueMapping(mode: BinaryMode): Mapping {
  return formOf(mode, (bytes, start, end) => Buffer.copyBytesFrom(bytes, start, end - start))
}

function formOf(mode: BinaryMode, bytesOf: (bytes: Buffer, start: number, end: number) => Buffer): Mapping {
  const text = (encode: (value: Buffer) => string): Mapping => {
    const read: ReadText = (bytes, start, end) => encode(bytesOf(bytes, start, end))
    return { schema: schema.string(), read, empty: '' }
  }
  switch (mode) {
    case 'bytes':
      return { schema: schema.bytes(), read: bytesOf, empty: Buffer.alloc(0) }
    case 'base64':
      return text((value) => value.toString('base64'))
    case 'base64-url-safe':
      // With its padding, as Java writes it.
      return text((value) => value.toString('base64').replaceAll('+', '-').replaceAll('/', '_'))
    case 'hex':
      return text((value) => value.toString('hex'))
  }
}

/** By a table, since no text has to be made between the digits and the bytes. */
const digits = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) digits[digit.toString(16).charCodeAt(0)] = digit

function readHex(bytes: Buffer, start: number, end: number): Buffer {
  const value = Buffer.allocUnsafe((end - start - 2) >> 1)
  for (let at = start + 2, to = 0; at < end; at += 2) {
    value[to++] = (digits[bytes[at]!]! << 4) | digits[bytes[at + 1]!]!
  }
  return value
}
