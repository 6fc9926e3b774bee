import { DataError, originalPosition, type Schema, type SinkRecord } from '@tidewire/sdk'
import type { Fields } from './change.ts'
import type { SinkOptions } from './options.ts'
import { columnOf, type TargetColumn, type TargetTable, type WantedColumn } from './target-tables.ts'
import type { Encode } from './text/encode.ts'
import { plainKeyEncoder } from './text/plain-key.ts'
import { encoderOf } from './text/value-text.ts'
import { unavailableTest } from './unavailable.ts'

/** Columns of a table that rows have values for; rows of one set are written by one statement. Those of the key come first. */
export interface ColumnSet {
  readonly table: TargetTable
  readonly columns: readonly TargetColumn[]
  readonly keyCount: number
  /** Whether keys are the same to the server exactly where their texts are. */
  readonly hasPlainKeys: boolean
  /** Whether columns were left out since their values are not known: rows of these change what is there. */
  readonly isPartial: boolean
}

/** Where a column's value comes from. */
type Origin = 'key' | 'keyField' | 'valueField' | 'topic' | 'partition' | 'offset'

/** A column that a kind of record has a value for. */
export interface RecordColumn extends WantedColumn {
  readonly origin: Origin
  /** In its struct. */
  readonly field: string
}

const kafkaSchemas: readonly (readonly [Origin, Schema])[] = [
  ['topic', { type: 'string' }],
  ['partition', { type: 'int32' }],
  ['offset', { type: 'int64' }],
]

/**
 * The columns of a record's primary key.
 * @throws DataError where the record has no such key
 */
export function keyColumnsOf(
  options: SinkOptions,
  record: SinkRecord,
  value: unknown,
  valueSchema: Schema | undefined,
): RecordColumn[] {
  const { keyMode, keyFields } = options
  switch (keyMode) {
    case 'none':
      return []
    case 'kafka':
      return kafkaSchemas.map(([origin, schema], at) => column(options, origin, keyFields[at]!, schema, true))
    case 'record_value':
      return structColumns(options, 'valueField', value, valueSchema, keyFields, 'value')
    case 'record_key': {
      const { key, keySchema } = record
      if (key === null || key === undefined) {
        throw new DataError('the record has no key, which pk.mode=record_key needs', { code: 'POSTGRES_SINK_KEY' })
      }
      if (isStruct(key, keySchema)) return structColumns(options, 'keyField', key, keySchema, keyFields, 'key')
      if (keyFields.length !== 1) {
        throw new DataError('the key is a single value: pk.fields has to name the one column for it', {
          code: 'POSTGRES_SINK_KEY',
        })
      }
      return [column(options, 'key', keyFields[0]!, keySchema, true)]
    }
  }
}

/**
 * The other columns: fields of the value.
 * @throws DataError where the value has no fields
 */
export function valueColumnsOf(
  options: SinkOptions,
  value: unknown,
  valueSchema: Schema | undefined,
  keys: readonly RecordColumn[],
): RecordColumn[] {
  if (!isStruct(value, valueSchema)) {
    throw new DataError(
      `the value is ${value === null ? 'null' : (valueSchema?.type ?? typeof value)}, and a row is made of a struct: wrap it with a HoistField transform`,
      { code: 'POSTGRES_SINK_VALUE' },
    )
  }
  const taken = new Set(keys.map(({ name }) => name))
  return fieldsOf(value, valueSchema)
    .filter(([name]) => options.fields?.has(name) ?? true)
    .map(([name, schema]) => column(options, 'valueField', name, schema, false))
    .filter(({ name }) => !taken.has(name))
}

function structColumns(
  options: SinkOptions,
  origin: Origin,
  struct: unknown,
  schema: Schema | undefined,
  names: readonly string[],
  what: 'key' | 'value',
): RecordColumn[] {
  if (!isStruct(struct, schema)) {
    throw new DataError(`the ${what} has no fields for a primary key`, { code: 'POSTGRES_SINK_KEY' })
  }
  const fields = new Map(fieldsOf(struct, schema))
  return (names.length === 0 ? [...fields.keys()] : names).map((name) => {
    if (fields.has(name)) return column(options, origin, name, fields.get(name), true)
    throw new DataError(`the ${what} has no field ${name}, which pk.fields names`, { code: 'POSTGRES_SINK_KEY' })
  })
}

function isStruct(value: unknown, schema: Schema | undefined): value is Fields {
  if (schema !== undefined) return schema.type === 'struct' && typeof value === 'object' && value !== null
  if (typeof value !== 'object' || value === null) return false
  return Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null
}

