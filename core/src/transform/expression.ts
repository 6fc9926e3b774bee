import {
  DataError,
  changed,
  defineConfig,
  defineTransform,
  type ConfigOf,
  type ConnectRecord,
  type Field,
  type Header,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { parseSchema } from '@tidewire/sdk/json'
import { setProperty } from '@tidewire/sdk/values'
import { parseExact } from '@tidewire/sdk/exact-json'
import { CelExpression, type Scope } from './cel/cel-expression.ts'
import { schemaOf } from './cel/cel-schema.ts'
import { compileFit } from './cel/fitting.ts'
import { checkExpressions, perRecordSchemas, scopeReader, typesOf } from './cel/record-expressions.ts'
import { namesOf, nullability, structOf } from './derived-schema.ts'
import { requireFields, requireMap, type NewStruct } from './struct-values.ts'

const purpose = 'expression'
const given = "Kafka Connect's JSON form of a schema, for records with schemas: where the expression does not tell it."

const config = defineConfig({
  filter: { type: 'string', importance: 'high', doc: 'Records for which this is false are dropped.' },
  fields: {
    type: 'string',
    importance: 'high',
    doc: 'Fields to add or replace, as `{"name": expression, …}`. A null value stays null.',
  },
  value: { type: 'string', importance: 'high', doc: 'What the value becomes as a whole. A null value stays null.' },
  'value.schema': { type: 'string', importance: 'low', doc: given },
  key: { type: 'string', doc: 'What the key becomes.' },
  'key.schema': { type: 'string', importance: 'low', doc: given },
  topic: { type: 'string', doc: 'The topic that the record goes to; null: as it is.' },
  headers: { type: 'string', doc: 'Headers to set, as `{"name": expression, …}`; null takes one away.' },
})

type Config = ConfigOf<typeof config>

export const expression = defineTransform({
  name: 'expression',
  doc:
    'Filters, computes and reshapes by expressions in CEL, of `value`, `key`, `headers`, `topic`, `partition`, `offset` ' +
    'and `timestamp` of the record as it comes.',
  config,
  check(settings): Record<string, string> {
    const { filter, value, key, topic, fields, headers } = settings
    const problems = {
      ...checkExpressions({ filter, value, key, topic }, (text) => new CelExpression(text)),
      ...checkExpressions({ fields, headers }, entriesOf),
      ...checkSchemas(settings),
    }
    if ([filter, value, key, topic, fields, headers].every((text) => text === undefined)) {
      problems['filter'] = 'nothing to do: one of filter, fields, value, key, topic and headers is needed'
    }
    if (fields !== undefined && value !== undefined) problems['fields'] = 'fields and value exclude each other'
    return problems
  },
  create: (settings) => new ExpressionTransform(settings),
})

function checkSchemas(settings: Config): Record<string, string> {
  const problems: Record<string, string> = {}
  for (const setting of ['value.schema', 'key.schema'] as const) {
    try {
      givenSchema(settings[setting])
    } catch (error) {
      problems[setting] = (error as Error).message
    }
  }
  return problems
}

const jsonOptions = { decimalFormat: 'BASE64', replaceNullWithDefault: true } as const

/** @throws SyntaxError, DataError */
function givenSchema(text: string | undefined): Schema | undefined {
  return text === undefined ? undefined : parseSchema(parseExact(text, 'integers'), jsonOptions)
}

/** An expression whose names are written out. @throws RangeError */
function entriesOf(text: string): CelExpression {
  const compiled = new CelExpression(text)
  const { ast } = compiled
  const areNames = ast.op === 'map' && ast.args.every(([name]) => name.op === 'value' && typeof name.args === 'string')
  if (!areNames) throw new RangeError(`expression ${text}: is to be written as {"name": expression, …}`)
  return compiled
}

/** How a result becomes a part of a record with schemas. */
interface Made {
  readonly schema: Schema
  readonly fit: (value: unknown) => unknown
}

interface Plan {
  readonly value: Made | undefined
  readonly key: Made | undefined
  /** The schema of the value with its new fields; what brings those into their types. */
  readonly fields: Made | undefined
  /** By name. */
  readonly headers: ReadonlyMap<string, Schema | undefined>
}

class ExpressionTransform implements Transform {
  readonly #filter: CelExpression | undefined
  readonly #fields: CelExpression | undefined
  readonly #value: CelExpression | undefined
  readonly #key: CelExpression | undefined
  readonly #topic: CelExpression | undefined
  readonly #headers: CelExpression | undefined
  readonly #valueSchema: Schema | undefined
  readonly #keySchema: Schema | undefined
  readonly #scopeOf: (record: ConnectRecord) => Scope
  readonly #planOf: (record: ConnectRecord) => Plan

  constructor(settings: Config) {
    const of = (text: string | undefined): CelExpression | undefined =>
      text === undefined ? undefined : new CelExpression(text)
    this.#filter = of(settings.filter)
    this.#fields = of(settings.fields)
    this.#value = of(settings.value)
    this.#key = of(settings.key)
    this.#topic = of(settings.topic)
    this.#headers = of(settings.headers)
    this.#valueSchema = givenSchema(settings['value.schema'])
    this.#keySchema = givenSchema(settings['key.schema'])
    const all = [this.#filter, this.#fields, this.#value, this.#key, this.#topic, this.#headers]
    this.#scopeOf = scopeReader(all.filter((each) => each !== undefined))
    this.#planOf = perRecordSchemas((valueSchema, keySchema) => this.#plan(valueSchema, keySchema))
  }

  apply<R extends ConnectRecord>(record: R): R | null {
    const scope = this.#scopeOf(record)
    if (this.#filter?.isTrue(scope) === false) return null
    const plan = this.#planOf(record)
    return changed(record, {
      ...this.#newValue(record, scope, plan),
      ...this.#newKey(scope, plan),
      ...this.#newTopic(scope),
      ...this.#newHeaders(record, scope, plan),
    })
  }

  #plan(valueSchema: Schema | undefined, keySchema: Schema | undefined): Plan {
    const types = typesOf(valueSchema, keySchema)
    const has = valueSchema !== undefined || keySchema !== undefined
    const made = (from: CelExpression | undefined, own: Schema | undefined, name: string): Made | undefined => {
      if (from === undefined || (own === undefined && !has)) return undefined
      const schema = own ?? schemaOf(from.ast, types)
      return { schema, fit: compileFit(schema, name) }
    }
    const added = this.#fields && valueSchema && schemaOf(this.#fields.ast, types)
    const headers = this.#headers?.ast
    return {
      value: this.#value && made(this.#value, this.#valueSchema, 'value'),
      key: made(this.#key, this.#keySchema, 'key'),
      fields: added && { schema: withFields(valueSchema, added), fit: compileFit(added, '') },
      headers: new Map(
        headers?.op !== 'map' || !has
          ? []
          : headers.args.map(([name, value]) => [name.args as string, headerSchema(value, types)]),
      ),
    }
  }

  #newValue(record: ConnectRecord, scope: Scope, plan: Plan): Partial<ConnectRecord> {
    if (record.value === null || record.value === undefined) return {}
    if (this.#value !== undefined) return part('value', this.#value.evaluate(scope), plan.value)
    if (this.#fields === undefined) return {}
    const made = { ...requireMap(record.value, purpose) }
    const computed = this.#fields.evaluate(scope)
    const fitting = (plan.fields === undefined ? computed : plan.fields.fit(computed)) as NewStruct
    for (const [name, value] of Object.entries(fitting)) setProperty(made, name, value)
    return { value: made, valueSchema: plan.fields?.schema }
  }

  #newKey(scope: Scope, plan: Plan): Partial<ConnectRecord> {
    return this.#key === undefined ? {} : part('key', this.#key.evaluate(scope), plan.key)
  }

  #newTopic(scope: Scope): Partial<ConnectRecord> {
    const topic = this.#topic?.evaluate(scope)
    if (topic === undefined || topic === null) return {}
    if (typeof topic !== 'string' || topic === '') throw new DataError(`${purpose}: the topic is no text`)
    return { topic }
  }

  #newHeaders(record: ConnectRecord, scope: Scope, plan: Plan): Partial<ConnectRecord> {
    if (this.#headers === undefined) return {}
    const set = this.#headers.evaluate(scope) as Readonly<Record<string, unknown>>
    const headers: Header[] = (record.headers ?? []).filter(({ key }) => !Object.hasOwn(set, key))
    for (const [key, value] of Object.entries(set)) {
      if (value !== null) headers.push({ key, value, schema: plan.headers.get(key) })
    }
    return { headers }
  }
}

function part(name: 'key' | 'value', result: unknown, made: Made | undefined): Partial<ConnectRecord> {
  const value = made === undefined ? result : made.fit(result)
  return name === 'key' ? { key: value, keySchema: made?.schema } : { value, valueSchema: made?.schema }
}

/** A header's converter finds a type of its own where there is no schema. */
function headerSchema(
  value: Parameters<typeof schemaOf>[0],
  types: Parameters<typeof schemaOf>[1],
): Schema | undefined {
  try {
    return schemaOf(value, types)
  } catch {
    return undefined
  }
}

/** What is replaced stays in its place, what is new comes last. @throws DataError where it is no struct */
function withFields(schema: Schema, added: Schema): Schema {
  const fresh = new Map(added.fields!.map((field) => [field.name, field]))
  const fields: Field[] = requireFields(schema, purpose).map((field) => fresh.get(field.name) ?? field)
  const known = new Set(fields.map(({ name }) => name))
  const all = [...fields, ...added.fields!.filter(({ name }) => !known.has(name))]
  return { ...structOf(all, purpose), ...namesOf(schema), ...nullability(schema.optional, undefined) }
}
