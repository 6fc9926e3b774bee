/** The main thread's end of one host thread. */
import { Worker } from 'node:worker_threads'
import { ConnectError } from '@tidewire/sdk'
import { rethrowable, type HostCall, type HostCalls, type HostMessage, type HostSettings } from './host-messages.ts'

export interface HostEvents {
  /** What the thread says of its own accord. */
  onMessage(message: Exclude<HostMessage, { kind: 'answer' | 'alive' }>): void
  /** The thread is gone, and with it all that ran there. Called once, not after {@link HostHandle.terminate}. */
  onDeath(reason: string): void
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Three semi-spaces of 8 MiB. */
const youngMb = 24

/** See the head of the file. */
export class HostHandle {
  readonly name: string
  readonly #thread: Worker
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #dead: string | undefined
  #error: unknown
  #alive = true
  #missedBeats = 0
  readonly #events: HostEvents

  constructor(name: string, settings: HostSettings, heapMb: number, events: HostEvents) {
    this.name = name
    this.#events = events
    this.#thread = new Worker(new URL('./host-thread.ts', import.meta.url), {
      name,
      workerData: settings,
      // Records live for a moment: a young generation large enough for a few batches spares copying them.
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: youngMb },
    })
    this.#thread.on('message', (message: HostMessage) => this.#onMessage(message))
    this.#thread.on('error', (error) => (this.#error = error))
    this.#thread.on('exit', (code) => this.#onExit(code))
  }

  get isDead(): boolean {
    return this.#dead !== undefined
  }

  /** @throws what the call throws there; ConnectError when the thread is gone */
  async call<K extends HostCall>(call: K, args: HostCalls[K]['args']): Promise<HostCalls[K]['answer']> {
    if (this.#dead !== undefined) throw new ConnectError(this.#dead)
    const id = this.#nextId++
    return new Promise<HostCalls[K]['answer']>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#thread.postMessage({ id, call, args })
    })
  }

  /**
   * Called about as often as the thread's heartbeat comes; returns how many times in a row there was none. Counted in
   * calls and not in time, so that a pause of the whole process is nobody's fault.
   */
  countMissedBeats(): number {
    this.#missedBeats = this.#alive ? 0 : this.#missedBeats + 1
    this.#alive = false
    return this.#missedBeats
  }

  /** Ends the thread at once, whatever it is doing. `reason` is what its death is reported as. */
  async kill(reason: string): Promise<void> {
    this.#error = new Error(reason)
    await this.#thread.terminate()
  }

  /** Ends the thread, without an event: its work is done. */
  async terminate(): Promise<void> {
    this.#die('the host thread was closed')
    await this.#thread.terminate()
  }

  #onMessage(message: HostMessage): void {
    this.#alive = true
    if (message.kind === 'alive') return
    if (message.kind !== 'answer') {
      this.#events.onMessage(message)
      return
    }
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.error !== undefined) pending?.reject(rethrowable(message.error))
    else pending?.resolve(message.value)
  }

  #onExit(code: number): void {
    if (this.#dead !== undefined) return
    const reason =
      this.#error instanceof Error
        ? `the host thread ended: ${this.#error.message}`
        : `the host thread ended by itself (exit code ${code})`
    this.#die(reason)
    this.#events.onDeath(reason)
  }

  #die(reason: string): void {
    this.#dead = reason
    for (const { reject } of this.#pending.values()) reject(new ConnectError(reason))
    this.#pending.clear()
  }
}
