import type { RE2JS } from 're2js'
import type { Difference, DifferenceType } from './differences.ts'
import type { Schema } from './schema-tree.ts'

/** A comparison under way, for those that compare schemas of one kind. */
export interface Comparison {
  /** @throws TooMuchToCompareError */
  spend(things: number): void
  /** Compiled; what RE2 has no words for (references back, looks around) matches nothing: undefined. */
  pattern(text: string): RE2JS | undefined
  /** The difference, if it is none that the policy allows. */
  difference(type: DifferenceType, path?: string): readonly Difference[]
  /** @param path of the pair from where it is asked for */
  compare(original: Schema | undefined, update: Schema | undefined, path?: string): readonly Difference[]
}

/** Differences as seen from where their schemas stand. */
export function below(path: string, found: readonly Difference[]): readonly Difference[] {
  if (path === '' || found.length === 0) return found
  return found.map((one) => ({ type: one.type, path: one.path === '' ? path : `${path}/${one.path}` }))
}

export function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return some.size <= all.size && [...some].every((one) => all.has(one))
}
