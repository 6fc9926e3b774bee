/**
 * A client of the REST API, for the command line, the console and scripts: in Node and in browsers. What a call takes and gives stands in ./operations.ts,
 * which is generated from what the routes declare: `client.call('GET /connectors/{name}/status', { path: { name } })`.
 */
import type { ErrorBody, Operations } from './operations.ts'
import { eventsOf, linesOf, type ServerEvent } from './server-events.ts'

export interface RestClientOptions {
  /** Of a worker, `http://127.0.0.1:8083`. */
  readonly url: string
  /** The header of that name. */
  readonly authorization?: string
  /** Of every request, besides. */
  readonly headers?: Readonly<Record<string, string>>
  /** Gets the texts of `Warning` headers. */
  readonly onWarning?: (text: string) => void
  /** Asks in place of the global `fetch`, which knows no certificates of a client. */
  readonly fetch?: Fetch
  /** Makes values of the answers' JSON. Default `JSON.parse`, to which a number of a record may lose digits. */
  readonly parse?: (json: string) => unknown
}

/** What the client needs of `fetch`. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
    readonly signal?: AbortSignal
  },
) => Promise<Response>

/** The answer is an error. */
export class RestClientError extends Error {
  override readonly name = 'RestClientError'
  /** Of HTTP. */
  readonly status: number
  /** Kafka Connect's `error_code`: the status once more. Undefined where it is no worker that answers. */
  readonly errorCode: number | undefined
  /** Seconds, as `Retry-After` has it: the same call may go through then. */
  readonly retryAfter: number | undefined

  constructor(status: number, errorCode: number | undefined, message: string, retryAfter: number | undefined) {
    super(message)
    this.status = status
    this.errorCode = errorCode
    this.retryAfter = retryAfter
  }
}

/** Nobody answered at the URL. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
  /** Of the worker, without the path. */
  readonly url: string

  constructor(url: string, cause: unknown) {
    super(`no answer from ${url}: ${reasonOf(cause)}`, { cause })
    this.url = url
  }
}

/** As declared; a query may be left out where nothing in it must be there. */
type Given<O, K extends 'path' | 'query' | 'body'> = K extends keyof O
  ? Partial<O[K]> extends O[K]
    ? { readonly [P in K]?: O[K] }
    : Pick<O, K>
  : unknown

/** What a call takes. */
export type InputOf<N extends keyof Operations> = Given<Operations[N], 'path'> &
  Given<Operations[N], 'query'> &
  Given<Operations[N], 'body'> & {
    readonly signal?: AbortSignal
    /** Of the last event seen: the events go on after it. */
    readonly lastEventId?: string
  }

export type AnswerOf<N extends keyof Operations> = Operations[N] extends { readonly answer: infer A } ? A : never
export type LineOf<N extends keyof Operations> = Operations[N] extends { readonly line: infer L } ? L : never

/** The input may be left out where nothing in it is needed. */
type Arguments<I> = Partial<I> extends I ? [input?: I] : [input: I]

/** See the head of the file. */
export class RestClient {
  readonly #options: RestClientOptions
  readonly #base: string

  constructor(options: RestClientOptions) {
    this.#options = options
    this.#base = options.url.replace(/\/+$/, '')
  }

  /** The worker's URL. */
  get url(): string {
    return this.#base
  }

  /**
   * The answer's JSON; undefined where it has no body.
   * @throws RestClientError; NoAnswerError; the signal's reason
   */
  async call<N extends keyof Operations>(operation: N, ...[input]: Arguments<InputOf<N>>): Promise<AnswerOf<N>> {
    const response = await this.#ask(operation, input, 'application/json')
    const body = await this.#read(response.text(), input?.signal)
    return (body === '' ? undefined : (this.#options.parse ?? JSON.parse)(body)) as AnswerOf<N>
  }

  /** The answer's lines as they come (`application/x-ndjson`). @throws as {@link RestClient.call} */
  async *lines<N extends keyof Operations>(
    operation: N,
    ...[input]: Arguments<InputOf<N>>
  ): AsyncGenerator<LineOf<N>, void, undefined> {
    const response = await this.#ask(operation, input, 'application/x-ndjson')
    for await (const line of linesOf(this.#chunksOf(response, input?.signal)))
      if (line !== '') yield JSON.parse(line) as LineOf<N>
  }

  /**
   * The events as they come (`text/event-stream`), until the server ends them or the signal is aborted; asking anew with
   * the `lastEventId` goes on where they ended. @throws as {@link RestClient.call}
   */
  async *events<N extends keyof Operations>(
    operation: N,
    ...[input]: Arguments<InputOf<N>>
  ): AsyncGenerator<ServerEvent, void, undefined> {
    const response = await this.#ask(operation, input, 'text/event-stream')
    yield* eventsOf(this.#chunksOf(response, input?.signal))
  }

  async #ask(operation: string, input: unknown, accept: string): Promise<Response> {
    const { path, query, body, signal, lastEventId } = (input ?? {}) as AnyInput
    const [method, pattern] = operation.split(' ') as [string, string]
    const { authorization, headers, onWarning, fetch: ask = fetch } = this.#options
    let response: Response
    try {
      response = await ask(this.#base + filled(pattern, path) + search(query), {
        method,
        headers: {
          accept,
          ...headers,
          ...(authorization === undefined ? {} : { authorization }),
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw new NoAnswerError(this.#base, error)
    }
    for (const text of warnings(response.headers.get('warning'))) onWarning?.(text)
    if (!response.ok) throw errorOf(response, await this.#read(response.text(), signal))
    return response
  }

  async *#chunksOf(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader()
    if (reader === undefined) return
    try {
      for (;;) {
        const next = await this.#read(reader.read(), signal)
        if (next.done) return
        yield next.value
      }
    } finally {
      // Whoever stops reading wants the server to stop sending.
      await reader.cancel().catch(() => undefined)
    }
  }

  /** A connection that breaks off is as good as no answer. */
  async #read<T>(reading: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await reading
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw new NoAnswerError(this.#base, error)
    }
  }
}

interface AnyInput {
  readonly path?: Readonly<Record<string, string | number>>
  readonly query?: Readonly<Record<string, QueryValue>>
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly lastEventId?: string
}

type QueryValue = string | number | boolean | readonly (string | number)[] | undefined

function filled(pattern: string, path: AnyInput['path']): string {
  return pattern.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(path![name]!)))
}

function search(query: AnyInput['query']): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    (typeof value === 'object' ? value : value === undefined ? [] : [value]).map((each) => [name, String(each)]),
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}

function warnings(header: string | null): string[] {
  return [...(header ?? '').matchAll(/"([^"]*)"/g)].map(([, text]) => text!)
}

function errorOf(response: Response, body: string): RestClientError {
  const { status, headers } = response
  const retryAfter = headers.get('retry-after')
  const { error_code: code, message }: { readonly [K in keyof ErrorBody]?: unknown } = jsonObject(body)
  return new RestClientError(
    status,
    typeof code === 'number' ? code : undefined,
    typeof message === 'string' ? message : body.trim() === '' ? `HTTP ${status} ${response.statusText}` : body,
    retryAfter === null || !/^\d+$/.test(retryAfter) ? undefined : Number(retryAfter),
  )
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** `fetch` says "fetch failed", and why in the cause; of several addresses tried, each has its reason. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0])
  return cause instanceof Error ? cause.message : String(cause)
}
