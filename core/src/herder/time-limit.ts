import { ConnectError } from '@tidewire/sdk'

/**
 * The promise's result, or an error once the time is over. What the promise was for goes on; whoever made it bears that.
 * @throws ConnectError with code TIMEOUT
 */
export async function withTimeLimit<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectError(`${what} did not finish within ${limitMs / 1000} s`, { code: 'TIMEOUT' })),
      limitMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
