import { DataError, schema, type Schema } from '@tidewire/sdk'
import { columnReader, type TypeOptions } from '../types/column-reader.ts'
import { moneyMapping, numericMapping } from '../types/decimal.ts'
import type { Mapping, ReadText } from '../types/mapping.ts'
import { civilOf, infinityOf, readTime, readTimestamp, toUtc, type Moment } from '../types/moment.ts'
import { readDouble, readInteger } from '../types/numbers.ts'
import { oids } from '../types/oids.ts'
import { timestampMapping } from '../types/temporal.ts'
import { readText } from '../types/text.ts'
import type { TypeCatalog } from '../types/type-catalog.ts'
import type { QueryConfig } from './config.ts'

type NumericMapping = NonNullable<QueryConfig['numeric.mapping']>
type Granularity = QueryConfig['timestamp.granularity']

export interface ValueOptions {
  readonly numeric: NumericMapping
  readonly granularity: Granularity
}

/** A column of a result, as the server describes it. */
export interface ResultColumn {
  readonly name: string
  readonly typeOid: number
  readonly typeModifier: number
}

/** The schema of a column that has no NULL, and how its text is read. */
export type ColumnValue = Pick<Mapping, 'schema' | 'read'>

export function valueOptionsOf(config: QueryConfig): ValueOptions {
  const older = config['numeric.precision.mapping'] ? 'precision_only' : 'none'
  return { numeric: config['numeric.mapping'] ?? older, granularity: config['timestamp.granularity'] }
}

/**
 * The type that a column has in records: Confluent's where its connector knows the column's type, else what keeps the
 * value whole, at last its text.
 */
export function columnValue(column: ResultColumn, catalog: TypeCatalog, options: ValueOptions): ColumnValue {
  const root = catalog.rootOf(column.typeOid, column.typeModifier)
  switch (root?.type.oid) {
    case oids.numeric:
      return numericValue(root.modifier, options.numeric)
    case oids.money:
      return moneyMapping(2, options.numeric.startsWith('best_fit') ? 'double' : 'precise')
    case oids.timestamp:
    case oids.timestamptz:
      return timestampValue(options.granularity)
    case oids.timetz:
      return { schema: schema.time(), read: readZonedTime }
    default: {
      const reader = columnReader({ ...column, nullable: false }, catalog, typeOptions)
      return reader === undefined ? text : { schema: unnamed(reader.schema), read: reader.read }
    }
  }
}

const text: ColumnValue = { schema: schema.string(), read: readText }

const typeOptions: TypeOptions = {
  decimal: 'precise',
  time: 'connect',
  interval: 'string',
  hstore: 'json',
  binary: 'bytes',
  moneyFractionDigits: 2,
  unavailable: '',
  includeUnknown: false,
}

/** Without Debezium's names for what is a text. */
function unnamed(named: Schema): Schema {
  if (named.type === 'string') return schema.string()
  return named.type === 'array' ? { ...named, values: unnamed(named.values!) } : named
}

/** Modifier = ((precision << 16) | (scale & 0x7ff)) + 4; −1 without either. */
function numericValue(modifier: number, mapping: NumericMapping): ColumnValue {
  const double: ColumnValue = { schema: schema.float64(), read: readDouble }
  if (modifier === -1) {
    if (mapping === 'best_fit_eager_double') return double
    const { schema, read } = numericMapping(modifier, 'precise')
    return { schema, read: finite(read) }
  }
  const precision = (modifier - 4) >>> 16
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024
  const decimal: ColumnValue = {
    schema: schema.decimal(scale),
    read: finite(numericMapping(modifier, 'precise').read),
  }
  if (mapping === 'none') return decimal
  if (scale > 0) {
    const fits = mapping === 'best_fit_eager_double' || (mapping === 'best_fit' && precision < 19)
    return fits ? double : decimal
  }
  const digits = precision - scale
  if (digits > 18 || (scale < 0 && mapping === 'precision_only')) return decimal
  return { schema: integerSchema(digits), read: finite(readInteger) }
}

function integerSchema(digits: number): Schema {
  if (digits > 9) return schema.int64()
  if (digits > 4) return schema.int32()
  return digits > 2 ? schema.int16() : schema.int8()
}

/** For a type that has no place for NaN and the infinities, which numeric may be. */
function finite(read: ReadText): ReadText {
  return (bytes, start, end) => {
    if (bytes[end - 1]! <= 0x39) return read(bytes, start, end)
    throw new DataError(
      `the numeric value ${bytes.toString('latin1', start, end)} has no place in it; a query may put null there`,
      { code: 'POSTGRES_NUMERIC_SPECIAL' },
    )
  }
}

const noModifier = -1

/** Of both kinds: those without a zone have been put into UTC, or for texts into db.timezone, by the server. */
function timestampValue(granularity: Granularity): ColumnValue {
  const micros = timestampMapping(noModifier, 'microseconds').read
  const nanos = timestampMapping(noModifier, 'nanoseconds').read
  switch (granularity) {
    case 'connect_logical':
      return { schema: schema.timestamp(), read: timestampMapping(noModifier, 'connect').read }
    case 'micros_long':
      return { schema: schema.int64(), read: micros }
    case 'nanos_long':
      return { schema: schema.int64(), read: nanos }
    case 'micros_string':
      return { schema: schema.string(), read: (...range) => String(micros(...range)) }
    case 'nanos_string':
      return { schema: schema.string(), read: (...range) => String(nanos(...range)) }
    case 'micros_iso_datetime_string':
      return { schema: schema.string(), read: isoReader(6) }
    case 'nanos_iso_datetime_string':
      return { schema: schema.string(), read: isoReader(9) }
  }
}

/** One for all readers: a value is read before the next begins. */
const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }

function isoReader(digits: 6 | 9): ReadText {
  return (bytes, start, end) => {
    const infinity = infinityOf(bytes, start)
    if (infinity !== 0) return infinity === 1 ? 'infinity' : '-infinity'
    readTimestamp(bytes, start, end, moment)
    const { year, month, day } = civilOf(moment.days)
    const sign = year < 0 ? '-' : year > 9999 ? '+' : ''
    const seconds = Math.floor(moment.micros / 1_000_000)
    const date = `${sign}${String(Math.abs(year)).padStart(4, '0')}-${two(month)}-${two(day)}`
    const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
    return `${date}T${time}.${String(moment.micros % 1_000_000)
      .padStart(6, '0')
      .padEnd(digits, '0')}`
  }
}

const two = (value: number): string => (value < 10 ? `0${value}` : String(value))

/** timetz in UTC, as Connect's Time. */
const readZonedTime: ReadText = (bytes, start, end) => {
  readTime(bytes, start, end, moment)
  toUtc(moment)
  return Math.floor(moment.micros / 1000)
}
