import type { Socket } from 'node:net'
import type { Logger } from '../logging/logger.ts'
import { decodeRequestHeader } from '../protocol/codec.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { FrameError, FrameParser } from './frame-parser.ts'
import type { ConnectionSignal, RequestContext } from './handler.ts'
import { RequestError } from './kafka-error.ts'
import type { AnswerHolder, AnswerMemory } from './answer-memory.ts'
import type { RareWarning } from '../logging/rare-warning.ts'
import { smallRequestBytes, type Arrival, type RequestMemories, type RequestMemory } from './request-memory.ts'
import type { SaslSession } from './sasl/session.ts'

/** Answers one request: the frame of the answer, or null for none. */
export type Dispatch = (
  header: ReturnType<typeof decodeRequestHeader>,
  frame: Buffer,
  context: RequestContext,
) => readonly Buffer[] | null | Promise<readonly Buffer[] | null>

export interface ConnectionOptions {
  readonly logger: Logger
  /** For what clients do wrong. */
  readonly warning: RareWarning
  readonly memories: RequestMemories
  readonly answers: AnswerMemory
  readonly dispatch: Dispatch
  /** `socket.request.max.bytes` */
  readonly maxRequestBytes: number
  /** `connections.max.idle.ms` */
  readonly maxIdleMs: number
  readonly advertised: RequestContext['advertised']
  /** Null: clients need not say who they are. */
  readonly sasl: SaslSession | null
}

/** Requests of one connection that may be in work at a time. */
const maxInFlight = 100
/** Unsent bytes of answers above which a connection's requests wait. */
const maxUnsentBytes = 1024 * 1024
/** Unhandled bytes of requests above which a connection is not read. */
const maxUnhandledBytes = 64 * 1024
/** A request half sent, or an answer half read, for so long without a byte moving, ends the connection. */
const stallMs = 60_000
/** The largest request of a client that has not shown who it is; `sasl.server.max.receive.size` in Kafka. */
const maxUnauthenticatedBytes = 512 * 1024
/** How long a client may take to show who it is. */
const authenticationMs = 30_000

interface Slot {
  answer: readonly Buffer[] | null | undefined
  onSent: (() => void) | undefined
}

/**
 * One client. Requests start in the order they came, the next one when the one before it is answered or has called
 * `allowNext`; answers go out in that order too. What the client does not read, or sends faster than it is handled,
 * stays in its own socket; a client that breaks the protocol loses its connection and nobody else notices.
 */
