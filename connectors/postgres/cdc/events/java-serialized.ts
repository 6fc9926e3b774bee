/** Object streams begin with it: magic number and version 5. */
const header = Buffer.from([0xac, 0xed, 0x00, 0x05])
/** What follows is a string with two bytes of length. */
const shortString = 0x74
/** What follows is a string with eight. */
const longString = 0x7c
const longestShort = 0xffff

/**
 * A string as Java's ObjectOutputStream writes it: what Debezium's first hash of columns (`column.mask.hash.<algorithm>`)
 * is taken of. Java Object Serialization Specification, section 6.4.2.
 */
export function javaSerialized(text: string): Buffer {
  const bytes = modifiedUtf8(text)
  if (bytes.length <= longestShort) {
    return Buffer.concat([header, Buffer.from([shortString, bytes.length >> 8, bytes.length & 0xff]), bytes])
  }
  const prefix = Buffer.alloc(9)
  prefix[0] = longString
  prefix.writeBigUInt64BE(BigInt(bytes.length), 1)
  return Buffer.concat([header, prefix, bytes])
}

/** UTF-8 but for two things: a NUL takes two bytes, and each half of a surrogate pair three. */
function modifiedUtf8(text: string): Buffer {
  if (!/[\0\ud800-\udfff]/.test(text)) return Buffer.from(text)
  const bytes: number[] = []
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 1 && unit <= 0x7f) bytes.push(unit)
    else if (unit <= 0x7ff) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f))
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))
  }
  return Buffer.from(bytes)
}
