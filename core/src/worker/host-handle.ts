/** The main thread's end of one host thread. */
import { Worker } from 'node:worker_threads'
import { ConnectError } from '@tidewire/sdk'
import {
  rethrowable,
  type HostBirth,
  type HostCall,
  type HostCalls,
  type HostMessage,
  type HostSettings,
  type ThreadHealth,
} from './host-messages.ts'
import { loansBuffer, settleLoans } from './byte-budget.ts'
import { turnBuffer, turnOf, type Step } from './turns.ts'

export interface HostEvents {
  /** What the thread says of its own accord. */
  onMessage(message: Exclude<HostMessage, { kind: 'answer' | 'alive' }>): void
  /** The thread is gone, and with it all that ran there. Called once, not after {@link HostHandle.terminate}. */
  onDeath(death: Death): void
}

/** How a thread ended. */
export interface Death {
  readonly reason: string
  /** Whose fault it is, as it stands in the status of that task. */
  readonly culprit: { readonly task: string; readonly cause: string } | undefined
}

/** A turn that does not end. */
export interface LongTurn {
  /** By key; undefined: the code of no task that is known. */
  readonly task: string | undefined
  readonly step: Step
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export interface HostLimits {
  readonly heapMb: number
  readonly isShared: boolean
}

/** Three semi-spaces of 8 MiB. */
const youngMb = 24

/** See the head of the file. */
export class HostHandle {
  readonly name: string
  /** What the thread told of itself last. */
  health: ThreadHealth | undefined
  /** One of those that tasks share. */
  readonly isShared: boolean
  readonly #thread: Worker
  readonly #turns = turnBuffer()
  readonly #loans = loansBuffer()
  readonly #budget: SharedArrayBuffer
  /** Of the tasks that were started here, by key, in the order of their numbers. */
  readonly #slots = new Map<string, number>()
  readonly #heapMb: number
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #dead: string | undefined
  #error: unknown
  #alive = true
  /** It has loaded: there was a first word. */
  #isUp = false
  #missedBeats = 0
  /** The turn that the last look found the thread in. */
  #lastTurn: number | undefined
  #killedFor: string | undefined
  #ending: Promise<unknown> | undefined
  readonly #events: HostEvents

  constructor(name: string, settings: HostSettings, { heapMb, isShared }: HostLimits, events: HostEvents) {
    this.name = name
    this.isShared = isShared
    this.#heapMb = heapMb
    this.#budget = settings.budget
    this.#events = events
    this.#thread = new Worker(new URL('./host-thread.ts', import.meta.url), {
      name,
      workerData: { ...settings, turns: this.#turns, loans: this.#loans } satisfies HostBirth,
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

  /** A number for a task that is started here; see turns.ts. */
  takeSlot(task: string): number {
    const slot = this.#slots.get(task) ?? this.#slots.size + 1
    this.#slots.set(task, slot)
    return slot
  }

  /** To be called after {@link countMissedBeats}: the turn that the thread has been in since the last call, if it has. */
  longTurn(): LongTurn | undefined {
    const { slot, step, count } = turnOf(this.#turns)
    const isLong = this.#missedBeats > 0 && this.#lastTurn === count && this.#isUp
    this.#lastTurn = count
    return isLong ? { task: this.#taskOf(slot), step } : undefined
  }

  /** Ends the thread at once, whatever it is doing. `cause` is told of the task whose turn it was. */
  async kill(cause: string): Promise<void> {
    this.#killedFor ??= cause
    await this.#terminate()
  }

  /** Ends the thread, without an event: its work is done. */
  async terminate(): Promise<void> {
    this.#die('the host thread was closed')
    await this.#terminate()
  }

  /** What does not end at once is asked every second, and each time would be one more that waits for it. */
  async #terminate(): Promise<void> {
    this.#ending ??= this.#thread.terminate()
    await this.#ending
  }

  #onMessage(message: HostMessage): void {
    this.#alive = true
    this.#isUp = true
    if (message.kind === 'alive') {
      this.health = message
      return
    }
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
    settleLoans(this.#budget, this.#loans)
    if (this.#dead !== undefined) return
    const cause = this.#killedFor ?? this.#causeOf(code)
    const { slot, step } = turnOf(this.#turns)
    const task = this.#taskOf(slot)
    const reason = `the host thread ended: ${task === undefined ? 'a connector' : `task ${task}`} ${cause} (in ${step})`
    this.#die(reason)
    this.#events.onDeath({ reason, culprit: task === undefined ? undefined : { task, cause: `${cause} (in ${step})` } })
  }

  #taskOf(slot: number): string | undefined {
    for (const [task, its] of this.#slots) if (its === slot) return task
    return undefined
  }

  #causeOf(code: number): string {
    const { code: kind, message } = (this.#error ?? {}) as { code?: unknown; message?: unknown }
    if (kind === 'ERR_WORKER_OUT_OF_MEMORY') return `took the last of its thread's memory (${this.#heapMb} MB of heap)`
    return this.#error === undefined ? `ended its thread (exit code ${code})` : `ended its thread: ${String(message)}`
  }

  #die(reason: string): void {
    this.#dead = reason
    for (const { reject } of this.#pending.values()) reject(new ConnectError(reason))
    this.#pending.clear()
  }
}
