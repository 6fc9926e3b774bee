/**
 * Kafka Connect's type system (org.apache.kafka.connect.data.Schema.Type).
 *
 * How each is held in a value:
 * - int8, int16, int32, float32, float64: number
 * - int64: number within ±(2^53 − 1), bigint outside; a reader must accept both
 * - boolean: boolean; string: string; bytes: Uint8Array
 * - array: array; map: Map; struct: plain object with one property a field (absent or null where optional)
 *
 * A logical type is a schema with a `name` over one of these. Its value is held in its encoded form (Date: days, Time:
 * ms of the day, Timestamp: ms since the epoch), except Decimal, whose bytes would be unwieldy: see {@link Decimal}.
 */
export type SchemaType =
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'boolean'
  | 'string'
  | 'bytes'
  | 'array'
  | 'map'
  | 'struct'

/** A field of a struct, in its declared order. */
export interface Field {
  readonly name: string
  readonly schema: Schema
}

/** The shape of a key, a value or a header. Immutable; build it once and share it, since converters cache by identity. */
export interface Schema {
  readonly type: SchemaType
  readonly optional?: boolean
  /** Names a struct or a logical type, such as `org.apache.kafka.connect.data.Decimal`. */
  readonly name?: string
  readonly version?: number
  readonly doc?: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly default?: unknown
  /** Of a struct. */
  readonly fields?: readonly Field[]
  /** Of an array: its elements. Of a map: its values. */
  readonly values?: Schema
  /** Of a map. */
  readonly keys?: Schema
}

type SchemaOptions = Omit<Schema, 'type' | 'fields' | 'values' | 'keys'>

const primitive =
  (type: SchemaType) =>
  (options: SchemaOptions = {}): Schema => ({ type, ...options })

/**
 * Builders for schemas: `schema.struct({ id: schema.int64(), note: schema.string({ optional: true }) })`.
 */
export const schema = {
  int8: primitive('int8'),
  int16: primitive('int16'),
  int32: primitive('int32'),
  int64: primitive('int64'),
  float32: primitive('float32'),
  float64: primitive('float64'),
  boolean: primitive('boolean'),
  string: primitive('string'),
  bytes: primitive('bytes'),
  array: (values: Schema, options: SchemaOptions = {}): Schema => ({ type: 'array', values, ...options }),
  map: (keys: Schema, values: Schema, options: SchemaOptions = {}): Schema => ({
    type: 'map',
    keys,
    values,
    ...options,
  }),
  struct: (fields: Readonly<Record<string, Schema>>, options: SchemaOptions = {}): Schema => ({
    type: 'struct',
    fields: Object.entries(fields).map(([name, fieldSchema]) => ({ name, schema: fieldSchema })),
    ...options,
  }),
  /** Kafka Connect's Decimal: bytes with a `scale` parameter; its values are {@link Decimal}. */
  decimal: (scale: number, options: SchemaOptions = {}): Schema => ({
    type: 'bytes',
    name: logicalNames.decimal,
    version: 1,
    ...options,
    parameters: { scale: String(scale), ...options.parameters },
  }),
  /** int32: days since the epoch. */
  date: (options: SchemaOptions = {}): Schema => ({ type: 'int32', name: logicalNames.date, version: 1, ...options }),
  /** int32: milliseconds of the day. */
  time: (options: SchemaOptions = {}): Schema => ({ type: 'int32', name: logicalNames.time, version: 1, ...options }),
  /** int64: milliseconds since the epoch. */
  timestamp: (options: SchemaOptions = {}): Schema => ({
    type: 'int64',
    name: logicalNames.timestamp,
    version: 1,
    ...options,
  }),
} as const

/** The names of Kafka Connect's own logical types. */
export const logicalNames = {
  decimal: 'org.apache.kafka.connect.data.Decimal',
  date: 'org.apache.kafka.connect.data.Date',
  time: 'org.apache.kafka.connect.data.Time',
  timestamp: 'org.apache.kafka.connect.data.Timestamp',
} as const

/** A record of a few bytes may hold a number of a billion zeros. */
const maxZeros = 1_000

/** What an error shows of a text that is no number. */
const maxShownLength = 50

/** An exact decimal number: `unscaled` × 10^(−`scale`). Never a float. */
export class Decimal {
  readonly unscaled: bigint
  readonly scale: number

  constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled
    this.scale = scale
  }

  /**
   * Reads plain or scientific notation, keeping every digit: `12.50` has scale 2.
   * @throws RangeError when the text is not a number
   */
  static parse(text: string): Decimal {
    const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/.exec(text.trim())
    const whole = match?.[2] ?? ''
    const fraction = match?.[3] ?? ''
    if (match === null || whole + fraction === '') {
      const shown = text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}…`
      throw new RangeError(`not a decimal number: ${shown}`)
    }
    const digits = BigInt(whole + fraction)
    return new Decimal(match[1] === '-' ? -digits : digits, fraction.length - Number(match[4] ?? 0))
  }

  /**
   * Plain notation with exactly `scale` digits after the point; where that takes more than a thousand zeros that the
   * number itself does not have, scientific notation (`1E+999999999`), which {@link parse} reads as well.
   */
  toString(): string {
    const sign = this.unscaled < 0n ? '-' : ''
    const digits = (this.unscaled < 0n ? -this.unscaled : this.unscaled).toString()
    if (-this.scale > maxZeros || this.scale - digits.length > maxZeros) {
      const exponent = digits.length - 1 - this.scale
      const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
      return `${sign}${digits[0]!}${fraction}E${exponent < 0 ? '' : '+'}${exponent}`
    }
    if (this.scale <= 0) return sign + digits + (digits === '0' ? '' : '0'.repeat(-this.scale))
    const padded = digits.padStart(this.scale + 1, '0')
    return `${sign}${padded.slice(0, -this.scale)}.${padded.slice(-this.scale)}`
  }
}
