import type { Logger, TopicPartition } from '@tidewire/sdk'
import { codeOf, codes } from '../link/errors.ts'
import type { ObjectNames } from './object-name.ts'
import type { ObjectStore } from './store.ts'
import type { Uploads } from './uploads.ts'

/** What could not be looked at is looked at again after this. */
const sweepPauseMs = 60_000

export interface OrphansOptions {
  readonly store: ObjectStore
  readonly names: ObjectNames
  /** Ends of the names of this sink's objects. */
  readonly extensions: readonly string[]
  readonly uploads: Uploads
  /** From which age on uploads are aborted that are not of the task's partitions; undefined: these are left alone. */
  readonly timeoutMs: number | undefined
  readonly log: Logger
}

/**
 * Multipart uploads that nobody will end: those of a task that was killed. Only one task writes to a topic partition at a time, so
 * that all of its partitions that are not its own are such; of others those that are old.
 */
export class Orphans {
  readonly #options: OrphansOptions
  #nextSweep = 0
  readonly #pending = new Map<string, TopicPartition>()

  constructor(options: OrphansOptions) {
    this.#options = options
  }

  /** The partitions are the task's from now on. */
  add(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#pending.set(keyOf(partition), partition)
  }

  /** Whether there are partitions whose orphans have not been looked for, and it is time to. */
  get isDue(): boolean {
    return this.#pending.size > 0 && performance.now() >= this.#nextSweep
  }

  /** Aborts those that there are. What is in the way of that is told, and tried again with the next call. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { store, names, log } = this.#options
    this.#nextSweep = performance.now() + sweepPauseMs
    const looked = [...this.#pending.keys()]
    const aborted: string[] = []
    try {
      for await (const { Key: key, UploadId: id, Initiated: begun } of store.uploads(names.folder, signal)) {
        if (key === undefined || id === undefined || !this.#isOrphan(key, id, begun)) continue
        await store.abortUpload(key, id, signal).catch((error: unknown) => {
          if (codeOf(error) !== codes.noSuchUpload) throw error
        })
        aborted.push(key)
      }
      for (const key of looked) this.#pending.delete(key)
    } catch (error) {
      // A login that may not list uploads never will; else it is worth another try.
      if (codeOf(error) === codes.accessDenied) this.#pending.clear()
      log.warn('uploads that a killed task may have left could not all be aborted', { error: (error as Error).message })
    }
    if (aborted.length > 0) log.info('aborted uploads that a killed task has left', { objects: aborted })
  }

  #isOrphan(key: string, id: string, begun: Date | undefined): boolean {
    const { names, extensions, uploads, timeoutMs } = this.#options
    if (uploads.ids.has(id) || uploads.beginning.has(key)) return false
    const partition = names.partitionOf(key)
    if (partition === undefined || !extensions.some((extension) => key.endsWith(extension))) return false
    if (!partition.isRedrive && this.#pending.has(keyOf(partition))) return true
    return timeoutMs !== undefined && begun !== undefined && Date.now() - begun.getTime() > timeoutMs
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
