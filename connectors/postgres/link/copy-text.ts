/** COPY's text form: columns separated by tabs, `\N` for NULL, and a backslash before what would be mistaken. */

export const tab = 9
export const backslash = 0x5c
export const capitalN = 0x4e

/** What a letter after a backslash stands for; anything else stands for itself. */
const escapes: Readonly<Record<number, number>> = {
  [0x62]: 8,
  [0x66]: 12,
  [0x6e]: 10,
  [0x72]: 13,
  [0x74]: 9,
  [0x76]: 11,
}

/** Writes the bytes [start, end) without their backslashes; `into` has room for them. @returns how many bytes it wrote */
export function unescape(bytes: Buffer, start: number, end: number, into: Buffer): number {
  let length = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte !== backslash) into[length++] = byte
    else {
      const code = bytes[++at]!
      into[length++] = escapes[code] ?? code
    }
  }
  return length
}
