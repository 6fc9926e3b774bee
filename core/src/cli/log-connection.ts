import { connect, type Socket } from 'node:net'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogError, type LogClient } from '../client/client.ts'
import { createClient, parseAddress } from '../client/log-client.ts'
import { loadLogSecurity, logSecuritySettings } from '../config/log-security.ts'
import { parseProperties } from '../config/properties.ts'
import { compileSettings } from '../config/settings.ts'
import { messageOf } from '../logging/message-of.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { Output, type Format } from './output.ts'

/** How a command reaches the log. */
export interface LogOptions {
  /** `host:port`, several with commas between them. */
  readonly bootstrap: string
  /** Kafka's client settings, for a log that is secured. */
  readonly commandConfig?: string | undefined
  /** How long it may say nothing at all at first, in milliseconds. */
  readonly timeout?: number | undefined
}

const requestTimeoutMs = 10_000
const defaultTimeoutMs = 5_000

/**
 * A command that asks the log: runs `use` as {@link withLog} does, with what prints its results.
 * @throws CliError also for what the log refuses
 */
export async function runOnLog(
  options: LogOptions & { readonly output: Format },
  use: (client: LogClient, out: Output) => Promise<void>,
): Promise<void> {
  const out = new Output({ format: options.output })
  await withLog(options, (client) => use(client, out))
}

/**
 * Runs `use` with a client of the log, and closes it.
 * @throws CliError also for what the log refuses
 */
export async function withLog<T>(options: LogOptions, use: (client: LogClient) => Promise<T>): Promise<T> {
  const servers = options.bootstrap.split(',').map((server) => server.trim())
  const security = options.commandConfig === undefined ? {} : await readSecurity(options.commandConfig)
  const { timeout: timeoutMs = defaultTimeoutMs } = options
  const deadline = performance.now() + timeoutMs
  await expectListener(servers, deadline)
  const client = createClient({ bootstrapServers: servers, clientId: 'tidewire-cli', requestTimeoutMs, ...security })
  try {
    await expectAnswer(client, options, timeoutMs, deadline)
    return await use(client)
  } catch (error) {
    throw error instanceof LogError ? explained(error, options) : error
  } finally {
    await client.close()
  }
}

/** A client tries for a minute to reach the log; whoever waits at a terminal should know at once that nobody listens. */
async function expectListener(servers: readonly string[], deadline: number): Promise<void> {
  const sockets = servers.map((server) => connect(addressOf(server)))
  const failures: string[] = []
  try {
    await Promise.any(sockets.map(async (socket) => connected(socket, Math.max(1, deadline - performance.now()))))
    return
  } catch (error) {
    const { errors } = error as { readonly errors: readonly unknown[] }
    failures.push(...servers.map((server, index) => `${server} (${messageOf(errors[index])})`))
  } finally {
    for (const socket of sockets) socket.destroy()
  }
  throw new CliError(
    `no log answers at ${failures.join(', ')}: start one with tidewire start, or say where it is with --bootstrap or TIDEWIRE_BOOTSTRAP`,
    exitCodes.unreachable,
  )
}

/** A listener that wants TLS or a log-in may close the connection, or say nothing at all. */
async function expectAnswer(
  { admin }: LogClient,
  { bootstrap, commandConfig }: LogOptions,
  timeoutMs: number,
  deadline: number,
): Promise<void> {
  const late = new AbortController()
  const leftMs = Math.max(1, deadline - performance.now())
  const silence = sleep(leftMs, undefined, { signal: late.signal }).then(() => {
    const hint = commandConfig === undefined ? '; if it wants TLS or a log-in, give them with --command-config' : ''
    throw new CliError(
      `${bootstrap} takes connections, and has not answered as a log for ${timeoutMs / 1000} s: --timeout waits longer${hint}`,
      exitCodes.unreachable,
    )
  })
  try {
    await Promise.race([admin.clusterId(), silence])
  } finally {
    silence.catch(() => undefined)
    late.abort()
  }
}

function addressOf(server: string): ReturnType<typeof parseAddress> {
  try {
    return parseAddress(server)
  } catch (error) {
    throw new CliError(`--bootstrap: ${server} is not host:port`, exitCodes.usage, { cause: error })
  }
}

async function connected(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    socket.setTimeout(timeoutMs, () => reject(new Error('no answer')))
    socket.once('connect', resolve)
    socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message)))
  })
}

async function readSecurity(path: string) {
  try {
    const settings = parseProperties(await readFile(path, 'utf8'))
    const { config, errors } = compileSettings(logSecuritySettings, { foreign: () => true })(settings)
    const faults = Object.values(errors).flat()
    if (faults.length > 0) throw new Error(faults.join('; '))
    return await loadLogSecurity(config)
  } catch (error) {
    throw new CliError(`${path}: ${messageOf(error)}`, exitCodes.usage, { cause: error })
  }
}

function explained(error: LogError, { bootstrap, commandConfig }: LogOptions): CliError {
  switch (error.code) {
    case 'NETWORK':
    case 'TIMEOUT':
      return new CliError(`the log at ${bootstrap} does not answer: ${error.message}`, exitCodes.unreachable)
    case 'UNKNOWN_TOPIC_OR_PARTITION':
    case 'GROUP_ID_NOT_FOUND':
      return new CliError(error.message, exitCodes.notFound)
    case 'TLS':
    case 'SASL_AUTHENTICATION_FAILED':
    case 'ILLEGAL_SASL_STATE':
    case 'UNSUPPORTED_SASL_MECHANISM': {
      const hint = commandConfig === undefined ? ': give security.protocol and the login with --command-config' : ''
      return new CliError(`the log at ${bootstrap} does not let us in${hint}: ${error.message}`)
    }
    default:
      return new CliError(error.message)
  }
}
