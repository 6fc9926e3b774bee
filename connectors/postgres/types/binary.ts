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

function readHex(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(bytes.toString('latin1', start + 2, end), 'hex')
}
