/**
 * Whether what is valid by one JSON Schema is valid by a newer one, structure by structure, as the Confluent registry
 * compares them. Only incompatible differences are kept: there can be exponentially many others.
 */
import { RE2JS } from 're2js'
import { ComparisonBudget, TooMuchToCompareError } from '../comparison-budget.ts'
import { isCompatible, type Difference, type DifferenceType } from './differences.ts'
import { below, isWithin, type Comparison } from './comparison.ts'
import { compareArrays } from './compare-arrays.ts'
import { compareNumbers, compareSizes } from './compare-numbers.ts'
import { compareObjects } from './compare-objects.ts'
import { jsonText } from './json-text.ts'
import { largestMatching } from './largest-matching.ts'
import type { CombinedSchema, EnumSchema, NotSchema, ObjectSchema, Schema, StringSchema } from './schema-tree.ts'

/** How deep pairs may be inside of pairs: references make schemas deeper than their texts. */
const maxDepth = 500

/** Of one pair of schemas; who has so many wants to know no more. */
const maxDifferences = 200

/**
 * @param isLenient by the policy LENIENT
 * @throws TooMuchToCompareError
 */
export function compareSchemas(original: Schema, update: Schema, isLenient: boolean): readonly Difference[] {
  // A pair that is met again inside of itself counts as compatible. What was decided by that is only right if the pair is:
  // so all is compared again, now with the pairs that turned out not to be, until no more do.
  const budget = new ComparisonBudget()
  let incompatible: PairMap = new Map()
  for (;;) {
    const comparison = new SchemaComparison(isLenient, incompatible, budget)
    const found = comparison.compare(original, update)
    const now = comparison.incompatiblePairs()
    if (!comparison.hasAssumed || sizeOf(now) === sizeOf(incompatible)) return found
    incompatible = now
  }
}

type PairMap = Map<Schema, Map<Schema, readonly Difference[]>>

class SchemaComparison implements Comparison {
  readonly #isLenient: boolean
  readonly #known: PairMap = new Map()
  readonly #running: PairMap = new Map()
  readonly #incompatible: PairMap
  readonly #budget: ComparisonBudget
  readonly #patterns = new Map<string, RE2JS | null>()
  #depth = 0
  hasAssumed = false

  constructor(isLenient: boolean, incompatible: PairMap, budget: ComparisonBudget) {
    this.#isLenient = isLenient
    this.#incompatible = incompatible
    this.#budget = budget
  }

  incompatiblePairs(): PairMap {
    const pairs: PairMap = new Map()
    for (const [original, updates] of this.#known) {
      for (const [update, found] of updates) if (found.length > 0) put(pairs, original, update, found)
    }
    return pairs
  }

