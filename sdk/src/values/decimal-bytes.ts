import { Decimal } from '../schema.ts'

/** Two's complement, big endian, in as few bytes as hold the sign: how Kafka Connect writes a Decimal's unscaled value. */
export function encodeUnscaled(unscaled: bigint): Buffer {
  if (unscaled >= -128n && unscaled <= 127n) return Buffer.of(Number(unscaled & 0xffn))
  // Bits needed: those of the magnitude (of −n − 1 for a negative n), and one for the sign.
  const magnitude = unscaled < 0n ? ~unscaled : unscaled
  const hex = magnitude.toString(16)
  const bits = hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28
  const length = (bits >> 3) + 1
  const text = BigInt.asUintN(length * 8, unscaled).toString(16)
  return Buffer.from(text.padStart(length * 2, '0'), 'hex')
}

/** The inverse of {@link encodeUnscaled}. No bytes at all are zero. */
export function decodeUnscaled(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

/** More digits than this nobody means: one message with 1e999999999 would hold up its thread for minutes. */
const maxShift = 10_000

/**
 * The same number with `scale` digits after the point.
 * @throws RangeError when digits other than zero would be lost, or thousands of zeros would have to be added
 */
export function rescale(value: Decimal, scale: number): Decimal {
  const shift = scale - value.scale
  if (shift === 0) return value
  if (Math.abs(shift) > maxShift) throw new RangeError(`a number of scale ${value.scale} is out of reach`)
  if (shift > 0) return new Decimal(value.unscaled * 10n ** BigInt(shift), scale)
  const divisor = 10n ** BigInt(-shift)
  if (value.unscaled % divisor !== 0n) throw new RangeError(`${value.toString()} has more than ${scale} decimals`)
  return new Decimal(value.unscaled / divisor, scale)
}
