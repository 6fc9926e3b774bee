import { NoAnswerError, RestClient, RestClientError } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { Output, type Format } from './output.ts'

/** How a command reaches a worker. */
export interface RestOptions {
  /** Of any worker of the cluster; may hold a name and a password. */
  readonly url: string
}

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
  const { url, authorization } = whereAndWho(options.url, env)
  const rest = new RestClient({
    url,
    ...(authorization === undefined ? {} : { authorization }),
    parse: parseExactly,
    onWarning: (text) => out.warn(`warning: ${text}`),
  })
  try {
    return await use(rest)
  } catch (error) {
    throw explained(error, rest)
  } finally {
    out.settle()
  }
}

// TypeScript's library does not know it yet.
const rawJson = (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON

/** JSON whose numbers are printed with the digits that they came with: a record's may have more than a number holds. */
function parseExactly(json: string): unknown {
  return JSON.parse(json, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJson(source) : value,
  )
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
export function explained(error: unknown, { url }: { readonly url: string }): unknown {
  if (error instanceof NoAnswerError) {
    return new CliError(
      `no worker answers at ${url} (${reasonOf(error)}): start one with tidewire start, or say where it is with --url or TIDEWIRE_URL`,
      exitCodes.unreachable,
      { cause: error },
    )
  }
  if (!(error instanceof RestClientError)) return error
  switch (error.status) {
    case 401:
      return new CliError(
        `${url} wants to know who you are: set TIDEWIRE_USER and TIDEWIRE_PASSWORD, or TIDEWIRE_TOKEN (${error.message})`,
      )
    case 404:
      return new CliError(error.message, exitCodes.notFound)
    case 503:
      return new CliError(`${url} cannot do this now: ${error.message}`, exitCodes.unreachable)
    default:
      return new CliError(error.message)
  }
}

/** What the client says of the cause, without the address, which is told beside it. */
function reasonOf({ message, url }: NoAnswerError): string {
  return message.replace(`no answer from ${url}: `, '')
}
