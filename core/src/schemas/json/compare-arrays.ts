import { below, type Comparison } from './comparison.ts'
import { compareSizes } from './compare-numbers.ts'
import { compareUnevaluated } from './compare-unevaluated.ts'
import type { Difference } from './differences.ts'
import type { ArraySchema, Schema } from './schema-tree.ts'

export function compareArrays(
  comparison: Comparison,
  original: ArraySchema,
  update: ArraySchema,
): readonly Difference[] {
  return [
    ...comparison.compare(original.items, update.items, 'items'),
    ...compareTuples(comparison, original, update),
    ...below('additionalItems', compareAdditional(comparison, original, update)),
    ...below('unevaluatedItems', compareUnevaluated(comparison, 'ITEMS', original.unevaluated, update.unevaluated)),
    ...compareSizes(comparison, 'maxItems', 'MAX_ITEMS', original.maxItems, update.maxItems),
    ...compareSizes(comparison, 'minItems', 'MIN_ITEMS', original.minItems, update.minItems),
    ...(original.uniqueItems === update.uniqueItems
      ? []
      : comparison.difference(original.uniqueItems ? 'UNIQUE_ITEMS_REMOVED' : 'UNIQUE_ITEMS_ADDED', 'uniqueItems')),
    ...compareSizes(comparison, 'maxContains', 'MAX_CONTAINS', original.maxContains, update.maxContains),
    ...compareSizes(comparison, 'minContains', 'MIN_CONTAINS', original.minContains, update.minContains),
  ]
}

function compareTuples(comparison: Comparison, original: ArraySchema, update: ArraySchema): readonly Difference[] {
  const found: Difference[] = []
  const length = Math.max(original.tuple.length, update.tuple.length)
  for (let at = 0; at < length; at++) {
    const before = original.tuple[at]
    const after = update.tuple[at]
    const path = `items/${at}`
    if (before === undefined && after !== undefined) found.push(...below(path, itemAdded(comparison, after, original)))
    else if (after === undefined && before !== undefined)
      found.push(...below(path, itemRemoved(comparison, before, update)))
    else found.push(...comparison.compare(before, after, path))
  }
  return found
}

function itemRemoved(comparison: Comparison, before: Schema, update: ArraySchema): readonly Difference[] {
  if (isOpen(update)) return comparison.difference('ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL')
  const covering = schemaForOthers(update)
  if (covering !== undefined) {
    const inner = comparison.compare(before, covering)
    const covered = inner.length === 0 ? 'IS_COVERED' : 'NOT_COVERED'
    return [...inner, ...comparison.difference(`ITEM_REMOVED_${covered}_BY_PARTIALLY_OPEN_CONTENT_MODEL`)]
  }
  const what = before.kind === 'false' ? 'ITEM_WITH_FALSE_REMOVED' : 'ITEM_REMOVED'
  return comparison.difference(`${what}_FROM_CLOSED_CONTENT_MODEL`)
}

function itemAdded(comparison: Comparison, after: Schema, original: ArraySchema): readonly Difference[] {
  if (isOpen(original)) {
    const what = after.kind === 'empty' ? 'ITEM_WITH_EMPTY_SCHEMA' : 'ITEM'
    return comparison.difference(`${what}_ADDED_TO_OPEN_CONTENT_MODEL`)
  }
  const covering = schemaForOthers(original)
  if (covering === undefined) return comparison.difference('ITEM_ADDED_TO_CLOSED_CONTENT_MODEL')
  const inner = comparison.compare(covering, after)
  const covered = inner.length === 0 ? 'IS_COVERED' : 'NOT_COVERED'
  return [...inner, ...comparison.difference(`ITEM_ADDED_${covered}_BY_PARTIALLY_OPEN_CONTENT_MODEL`)]
}

function isOpen({ additional, unevaluated }: ArraySchema): boolean {
  return additional === undefined && (unevaluated === undefined || unevaluated.kind === 'empty')
}

/** What an item beyond the tuple has to be; undefined where there may be none (or anything). */
function schemaForOthers({ additional, unevaluated }: ArraySchema): Schema | undefined {
  if (additional !== undefined) return additional === false ? undefined : additional
  return unevaluated === undefined || unevaluated.kind === 'false' || unevaluated.kind === 'empty'
    ? undefined
    : unevaluated
}

function compareAdditional(comparison: Comparison, original: ArraySchema, update: ArraySchema): readonly Difference[] {
  const before = original.additional
  const after = update.additional
  if ((before === false) !== (after === false)) {
    return comparison.difference(after === false ? 'ADDITIONAL_ITEMS_REMOVED' : 'ADDITIONAL_ITEMS_ADDED')
  }
  if (before === false || after === false) return []
  if (before === undefined && after !== undefined) return comparison.difference('ADDITIONAL_ITEMS_NARROWED')
  if (before !== undefined && after === undefined) return comparison.difference('ADDITIONAL_ITEMS_EXTENDED')
  return comparison.compare(before, after)
}
