/** Up to so many characters, putting a text together here is quicker than the call into the runtime. */
const shortText = 8

/** Reads UTF-8. */
export function readText(bytes: Buffer, start: number, end: number): string {
  if (end - start > shortText) return bytes.toString('utf8', start, end)
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte > 0x7f) return bytes.toString('utf8', start, end)
    text += String.fromCharCode(byte)
  }
  return text
}
