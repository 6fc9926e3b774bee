import {
  DataError,
  defineConfig,
  logicalNames,
  schema as schemas,
  type ConfigOf,
  type ConnectRecord,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { namesOf, nullability, replaceNullWithDefault } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import {
  compileStructCopy,
  fieldReader,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
  type Struct,
} from './struct-values.ts'
import { compileTimestampConversion, type TimestampForm, type UnixPrecision } from './timestamp-forms.ts'
import { JavaDateFormat } from '@tidewire/sdk/time'

const purpose = 'TimestampConverter'

const config = defineConfig({
  field: {
    type: 'string',
    default: '',
    importance: 'high',
    doc: 'The field with the time; empty: the key or value as a whole is one.',
  },
  'target.type': {
    type: 'string',
    enum: ['string', 'unix', 'Date', 'Time', 'Timestamp'],
    required: true,
    importance: 'high',
    doc: 'What the time becomes: a text of `format`, a number of `unix.precision`, or a logical type.',
  },
  format: {
    type: 'string',
    default: '',
    doc: "A pattern of Java's SimpleDateFormat, in UTC: how a text is written, and how one is read.",
  },
  'unix.precision': {
    type: 'string',
    enum: ['nanoseconds', 'microseconds', 'milliseconds', 'seconds'],
    default: 'milliseconds',
    importance: 'low',
    doc: 'What a number counts since 1970, read and written. What is finer than a millisecond is lost.',
  },
  ...replaceNullWithDefault,
})

export const timestampConverterTransforms = defineForKeyAndValue({
  name: 'timestamp-converter',
  className: 'TimestampConverter',
  doc: 'Converts times between texts, numbers and logical types. Null stays null.',
  config,
  check(settings): Record<string, string> {
    if (settings.format === '') {
      return settings['target.type'] === 'string' ? { format: 'a target.type of string needs a format' } : {}
    }
    try {
      new JavaDateFormat(settings.format)
      return {}
    } catch (error) {
      return { format: (error as Error).message }
    }
  },
  create: (settings, part) =>
    settings.field === '' ? new WholeConversion(settings, part) : new FieldConversion(settings, part),
})

type Conversion = (time: unknown) => unknown

/** From what a schema says, or from the value where there is none, to what the settings say. */
class Conversions {
  readonly #target: TimestampForm
  readonly #precision: UnixPrecision
  readonly #format: JavaDateFormat | undefined
  readonly #ofText: Conversion
  readonly #ofNumber: Conversion

  constructor(settings: ConfigOf<typeof config>) {
    this.#target = settings['target.type']
    this.#precision = settings['unix.precision']
    this.#format = settings.format === '' ? undefined : new JavaDateFormat(settings.format)
    this.#ofText = this.#from('string')
    this.#ofNumber = this.#from('unix')
  }

  #from(form: TimestampForm): Conversion {
    return compileTimestampConversion(form, this.#target, this.#precision, this.#format)
  }

  /** @throws DataError where values of the schema are no times */
  ofSchema(schema: Schema): { readonly convert: Conversion; readonly to: Schema } {
    return { convert: this.#from(formOf(schema)), to: targetSchemas[this.#target](nullability(schema.optional, null)) }
  }

  schemaless(value: unknown): unknown {
    if (value === null || value === undefined) return null
    if (typeof value === 'string') return this.#ofText(value)
    if (typeof value === 'bigint' || Number.isInteger(value)) return this.#ofNumber(value)
    throw new DataError(`${purpose}: a time without a schema is a text or a whole number, not a ${typeof value}`)
  }
}

const targetSchemas: Readonly<Record<TimestampForm, (options: { optional?: boolean }) => Schema>> = {
  string: schemas.string,
  unix: schemas.int64,
  Date: schemas.date,
  Time: schemas.time,
  Timestamp: schemas.timestamp,
}

function formOf({ name, type }: Schema): TimestampForm {
  if (name === logicalNames.timestamp) return 'Timestamp'
  if (name === logicalNames.date) return 'Date'
  if (name === logicalNames.time) return 'Time'
  if (type === 'string') return 'string'
  if (type === 'int64') return 'unix'
  throw new DataError(`${purpose}: ${name === undefined ? type : `${type} (${name})`} is no type for a time`)
}

class WholeConversion implements Transform {
  readonly #part: RecordPart
  readonly #conversions: Conversions
  readonly #bySchema

  constructor(settings: ConfigOf<typeof config>, part: RecordPart) {
    this.#part = part
    const conversions = new Conversions(settings)
    this.#conversions = conversions
    this.#bySchema = perSchema((schema) => conversions.ofSchema(schema))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#conversions.schemaless(value))
    const { convert, to } = this.#bySchema(schema)
    return this.#part.replaced(record, to, value === null ? null : convert(value))
  }
}

class FieldConversion implements Transform {
  readonly #part: RecordPart
  readonly #field: string
  readonly #conversions: Conversions
  readonly #bySchema

  constructor(settings: ConfigOf<typeof config>, part: RecordPart) {
    this.#part = part
    this.#field = settings.field
    const conversions = new Conversions(settings)
    this.#conversions = conversions
    const useDefault = settings['replace.null.with.default']
    this.#bySchema = perSchema((schema) => compileField(schema, settings.field, conversions, useDefault))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) {
      return this.#part.replaced(record, undefined, value === null ? null : this.#ofMap(value))
    }
    const struct = value === null ? null : requireStruct(value, schema, purpose)
    const { convert, to } = this.#bySchema(schema)
    return this.#part.replaced(record, to, struct === null ? null : convert(struct))
  }

  #ofMap(value: unknown): NewStruct {
    const made = { ...requireMap(value, purpose) }
    const time = Object.hasOwn(made, this.#field) ? made[this.#field] : null
    setProperty(made, this.#field, this.#conversions.schemaless(time))
    return made
  }
}

function compileField(schema: Schema, name: string, conversions: Conversions, useDefault: boolean) {
  const fields = requireFields(schema, purpose)
  const field = fields.find((each) => each.name === name)
  const copy = compileStructCopy(fields, useDefault, purpose)
  const conversion = field === undefined ? undefined : conversions.ofSchema(field.schema)
  const read = field === undefined ? undefined : fieldReader(field, false)
  const convert = (struct: Struct): NewStruct => {
    const made = copy(struct)
    const time = read?.(made) ?? null
    if (time !== null) setProperty(made, name, conversion!.convert(time))
    return made
  }
  const toFields = fields.map((each) => (each === field ? { name, schema: conversion!.to } : each))
  const fallback = schema.default == null ? undefined : convert(schema.default as Struct)
  const to: Schema = {
    type: 'struct',
    ...namesOf(schema),
    fields: toFields,
    ...nullability(schema.optional, fallback),
  }
  return { convert, to }
}
