/** Resolves when the condition holds; looks again after each turn of the event loop. @throws Error after half a minute */
export async function until(condition: () => boolean, what = condition.toString()): Promise<void> {
  const limit = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`did not come to hold: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
