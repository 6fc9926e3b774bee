import type { Logger } from '../logging/logger.ts'
import type { FileSystem } from './file-system.ts'

/** No timer of Node's waits longer. */
const MAX_TIMER_MS = 0x7fffffff

/**
 * Removes files that are renamed already and of no more use, once `file.delete.delay.ms` has passed. What has not had its time when
 * the log is closed or killed is removed at the next start.
 */
export class FileDeletions {
  readonly #fs: FileSystem
  readonly #logger: Logger
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(fs: FileSystem, logger: Logger) {
    this.#fs = fs
    this.#logger = logger
  }

  /** Removes files, those that are there. */
  files(paths: readonly string[], delayMs: number): void {
    if (paths.length === 0) return
    this.#later(delayMs, () => {
      for (const path of paths) {
        this.#fs.unlink(path, (error) => {
          if (error && error.code !== 'ENOENT') this.#warn(path, error)
        })
      }
    })
  }

  /** Removes a directory and what is in it. */
  directory(path: string, delayMs: number): void {
    this.#later(delayMs, () => {
      this.#fs.rm(path, { recursive: true, force: true }, (error) => {
        if (error) this.#warn(path, error)
      })
    })
  }

  /** Leaves what waits to the next start. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #later(delayMs: number, remove: () => void): void {
    if (delayMs === 0) {
      remove()
      return
    }
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        remove()
      },
      Math.min(delayMs, MAX_TIMER_MS),
    ).unref()
    this.#timers.add(timer)
  }

  #warn(path: string, error: Error): void {
    this.#logger.warn('What was deleted could not be removed from the disk', { path, error: error.message })
  }
}