function fieldsOf(value: Fields, schema: Schema | undefined): (readonly [string, Schema | undefined])[] {
  if (schema === undefined) return Object.keys(value).map((name) => [name, undefined] as const)
  return schema.fields!.map((field) => [field.name, field.schema] as const)
}

function column(
  options: SinkOptions,
  origin: Origin,
  field: string,
  schema: Schema | undefined,
  isKey: boolean,
): RecordColumn {
  return {
    name: options.foldsNames ? field.toLowerCase() : field,
    schema: timestampSchema(options, field, schema),
    isKey,
    origin,
    field,
  }
}

const asTimestamp = { microseconds: 'io.debezium.time.MicroTimestamp', nanoseconds: 'io.debezium.time.NanoTimestamp' }

/** `timestamp.fields.list`: a count since the epoch, or a text, that no schema says to be a timestamp. */
function timestampSchema(options: SinkOptions, field: string, schema: Schema | undefined): Schema | undefined {
  if (schema === undefined || !options.timestampFields.has(field)) return schema
  if (schema.type === 'int64') return { ...schema, name: asTimestamp[options.timestampUnit] }
  return schema.type === 'string' ? { ...schema, name: 'io.debezium.time.IsoTimestamp' } : schema
}

interface PlannedColumn extends RecordColumn {
  readonly encode: Encode
  /** What a null is written as; undefined: as null. */
  readonly substitute: unknown
  readonly isUnavailable: ((value: unknown) => boolean) | undefined
}

/** How records of one kind (a table, and the schemas of key and value) become rows. */
export class RowPlan {
  /** The columns of a row that has them all. */
  readonly all: ColumnSet
  readonly #columns: readonly PlannedColumn[]
  readonly #partial = new Map<string, ColumnSet>()

  /** @param isEvent of change events, whose nulls are nulls */
  constructor(table: TargetTable, wanted: readonly RecordColumn[], options: SinkOptions, isEvent: boolean) {
    // What the server computes, it computes from the same values.
    const written = wanted.filter((one) => !columnOf(table, one.name)!.isGenerated)
    const targets = written.map((one) => columnOf(table, one.name)!)
    let hasPlainKeys = true
    const encoderAt = (at: number): Encode => {
      const { schema, isKey } = written[at]!
      const encode = encoderOf(schema, targets[at]!.type, options)
      const plain = isKey ? plainKeyEncoder(encode, schema, targets[at]!) : encode
      hasPlainKeys &&= plain !== undefined
      return plain ?? encode
    }
    this.#columns = written.map((one, at) => ({
      ...one,
      encode: encoderAt(at),
      substitute: options.replacesNulls && !isEvent ? one.schema?.default : undefined,
      isUnavailable: isEvent && !one.isKey ? unavailableTest(one.schema, options.unavailable) : undefined,
    }))
    const keyCount = written.filter(({ isKey }) => isKey).length
    this.all = { table, columns: targets, keyCount, hasPlainKeys, isPartial: false }
  }

  /**
   * Puts the values of a record into `row`.
   * @returns the columns that they are of
   * @throws DataError where a value is not what its schema says
   */
  read(record: SinkRecord, value: unknown, row: (string | null)[]): ColumnSet {
    let left: number[] | undefined
    for (let at = 0; at < this.#columns.length; at++) {
      const planned = this.#columns[at]!
      const found = valueOf(planned, record, value) ?? planned.substitute
      if (found === null || found === undefined) row.push(null)
      else if (planned.isUnavailable?.(found) === true) (left ??= []).push(at)
      else row.push(encoded(planned, found))
    }
    return left === undefined ? this.all : this.#without(left)
  }

  #without(left: readonly number[]): ColumnSet {
    const id = left.join()
    let set = this.#partial.get(id)
    if (set === undefined) {
      set = { ...this.all, columns: this.all.columns.filter((_, at) => !left.includes(at)), isPartial: true }
      this.#partial.set(id, set)
    }
    return set
  }
}

function valueOf({ origin, field }: RecordColumn, record: SinkRecord, value: unknown): unknown {
  switch (origin) {
    case 'valueField':
      return (value as Fields)[field]
    case 'keyField':
      return (record.key as Fields)[field]
    case 'key':
      return record.key
    case 'topic':
    case 'partition':
    case 'offset':
      return originalPosition(record)[origin]
  }
}

function encoded({ encode, name }: PlannedColumn, value: unknown): string {
  try {
    return encode(value)
  } catch (error) {
    throw new DataError(`the value for column ${name} cannot be written: ${(error as Error).message}`, {
      code: 'POSTGRES_SINK_VALUE',
      cause: error,
    })
  }
}
