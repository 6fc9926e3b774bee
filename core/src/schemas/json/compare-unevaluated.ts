import type { Comparison } from './comparison.ts'
import type { Difference } from './differences.ts'
import type { Schema } from './schema-tree.ts'

/** `unevaluatedProperties` or `unevaluatedItems`; where it is absent, anything is allowed. */
export function compareUnevaluated(
  comparison: Comparison,
  what: 'PROPERTIES' | 'ITEMS',
  original: Schema | undefined,
  update: Schema | undefined,
): readonly Difference[] {
  if (original === undefined && update === undefined) return []
  const wasClosed = original?.kind === 'false'
  const isClosed = update?.kind === 'false'
  if (wasClosed !== isClosed) return comparison.difference(`UNEVALUATED_${what}_${isClosed ? 'REMOVED' : 'ADDED'}`)
  if (update === undefined || (update.kind === 'empty' && original !== undefined && original.kind !== 'empty')) {
    return comparison.difference(`UNEVALUATED_${what}_EXTENDED`)
  }
  if (original === undefined || (original.kind === 'empty' && update.kind !== 'empty')) {
    return comparison.difference(`UNEVALUATED_${what}_NARROWED`)
  }
  return comparison.compare(original, update)
}
