/** Requests to the nodes of a schema registry: one after the other until one answers, and again after a pause. */
import { Agent, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, ConnectError, RetriableError } from '@tidewire/sdk'
import { loadSsl } from '../config/ssl-settings.ts'
import { authorizationOf, registryUrls, type RegistryClientConfig } from './settings.ts'

/** More than any schema; bounds what an answer can take of the memory. */
const maxAnswerBytes = 64 * 1024 * 1024

const contentType = 'application/vnd.schemaregistry.v1+json'

/** The registry's answer to a request that it does not carry out. */
export class RegistryAnswerError extends ConnectError {
  override readonly name = 'RegistryAnswerError'
  readonly status: number
  /** `error_code` of the body. */
  readonly errorCode: number

  constructor(message: string, status: number, errorCode: number) {
    super(message, { code: 'REGISTRY_REFUSED' })
    this.status = status
    this.errorCode = errorCode
  }
}

interface Node {
  readonly url: URL
  readonly authorization?: string
}

interface Answer {
  readonly status: number
  /** Where it sends who asks; without what may be a secret. */
  readonly location: string | undefined
  readonly body: string
}

export class RegistryHttp {
  readonly #nodes: readonly Node[]
  readonly #config: RegistryClientConfig
  readonly #authorization: string | undefined
  readonly #signal: AbortSignal | undefined
  #agents: Promise<{ plain: Agent; tls: TlsAgent }> | undefined
  /** The node that answered last is asked first. */
  #current = 0

  /**
   * @param signal ends all requests, and lets no more begin
   * @throws ConfigError
   */
  constructor(config: RegistryClientConfig, signal?: AbortSignal) {
    this.#config = config
    this.#signal = signal
    this.#nodes = registryUrls(config)
    this.#authorization = authorizationOf(config)
  }

  /**
   * What `read` makes of the answer's JSON. Every node is asked once, and again while `max.retries` allows and no more time has passed than a
   * single request may take (`http.connect.timeout.ms` and `http.read.timeout.ms` together).
   * @param read undefined where the answer is not one that a registry gives
   * @throws RegistryAnswerError where the registry refuses; RetriableError where none answers, what answers is no
   *   registry, or the task ends; ConfigError where it does not know the user
   */
  async ask<T>(
    method: 'GET' | 'POST',
    path: string,
    read: (json: unknown) => T | undefined,
    body?: unknown,
  ): Promise<T> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const config = this.#config
    const deadline = performance.now() + config['http.connect.timeout.ms'] + config['http.read.timeout.ms']
    for (let failures = 1; ; failures++) {
      try {
        return await this.#askEach(method, path, text, read)
      } catch (error) {
        if (!(error instanceof RetriableError) || failures > config['max.retries']) throw error
        const base = config['retries.wait.ms'] * 2 ** Math.min(failures - 1, 20)
        const waitMs = Math.min(base, config['retries.max.wait.ms']) * (0.8 + 0.4 * Math.random())
        if (performance.now() + waitMs > deadline) throw error
        // An end of the task is found by the next attempt.
        await delay(waitMs, undefined, { signal: this.#signal }).catch(() => undefined)
      }
    }
  }

  async #askEach<T>(
    method: string,
    path: string,
    body: string | undefined,
    read: (json: unknown) => T | undefined,
  ): Promise<T> {
    const problems: string[] = []
    for (let tried = 0; tried < this.#nodes.length; tried++) {
      if (this.#signal?.aborted === true) {
        throw new RetriableError('the task ended before the schema registry answered', { code: 'REGISTRY_UNAVAILABLE' })
      }
      const node = this.#nodes[this.#current]!
      const asked = `${method} ${node.url.origin}${pathOf(node)}${path}`
      try {
        return parsed(await this.#askNode(node, method, path, body), asked, read)
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error
        problems.push(error.message)
        this.#current = (this.#current + 1) % this.#nodes.length
      }
    }
    throw new RetriableError(`the schema registry does not answer (schema.registry.url): ${problems.join('; ')}`, {
      code: 'REGISTRY_UNAVAILABLE',
    })
  }

  async #askNode(node: Node, method: string, path: string, body: string | undefined): Promise<Answer> {
    const { plain, tls } = await (this.#agents ??= this.#makeAgents())
    const { url } = node
    const authorization = this.#authorization ?? node.authorization
    const options: RequestOptions = {
      method,
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: pathOf(node) + path,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      headers: {
        accept: `${contentType}, application/vnd.schemaregistry+json, application/json`,
        ...(body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }),
        ...(authorization === undefined ? {} : { authorization }),
      },
    }
    const timeouts = {
      connectMs: this.#config['http.connect.timeout.ms'],
      readMs: this.#config['http.read.timeout.ms'],
    }
    return url.protocol === 'https:'
      ? send((done) => httpsRequest({ ...options, agent: tls }, done), url.origin, body, timeouts)
      : send((done) => httpRequest({ ...options, agent: plain }, done), url.origin, body, timeouts)
  }

