import type { Comparison } from './comparison.ts'
import type { Difference, DifferenceType } from './differences.ts'
import type { NumberSchema } from './schema-tree.ts'

/** Names of differences with all four endings. */
type Limit = DifferenceType extends infer T ? (T extends `${infer Name}_INCREASED` ? Name : never) : never

/** A keyword whose value is a limit. */
export function compareSizes(
  comparison: Comparison,
  keyword: string,
  name: Limit,
  original: number | undefined,
  update: number | undefined,
): readonly Difference[] {
  if (original === update) return []
  if (original === undefined) return comparison.difference(`${name}_ADDED`, keyword)
  if (update === undefined) return comparison.difference(`${name}_REMOVED`, keyword)
  return comparison.difference(original < update ? `${name}_INCREASED` : `${name}_DECREASED`, keyword)
}

export function compareNumbers(
  comparison: Comparison,
  original: NumberSchema,
  update: NumberSchema,
): readonly Difference[] {
  const limit = (keyword: 'maximum' | 'minimum' | 'exclusiveMaximum' | 'exclusiveMinimum', name: Limit) =>
    compareSizes(comparison, keyword, name, original[keyword], update[keyword])
  return [
    ...limit('maximum', 'MAXIMUM'),
    ...limit('minimum', 'MINIMUM'),
    ...limit('exclusiveMaximum', 'EXCLUSIVE_MAXIMUM'),
    ...limit('exclusiveMinimum', 'EXCLUSIVE_MINIMUM'),
    ...compareMultiples(comparison, original.multipleOf, update.multipleOf),
    ...(original.isInteger === update.isInteger
      ? []
      : comparison.difference(original.isInteger ? 'TYPE_EXTENDED' : 'TYPE_NARROWED')),
  ]
}

function compareMultiples(
  comparison: Comparison,
  original: string | undefined,
  update: string | undefined,
): readonly Difference[] {
  const keyword = 'multipleOf'
  if (original === update) return []
  if (original === undefined) return comparison.difference('MULTIPLE_OF_ADDED', keyword)
  if (update === undefined) return comparison.difference('MULTIPLE_OF_REMOVED', keyword)
  const [before, after] = sameScale(original, update)
  if (before === after) return []
  if (before !== 0n && after % before === 0n) return comparison.difference('MULTIPLE_OF_EXPANDED', keyword)
  if (after !== 0n && before % after === 0n) return comparison.difference('MULTIPLE_OF_REDUCED', keyword)
  return comparison.difference('MULTIPLE_OF_CHANGED', keyword)
}

/** Two decimals as integers, both times the same power of ten. One that is too far from the other counts as 0. */
function sameScale(a: string, b: string): [bigint, bigint] {
  const one = unscaled(a)
  const two = unscaled(b)
  const scale = Math.max(one.scale, two.scale)
  const shifted = ({ digits, scale: own }: { digits: bigint; scale: number }) =>
    scale - own > 1000 ? 0n : digits * 10n ** BigInt(scale - own)
  return [shifted(one), shifted(two)]
}

function unscaled(text: string): { digits: bigint; scale: number } {
  const [mantissa = '', exponent = '0'] = text.split('E')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), scale: fraction.length - Number(exponent) }
}
