import { join } from 'node:path'
import { writeFileAtomicallyUnsynced } from './file-system.ts'
import { encodeProducerSnapshot } from './producer-snapshot.ts'
import type { ProducerStates } from './producer-state.ts'
import { segmentName } from './segment.ts'
import type { StorageContext } from './storage-context.ts'

/** Name of the producer snapshot at an offset. */
export function snapshotName(offset: number): string {
  return `${segmentName(offset)}.snapshot`
}

/**
 * The producer snapshots of one partition. They only save time: without one, recovery learns the same from the batches. So they
 * need no sync, and a failure to write one is no failure.
 */
export class ProducerSnapshots {
  readonly #context: StorageContext
  readonly #dir: string
  /** Ascending. */
  #offsets: number[]
  /** Bytes appended since the last one was taken. */
  bytesBehind = 0

  constructor(context: StorageContext, dir: string, offsets: readonly number[]) {
    this.#context = context
    this.#dir = dir
    this.#offsets = [...offsets]
  }

  /** After the directory was loaded again. */
  reset(offsets: readonly number[]): void {
    this.#offsets = [...offsets]
  }

  /** Writes what is known of producers at an offset. */
  take(offset: number, states: ProducerStates): void {
    if (offset === this.#offsets.at(-1)) return
    try {
      const snapshot = encodeProducerSnapshot(states.entries())
      writeFileAtomicallyUnsynced(this.#context.fs, join(this.#dir, snapshotName(offset)), snapshot)
      this.#offsets.push(offset)
      this.bytesBehind = 0
    } catch (error) {
      this.#context.logger.warn('A producer snapshot could not be written', { dir: this.#dir, error: String(error) })
    }
  }

  /** Of the snapshots up to the recovery point only the last is of use. */
  dropOld(recoveryPoint: number): void {
    const last = this.#offsets.findLastIndex((offset) => offset <= recoveryPoint)
    for (const offset of this.#offsets.splice(0, Math.max(last, 0))) {
      this.#context.fs.unlink(join(this.#dir, snapshotName(offset)), () => undefined)
    }
  }
}
