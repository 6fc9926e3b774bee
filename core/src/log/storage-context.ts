import type { Logger } from '../logging/logger.ts'
import type { FileDeletions } from './file-deletions.ts'
import type { FilePool } from './file-pool.ts'
import type { FileSystem } from './file-system.ts'
import type { ReadBuffers } from './read-buffers.ts'
import type { SyncQueue } from './sync-queue.ts'

/**
 * When what is acknowledged is on disk: `commit`, before the answer; `interval`, within a second or so; `os`, when the system
 * pleases. With the last two a power cut (not a killed process) can take back what was acknowledged and read.
 */
export type FlushPolicy = 'commit' | 'interval' | 'os'

/** What all partitions of a data directory share. */
export interface StorageContext {
  readonly fs: FileSystem
  readonly pool: FilePool
  readonly syncs: SyncQueue
  readonly deletions: FileDeletions
  readonly buffers: ReadBuffers
  readonly logger: Logger
  readonly flush: FlushPolicy
  /** Milliseconds since 1970. */
  readonly clock: () => number
}
