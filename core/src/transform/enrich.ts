import { setTimeout as pause } from 'node:timers/promises'
import {
  ConnectError,
  DataError,
  changed,
  defineConfig,
  defineTransform,
  isRetriable,
  type ConfigOf,
  type ConnectRecord,
  type Converter,
  type Schema,
  type SchemaAndValue,
  type Transform,
  type TransformContext,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { CelExpression } from './cel/cel-expression.ts'
import { checkExpressions, scopeReader } from './cel/record-expressions.ts'
import { namesOf, nullability, structOf } from './derived-schema.ts'
import { keyText } from './key-text.ts'
import { converterSettings, tableConverter, tableConverterProblems } from './table-converters.ts'
import { isPlainObject, perSchema, requireFields, requireMap, type NewStruct } from './struct-values.ts'

const purpose = 'enrich'

const config = defineConfig({
  'table.topic': {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The topic that the table is made of: of each key its newest value counts, and null takes it away.',
  },
  key: {
    type: 'string',
    default: 'key',
    importance: 'high',
    doc: "An expression (CEL) that gives a record's key in the table, such as `value.customer_id`. Numbers and texts are compared as texts.",
  },
  join: {
    type: 'string',
    enum: ['left', 'inner'],
    default: 'left',
    importance: 'high',
    doc: 'Records without a match pass without it (`left`), or are dropped (`inner`).',
  },
  field: {
    type: 'string',
    importance: 'high',
    doc: "The field for what is found. Left out: its fields are put among the record's, which keep what they have.",
  },
  prefix: { type: 'string', default: '', doc: 'Before the names of fields that are put among the others.' },
  'table.key.converter': {
    type: 'class',
    default: 'string',
    doc: "Reads the table's keys: any built-in converter. Its settings stand below `table.key.converter.`, and have the defaults that they have below `key.converter.`.",
  },
  'table.value.converter': {
    type: 'class',
    default: 'json',
    doc: "Reads the table's values: any built-in converter. Its settings stand below `table.value.converter.`, and have the defaults that they have below `value.converter.`, so `table.value.converter.schemas.enable` is true.",
  },
  'max.bytes': {
    type: 'long',
    default: 134_217_728,
    minimum: 1024,
    doc: 'Most memory for the table of a task, in bytes; it counts against `worker.max.buffered.bytes`. A larger table fails the task.',
  },
})

type Config = ConfigOf<typeof config>

const keyConverter = 'table.key.converter'
const valueConverter = 'table.value.converter'

export const enrich = defineTransform({
  name: 'enrich',
  doc: 'Joins each record with the newest value for a key in a compacted topic, which each task keeps as a table.',
  // Not in its type: converters read these by name.
  config: { ...config, ...converterSettings(keyConverter), ...converterSettings(valueConverter) },
  check: (settings): Record<string, string> => ({
    ...checkExpressions({ key: settings.key }, (text) => new CelExpression(text)),
    ...tableConverterProblems(keyConverter, settings, 'key'),
    ...tableConverterProblems(valueConverter, settings, 'value'),
  }),
  async create(settings, context) {
    const table = new Table(settings, context)
    await context.followTopic(settings['table.topic'], (record) => table.put(record.key, record.value))
    table.tellHeld()
    return new Enrich(settings, table)
  },
})

/** What an entry takes besides its bytes. */
const entryBytes = 150
/** How far what is held may be from what was told. */
const toldEveryBytes = 64 * 1024
/** Between two attempts to read a key whose schema cannot be had just now. */
const firstPauseMs = 300
const maxPauseMs = 10_000

/** Keys and the newest value of each, as bytes: what is read of them is made when it is wanted. */
class Table {
  readonly #settings: Config
  readonly #context: TransformContext
  readonly #keys: Converter
  readonly #values: Converter
  readonly #rows = new Map<string, Uint8Array>()
  #bytes = 0
  #told = 0

  constructor(settings: Config, context: TransformContext) {
    this.#settings = settings
    this.#context = context
    this.#keys = tableConverter(keyConverter, settings, 'key', context)
    this.#values = tableConverter(valueConverter, settings, 'value', context)
  }

  /**
   * A promise where the key's schema has to be fetched first; the registry is waited for as long as it is away.
   * @throws ConnectError where the table grows too large; DataError for a key that cannot be read
   */
  put(key: Uint8Array | null, value: Uint8Array | null): undefined | Promise<void> {
    // A record without a key is no row.
    if (key === null) return undefined
    try {
      const read = this.#keys.toConnect(this.#settings['table.topic'], key)
      if (read instanceof Promise) return this.#putWaiting(key, value, read)
      this.#put(keyText(read.value), value)
      return undefined
    } catch (error) {
      if (!isRetriable(error)) throw error
      return this.#putWaiting(key, value)
    }
  }

  async #putWaiting(key: Uint8Array, value: Uint8Array | null, first?: Promise<SchemaAndValue>): Promise<void> {
    const { signal, log } = this.#context
    const topic = this.#settings['table.topic']
    let answer = first
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, maxPauseMs)) {
      try {
        const read = await (answer ?? this.#keys.toConnect(topic, key))
        this.#put(keyText(read.value), value)
        return
      } catch (error) {
        if (signal.aborted) return
        if (!isRetriable(error)) throw error
        if (pauseMs === firstPauseMs)
          log.warn('cannot read a key of the table; trying again', { topic, error: (error as Error).message })
        answer = undefined
        // The end of the task ends it.
        await pause(pauseMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  #put(key: string, value: Uint8Array | null): void {
    const before = this.#rows.get(key)
    if (before !== undefined) this.#bytes -= sizeOf(key, before)
    if (value === null) this.#rows.delete(key)
    else {
      this.#rows.set(key, value)
      this.#bytes += sizeOf(key, value)
    }
    if (this.#bytes > this.#settings['max.bytes']) {
      throw new ConnectError(
        `the table of topic ${this.#settings['table.topic']} takes more than max.bytes (${this.#settings['max.bytes']}): raise it, or use a smaller table`,
      )
    }
    if (Math.abs(this.#bytes - this.#told) > toldEveryBytes) this.tellHeld()
  }

  tellHeld(): void {
    this.#told = this.#bytes
    this.#context.holds(this.#bytes)
  }

  /** Undefined where there is none. */
  find(key: string): SchemaAndValue | Promise<SchemaAndValue> | undefined {
    const row = this.#rows.get(key)
    return row === undefined ? undefined : this.#values.toConnect(this.#settings['table.topic'], row)
  }

  /** Any row, for its schema. */
  any(): SchemaAndValue | Promise<SchemaAndValue> | undefined {
    for (const key of this.#rows.keys()) return this.find(key)
    return undefined
  }
}

function sizeOf(key: string, value: Uint8Array): number {
  return 2 * key.length + value.length + entryBytes
}

class Enrich implements Transform {
  readonly #settings: Config
  readonly #table: Table
  readonly #key: CelExpression
  readonly #scopeOf
  readonly #joined
  /** Of the table's values, for records that have no match. */
  #rowSchema: Schema | undefined

  constructor(settings: Config, table: Table) {
    this.#settings = settings
    this.#table = table
    this.#key = new CelExpression(settings.key)
    this.#scopeOf = scopeReader([this.#key])
    this.#joined = perSchema((schema) => perSchema((row) => this.#join(schema, row)))
  }

  apply<R extends ConnectRecord>(record: R): R | null | Promise<R | null> {
    if (record.value === null || record.value === undefined) return record
    const key = this.#key.evaluate(this.#scopeOf(record))
    const found = key === null ? undefined : this.#table.find(keyText(key))
    if (found instanceof Promise) return found.then((row) => this.#with(record, row))
    if (found !== undefined) return this.#with(record, found)
    if (this.#settings.join === 'inner') return null
    if (record.valueSchema === undefined) return this.#schemaless(record, undefined)
    if (this.#rowSchema !== undefined) return this.#withSchema(record, record.valueSchema, this.#rowSchema, null)
    const any = this.#table.any()
    if (any instanceof Promise) return any.then((row) => this.#without(record, row))
    return this.#without(record, any)
  }

  #without<R extends ConnectRecord>(record: R, any: SchemaAndValue | undefined): R {
    this.#rowSchema = any?.schema
    // Nothing is known of a table that is empty: the record passes as it is.
    return any?.schema === undefined ? record : this.#withSchema(record, record.valueSchema!, any.schema, null)
  }

  #with<R extends ConnectRecord>(record: R, { schema, value }: SchemaAndValue): R {
    if (record.valueSchema === undefined) return this.#schemaless(record, value)
    if (schema === undefined) {
      throw new DataError(
        `${purpose}: the record has a schema, and the table's value has none (table.value.converter.schemas.enable)`,
      )
    }
    this.#rowSchema = schema
    return this.#withSchema(record, record.valueSchema, schema, value)
  }

  #schemaless<R extends ConnectRecord>(record: R, row: unknown): R {
    const { field, prefix } = this.#settings
    const made: NewStruct = { ...requireMap(record.value, purpose) }
    if (field !== undefined) setProperty(made, field, row ?? null)
    else if (row !== undefined && row !== null) {
      for (const [name, value] of Object.entries(requireMap(row, `${purpose} without a field`))) {
        if (!Object.hasOwn(made, prefix + name)) setProperty(made, prefix + name, value)
      }
    }
    return changed(record, { value: made })
  }

  #withSchema<R extends ConnectRecord>(record: R, schema: Schema, row: Schema, value: unknown): R {
    if (!isPlainObject(record.value)) throw new DataError(`${purpose} needs a struct`)
    const { to, added } = this.#joined(schema)(row)
    const made: NewStruct = { ...record.value }
    const { field } = this.#settings
    if (field !== undefined) setProperty(made, field, value)
    else {
      const struct = isPlainObject(value) ? value : undefined
      for (const [name, as] of added) setProperty(made, as, struct?.[name] ?? null)
    }
    return changed(record, { value: made, valueSchema: to })
  }

  /** What is found is optional, also where there is a match, so that all records have one schema. */
  #join(schema: Schema, row: Schema) {
    const fields = requireFields(schema, purpose)
    const { field, prefix } = this.#settings
    const known = new Set(fields.map(({ name }) => name))
    const names: [string, string][] = []
    const more =
      field !== undefined
        ? [{ name: field, schema: { ...row, optional: true } }]
        : requireFields(row, `${purpose} without a field`).flatMap(({ name, schema: of }) => {
            if (known.has(prefix + name)) return []
            names.push([name, prefix + name])
            return [{ name: prefix + name, schema: { ...of, optional: true } }]
          })
    const kept = field === undefined ? fields : fields.filter(({ name }) => name !== field)
    const to: Schema = {
      ...structOf([...kept, ...more], purpose),
      ...namesOf(schema),
      ...nullability(schema.optional, undefined),
    }
    return { to, added: names }
  }
}
