import type { SourceOffset } from '@tidewire/sdk'
import type { Family } from './read-records.ts'
import type { StreamPosition } from './stream-position.ts'

/** Objects to be read now, and what goes with it. */
export interface Work {
  readonly family: Family
  readonly position: StreamPosition
  /** The number of the first record to give. */
  readonly from: number
  /** Its records are in the log, and what was to be done with the object is done. */
  readonly settled?: () => void | Promise<void>
}

/** What is found to be done, in order. */
export type Found =
  /** With what is to be read after it, as far as that is known. */
  | { readonly read: Work; readonly next?: readonly Work[] }
  /** Was read by a predecessor, which did not come to do with it what is to be done after that. */
  | { readonly settle: Omit<Work, 'from'> }
  /** Positions that moved though nothing was read. */
  | { readonly offsets: readonly { readonly position: StreamPosition; readonly offset: SourceOffset }[] }
  /** Nothing is left to be read for now. */
  | { readonly idle: true }
