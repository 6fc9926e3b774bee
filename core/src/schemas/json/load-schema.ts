/** From the JSON of a schema to its tree. What is checked is what the reference checks: that keywords have values of their kinds. */
import { RE2JS } from 're2js'
import { InvalidSchemaError, type ResolvedReference } from '../schema-format.ts'
import { isJsonObject, JsonNumber, jsonText, type Json, type JsonObject } from './json-text.ts'
import { References, type Place } from './references.ts'
import type { ArraySchema, ObjectSchema, NumberSchema, ReferenceSchema, Schema, StringSchema } from './schema-tree.ts'

type Draft = 4 | 6 | 7 | 2019 | 2020

const drafts: readonly (readonly [RegExp, Draft])[] = [
  [/^https?:\/\/json-schema\.org\/(draft-04\/)?schema#?$/, 4],
  [/^https?:\/\/json-schema\.org\/draft-06\/schema#?$/, 6],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, 2019],
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, 2020],
]

/** @throws InvalidSchemaError */
export function loadSchema(json: Json, references: readonly ResolvedReference[]): Schema {
  if (!isJsonObject(json) && typeof json !== 'boolean') {
    throw new InvalidSchemaError('Invalid JSON Schema: its root is neither an object nor a boolean')
  }
  const named = isJsonObject(json) ? json.get('$schema') : undefined
  const draft = drafts.find(([pattern]) => typeof named === 'string' && pattern.test(named))?.[1] ?? 7
  const loader = new SchemaLoader(new References(json, references, draft === 4 ? 'id' : '$id'), draft)
  return loader.all()
}

const stringKeywords = ['minLength', 'maxLength', 'pattern']
const numberKeywords = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']

/** Keywords that make an object or array schema of one that does not say its type. */
function objectKeywords(draft: Draft): readonly string[] {
  const all = ['properties', 'required', 'minProperties', 'maxProperties', 'patternProperties', 'additionalProperties']
  if (draft >= 2019) return [...all, 'propertyNames', 'dependentRequired', 'dependentSchemas', 'unevaluatedProperties']
  return draft === 4 ? [...all, 'dependencies'] : [...all, 'dependencies', 'propertyNames']
}

function arrayKeywords(draft: Draft): readonly string[] {
  const all = ['items', 'minItems', 'maxItems', 'uniqueItems']
  if (draft >= 2019) return [...all, 'prefixItems', 'contains', 'unevaluatedItems']
  return draft === 4 ? [...all, 'additionalItems'] : [...all, 'additionalItems', 'contains']
}

type Group = 'string' | 'number' | 'object' | 'array'

class SchemaLoader {
  readonly #references: References
  readonly #draft: Draft
  readonly #isModern: boolean
  readonly #groups: Readonly<Record<Group, readonly string[]>>
  /** By the object that a schema was made of: what is referred to many times is loaded once. */
  readonly #loaded = new Map<Json, Schema>()
  readonly #unresolved: { readonly schema: { target?: Schema }; readonly reference: string; readonly from: Place }[] =
    []

  constructor(references: References, draft: Draft) {
    this.#references = references
    this.#draft = draft
    this.#isModern = draft >= 2019
    this.#groups = {
      string: this.#isModern ? stringKeywords : [...stringKeywords, 'format'],
      number: numberKeywords,
      object: objectKeywords(draft),
      array: arrayKeywords(draft),
    }
  }

  all(): Schema {
    const schema = this.#load(this.#references.root)
    for (let one = this.#unresolved.pop(); one !== undefined; one = this.#unresolved.pop()) {
      one.schema.target = this.#load(this.#references.resolve(one.reference, one.from))
    }
    return schema
  }

  #load(place: Place): Schema {
    const { json } = place
    if (json === true) return { kind: 'empty', source: json }
    if (json === false) return { kind: 'false', source: json }
    if (!isJsonObject(json)) throw fault('a schema is an object or a boolean', json)
    const known = this.#loaded.get(json)
    if (known !== undefined) return known
    const schema = combinedOf(this.#parts(json, place), json)
    Object.assign(schema, annotations(json))
    this.#loaded.set(json, schema)
    return schema
  }

  #child(place: Place, json: Json): Schema {
    return this.#load(this.#references.within(place, json))
  }

  /** One part for each kind of schema that the keywords make. */
  #parts(json: JsonObject, place: Place): Schema[] {
    const reference = json.get('$ref')
    const parts: Schema[] = []
    if (reference !== undefined) {
      if (typeof reference !== 'string') throw fault('$ref is no text', json)
      parts.push(this.#reference(reference, json, place))
      if (!this.#isModern) return parts
    }
    const allowed = json.get('enum')
    if (allowed !== undefined)
      parts.push({ kind: 'enum', source: json, values: new Set(arrayOf(allowed, 'enum').map(textOf)) })
    for (const criterion of ['allOf', 'anyOf', 'oneOf'] as const) {
      const schemas = json.get(criterion)
      if (schemas === undefined) continue
      const loaded = arrayOf(schemas, criterion).map((one) => this.#child(place, one))
      parts.push({ kind: 'combined', source: json, criterion, schemas: loaded })
    }
    const not = json.get('not')
    if (not !== undefined) parts.push({ kind: 'not', source: json, schema: this.#child(place, not) })
    const value = json.get('const')
    if (value !== undefined && this.#draft !== 4) parts.push({ kind: 'const', source: json, value: textOf(value) })
    parts.push(...this.#typed(json, place))
    if (this.#draft >= 7 && ['if', 'then', 'else'].some((keyword) => json.has(keyword))) {
      parts.push({ kind: 'conditional', source: json })
    }
    return parts
  }

  #reference(reference: string, json: JsonObject, place: Place): Schema {
    const schema: { kind: 'reference'; source: Json; target?: Schema } = { kind: 'reference', source: json }
    this.#unresolved.push({ schema, reference, from: place })
    // Its target is there when all has been loaded.
    return schema as ReferenceSchema
  }

  /** By `type`, and where that says less, by the keywords that are there. */
  #typed(json: JsonObject, place: Place): Schema[] {
    const type = json.get('type')
    const parts: Schema[] = []
    const said = new Set<Group>()
    const add = (name: Json): Schema => {
      const { schema, group } = this.#ofType(name, json, place)
      if (group !== undefined) said.add(group)
      return schema
    }
    if (Array.isArray(type)) {
      const schemas = (type as readonly Json[]).map(add)
      parts.push({ kind: 'combined', source: json, criterion: 'anyOf', schemas })
    } else if (type !== undefined) {
      parts.push(add(type))
    }
    for (const group of ['array', 'object', 'number', 'string'] as const) {
      if (said.has(group) || !this.#groups[group].some((keyword) => this.#says(json, keyword))) continue
      parts.push(this.#ofGroup(group, json, place))
    }
    return parts
  }

  /** In newer drafts `properties` without any is as if it were not there. */
  #says(json: JsonObject, keyword: string): boolean {
    const value = json.get(keyword)
    if (value === undefined) return false
    return !(this.#isModern && /^p.*roperties$/.test(keyword) && isJsonObject(value) && value.size === 0)
  }

  #ofType(name: Json, json: JsonObject, place: Place): { schema: Schema; group?: Group } {
    switch (name) {
      case 'boolean':
      case 'null':
        return { schema: { kind: name, source: json } }
      case 'integer':
        return { schema: this.#number(json, true), group: 'number' }
      case 'string':
      case 'number':
      case 'object':
      case 'array':
        return { schema: this.#ofGroup(name, json, place), group: name }
      default:
        throw fault(`unknown type ${jsonText(name)}`, json)
    }
  }

  #ofGroup(group: Group, json: JsonObject, place: Place): Schema {
    if (group === 'string') return stringSchema(json)
    if (group === 'number') return this.#number(json, false)
    return group === 'object' ? this.#object(json, place) : this.#array(json, place)
  }

  #number(json: JsonObject, isInteger: boolean): NumberSchema {
    const multipleOf = json.get('multipleOf')
    if (multipleOf !== undefined && !(multipleOf instanceof JsonNumber && multipleOf.value !== 0)) {
      throw fault('multipleOf is no number, or 0', json)
    }
    // In draft 4 these are booleans, and belong to minimum and maximum.
    const exclusive =
      this.#draft === 4 ? {} : { ...numberAt(json, 'exclusiveMinimum'), ...numberAt(json, 'exclusiveMaximum') }
    return {
      kind: 'number',
      source: json,
      isInteger,
      ...numberAt(json, 'minimum'),
      ...numberAt(json, 'maximum'),
      ...exclusive,
      ...(multipleOf === undefined ? {} : { multipleOf: multipleOf.text }),
    }
  }

  #object(json: JsonObject, place: Place): ObjectSchema {
    const unevaluated = this.#isModern ? json.get('unevaluatedProperties') : undefined
    return {
      kind: 'object',
      source: json,
      properties: this.#schemasAt(json, 'properties', place),
      required: new Set(namesAt(json, 'required')),
      additional: this.#additional(json.get('additionalProperties'), place),
      patterns: [...this.#schemasAt(json, 'patternProperties', place)].map(([pattern, schema]) => ({
        pattern: checkedPattern(pattern),
        schema,
      })),
      ...(unevaluated === undefined ? {} : { unevaluated: this.#child(place, unevaluated) }),
      ...this.#dependencies(json, place),
      ...numberAt(json, 'minProperties'),
      ...numberAt(json, 'maxProperties'),
    }
  }

  #dependencies(json: JsonObject, place: Place): Pick<ObjectSchema, 'propertyDependencies' | 'schemaDependencies'> {
    const properties = new Map<string, ReadonlySet<string>>()
    const schemas = new Map<string, Schema>()
    for (const keyword of this.#isModern ? ['dependentRequired', 'dependentSchemas'] : ['dependencies']) {
      for (const [name, value] of objectAt(json, keyword)) {
        if (Array.isArray(value)) properties.set(name, new Set(namesOf(value, keyword)))
        else schemas.set(name, this.#child(place, value))
      }
    }
    return { propertyDependencies: properties, schemaDependencies: schemas }
  }

  #array(json: JsonObject, place: Place): ArraySchema {
    const unevaluated = this.#isModern ? json.get('unevaluatedItems') : undefined
    const hasContains = this.#isModern && json.has('contains')
    return {
      kind: 'array',
      source: json,
      ...(this.#isModern ? this.#modernItems(json, place) : this.#items(json, place)),
      ...(unevaluated === undefined ? {} : { unevaluated: this.#child(place, unevaluated) }),
      uniqueItems: json.get('uniqueItems') === true,
      ...numberAt(json, 'minItems'),
      ...numberAt(json, 'maxItems'),
      ...(hasContains ? { minContains: 1, ...numberAt(json, 'minContains'), ...numberAt(json, 'maxContains') } : {}),
    }
  }

  /** `items` is a schema for all, or schemas for the first ones; `additionalItems` is of the others. */
  #items(json: JsonObject, place: Place): Pick<ArraySchema, 'items' | 'tuple' | 'additional'> {
    const items = json.get('items')
    const additional = this.#additional(json.get('additionalItems'), place)
    if (Array.isArray(items))
      return { tuple: (items as readonly Json[]).map((one) => this.#child(place, one)), additional }
    if (items === undefined) return { tuple: [], additional }
    return { items: this.#child(place, items), tuple: [], additional: additional === false ? undefined : additional }
  }

  /** `prefixItems` are the first ones, `items` the others. */
  #modernItems(json: JsonObject, place: Place): Pick<ArraySchema, 'items' | 'tuple' | 'additional'> {
    const tuple = arrayOf(json.get('prefixItems') ?? [], 'prefixItems').map((one) => this.#child(place, one))
    const items = this.#additional(json.get('items'), place)
    if (items === undefined || items === false || tuple.length > 0) return { tuple, additional: items }
    return { items, tuple, additional: undefined }
  }

  #additional(json: Json | undefined, place: Place): Schema | false | undefined {
    if (json === undefined || json === true) return undefined
    return json === false ? false : this.#child(place, json)
  }

  #schemasAt(json: JsonObject, keyword: string, place: Place): ReadonlyMap<string, Schema> {
    return new Map([...objectAt(json, keyword)].map(([name, value]) => [name, this.#child(place, value)]))
  }
}

function combinedOf(parts: readonly Schema[], json: JsonObject): Schema {
  const [first] = parts
  if (first === undefined) return { kind: 'empty', source: json }
  return parts.length === 1 ? first : { kind: 'combined', source: json, criterion: 'allOf', schemas: parts }
}

function annotations(json: JsonObject): object {
  const connectType = json.get('connect.type')
  const value = json.get('default')
  return {
    ...(value === undefined ? {} : { default: value }),
    ...(typeof connectType === 'string' ? { connectType } : {}),
  }
}

function stringSchema(json: JsonObject): StringSchema {
  const pattern = json.get('pattern')
  if (pattern !== undefined && typeof pattern !== 'string') throw fault('pattern is no text', json)
  return {
    kind: 'string',
    source: json,
    ...numberAt(json, 'minLength'),
    ...numberAt(json, 'maxLength'),
    ...(pattern === undefined ? {} : { pattern: checkedPattern(pattern) }),
  }
}

/** Patterns are compiled only, to find out whether they are any: never run here. */
function checkedPattern(pattern: string): string {
  const compilers = [() => new RegExp(pattern, 'u'), () => new RegExp(pattern), () => RE2JS.compile(pattern)]
  const isValid = compilers.some((compile) => {
    try {
      compile()
      return true
    } catch {
      return false
    }
  })
  // Possessive quantifiers are Java's own.
  if (!isValid && !/[*+?}]\+/.test(pattern)) throw new InvalidSchemaError(`Invalid pattern '${pattern}'`)
  return pattern
}

function numberAt<K extends string>(json: JsonObject, keyword: K): Partial<Record<K, number>> {
  const value = json.get(keyword)
  if (value === undefined) return {}
  if (!(value instanceof JsonNumber)) throw fault(`${keyword} is no number`, json)
  return { [keyword]: value.value } as Record<K, number>
}

function objectAt(json: JsonObject, keyword: string): JsonObject {
  const value = json.get(keyword) ?? new Map<string, Json>()
  if (!isJsonObject(value)) throw fault(`${keyword} is no object`, json)
  return value
}

function arrayOf(value: Json, keyword: string): readonly Json[] {
  if (!Array.isArray(value)) throw fault(`${keyword} is no array`, value)
  return value as readonly Json[]
}

function namesAt(json: JsonObject, keyword: string): readonly string[] {
  return namesOf(json.get(keyword) ?? [], keyword)
}

function namesOf(value: Json, keyword: string): readonly string[] {
  return arrayOf(value, keyword).map((name) => {
    if (typeof name !== 'string') throw fault(`${keyword} has what is no name`, value)
    return name
  })
}

function textOf(json: Json): string {
  return jsonText(json, true)
}

function fault(problem: string, json: Json): InvalidSchemaError {
  const text = jsonText(json)
  return new InvalidSchemaError(
    `Invalid JSON Schema: ${problem}: ${text.length > 100 ? `${text.slice(0, 100)}…` : text}`,
  )
}
