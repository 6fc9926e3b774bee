import { DataError, Decimal, schema, type Schema } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'
import { readDouble } from './numbers.ts'

type DecimalMode = 'precise' | 'double' | 'string'

const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** Modifier of numeric without precision and scale. */
const unconstrained = -1

/**
 * numeric(precision, scale), by `decimal.handling.mode`. Without a precision each value has a scale of its own, which
 * Decimal cannot say: io.debezium.data.VariableScaleDecimal.
 */
export function numericMapping(modifier: number, mode: DecimalMode): Mapping {
  if (mode === 'double') return { schema: schema.float64(), read: readDouble, empty: 0 }
  const scale = modifier === unconstrained ? undefined : scaleOf(modifier)
  if (mode === 'string') return stringMapping(scale)
  if (scale === undefined) return variableScaleMapping
  const precision = (modifier - 4) >>> 16
  return {
    schema: schema.decimal(scale, { parameters: { 'connect.decimal.precision': String(precision) } }),
    read: (bytes, start, end) => rescale(readDecimal(bytes, start, end), scale),
    empty: new Decimal(0n, scale),
  }
}

/** Modifier = ((precision << 16) | (scale & 0x7ff)) + 4: eleven bits with a sign, as numeric_in writes them (since 15). */
function scaleOf(modifier: number): number {
  return (((modifier - 4) & 0x7ff) ^ 1024) - 1024
}

function stringMapping(scale: number | undefined): Mapping {
  return {
    schema: schema.string(),
    read: (bytes, start, end) => {
      const text = bytes.toString('latin1', start, end)
      const last = text.charCodeAt(text.length - 1) - zero
      if (last < 0 || last > 9) return specialNames.get(text)
      // A default expression may have fewer digits than the column.
      if (scale === undefined || scale <= 0 || text.charCodeAt(text.length - 1 - scale) === point) return text
      return rescale(Decimal.parse(text), scale).toString()
    },
    empty: new Decimal(0n, Math.max(scale ?? 0, 0)).toString(),
  }
}

/** What Debezium writes for the values of numeric that are no numbers. */
const specialNames = new Map([
  ['NaN', 'NAN'],
  ['Infinity', 'POSITIVE_INFINITY'],
  ['-Infinity', 'NEGATIVE_INFINITY'],
])

const variableScaleSchema: Schema = schema.struct(
  { scale: schema.int32(), value: schema.bytes() },
  { name: 'io.debezium.data.VariableScaleDecimal', version: 1, doc: 'Variable scaled decimal' },
)

const variableScaleMapping: Mapping = {
  schema: variableScaleSchema,
  read: (bytes, start, end) => variableScale(readDecimal(bytes, start, end)),
  empty: { scale: 0, value: Buffer.of(0) },
}

/** Trailing zeros go, as Debezium does it, so that 1.50 and 1.5 are one value; a scale is never negative. */
function variableScale(decimal: Decimal): { scale: number; value: Buffer } {
  let { unscaled, scale } = decimal
  while (scale > 0 && unscaled % 10n === 0n) {
    unscaled /= 10n
    scale--
  }
  return { scale, value: twosComplement(unscaled) }
}

/** The fewest bytes, big-endian: java.math.BigInteger.toByteArray. */
export function twosComplement(value: bigint): Buffer {
  const magnitude = value < 0n ? ~value : value
  if (magnitude < 0x80n) return Buffer.of(Number(value & 0xffn))
  // One bit more than the magnitude has, for the sign; the first of its hexadecimal digits may be one of fewer bits.
  const hexDigits = magnitude.toString(16)
  const length = Math.ceil((hexDigits.length * 4 + (hexDigits[0]! >= '8' ? 1 : 0)) / 8)
  const hex = BigInt.asUintN(length * 8, value).toString(16)
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex')
}

/**
 * Reads the text of numeric, which is always plain: digits and a point.
 * @throws DataError for NaN and the infinities, which Decimal cannot hold
 */
function readDecimal(bytes: Buffer, start: number, end: number): Decimal {
  const negative = bytes[start] === minus
  let at = negative ? start + 1 : start
  const first = bytes[at]! - zero
  if (first < 0 || first > 9) {
    throw new DataError(
      `the numeric value ${bytes.toString('latin1', start, end)} has no place in a Decimal: set decimal.handling.mode to string or double`,
      { code: 'POSTGRES_NUMERIC_SPECIAL' },
    )
  }
  if (end - start > 15) return Decimal.parse(bytes.toString('latin1', start, end))
  let digits = 0
  let pointAt = end - 1
  for (; at < end; at++) {
    if (bytes[at] === point) pointAt = at
    else digits = digits * 10 + bytes[at]! - zero
  }
  return new Decimal(BigInt(negative ? -digits : digits), end - 1 - pointAt)
}

/**
 * The same number with another scale. The server writes as many digits as the column has, so there is hardly ever
 * something to do; a default expression may have fewer, a negative scale has zeros before the point.
 * @throws DataError when digits would be lost
 */
export function rescale(decimal: Decimal, scale: number): Decimal {
  if (decimal.scale === scale) return decimal
  if (decimal.scale < scale) return new Decimal(decimal.unscaled * 10n ** BigInt(scale - decimal.scale), scale)
  const divisor = 10n ** BigInt(decimal.scale - scale)
  if (decimal.unscaled % divisor !== 0n) {
    throw new DataError(`the numeric value ${decimal.toString()} has more digits than its column, of scale ${scale}`, {
      code: 'POSTGRES_NUMERIC_SCALE',
    })
  }
  return new Decimal(decimal.unscaled / divisor, scale)
}

/** money: always with two digits in our sessions (lc_monetary C), the schema's scale is `money.fraction.digits`. */
export function moneyMapping(fractionDigits: number, mode: DecimalMode): Mapping {
  switch (mode) {
    case 'double':
      return { schema: schema.float64(), read: (...text) => Number(readMoney(...text).toString()), empty: 0 }
    case 'string':
      return {
        schema: schema.string(),
        read: (...text) => readMoney(...text).toString(),
        empty: new Decimal(0n, fractionDigits).toString(),
      }
    case 'precise':
      return {
        schema: schema.decimal(fractionDigits),
        read: (...text) => roundHalfUp(readMoney(...text), fractionDigits),
        empty: new Decimal(0n, fractionDigits),
      }
  }
}

/** `$1,234.56`, `-$1,234.56`. */
function readMoney(bytes: Buffer, start: number, end: number): Decimal {
  return Decimal.parse(bytes.toString('latin1', start, end).replaceAll(/[$,]/g, ''))
}

/** To the digits that `money.fraction.digits` asks for: fewer than the value's lose some, which is the user's word. */
function roundHalfUp(decimal: Decimal, scale: number): Decimal {
  if (decimal.scale <= scale) return rescale(decimal, scale)
  const divisor = 10n ** BigInt(decimal.scale - scale)
  const magnitude = decimal.unscaled < 0n ? -decimal.unscaled : decimal.unscaled
  const rounded = (magnitude + divisor / 2n) / divisor
  return new Decimal(decimal.unscaled < 0n ? -rounded : rounded, scale)
}
