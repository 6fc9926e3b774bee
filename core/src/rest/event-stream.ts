import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** What is kept for a client that does not read: beyond it the stream breaks off, and the client asks anew. */
const maxUnreadBytes = 1024 * 1024
/** So that what stands between does not take the connection for dead, and a client that is gone is noticed. */
const heartbeatMs = 15_000
/** Then the client asks anew, and shows anew who it is: a log-in does not last for ever, and neither may what it opened. */
const maxAgeMs = 60 * 60_000
/** How long a browser waits before it asks anew. */
const retryMs = 2000

export interface SentEvent {
  /** Where to go on after it. */
  readonly id?: string
  readonly event: string
  /** Any text; line breaks are fine. */
  readonly data: string
}

/** An answer of server-sent events (WHATWG HTML, section 9.2), which ends when the client goes or the worker stops. */
export class EventStream {
  readonly #stream = new PassThrough()
  readonly #heartbeat: NodeJS.Timeout
  readonly #age: NodeJS.Timeout
  readonly #over = new AbortController()

  /** Sends the head of the answer. */
  constructor(reply: FastifyReply, closing: AbortSignal) {
    const end = (): void => this.end()
    this.#stream.once('close', () => {
      this.#clearTimers()
      closing.removeEventListener('abort', end)
      this.#over.abort()
    })
    // A client that goes away is no failure; whatever else ends it, its close says so.
    this.#stream.on('error', () => undefined)
    closing.addEventListener('abort', end)
    this.#heartbeat = setInterval(() => this.#write(':\n\n'), heartbeatMs)
    this.#heartbeat.unref()
    this.#age = setTimeout(end, maxAgeMs)
    this.#age.unref()
    this.#write(`retry: ${retryMs}\n\n`)
    void reply
      .type('text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('x-accel-buffering', 'no')
      .send(this.#stream)
    if (closing.aborted) this.end()
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  send({ id, event, data }: SentEvent): void {
    const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`)
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\n${lines.join('')}\n`)
  }

  /** Resolves when what was sent is on its way, or the stream is over. */
  async drained(): Promise<void> {
    if (!this.#stream.writableNeedDrain || this.signal.aborted) return
    await once(this.#stream, 'drain', { signal: this.signal }).catch(() => undefined)
  }

  /** The client gets what was sent so far. */
  end(): void {
    this.#clearTimers()
    this.#stream.end()
  }

  #clearTimers(): void {
    clearInterval(this.#heartbeat)
    clearTimeout(this.#age)
  }

  #write(text: string): void {
    if (this.#stream.writableEnded || this.#stream.destroyed) return
    if (this.#stream.readableLength + this.#stream.writableLength > maxUnreadBytes) this.#stream.destroy()
    else this.#stream.write(text)
  }
}
