/** Too much to compare: neither found compatible nor not. */
export class TooMuchToCompareError extends Error {
  override readonly name = 'TooMuchToCompareError'
}

/** Steps for one comparison: a fraction of a second's. More would be those of an attack. */
const maxSteps = 200_000
/** Things of a pair that is looked at (properties, symbols, findings) which cost as much as one more pair. */
const thingsPerStep = 8

/**
 * What a comparison of two schemas may cost. Counted are not just the pairs within, each of which is compared once, but
 * also each time that one is come by, and what has to be looked at for it: texts of a megabyte can make trillions of that.
 */
export class ComparisonBudget {
  #left = maxSteps

  /**
   * One pair.
   * @param things how many of its parts are looked at one by one
   * @throws TooMuchToCompareError
   */
  spend(things = 0): void {
    this.#left -= 1 + things / thingsPerStep
    if (this.#left < 0) throw new TooMuchToCompareError()
  }
}
