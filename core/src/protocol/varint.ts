/**
 * The zigzag varints of records, written straight into a buffer: no temporaries, since each record has seven or more of
 * them. Writers return where they ended.
 */

/** Bytes of a zigzag varint of 32 bits. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5
}

export function writeVarint(buffer: Buffer, value: number, start: number): number {
  let at = start
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 127) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}

/** Where 32-bit arithmetic does. */
const isSmall = (value: number): boolean => value === value >> 0

/** Bytes of a zigzag varint of 64 bits; the value has to be a safe integer. */
export function varlongBytes(value: number): number {
  if (isSmall(value)) return varintBytes(value)
  let rest = zigzagOf(value)
  let size = 1
  for (; rest > 127; size++) rest = Math.floor(rest / 128)
  return size
}

export function writeVarlong(buffer: Buffer, value: number, start: number): number {
  if (isSmall(value)) return writeVarint(buffer, value, start)
  let at = start
  let rest = zigzagOf(value)
  while (rest > 127) {
    buffer[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  buffer[at++] = rest
  return at
}

/** Exact up to 2^52, which is 140 000 years of milliseconds. */
function zigzagOf(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2
}
