import { RetriableError } from '@tidewire/sdk'
import { messageOf } from '../logging/message-of.ts'

export interface WorkerRequest {
  readonly method: string
  /** With path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface WorkerAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const lookMs = 200

/**
 * Asks another worker by HTTP. The answer is not waited for any more when the signal is aborted, or when the worker is not
 * the right one to ask any more: one that hangs would otherwise hold the request until it comes back.
 * @throws RetriableError when there is no answer; the request may have been carried out all the same
 */
export async function askWorker(
  { method, url, headers, body }: WorkerRequest,
  signal: AbortSignal,
  isRight: () => boolean,
): Promise<WorkerAnswer> {
  const other = new AbortController()
  const watch = setInterval(() => {
    if (!isRight()) other.abort(new Error('it is another worker’s by now'))
  }, lookMs)
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body === '' ? {} : { 'content-type': 'application/json' }) },
      ...(body === '' ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, other.signal]),
    })
    return { status: response.status, headers: response.headers, body: await response.text() }
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw new RetriableError(`no answer from the worker at ${new URL(url).origin}: ${messageOf(cause)}`, {
      cause: error,
    })
  } finally {
    clearInterval(watch)
  }
}
