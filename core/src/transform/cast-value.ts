/** One value to another type, with the results of Java's number conversions. */
import { DataError, Decimal, logicalNames, type Schema, type SchemaType } from '@tidewire/sdk'
import { decimalText, javaToString } from '@tidewire/sdk/values'
import { JavaDateFormat } from '@tidewire/sdk/time'
import { kindOf } from './struct-values.ts'

export const castTypes = ['int8', 'int16', 'int32', 'int64', 'float32', 'float64', 'boolean', 'string'] as const
export type CastType = (typeof castTypes)[number]

const purpose = 'Cast'
const castable: ReadonlySet<SchemaType> = new Set<SchemaType>([...castTypes, 'bytes'])

/**
 * Makes a function that casts values of a schema; without a schema, values of any type. It gives null for null.
 * @returns a function that throws a DataError for a value that cannot be cast
 */
export function compileCast(schema: Schema | undefined, target: CastType): (value: unknown) => unknown {
  const toText = target === 'string' ? compileText(schema) : undefined
  const toNumber = target === 'string' || target === 'boolean' ? undefined : numberCasts[target]
  const isFloat = schema === undefined ? undefined : schema.type === 'float32' || schema.type === 'float64'
  return (value) => {
    if (value === null || value === undefined) return null
    requireCastable(schema, value)
    if (toText !== undefined) return toText(value)
    if (value instanceof Uint8Array) throw new DataError(`${purpose}: bytes can become a string only, not ${target}`)
    if (toNumber === undefined) return toBoolean(value)
    return toNumber(value, isFloat ?? !Number.isInteger(value))
  }
}

function requireCastable(schema: Schema | undefined, value: unknown): void {
  if (schema !== undefined) {
    if (!castable.has(schema.type)) throw new DataError(`${purpose} takes no ${schema.type}`)
  } else if (typeof value === 'object' && !(value instanceof Uint8Array)) {
    throw new DataError(`${purpose} takes no ${kindOf(value)}`)
  }
}

type NumberCast = (value: unknown, isFloat: boolean) => number | bigint

const numberCasts: Readonly<Record<Exclude<CastType, 'boolean' | 'string'>, NumberCast>> = {
  int8: (value, isFloat) => (typeof value === 'string' ? parseInteger(value, 8) : (low32(value, isFloat) << 24) >> 24),
  int16: (value, isFloat) =>
    typeof value === 'string' ? parseInteger(value, 16) : (low32(value, isFloat) << 16) >> 16,
  int32: (value, isFloat) => (typeof value === 'string' ? parseInteger(value, 32) : low32(value, isFloat)),
  int64: (value) => (typeof value === 'string' ? parseInteger(value, 64) : low64(value)),
  float32: (value) => Math.fround(toFloat(value)),
  float64: toFloat,
}

/** Java's (int): the low bits of an integer, the nearest int of a float. */
function low32(value: unknown, isFloat: boolean): number {
  if (typeof value === 'number') return isFloat ? Math.max(-0x80000000, Math.min(0x7fffffff, value)) | 0 : value | 0
  if (typeof value === 'boolean') return Number(value)
  return Number(BigInt.asIntN(32, wholeOf(value)))
}

/** Java's (long). */
function low64(value: unknown): number | bigint {
  if (typeof value === 'number') {
    const whole = Number.isNaN(value) ? 0 : Math.trunc(value) + 0
    if (Number.isSafeInteger(whole)) return whole
    if (whole >= 2 ** 63) return 2n ** 63n - 1n
    return whole <= -(2 ** 63) ? -(2n ** 63n) : BigInt(whole)
  }
  if (typeof value === 'boolean') return Number(value)
  return int64(BigInt.asIntN(64, wholeOf(value)))
}

function int64(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The part before the point, of which the lowest 64 bits matter: a decimal from afar may say any scale. */
function wholeOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (!(value instanceof Decimal)) throw new DataError(`${purpose} takes no ${kindOf(value)}`)
  const { unscaled, scale } = value
  if (scale <= 0) return scale <= -64 ? 0n : unscaled * 10n ** BigInt(-scale)
  return unscaled.toString().length < scale ? 0n : unscaled / 10n ** BigInt(scale)
}

const integerText = /^[+-]?\d+$/

/** Byte.parseByte, Short.parseShort, Integer.parseInt, Long.parseLong. */
function parseInteger(text: string, bits: number): number | bigint {
  if (!integerText.test(text)) throw new DataError(`${purpose}: the text is no whole number`)
  const number = Number(text)
  const value = Number.isSafeInteger(number) ? undefined : BigInt(text.replace(/^\+/, ''))
  const fits = bits < 64 ? Math.abs(number + 0.5) < 2 ** (bits - 1) : value === undefined || isInt64(value)
  if (!fits) throw new DataError(`${purpose}: the number is outside int${bits}`)
  return value ?? number + 0
}

const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value

// Java trims what is not above a blank; an f or d may follow the digits. Its hexadecimal form is not read.
const floatText = /^[\0- ]*([+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?))[\0- ]*$/

/** Double.parseDouble, and the double of any number. */
function toFloat(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return value
    case 'boolean':
    case 'bigint':
      return Number(value)
    case 'string': {
      const text = floatText.exec(value)?.[1]
      if (text === undefined) throw new DataError(`${purpose}: the text is no number`)
      if (text.endsWith('NaN')) return NaN
      return Number(text.endsWith('Infinity') ? text : text.replace(/[fFdD]$/, ''))
    }
    default:
      if (value instanceof Decimal) return Number(decimalText(value))
      throw new DataError(`${purpose} takes no ${kindOf(value)}`)
  }
}

function toBoolean(value: unknown): boolean {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      return value.toLowerCase() === 'true'
    default:
      return BigInt(low64(value)) !== 0n
  }
}

const dayMs = 86_400_000
const timeOnly = new JavaDateFormat("HH:mm:ss.SSS'Z'")
const dateOnly = new JavaDateFormat('yyyy-MM-dd')
const dateAndTime = new JavaDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")

function compileText(schema: Schema | undefined): (value: unknown) => string {
  const unitMs = schema?.name === logicalNames.date ? dayMs : 1
  if (
    schema?.name === logicalNames.date ||
    schema?.name === logicalNames.time ||
    schema?.name === logicalNames.timestamp
  ) {
    return (value) => timeText(Number(value) * unitMs)
  }
  return (value) =>
    value instanceof Uint8Array
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
      : javaToString(schema, value)
}

/** As Kafka Connect writes a date of any logical type: what is before the second day of 1970 counts as a time of day. */
function timeText(ms: number): string {
  if (ms < dayMs) return timeOnly.format(ms)
  return (ms % dayMs === 0 ? dateOnly : dateAndTime).format(ms)
}
