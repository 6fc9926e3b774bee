import { below, isWithin, type Comparison } from './comparison.ts'
import { compareSizes } from './compare-numbers.ts'
import { compareUnevaluated } from './compare-unevaluated.ts'
import type { Difference } from './differences.ts'
import type { ObjectSchema, Schema } from './schema-tree.ts'

export function compareObjects(
  comparison: Comparison,
  original: ObjectSchema,
  update: ObjectSchema,
): readonly Difference[] {
  return [
    ...below('required', compareRequired(comparison, original, update)),
    ...below('properties', compareProperties(comparison, original, update)),
    ...below('dependencies', compareDependencies(comparison, original, update)),
    ...below('additionalProperties', compareAdditional(comparison, original, update)),
    ...below(
      'unevaluatedProperties',
      compareUnevaluated(comparison, 'PROPERTIES', original.unevaluated, update.unevaluated),
    ),
    ...compareSizes(comparison, 'maxProperties', 'MAX_PROPERTIES', original.maxProperties, update.maxProperties),
    ...compareSizes(comparison, 'minProperties', 'MIN_PROPERTIES', original.minProperties, update.minProperties),
  ]
}

function compareRequired(comparison: Comparison, original: ObjectSchema, update: ObjectSchema): readonly Difference[] {
  const found: Difference[] = []
  for (const name of original.properties.keys()) {
    const schema = update.properties.get(name)
    if (schema === undefined || original.required.has(name) === update.required.has(name)) continue
    const type = original.required.has(name)
      ? 'REQUIRED_ATTRIBUTE_REMOVED'
      : schema.default === undefined
        ? 'REQUIRED_ATTRIBUTE_ADDED'
        : 'REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED'
    found.push(...comparison.difference(type, name))
  }
  return found
}

function compareProperties(
  comparison: Comparison,
  original: ObjectSchema,
  update: ObjectSchema,
): readonly Difference[] {
  const found: Difference[] = []
  for (const [name, before] of original.properties) {
    const after = update.properties.get(name)
    if (after === undefined) found.push(...below(name, propertyRemoved(comparison, name, before, update)))
    else found.push(...comparison.compare(before, after, name))
  }
  for (const [name, after] of update.properties) {
    if (!original.properties.has(name))
      found.push(...below(name, propertyAdded(comparison, name, after, original, update)))
  }
  return found
}

/** What other properties the new schema allows decides whether records that have it are valid still. */
function propertyRemoved(
  comparison: Comparison,
  name: string,
  before: Schema,
  update: ObjectSchema,
): readonly Difference[] {
  if (isOpen(update)) return comparison.difference('PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL')
  const covering = schemaForOthers(comparison, update, name)
  if (covering !== undefined) {
    const inner = comparison.compare(before, covering)
    const covered = inner.length === 0 ? 'IS_COVERED' : 'NOT_COVERED'
    return [...inner, ...comparison.difference(`PROPERTY_REMOVED_${covered}_BY_PARTIALLY_OPEN_CONTENT_MODEL`)]
  }
  const what = before.kind === 'false' ? 'PROPERTY_WITH_FALSE_REMOVED' : 'PROPERTY_REMOVED'
  return comparison.difference(`${what}_FROM_CLOSED_CONTENT_MODEL`)
}

