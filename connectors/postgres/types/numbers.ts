const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** Powers of ten that a double holds exactly. */
const powers = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)

/** Reads int2, int4, int8 and oid: a number, or a bigint where that is outside ±(2^53 − 1). */
export function readInteger(bytes: Buffer, start: number, end: number): number | bigint {
  if (end - start > 15) {
    const value = BigInt(bytes.toString('latin1', start, end))
    return integerOf(value)
  }
  const negative = bytes[start] === minus
  let value = 0
  for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + bytes[at]! - zero
  return negative ? -value : value
}

/** An int64 as the SDK holds it: a number where that is exact. */
export function integerOf(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value
}

/** Reads float8. A short decimal without exponent is one exact division; all else goes by the text. */
export function readDouble(bytes: Buffer, start: number, end: number): number {
  if (end - start > 15) return Number(bytes.toString('latin1', start, end))
  const negative = bytes[start] === minus
  let digits = 0
  let pointAt = end - 1
  for (let at = negative ? start + 1 : start; at < end; at++) {
    const digit = bytes[at]! - zero
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (bytes[at] === point) pointAt = at
    else return Number(bytes.toString('latin1', start, end))
  }
  const value = digits / powers[end - 1 - pointAt]!
  return negative ? -value : value
}

/** Reads float4: the nearest single. */
export function readSingle(bytes: Buffer, start: number, end: number): number {
  return Math.fround(readDouble(bytes, start, end))
}

/** Reads bool. */
export function readBoolean(bytes: Buffer, start: number): boolean {
  return bytes[start] === 0x74
}