  async #makeAgents(): Promise<{ plain: Agent; tls: TlsAgent }> {
    const config = this.#config
    const ssl = await loadSsl(withoutPrefix(config)).catch((cause: unknown) => {
      throw new ConfigError(`schema.registry.${(cause as Error).message}`, { cause })
    })
    const pool = { keepAlive: true, maxSockets: 8, timeout: 30_000 }
    const anyName = config['schema.registry.ssl.endpoint.identification.algorithm'] === ''
    return {
      plain: new Agent(pool),
      tls: new TlsAgent({
        ...pool,
        minVersion: ssl.minVersion,
        maxVersion: ssl.maxVersion,
        ...(ssl.ca === undefined ? {} : { ca: ssl.ca }),
        ...(ssl.key === undefined ? {} : { key: ssl.key }),
        ...(ssl.certificate === undefined ? {} : { cert: ssl.certificate }),
        ...(ssl.passphrase === undefined ? {} : { passphrase: ssl.passphrase }),
        ...(anyName ? { checkServerIdentity: () => undefined } : {}),
      }),
    }
  }
}

function pathOf({ url }: Node): string {
  return url.pathname.replace(/\/+$/, '')
}

type SslConfig = Parameters<typeof loadSsl>[0]

function withoutPrefix(config: RegistryClientConfig): SslConfig {
  const prefix = 'schema.registry.'
  const entries = Object.entries(config).map(([name, value]) => [name.replace(prefix, ''), value] as const)
  return Object.fromEntries(entries) as unknown as SslConfig
}

type SendRequest = (done: NonNullable<Parameters<typeof httpRequest>[2]>) => ReturnType<typeof httpRequest>

function send(
  start: SendRequest,
  origin: string,
  body: string | undefined,
  { connectMs, readMs }: { connectMs: number; readMs: number },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(failureOf(origin, cause))
    const request = start((response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxAnswerBytes) request.destroy(new Error(`an answer of more than ${maxAnswerBytes} bytes`))
        else chunks.push(chunk)
      })
      response.once('end', () => {
        clearTimeout(timer)
        const { statusCode = 0, headers } = response
        const location = headers.location?.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//')
        resolve({ status: statusCode, location, body: Buffer.concat(chunks).toString('utf8') })
      })
      response.on('error', fail)
    })
    const expire = (ms: number) => setTimeout(() => request.destroy(new Error(`no answer within ${ms} ms`)), ms).unref()
    let timer = expire(connectMs)
    request.once('socket', (socket) => {
      const connected = () => {
        clearTimeout(timer)
        timer = expire(readMs)
      }
      if (socket.connecting) socket.once('connect', connected)
      else connected()
    })
    request.on('error', (error) => {
      clearTimeout(timer)
      fail(error)
    })
    request.end(body)
  })
}

/** That certificates do not fit changes with the config only; what the network does passes. */
function failureOf(origin: string, cause: Error): ConnectError {
  const code = 'code' in cause ? String(cause.code) : ''
  if (/^ERR_(TLS|SSL|OSSL)_|CERT|SELF_SIGNED|UNABLE_TO_|INVALID_(CA|PURPOSE)|EPROTO/.test(code)) {
    return new ConfigError(`${origin}: no TLS connection: ${cause.message} (schema.registry.ssl.*)`, {
      code: 'REGISTRY_TLS',
      cause,
    })
  }
  return new RetriableError(`${origin}: ${cause.message}`, { code: 'REGISTRY_UNAVAILABLE', cause })
}

/** The codes of a registry that does not carry out a request because of what it is asked, and not of how it is reached. */
function isRefusal(code: unknown): code is number {
  return Number.isInteger(code) && (code === 409 || ((code as number) >= 40_000 && (code as number) < 50_000))
}

function parsed<T>({ status, location, body }: Answer, asked: string, read: (json: unknown) => T | undefined): T {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    json = undefined
  }
  const result = status >= 200 && status < 300 ? read(json) : undefined
  if (result !== undefined) return result
  const { message, error_code: code } = (json ?? {}) as { readonly message?: unknown; readonly error_code?: unknown }
  const said = shorten(typeof message === 'string' ? message : body.trim())
  const text = `HTTP status ${status}${location === undefined ? '' : ` to ${shorten(location)}`}${said === '' ? '' : `: ${said}`}`
  if (status === 401 || status === 403) {
    throw new ConfigError(`${asked}: the schema registry does not let this user in: ${text}`, {
      code: 'REGISTRY_NOT_AUTHORIZED',
      setting: 'basic.auth.user.info',
    })
  }
  if (status >= 400 && status < 500 && typeof message === 'string' && isRefusal(code)) {
    throw new RegistryAnswerError(shorten(message, maxReasonLength), status, code)
  }
  // A proxy, a sign-in page, a URL with another path: no record is to blame for them.
  const isAway = status === 408 || status === 429 || status >= 500
  throw new RetriableError(`${asked}: ${text}${isAway ? '' : ', no answer of a schema registry'}`, {
    code: 'REGISTRY_UNAVAILABLE',
  })
}

/** What an error shows of an answer. */
const maxShownLength = 200
/** Of a registry's reason, which quotes schemas. */
const maxReasonLength = 4_000

function shorten(text: string, length = maxShownLength): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`
}
