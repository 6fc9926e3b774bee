/** The thread in which large schemas are read and compared, so that the registry goes on answering meanwhile. */
import { Worker } from 'node:worker_threads'
import type { CompatibilityPolicy, ResolvedReference, SchemaType } from '../schemas/schema-format.ts'
import { errors } from './registry-error.ts'

/** A schema's text, with all that is needed to understand it. */
export interface SchemaSource {
  /** The same for the same text with the same references. */
  readonly key: string
  readonly type: SchemaType
  readonly schema: string
  readonly references: readonly ResolvedReference[]
}

export type SchemaTask =
  | { readonly kind: 'canonical' | 'normalized' | 'checkNew'; readonly source: SchemaSource }
  | { readonly kind: 'formatted'; readonly source: SchemaSource; readonly format: string }
  | {
      readonly kind: 'compare'
      readonly reader: SchemaSource
      readonly writer: SchemaSource
      readonly policy: CompatibilityPolicy
    }

/** What the schemas' own functions gave, or the message of their InvalidSchemaError. */
export type SchemaOutcome = { readonly value: unknown } | { readonly invalid: string }

interface Waiting {
  readonly task: SchemaTask
  readonly resolve: (outcome: SchemaOutcome) => void
  readonly reject: (error: Error) => void
}

/** How long the thread stays when there is nothing to do. */
const IDLE_MS = 60_000
/** Some hundred times the largest body. */
const MAX_HEAP_MIB = 1024

export class SchemaWork {
  #thread: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  /** By number, in the order in which they are worked on. */
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  #isClosed = false
  readonly #maxHeapMib: number

  constructor(maxHeapMib = MAX_HEAP_MIB) {
    this.#maxHeapMib = maxHeapMib
  }

  /** @throws RegistryError 42201 where it takes more memory than there is; 50002 when the registry stops */
  run(task: SchemaTask): Promise<SchemaOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(stopped())
        return
      }
      this.#waiting.set(++this.#last, { task, resolve, reject })
      this.#started().postMessage({ number: this.#last, task })
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idle)
    for (const { reject } of this.#waiting.values()) reject(stopped())
    this.#waiting.clear()
    await this.#thread?.terminate()
  }

  #started(): Worker {
    clearTimeout(this.#idle)
    if (this.#thread !== undefined) return this.#thread
    const thread = new Worker(new URL('./schema-thread.ts', import.meta.url), {
      name: 'schemas',
      resourceLimits: { maxOldGenerationSizeMb: this.#maxHeapMib },
    })
    this.#thread = thread
    thread.unref()
    thread.on('message', ({ number, outcome }: { number: number; outcome: SchemaOutcome }) => {
      this.#waiting.get(number)?.resolve(outcome)
      this.#waiting.delete(number)
      if (this.#waiting.size > 0) return
      this.#idle = setTimeout(() => void thread.terminate(), IDLE_MS).unref()
    })
    thread.once('error', (error) => this.#ended(thread, error as Error))
    thread.once('exit', () => this.#ended(thread, undefined))
    return thread
  }

  /** The task that it was at is to blame; the others get another thread. */
  #ended(thread: Worker, error: Error | undefined): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    const [first, ...others] = this.#waiting
    if (first === undefined) return
    this.#waiting.delete(first[0])
    const reason = error === undefined ? '' : `: ${error.message}`
    first[1].reject(errors.invalidSchema(`The schema is too large to be worked on${reason}`))
    for (const [number, { task }] of others) this.#started().postMessage({ number, task })
  }
}

function stopped(): Error {
  return errors.timedOut('The registry has stopped before the schema was read')
}
