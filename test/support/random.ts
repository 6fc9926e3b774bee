/** Chance that can be had again: the same seed makes the same choices. */
export interface Random {
  readonly seed: number
  /** From 0 up to, not including, the limit. */
  below(limit: number): number
  /** Both ends included. */
  between(from: number, to: number): number
  oneOf<T>(choices: readonly T[]): T
}

/** `TIDEWIRE_SEED` where it is set, else any. */
export function seedOfRun(): number {
  const given = process.env['TIDEWIRE_SEED']
  return given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given)
}

/** mulberry32 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    seed,
    below,
    between: (from, to) => from + below(to - from + 1),
    oneOf: (choices) => {
      if (choices.length === 0) throw new Error('nothing to choose from')
      return choices[below(choices.length)]!
    },
  }
}
