/** The forms in which the registry keeps an Avro schema, as trees. */
import { ExactFraction } from '@tidewire/sdk/exact-json'
import { doubleText, floatText } from '@tidewire/sdk/values'
import type { AvroField, AvroLogicalType, AvroNamed, AvroRecord, AvroSchema } from '@tidewire/sdk/avro'

/** As the text says it; only numbers with fractions are written as the reference writes them, as doubles of Java. */
export function canonicalAvro(schema: AvroSchema): AvroSchema {
  return new Rewriter(asDoubles, (props) => mapValues(props, asDoubles)).schema(schema)
}

/**
 * What means the same becomes the same: properties stand in the order of their names with those of a logical type first,
 * aliases too, defaults are written as values of their types, empty docs of types are left out.
 */
export function normalizedAvro(schema: AvroSchema): AvroSchema {
  return new Rewriter(sortedDeep, sortedProps, true).schema(schema)
}

type Props = ReadonlyMap<string, unknown>

class Rewriter {
  readonly #value: (json: unknown) => unknown
  readonly #props: (props: Props, logicalType: AvroLogicalType | undefined) => Props
  readonly #isNormal: boolean
  readonly #records = new Map<AvroRecord, AvroRecord>()

  constructor(
    value: (json: unknown) => unknown,
    props: (props: Props, logicalType: AvroLogicalType | undefined) => Props,
    isNormal = false,
  ) {
    this.#value = value
    this.#props = props
    this.#isNormal = isNormal
  }

  schema(schema: AvroSchema): AvroSchema {
    if (schema.type === 'union') return { ...schema, branches: schema.branches.map((branch) => this.schema(branch)) }
    const props = this.#props(schema.props, schema.logicalType)
    if (schema.type === 'array') return { ...schema, props, items: this.schema(schema.items) }
    if (schema.type === 'map') return { ...schema, props, values: this.schema(schema.values) }
    if (schema.type === 'record') return this.#record(schema, props)
    if (schema.type === 'enum' || schema.type === 'fixed') return { ...this.#named(schema), props }
    return { ...schema, props }
  }

  /** A record may lead back to itself. */
  #record(schema: AvroRecord, props: Props): AvroRecord {
    const known = this.#records.get(schema)
    if (known !== undefined) return known
    const fields: AvroField[] = []
    // A normalised error is a record.
    const record = { ...this.#named(schema), props, fields, isError: schema.isError && !this.#isNormal }
    this.#records.set(schema, record)
    for (const field of schema.fields) fields.push(this.#field(field))
    return record
  }

  #named<T extends AvroNamed>(schema: T): T {
    if (!this.#isNormal) return schema
    const named: { -readonly [K in keyof T]: T[K] } = { ...schema, aliases: schema.aliases.toSorted() }
    if (named.doc === '') delete named.doc
    return named
  }

  #field(field: AvroField): AvroField {
    const written = field.default
    const value =
      written === undefined ? undefined : this.#isNormal ? defaultOf(field.schema, written) : this.#value(written)
    return {
      ...field,
      schema: this.schema(field.schema),
      aliases: this.#isNormal ? field.aliases.toSorted() : field.aliases,
      ...(value === undefined ? {} : { default: value }),
      props: this.#props(field.props, undefined),
    }
  }
}

function asDoubles(json: unknown): unknown {
  if (json instanceof ExactFraction) return new ExactFraction(doubleText(Number(json.text)))
  if (Array.isArray(json)) return json.map(asDoubles)
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, asDoubles(value)]))
}

function sortedDeep(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sortedDeep)
  if (typeof json !== 'object' || json === null || json instanceof ExactFraction) return asDoubles(json)
  return Object.fromEntries(
    Object.entries(json)
      .toSorted(byKey)
      .map(([key, value]) => [key, sortedDeep(value)]),
  )
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : Number(a > b)
}

function mapValues(props: Props, change: (json: unknown) => unknown): Props {
  return new Map([...props].map(([name, value]) => [name, change(value)]))
}

function sortedProps(props: Props, logicalType: AvroLogicalType | undefined): Props {
  const first: [string, unknown][] = []
  if (logicalType !== undefined) first.push(['logicalType', logicalType.name])
  if (logicalType?.name === 'decimal') {
    first.push(['precision', logicalType.precision])
    if (logicalType.scale !== 0) first.push(['scale', logicalType.scale])
  }
  return new Map([...first, ...[...mapValues(props, sortedDeep)].toSorted(byKey)])
}

/** A default as a value of its type: 1 for a double is 1.0. */
function defaultOf(schema: AvroSchema, json: unknown): unknown {
  if (schema.type === 'union') return schema.branches[0] === undefined ? json : defaultOf(schema.branches[0], json)
  if (typeof json === 'number' || typeof json === 'bigint' || json instanceof ExactFraction) {
    const value = Number(json instanceof ExactFraction ? json.text : json)
    if (schema.type === 'double') return new ExactFraction(doubleText(value))
    if (schema.type === 'float') return new ExactFraction(doubleText(Number(floatText(value))))
    return asDoubles(json)
  }
  if (Array.isArray(json) && schema.type === 'array') return json.map((item) => defaultOf(schema.items, item))
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return sortedDeep(json)
  const typeOf = (key: string): AvroSchema | undefined =>
    schema.type === 'map'
      ? schema.values
      : schema.type === 'record'
        ? schema.fields.find(({ name }) => name === key)?.schema
        : undefined
  const entries = Object.entries(json).toSorted(byKey)
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const type = typeOf(key)
      return [key, type === undefined ? sortedDeep(value) : defaultOf(type, value)]
    }),
  )
}
