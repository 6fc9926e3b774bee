import type { FileSystem } from './file-system.ts'

/**
 * Syncs that run at one time. Node's pool has four threads, which reads need too: syncs may not take them all. What waits here
 * is not lost time, since appends that arrive meanwhile share the sync when its turn comes.
 */
const MAX_CONCURRENT = 3

/** Forces files to disk, a few at a time. */
export class SyncQueue {
  readonly #fs: FileSystem
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  /** fdatasync: content, and as much of the file's size as reading it needs. */
  syncData(fd: number): Promise<void> {
    return this.#run((done) => this.#fs.fdatasync(fd, done))
  }

  /** Makes names that were made, changed or removed in a directory durable. */
  async syncDirectory(dir: string): Promise<void> {
    const fd = this.#fs.openSync(dir, 'r')
    try {
      await this.#run((done) => this.#fs.fsync(fd, done))
    } finally {
      this.#fs.closeSync(fd)
    }
  }

  #run(start: (done: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        this.#running++
        start((error) => {
          this.#running--
          this.#waiting.shift()?.()
          if (error) reject(error)
          else resolve()
        })
      }
      if (this.#running < MAX_CONCURRENT) begin()
      else this.#waiting.push(begin)
    })
  }
}