/** What other properties the old schema allowed decides whether records may have it already, of whatever type. */
function propertyAdded(
  comparison: Comparison,
  name: string,
  after: Schema,
  original: ObjectSchema,
  update: ObjectSchema,
): readonly Difference[] {
  const need = !update.required.has(name)
    ? 'OPTIONAL_PROPERTY'
    : after.default === undefined
      ? 'REQUIRED_PROPERTY'
      : 'REQUIRED_PROPERTY_WITH_DEFAULT'
  if (isOpen(original)) {
    const what = after.kind === 'empty' ? 'PROPERTY_WITH_EMPTY_SCHEMA' : need
    return comparison.difference(`${what}_ADDED_TO_OPEN_CONTENT_MODEL`)
  }
  const covering = schemaForOthers(comparison, original, name)
  const found: Difference[] = []
  if (covering !== undefined) {
    found.push(...comparison.compare(covering, after))
    const covered = found.length === 0 ? 'IS_COVERED' : 'NOT_COVERED'
    found.push(...comparison.difference(`PROPERTY_ADDED_${covered}_BY_PARTIALLY_OPEN_CONTENT_MODEL`))
  }
  return [...found, ...comparison.difference(`${need}_ADDED_TO_UNOPEN_CONTENT_MODEL`)]
}

function isOpen({ additional, patterns, unevaluated }: ObjectSchema): boolean {
  return (
    additional === undefined && patterns.length === 0 && (unevaluated === undefined || unevaluated.kind === 'empty')
  )
}

/** What a property that the schema does not name has to be; undefined where there may be none (or anything). */
function schemaForOthers(comparison: Comparison, schema: ObjectSchema, name: string): Schema | undefined {
  const { patterns, additional, unevaluated } = schema
  const matching = patterns.find(({ pattern }) => {
    const compiled = comparison.pattern(pattern)
    if (compiled === undefined) return false
    // The time is linear in either.
    comparison.spend(compiled.programSize() * name.length)
    return compiled.matcher(name).find()
  })
  if (matching !== undefined) return matching.schema
  if (additional !== undefined) return additional === false ? undefined : additional
  return unevaluated === undefined || unevaluated.kind === 'false' || unevaluated.kind === 'empty'
    ? undefined
    : unevaluated
}

function compareAdditional(
  comparison: Comparison,
  original: ObjectSchema,
  update: ObjectSchema,
): readonly Difference[] {
  const before = original.additional
  const after = update.additional
  if ((before === false) !== (after === false)) {
    return comparison.difference(after === false ? 'ADDITIONAL_PROPERTIES_REMOVED' : 'ADDITIONAL_PROPERTIES_ADDED')
  }
  if (before === false || after === false) return []
  if (before === undefined && after !== undefined) return comparison.difference('ADDITIONAL_PROPERTIES_NARROWED')
  if (before !== undefined && after === undefined) return comparison.difference('ADDITIONAL_PROPERTIES_EXTENDED')
  return comparison.compare(before, after)
}

function compareDependencies(
  comparison: Comparison,
  original: ObjectSchema,
  update: ObjectSchema,
): readonly Difference[] {
  const found: Difference[] = []
  for (const name of original.propertyDependencies.keys()) {
    if (!update.propertyDependencies.has(name)) found.push(...comparison.difference('DEPENDENCY_ARRAY_REMOVED', name))
  }
  for (const [name, after] of update.propertyDependencies) {
    const before = original.propertyDependencies.get(name)
    if (before === undefined) found.push(...comparison.difference('DEPENDENCY_ARRAY_ADDED', name))
    else found.push(...below(name, compareNames(comparison, before, after)))
  }
  for (const name of original.schemaDependencies.keys()) {
    if (!update.schemaDependencies.has(name)) found.push(...comparison.difference('DEPENDENCY_SCHEMA_REMOVED', name))
  }
  for (const [name, after] of update.schemaDependencies) {
    const before = original.schemaDependencies.get(name)
    if (before === undefined) found.push(...comparison.difference('DEPENDENCY_SCHEMA_ADDED', name))
    else found.push(...comparison.compare(before, after, name))
  }
  return found
}

function compareNames(
  comparison: Comparison,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): readonly Difference[] {
  if (isWithin(before, after))
    return before.size === after.size ? [] : comparison.difference('DEPENDENCY_ARRAY_EXTENDED')
  return comparison.difference(isWithin(after, before) ? 'DEPENDENCY_ARRAY_NARROWED' : 'DEPENDENCY_ARRAY_CHANGED')
}
