import type { PooledFile } from './file-pool.ts'
import type { FileSystem } from './file-system.ts'

/**
 * Syncs that run at one time: as many as Node's pool has threads (4, or UV_THREADPOOL_SIZE), less one for reads. With 12 partitions
 * under load, 7 at a time take 40 % more than 3, and one alone half. What waits here is not lost time, since appends that arrive
 * meanwhile share the sync when its turn comes.
 */
const MAX_CONCURRENT = Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 1)

/** Forces files to disk, a few at a time. */
export class SyncQueue {
  readonly #fs: FileSystem
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  /** Whether no sync is running. */
  get idle(): boolean {
    return this.#running === 0
  }

  /** Waits for its turn, and does syncs by {@link file} and {@link directory} while it lasts. */
  async turn(syncs: () => Promise<void>): Promise<void> {
    if (this.#running < MAX_CONCURRENT) this.#running++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      await syncs()
    } finally {
      this.#next()
    }
  }

  /** A {@link turn} for one file. */
  syncFile(file: PooledFile): Promise<void> {
    return this.turn(() => this.file(file))
  }

  /** A {@link turn} for one directory. */
  syncDirectory(dir: string): Promise<void> {
    return this.turn(() => this.directory(dir))
  }

  /** fdatasync: content, and as much of the file's size as reading it needs. Open only while it lasts. */
  async file(file: PooledFile): Promise<void> {
    const fd = file.pin()
    try {
      await called((done) => this.#fs.fdatasync(fd, done))
    } finally {
      file.unpin()
    }
  }

  /** Makes names that were made, changed or removed in a directory durable. */
  async directory(dir: string): Promise<void> {
    const fd = this.#fs.openSync(dir, 'r')
    try {
      await called((done) => this.#fs.fsync(fd, done))
    } finally {
      this.#fs.closeSync(fd)
    }
  }

  /** Hands the place on. */
  #next(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running--
    else next()
  }
}

function called(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}
