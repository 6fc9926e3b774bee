import { parseExactly } from '../rest-client/exact-json.ts'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../logging/message-of.ts'
import {
  NoAnswerError,
  RestClient,
  RestClientError,
  type Fetch,
  type RestClientOptions,
} from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { Output, type Format } from './output.ts'

/** How a command reaches a worker. */
export interface RestOptions {
  /** Of any worker of the cluster; may hold a name and a password. */
  readonly url: string
  /** How long the worker may say nothing at all, in milliseconds. */
  readonly timeout?: number | undefined
  /** PEM files: the certificate and the key that are shown to a worker with https, and the authority it is checked by. */
  readonly cert?: string | undefined
  /** Left out: it is in the certificate's file. */
  readonly key?: string | undefined
  readonly ca?: string | undefined
}

/** How long whoever is asked may say nothing, unless `--timeout` says otherwise. */
const defaultTimeoutMs = 5_000

type Environment = Readonly<Record<string, string | undefined>>

/**
 * A command that asks a worker: runs `use` as {@link withRest} does, with what prints its results.
 * @throws CliError also for what the worker refuses
 */
export async function runOnWorker(
  options: RestOptions & { readonly output: Format },
  use: (rest: RestClient, out: Output) => Promise<void>,
): Promise<void> {
  const out = new Output({ format: options.output })
  await withRest(options, out, (rest) => use(rest, out))
}

/**
 * Runs `use` with a client of a worker's REST API. What a worker has to say about a config goes to standard error.
 * @throws CliError also for what the worker refuses
 */
export async function withRest<T>(
  options: RestOptions,
  out: Output,
  use: (rest: RestClient) => Promise<T>,
  env: Environment = process.env,
): Promise<T> {
  const onWarning = (text: string): void => out.warn(`warning: ${text}`)
  const rest = await connectRest(options, env, { parse: parseExactly, onWarning })
  try {
    return await use(rest)
  } catch (error) {
    throw explained(error, rest, env)
  } finally {
    out.settle()
  }
}

/** A client of the worker. @throws CliError where an option is wrong */
export async function connectRest(
  options: RestOptions,
  env: Environment,
  more: Pick<RestClientOptions, 'parse' | 'onWarning'> = {},
): Promise<RestClient> {
  const { url, authorization } = whereAndWho(options.url, env)
  const ask = await fetchWith(url, options, env)
  return new RestClient({
    url,
    ...(authorization === undefined ? {} : { authorization }),
    fetch: patient(ask, url, options.timeout ?? defaultTimeoutMs),
    ...more,
  })
}

async function fetchWith(url: string, options: RestOptions, env: Environment): Promise<Fetch> {
  const { cert, ca, key = cert } = options
  if (!url.startsWith('https:') || (cert ?? key ?? ca) === undefined) return fetch
  if (cert === undefined && key !== undefined) throw new CliError('--key: give --cert too', exitCodes.usage)
  const read: Record<string, string> = {}
  for (const [name, path] of Object.entries({ cert, key, ca })) {
    if (path !== undefined) read[name] = await readPem(name, path)
  }
  const passphrase = env['TIDEWIRE_KEY_PASSWORD']
  try {
    const { httpsFetch } = await import('./https-fetch.ts')
    return httpsFetch({ ...read, ...(passphrase === undefined ? {} : { passphrase }) })
  } catch (error) {
    throw new CliError(`--cert, --key, --ca: ${messageOf(error)}`, exitCodes.usage, { cause: error })
  }
}

async function readPem(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CliError(`--${option}: ${path} cannot be read: ${messageOf(error)}`, exitCodes.usage, { cause: error })
  }
}

/** An answer may take its time; whether somebody is there at all is seen by a question that is answered at once. */
function patient(ask: Fetch, url: string, timeoutMs: number): Fetch {
  const probe = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      await sleep(timeoutMs / 2, undefined, { signal })
      const late = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeoutMs / 2))])
      const answer = await ask(`${url}/`, { method: 'GET', headers: {}, signal: late })
      await answer.body?.cancel()
    }
  }
  return async (asked, init) => {
    const [answered, silent] = [new AbortController(), new AbortController()]
    probe(answered.signal).catch(() => {
      if (!answered.signal.aborted) silent.abort(new Error(`nothing came within ${timeoutMs / 1000} s: see --timeout`))
    })
    try {
      const signal = init.signal === undefined ? silent.signal : AbortSignal.any([silent.signal, init.signal])
      const answer = await ask(asked, { ...init, signal })
      return answer
    } catch (error) {
      throw silent.signal.aborted ? silent.signal.reason : error
    } finally {
      answered.abort()
    }
  }
}