export class Connection implements ConnectionSignal, Arrival, AnswerHolder {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #parser: FrameParser
  readonly #clientHost: string
  readonly #slots: Slot[] = []
  readonly #closeListeners = new Set<() => void>()
  #closed = false
  /** Where the bytes of its requests count. */
  #memory: RequestMemory
  /** A request is at work that the next one must wait for. */
  #busy = false
  #waitsForMemory = false
  #pumping = false
  #sendsSoon = false
  /** No more requests: the connection ends when the answers are sent. */
  #ending = false
  readonly #authenticationTimer: NodeJS.Timeout | undefined
  #lastActive = performance.now()

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#memory = options.memories.strangers
    this.#parser = new FrameParser(options.maxRequestBytes)
    if (options.sasl !== null) {
      this.#parser.maxBytes = Math.min(maxUnauthenticatedBytes, options.maxRequestBytes)
      this.#authenticationTimer = setTimeout(() => this.#onUnauthenticated(), authenticationMs).unref()
    }
    this.#clientHost = `/${plainAddress(socket.remoteAddress)}`
    socket.setNoDelay(true)
    socket.setTimeout(this.#timeoutMs())
    socket.on('data', (chunk: Buffer) => {
      this.#lastActive = performance.now()
      this.#parser.push(chunk)
      this.#pump()
    })
    socket.on('drain', () => this.#pump())
    socket.on('timeout', () => this.#onSilence())
    socket.on('error', (error) =>
      options.logger.debug('Connection failed', { client: this.#clientHost, error: error.message }),
    )
    socket.on('close', () => this.#onClosed())
  }

  get closed(): boolean {
    return this.#closed
  }

  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Starts what may start, then reads on or stops reading. */
  #pump(): void {
    // A handler that answers at once leads back here; the loop that is running goes on with what it left.
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#startNext());
    } catch (error) {
      this.#refuse(error)
    } finally {
      this.#pumping = false
    }
    if (this.#closed) return
    const full = this.#waitsForMemory || this.#parser.bufferedBytes > maxUnhandledBytes
    const stuck = this.#busy || this.#isOverloaded() || this.#waitsForMemory
    if ((full && stuck) || this.#ending) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  #isOverloaded(): boolean {
    return this.#slots.length >= maxInFlight || this.#socket.writableLength > maxUnsentBytes
  }

  #startNext(): boolean {
    if (this.#closed || this.#ending || this.#busy || this.#waitsForMemory || this.#isOverloaded()) return false
    const size = this.#parser.frameSize()
    if (size === undefined) return false
    const frame = this.#parser.take()
    if (frame === undefined) {
      if (size > smallRequestBytes) this.#waitsForMemory = !this.#memory.arrived(this, this.#parser.bufferedBytes)
      return false
    }
    this.#memory.begin(this, frame.length)
    this.#start(frame)
    return true
  }

  /** There is memory again for the rest of a large request. */
  resume(): void {
    this.#waitsForMemory = false
    this.#pump()
  }

  /** Ends the connection for what its client does to the others. */
  refuse(reason: string): void {
    this.#refuse(new FrameError(reason))
  }

  /** No stranger any more, in the middle of the next request maybe. */
  #becomeKnown(): void {
    const { memories, sasl } = this.#options
    if (this.#memory === memories.known || this.#closed || sasl?.authenticated === false) return
    this.#memory.forget(this)
    this.#memory = memories.known
    this.#waitsForMemory = false
  }

  #start(frame: Buffer): void {
    const { sasl } = this.#options
    const memory = this.#memory
    const slot: Slot = { answer: undefined, onSent: undefined }
    this.#slots.push(slot)
    this.#busy = true
    let holdsNext = true
    const allowNext = () => {
      if (!holdsNext) return
      holdsNext = false
      this.#busy = false
      this.#pump()
    }
    const finish = (answer: readonly Buffer[] | null) => {
      memory.release(frame.length)
      this.#becomeKnown()
      if (sasl?.authenticated === true) this.#parser.maxBytes = this.#options.maxRequestBytes
      slot.answer = answer
      this.#sendSoon()
      allowNext()
    }
    const fail = (error: unknown) => {
      memory.release(frame.length)
      this.#refuse(error)
    }
    try {
      const header = decodeRequestHeader(frame)
      const answer = this.#options.dispatch(header, frame, {
        version: header.apiVersion,
        clientId: header.clientId ?? '',
        clientHost: this.#clientHost,
        advertised: this.#options.advertised,
        sasl,
        endAfterAnswer: () => (this.#ending = true),
        allowNext,
        onSent: (listener) => (slot.onSent = listener),
        signal: this,
      })
      if (answer instanceof Promise) answer.then(finish, fail)
      else finish(answer)
    } catch (error) {
      fail(error)
    }
  }

  /** At the end of the turn: what one sync of the log makes ready leaves in one system call. */
  #sendSoon(): void {
    if (this.#sendsSoon) return
    this.#sendsSoon = true
    process.nextTick(() => {
      this.#sendsSoon = false
      this.#send()
      this.#pump()
    })
  }

  /** Sends the answers that are next in order, in one system call. */
  #send(): void {
    if (this.#closed || this.#slots[0]?.answer === undefined) return
    this.#socket.cork()
    const waiting = this.#slots.findIndex((slot) => slot.answer === undefined)
    for (const { answer, onSent } of this.#slots.splice(0, waiting < 0 ? Infinity : waiting)) {
      const last = (answer?.length ?? 0) - 1
      answer?.forEach((chunk, index) => {
        if (index < last) this.#socket.write(chunk)
        else if (onSent === undefined) this.#socket.write(chunk, this.#onWritten)
        else {
          this.#socket.write(chunk, (error) => {
            // After a failure the system may still hold on to the memory.
            if (error === null || error === undefined) onSent()
            this.#onWritten()
          })
        }
      })
    }
    this.#socket.uncork()
    this.#onWritten()
    if (this.#ending && this.#slots.length === 0) this.#socket.end(() => this.close())
  }

  /** What the client has not read may have changed. What is given up when the connection ends is no reading. */
  readonly #onWritten = (): void => {
    if (!this.#socket.destroyed) this.#options.answers.hold(this, this.#socket.writableLength)
  }

  #refuse(error: unknown): void {
    if (this.#closed) return
    const { logger } = this.#options
    const client = `${this.#clientHost}:${this.#socket.remotePort}`
    if (error instanceof FrameError || error instanceof ProtocolError || error instanceof RequestError) {
      this.#options.warning.tell(`Closed the connection of ${client}: ${error.message}`)
    } else {
      const reason = error instanceof Error ? error.stack : String(error)
      logger.error(`Closed the connection of ${client}: a request failed unforeseen`, { error: reason })
    }
    this.close()
  }

  #timeoutMs(): number {
    return Math.min(stallMs, this.#options.maxIdleMs)
  }

  #onSilence(): void {
    const stalled =
      this.#socket.writableLength > 0 || (this.#parser.bufferedBytes > 0 && !this.#busy && !this.#waitsForMemory)
    const idleMs = performance.now() - this.#lastActive
    if (stalled || (this.#slots.length === 0 && idleMs >= this.#options.maxIdleMs)) {
      const reason = stalled ? 'stopped in the middle of a message' : 'was idle'
      this.#options.logger.debug(`Closed a connection that ${reason}`, { client: this.#clientHost })
      this.close()
      return
    }
    // Fires once only, unless set again.
    this.#socket.setTimeout(this.#timeoutMs())
  }

  #onUnauthenticated(): void {
    if (this.#options.sasl?.authenticated === true) return
    this.#options.logger.debug('Closed a connection that did not authenticate', { client: this.#clientHost })
    this.close()
  }

  #onClosed(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#authenticationTimer)
    this.#memory.forget(this)
    this.#options.answers.hold(this, 0)
    for (const listener of this.#closeListeners) listener()
    this.#closeListeners.clear()
  }
}

/** An address without IPv6's wrapping of IPv4. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '')
}
