/**
 * The most pairs that can be made when each left and each right one is in one pair at most (Kuhn's algorithm).
 * @param choices for each left one, which right ones it may be paired with
 */
export function largestMatching(choices: readonly (readonly number[])[], rightCount: number): number {
  const leftOf = new Array<number | undefined>(rightCount).fill(undefined)
  let pairs = 0
  for (const left of choices.keys()) if (place(left, choices, leftOf)) pairs++
  return pairs
}

/** Finds a place for one, by moving others where that must be: the shortest such way, by breadth. */
function place(start: number, choices: readonly (readonly number[])[], leftOf: (number | undefined)[]): boolean {
  const cameFrom = new Map<number, number>()
  const queue = [start]
  for (let left = queue.shift(); left !== undefined; left = queue.shift()) {
    for (const right of choices[left] ?? []) {
      if (cameFrom.has(right)) continue
      cameFrom.set(right, left)
      const occupant = leftOf[right]
      if (occupant !== undefined) {
        queue.push(occupant)
        continue
      }
      moveAlong(right, start, cameFrom, leftOf)
      return true
    }
  }
  return false
}

function moveAlong(
  end: number,
  start: number,
  cameFrom: ReadonlyMap<number, number>,
  leftOf: (number | undefined)[],
): void {
  let right = end
  for (;;) {
    const left = cameFrom.get(right) ?? start
    const before = leftOf.indexOf(left)
    leftOf[right] = left
    if (left === start) return
    right = before
  }
}