  difference(type: DifferenceType, path = ''): readonly Difference[] {
    return isCompatible(type, this.#isLenient) ? [] : [{ type, path }]
  }

  compare(original: Schema | undefined, update: Schema | undefined, path = ''): readonly Difference[] {
    if (original === undefined) return update === undefined ? [] : this.difference('SCHEMA_ADDED', path)
    if (update === undefined) return this.difference('SCHEMA_REMOVED', path)
    const found = this.#comparePair(this.#referred(original), this.#referred(update))
    this.#budget.spend(found.length)
    return below(path, found)
  }

  pattern(text: string): RE2JS | undefined {
    let compiled = this.#patterns.get(text)
    if (compiled === undefined) {
      this.#budget.spend(text.length)
      compiled = compilePattern(text)
      this.#budget.spend(compiled?.programSize())
      this.#patterns.set(text, compiled ?? null)
    }
    return compiled ?? undefined
  }

  spend(things: number): void {
    this.#budget.spend(things)
  }

  #comparePair(original: Schema, update: Schema): readonly Difference[] {
    const known = get(this.#known, original, update)
    if (known !== undefined) return known
    if (get(this.#running, original, update) !== undefined) {
      const before = get(this.#incompatible, original, update)
      this.hasAssumed ||= before === undefined
      return before ?? []
    }
    if (this.#depth > maxDepth) throw new TooMuchToCompareError()
    this.#budget.spend(partsOf(original) + partsOf(update))
    this.#depth++
    put(this.#running, original, update, [])
    const found = this.#compareKinds(original, update).slice(0, maxDifferences)
    this.#running.get(original)?.delete(update)
    this.#depth--
    put(this.#known, original, update, found)
    return found
  }

  #compareKinds(original: Schema, update: Schema): readonly Difference[] {
    if (original.kind !== 'combined' && update.kind === 'combined' && this.#isReadByOne(original, update)) return []
    if (original.kind === 'combined' && update.kind !== 'combined' && this.#isOneReadBy(original, update)) return []
    if (original.kind !== update.kind) {
      if (original.kind === 'false' || update.kind === 'empty') return []
      // The converter writes decimals as strings or numbers, of old and of now.
      if (original.connectType === 'bytes' && update.connectType === 'bytes') return []
      return this.difference('TYPE_CHANGED')
    }
    if (original.kind === 'string') return this.#strings(original, update as StringSchema)
    if (original.kind === 'enum') return this.#enums(original, update as EnumSchema)
    if (original.kind === 'not') return this.#nots(original, update as NotSchema)
    if (original.kind === 'combined') return this.#combined(original, update as CombinedSchema)
    if (original.kind === 'number' && update.kind === 'number') return compareNumbers(this, original, update)
    if (original.kind === 'object' && update.kind === 'object') return compareObjects(this, original, update)
    if (original.kind === 'array' && update.kind === 'array') return compareArrays(this, original, update)
    if (original.kind === 'const' && update.kind === 'const' && original.value !== update.value) {
      return this.difference('ENUM_ARRAY_CHANGED', 'const')
    }
    return []
  }

  /** What a reference leads to, by however many; one that leads to itself accepts nothing and everything. */
  #referred(schema: Schema): Schema {
    if (schema.kind !== 'reference') return schema
    const seen = new Set<Schema>()
    let target: Schema = schema
    while (target.kind === 'reference' && !seen.has(target)) {
      seen.add(target)
      target = target.target
    }
    this.#budget.spend(seen.size)
    return target
  }

  #isReadByOne(original: Schema, update: CombinedSchema): boolean {
    if (update.criterion === 'allOf' && update.schemas.length !== 1) return false
    return update.schemas.some((one) => this.compare(original, one).length === 0)
  }

  #isOneReadBy(original: CombinedSchema, update: Schema): boolean {
    if (original.criterion !== 'allOf' && original.schemas.length !== 1) return false
    return original.schemas.some((one) => this.compare(one, update).length === 0)
  }

  #strings(original: StringSchema, update: StringSchema): readonly Difference[] {
    const { pattern } = original
    const patterns =
      pattern === update.pattern
        ? []
        : pattern === undefined
          ? this.difference('PATTERN_ADDED', 'pattern')
          : this.difference(update.pattern === undefined ? 'PATTERN_REMOVED' : 'PATTERN_CHANGED', 'pattern')
    return [
      ...compareSizes(this, 'maxLength', 'MAX_LENGTH', original.maxLength, update.maxLength),
      ...compareSizes(this, 'minLength', 'MIN_LENGTH', original.minLength, update.minLength),
      ...patterns,
    ]
  }

  #enums(original: EnumSchema, update: EnumSchema): readonly Difference[] {
    if (isWithin(original.values, update.values)) return []
    return this.difference(
      isWithin(update.values, original.values) ? 'ENUM_ARRAY_NARROWED' : 'ENUM_ARRAY_CHANGED',
      'enum',
    )
  }

  /** What is not allowed must have become less: the other way round. */
  #nots(original: NotSchema, update: NotSchema): readonly Difference[] {
    const isNarrowed = this.compare(update.schema, original.schema).length === 0
    return this.difference(isNarrowed ? 'NOT_TYPE_NARROWED' : 'NOT_TYPE_EXTENDED', 'not')
  }

  #combined(original: CombinedSchema, update: CombinedSchema): readonly Difference[] {
    if (!areComparable(original, update)) return this.difference('COMBINED_TYPE_CHANGED')
    const before = distinct(original.schemas)
    const after = distinct(update.schemas)
    const found: Difference[] = []
    if (before.length < after.length) {
      found.push(...this.difference(update.criterion === 'allOf' ? 'PRODUCT_TYPE_EXTENDED' : 'SUM_TYPE_EXTENDED'))
    } else if (before.length > after.length) {
      found.push(...this.difference(original.criterion === 'allOf' ? 'PRODUCT_TYPE_NARROWED' : 'SUM_TYPE_NARROWED'))
    }
    const compatible = before.map((one) => [...after.keys()].filter((at) => this.compare(one, after[at]).length === 0))
    if (largestMatching(compatible, after.length) < Math.min(before.length, after.length)) {
      found.push(...this.difference('COMBINED_TYPE_SUBSCHEMAS_CHANGED'))
    }
    return found
  }
}

function areComparable(original: CombinedSchema, update: CombinedSchema): boolean {
  if (original.criterion === update.criterion || update.criterion === 'anyOf') return true
  const wasSingle = original.schemas.length === 1
  const isSingle = update.schemas.length === 1
  return (wasSingle && (isSingle || update.criterion === 'oneOf')) || (isSingle && original.criterion === 'allOf')
}

/** Of schemas that are written alike only the first. */
function distinct(schemas: readonly Schema[]): readonly Schema[] {
  return [
    ...new Map(schemas.map((schema) => [keyOf(schema), schema]).toReversed() as [string, Schema][]).values(),
  ].toReversed()
}

const keys = new WeakMap<Schema, string>()

function keyOf(schema: Schema): string {
  let key = keys.get(schema)
  if (key === undefined) {
    const detail = schema.kind === 'number' ? schema.isInteger : schema.kind === 'combined' ? schema.criterion : ''
    keys.set(schema, (key = `${schema.kind} ${detail} ${jsonText(schema.source, true)}`))
  }
  return key
}

function compilePattern(text: string): RE2JS | undefined {
  try {
    return RE2JS.compile(text)
  } catch {
    return undefined
  }
}

/** How many parts of it may be looked at one by one, other than by comparing them. */
function partsOf(schema: Schema): number {
  if (schema.kind === 'object') {
    return schema.properties.size + schema.patterns.length + schema.required.size + dependenciesOf(schema)
  }
  if (schema.kind === 'enum') return schema.values.size
  if (schema.kind === 'combined') return schema.schemas.length
  return schema.kind === 'array' ? schema.tuple.length : 0
}

function dependenciesOf({ propertyDependencies, schemaDependencies }: ObjectSchema): number {
  let count = schemaDependencies.size
  for (const names of propertyDependencies.values()) count += 1 + names.size
  return count
}

function get(map: PairMap, original: Schema, update: Schema): readonly Difference[] | undefined {
  return map.get(original)?.get(update)
}

function put(map: PairMap, original: Schema, update: Schema, found: readonly Difference[]): void {
  const updates = map.get(original)
  if (updates === undefined) map.set(original, new Map([[update, found]]))
  else updates.set(update, found)
}

function sizeOf(map: PairMap): number {
  let size = 0
  for (const updates of map.values()) size += updates.size
  return size
}
