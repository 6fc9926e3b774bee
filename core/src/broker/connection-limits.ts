import type { Socket } from 'node:net'
import type { Logger } from '../logging/logger.ts'
import type { BrokerConfig } from './config.ts'
import { RareWarning } from '../logging/rare-warning.ts'

type Limits = Pick<BrokerConfig, 'max.connections' | 'max.connections.per.ip'>

/** How many connections there may be (`max.connections`, `max.connections.per.ip`), over all listeners. */
export class ConnectionLimits {
  readonly #limits: Limits
  readonly #warning: RareWarning
  readonly #byAddress = new Map<string, number>()
  #count = 0

  /** @param limits read for each connection, so that they may change */
  constructor(limits: Limits, logger: Pick<Logger, 'warn' | 'debug'>) {
    this.#limits = limits
    this.#warning = new RareWarning(logger)
  }

  /** Takes a place for the socket until it is closed; where there is none, ends it. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? ''
    const fromThere = this.#byAddress.get(address) ?? 0
    const { 'max.connections': most, 'max.connections.per.ip': mostFromThere } = this.#limits
    if (this.#count >= most) return this.#turnAway(socket, `max.connections is ${most}`)
    if (fromThere >= mostFromThere) return this.#turnAway(socket, `max.connections.per.ip is ${mostFromThere}`)
    this.#count++
    this.#byAddress.set(address, fromThere + 1)
    socket.once('close', () => this.#leave(address))
    return true
  }

  #leave(address: string): void {
    this.#count--
    const left = this.#byAddress.get(address)! - 1
    if (left === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
  }

  #turnAway(socket: Socket, reason: string): false {
    this.#warning.tell('A connection was turned away', { reason, client: socket.remoteAddress })
    socket.destroy()
    return false
  }
}