/** @throws CliError */
export function whereAndWho(text: string, env: Environment): { url: string; authorization: string | undefined } {
  const url = URL.parse(/^\w+:\/\//.test(text) ? text : `http://${text}`)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // Not what it is: it may hold a password.
    throw new CliError('--url: expected http://host:port', exitCodes.usage)
  }
  const user = decodeURIComponent(url.username) || env['TIDEWIRE_USER']
  const password = decodeURIComponent(url.password) || env['TIDEWIRE_PASSWORD']
  const token = env['TIDEWIRE_TOKEN']
  url.username = ''
  url.password = ''
  const basic = user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`
  return { url: url.href.replace(/\/$/, ''), authorization: basic ?? (token && `Bearer ${token}`) }
}

/** An error of the client in words that name the way out; any other as it is. */
export function explained(error: unknown, { url }: { readonly url: string }, env: Environment = process.env): unknown {
  if (error instanceof NoAnswerError) {
    return new CliError(
      `no worker answers at ${url} (${reasonOf(error)}): ${wayOut(url, codesOf(error))}`,
      exitCodes.unreachable,
      { cause: error },
    )
  }
  if (!(error instanceof RestClientError)) return error
  if (error.errorCode === undefined && error.status !== 401) {
    const exitCode = error.status >= 500 ? exitCodes.unreachable : exitCodes.failed
    return new CliError(`${url} answers with HTTP ${error.status}, and not as a worker: is it one’s address?`, exitCode)
  }
  if (/^HTTP 40[45]\b/.test(error.message)) {
    return new CliError(
      `the worker at ${url} lacks this call (${error.message}): it is one of Kafka Connect, or has it at another address (admin.listeners)`,
    )
  }
  switch (error.status) {
    case 401: {
      // Where there is a user too, it is the user that asks.
      const expired = env['TIDEWIRE_USER'] === undefined ? expiryOf(env['TIDEWIRE_TOKEN']) : undefined
      if (expired !== undefined) return new CliError(`the token in TIDEWIRE_TOKEN expired at ${expired}: set a new one`)
      return new CliError(
        `${url} wants to know who you are: set TIDEWIRE_USER and TIDEWIRE_PASSWORD, or TIDEWIRE_TOKEN (${error.message})`,
      )
    }
    case 404: {
      const hint = /^(Unknown connector|Connector .* not found)/.test(error.message)
        ? ': tidewire connector list shows which there are'
        : ''
      return new CliError(error.message + hint, exitCodes.notFound)
    }
    case 503:
      return new CliError(`${url} cannot do this now: ${error.message}`, exitCodes.unreachable)
    default:
      return new CliError(error.message)
  }
}

/** When the token was good for the last time; undefined where it still is, or is no JSON Web Token. */
function expiryOf(token: string | undefined): string | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown }
    const at = Number(claims.exp) * 1000
    return at < Date.now() ? new Date(at).toISOString() : undefined
  } catch {
    return undefined
  }
}

function wayOut(url: string, codes: readonly string[]): string {
  const has = (pattern: RegExp): boolean => codes.some((code) => pattern.test(code))
  if (has(/SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/)) {
    return 'give the certificate of its authority with --ca or TIDEWIRE_CA'
  }
  if (has(/ALERT|HANDSHAKE/) || (url.startsWith('https:') && has(/ECONNRESET|UND_ERR_SOCKET|EPIPE/))) {
    return 'it may want a client certificate: give one with --cert and --key, or TIDEWIRE_CERT and TIDEWIRE_KEY'
  }
  if (has(/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/)) return 'it may speak http, not https'
  if (url.startsWith('http:') && has(/ECONNRESET|UND_ERR_SOCKET|HPE_/)) return 'it may speak https, or be no worker'
  return 'start one with tidewire start, or say where it is with --url or TIDEWIRE_URL'
}

/** Of the error and of what caused it. */
function codesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const { code } = error as NodeJS.ErrnoException
  return [...(typeof code === 'string' ? [code] : []), ...codesOf(error.cause)]
}

/** What the client says of the cause, without the address, which is told beside it. */
function reasonOf({ message, url }: NoAnswerError): string {
  return message.replace(`no answer from ${url}: `, '')
}
