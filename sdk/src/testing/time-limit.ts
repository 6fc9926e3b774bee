/** How long the kit waits for a connector before it calls it stuck, unless a test says otherwise. Less than the limit of test runners, to say what it waited for. */
export const defaultTimeoutMs = 4_000

/**
 * Settles as the promise does, or rejects after the limit.
 * @throws Error saying what was waited for
 */
export async function within<T>(timeoutMs: number, promise: PromiseLike<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms: ${what()}`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}
