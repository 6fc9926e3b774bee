import {
  HttpConnection,
  Serializer,
  Transport,
  WeightedConnectionPool,
  errors,
  type ConnectionOptions,
} from '@elastic/transport'
import { makeAgent } from './agent.ts'
import { problemOf, problemOfAnswer, type Answer } from './errors.ts'
import { nodeUrls, type LinkConfig } from './settings.ts'
import { tlsOptions } from './tls.ts'

/** One request. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD'
  /** Encoded, with a slash at its beginning: see {@link pathOf}. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  /** JSON, or NDJSON where it is bytes. */
  readonly body?: string | Buffer
  /** For errors: `writing to index orders`. */
  readonly what: string
  /** Ends the request at once. */
  readonly signal?: AbortSignal
}

/**
 * The way to a cluster of Elasticsearch (7.10 and later) or OpenSearch. Requests are plain HTTP with plain media types,
 * which all of them take; nothing is tried twice here.
 */
export interface ElasticsearchLink {
  /**
   * Asks and gives the answer, whatever its status.
   * @throws ConnectError of {@link problemOf} where there is none
   */
  ask(call: Call): Promise<Answer>
  /**
   * Asks, and gives the body of the answer as it came.
   * @throws ConnectError of {@link problemOf} and {@link problemOfAnswer}
   */
  get(call: Call): Promise<string>
  close(): Promise<void>
}

/** A path of names, each encoded: an index's may have any character that JSON has. */
export function pathOf(...names: readonly string[]): string {
  return names.map((name) => `/${encodeURIComponent(name)}`).join('')
}

/** Answers stay text: who asked knows how to read it without losing a digit. */
class PlainText extends Serializer {
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as it is declared there
  override deserialize<T>(json: string): T {
    return json as unknown as T
  }
}

/** @throws ConfigError where a file of a setting cannot be used. Nothing is connected yet. */
export async function openLink(config: LinkConfig): Promise<ElasticsearchLink> {
  const tls = await tlsOptions(config)
  const urls = nodeUrls(config)
  const pool = new WeightedConnectionPool({ Connection: HttpConnection, ...authOf(config) })
  pool.addConnection(urls.map((url) => ({ url, tls, ...wayTo(config, url, tls) })))
  const transport = new Transport({
    connectionPool: pool,
    serializer: new PlainText(),
    maxRetries: 0,
    requestTimeout: config['read.timeout.ms'] === 0 ? null : config['read.timeout.ms'],
    compression: config['connection.compression'],
    headers: { 'user-agent': 'tidewire' },
    enableMetaHeader: false,
    openTelemetry: { enabled: false },
  })
  return new TransportLink(transport, pool)
}

class TransportLink implements ElasticsearchLink {
  readonly #transport: Transport
  readonly #pool: WeightedConnectionPool
  readonly #closing = new AbortController()

  constructor(transport: Transport, pool: WeightedConnectionPool) {
    this.#transport = transport
    this.#pool = pool
  }

  async ask({ method, path, query, body, what, signal }: Call): Promise<Answer> {
    const ends = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
    try {
      const { statusCode, body: text } = await this.#transport.request(
        {
          method,
          path,
          ...(query === undefined ? {} : { querystring: { ...query } }),
          ...(body === undefined ? {} : { body }),
        },
        { meta: true, signal: ends, headers: headersFor(body) },
      )
      return { status: statusCode, text: typeof text === 'string' ? text : '' }
    } catch (error) {
      if (error instanceof errors.ResponseError) {
        const { statusCode = 0, body: text } = error.meta
        return { status: statusCode, text: typeof text === 'string' ? text : '' }
      }
      throw problemOf(error, what)
    }
  }

  async get(call: Call): Promise<string> {
    const answer = await this.ask(call)
    if (answer.status >= 400) throw problemOfAnswer(answer, call.what)
    return answer.text
  }

  async close(): Promise<void> {
    this.#closing.abort()
    // The pool looks only once a second whether its requests are over; these are so now.
    await new Promise((resolve) => setImmediate(resolve))
    await this.#pool.empty()
  }
}

function headersFor(body: string | Buffer | undefined): Record<string, string> {
  const accept = { accept: 'application/json' }
  if (body === undefined) return accept
  return { ...accept, 'content-type': typeof body === 'string' ? 'application/json' : 'application/x-ndjson' }
}

function authOf(config: LinkConfig): Pick<ConnectionOptions, 'auth'> {
  const { 'connection.username': username, 'connection.password': password, 'connection.api.key': apiKey } = config
  if (apiKey !== undefined) return { auth: { apiKey } }
  return username === undefined || password === undefined ? {} : { auth: { username, password } }
}

function wayTo(
  config: LinkConfig,
  url: URL,
  tls: Awaited<ReturnType<typeof tlsOptions>>,
): Pick<ConnectionOptions, 'agent' | 'proxy'> {
  const connectTimeoutMs = config['connection.timeout.ms']
  const idleTimeoutMs = Math.max(0, config['max.connection.idle.time.ms'])
  const host = config['proxy.host']
  if (host === undefined || host === '') {
    return { agent: () => makeAgent(url.protocol === 'https:', tls, { connectTimeoutMs, idleTimeoutMs }) }
  }
  const proxy = new URL(`http://${host}:${config['proxy.port']}`)
  proxy.username = encodeURIComponent(config['proxy.username'] ?? '')
  proxy.password = encodeURIComponent(config['proxy.password'] ?? '')
  return { proxy, agent: { keepAlive: true, proxyRequestOptions: { timeout: connectTimeoutMs } } as object }
}
