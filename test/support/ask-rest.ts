export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Asks a worker's REST API; rejects where no answer came in time. */
export async function askRest(
  url: string,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly timeoutMs?: number } = {},
): Promise<Answer> {
  const { body, timeoutMs = 100_000 } = options
  const response = await fetch(url + path, {
    method,
    signal: AbortSignal.timeout(timeoutMs),
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
}
