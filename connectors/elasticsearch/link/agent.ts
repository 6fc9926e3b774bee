import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { Socket } from 'node:net'

interface AgentLimits {
  /** 0: none. */
  readonly connectTimeoutMs: number
  /** 0: none. */
  readonly idleTimeoutMs: number
}

type Callback = (error: Error | null, stream: Duplex) => void

/** Connections that are kept, with a limit for getting one and for what is silent. */
export function makeAgent(secure: boolean, tls: AgentOptions, limits: AgentLimits): HttpAgent | HttpsAgent {
  const options: AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: limits.idleTimeoutMs }
  return secure ? new SecureAgent({ ...options, ...tls }, limits) : new PlainAgent(options, limits)
}

class PlainAgent extends HttpAgent {
  readonly #limits: AgentLimits

  constructor(options: AgentOptions, limits: AgentLimits) {
    super(options)
    this.#limits = limits
  }

  override createConnection(options: Parameters<HttpAgent['createConnection']>[0], callback?: Callback) {
    return guard(super.createConnection(options, callback), 'connect', this.#limits)
  }
}

class SecureAgent extends HttpsAgent {
  readonly #limits: AgentLimits

  constructor(options: AgentOptions, limits: AgentLimits) {
    super(options)
    this.#limits = limits
  }

  override createConnection(options: Parameters<HttpsAgent['createConnection']>[0], callback?: Callback) {
    return guard(super.createConnection(options, callback), 'secureConnect', this.#limits)
  }
}

function guard<T extends Duplex | null | undefined>(socket: T, ready: string, { connectTimeoutMs }: AgentLimits): T {
  if (!(socket instanceof Socket)) return socket
  // The client stops listening for silence when an answer begins: one that stops in its middle would never fail.
  socket.on('timeout', () => socket.destroy(new Error('the server was silent for too long')))
  if (connectTimeoutMs === 0) return socket
  const timer = setTimeout(
    () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
    connectTimeoutMs,
  )
  const clear = (): void => clearTimeout(timer)
  socket.once(ready, clear).once('close', clear)
  return socket
}
