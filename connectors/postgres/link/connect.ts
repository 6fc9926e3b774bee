import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from '@tidewire/sdk'
import pg from 'pg'
import type { Address } from './connection-settings.ts'
import { codes, problemOf, sqlStateOf } from './errors.ts'
import { quoteLiteral } from './identifier.ts'
import { sslAttempts } from './ssl.ts'

export interface ConnectOptions {
  /** Ends an attempt at once. */
  readonly signal: AbortSignal
  /**
   * true: a session of a WAL sender. It takes replication commands and SQL, but one text at a time, without parameters;
   * it runs no initial statements, and its statements have no timeout.
   */
  readonly replication?: boolean
  /** Default the address's. 0, for reading a table: none. */
  readonly statementTimeoutMs?: number
  /** For an attempt, login included. Default 10 s. */
  readonly connectTimeoutMs?: number
}

/**
 * The settings that make one text form of each value, whatever the server, the database or the role has set: of COPY,
 * of queries and of the replication stream. Timeouts for idleness are off, since back-pressure is no idleness.
 */
const sessionSettings = `
  SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3;
  SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
  SET client_min_messages = 'warning';
  SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
  WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout') AND setting <> '0'`

/**
 * A session with the server, with the settings of above. It has an error listener: when the connection breaks, what is
 * under way fails, and each call after it. Whoever asked ends it with {@link disconnect}.
 * @throws ConnectError of {@link problemOf}; the signal's reason when it is aborted
 */
export async function connect(address: Address, options: ConnectOptions): Promise<pg.Client> {
  options.signal.throwIfAborted()
  const what = `connecting to PostgreSQL at ${address.host}:${address.port}, database "${address.database}", as "${address.user}"`
  const attempts = await sslAttempts(address.ssl)
  for (const [index, ssl] of attempts.entries()) {
    try {
      return await open(address, ssl, options)
    } catch (error) {
      options.signal.throwIfAborted()
      if (index === attempts.length - 1 || !mayGoTheOtherWay(error)) throw problemOf(error, what)
    }
  }
  throw new Error('there is always an attempt')
}

/** The server has no TLS, or its pg_hba.conf wants the other kind of connection for this login. */
function mayGoTheOtherWay(error: unknown): boolean {
  return sqlStateOf(error) === '28000' || (error instanceof Error && error.message.includes('does not support SSL'))
}

async function open(address: Address, ssl: ConnectionOptions | false, options: ConnectOptions): Promise<pg.Client> {
  // Our own socket, since the driver's cannot be reached before the login is done.
  const socket = new Socket()
  // Nothing is left out: what is, the driver takes from the environment and from files of the user.
  const config: pg.ClientConfig & { replication?: 'database' } = {
    host: address.host,
    port: address.port,
    user: address.user,
    database: address.database,
    password: () => {
      if (address.password !== undefined) return address.password
      throw new ConfigError(`user "${address.user}" needs a password, and none is set`, { code: codes.loginRefused })
    },
    ssl,
    sslnegotiation: 'postgres',
    application_name: address.applicationName,
    options: address.options ?? ' ',
    keepAlive: address.tcpKeepAlive,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    stream: () => socket,
    ...(options.replication === true ? { replication: 'database' } : {}),
  }
  const client = new pg.Client(config)
  const onAbort = (): void => void socket.destroy()
  options.signal.addEventListener('abort', onAbort)
  try {
    await client.connect()
    // Whoever uses the client learns of a break from their own call; an event nobody listens to would end the process.
    client.on('error', () => undefined)
    await prepare(client, address, options)
    return client
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    options.signal.removeEventListener('abort', onAbort)
  }
}

async function prepare(client: pg.Client, address: Address, options: ConnectOptions): Promise<void> {
  if (options.replication === true) {
    await client.query(sessionSettings)
    return
  }
  const timeoutMs = options.statementTimeoutMs ?? address.queryTimeoutMs
  await client.query(`${sessionSettings}; SET statement_timeout = ${quoteLiteral(String(timeoutMs))}`)
  for (const statement of address.initialStatements) {
    try {
      await client.query(statement)
    } catch (error) {
      throw problemOf(error, `running the initial statement "${statement}"`)
    }
  }
}

/** Ends the session; cuts it off where the server does not take its leave within a second. Never throws. */
export async function disconnect(client: pg.Client): Promise<void> {
  const socket = socketOf(client)
  const timer = new AbortController()
  await Promise.race([
    client.end().catch(() => undefined),
    delay(1000, undefined, { signal: timer.signal }).catch(() => undefined),
  ])
  timer.abort()
  socket.destroy()
}

/** The stream under a client: of TLS, where that is on. */
export function socketOf(client: pg.Client): Duplex {
  return (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream
}
