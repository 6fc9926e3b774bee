import type { FileSystem } from './file-system.ts'

/**
 * A bounded number of open files for any number of partitions: opened on use, closed longest unused first. A pinned file is
 * never closed, so the bound is exceeded while more files than that are in use at one moment.
 */
export class FilePool {
  readonly fs: FileSystem
  readonly #maxOpen: number
  /** Open and unpinned, longest unused first. */
  readonly #idle = new Set<PooledFile>()
  #open = 0

  constructor(fs: FileSystem, maxOpen: number) {
    this.fs = fs
    this.#maxOpen = maxOpen
  }

  get openFiles(): number {
    return this.#open
  }

  file(path: string): PooledFile {
    return new PooledFile(this, path)
  }

  /** For {@link PooledFile} only. */
  opening(): void {
    while (this.#open >= this.#maxOpen) {
      const oldest = this.#idle.values().next().value
      if (oldest === undefined) break
      oldest.closeIdle()
    }
    this.#open++
  }

  /** For {@link PooledFile} only. */
  closed(file: PooledFile): void {
    this.#idle.delete(file)
    this.#open--
  }

  /** For {@link PooledFile} only. */
  setIdle(file: PooledFile, idle: boolean): void {
    if (idle) this.#idle.add(file)
    else this.#idle.delete(file)
  }
}

/** A file that is opened when it is needed. Made for reading and writing; created where it is missing. */
export class PooledFile {
  readonly #pool: FilePool
  #path: string
  #fd = -1
  #pins = 0
  #discarded = false
  #retired = false

  constructor(pool: FilePool, path: string) {
    this.#pool = pool
    this.#path = path
  }

  get path(): string {
    return this.#path
  }

  /** Keeps the file open until the matching {@link unpin}, and returns its descriptor. Missing files are made if `create` is set. */
  pin(create = false): number {
    if (this.#fd === -1) {
      if (this.#retired) throw new Error(`${this.#path} is no longer part of the log`)
      this.#pool.opening()
      try {
        this.#fd = this.#open(create)
      } catch (error) {
        this.#pool.closed(this)
        throw error
      }
    } else if (this.#pins === 0) {
      this.#pool.setIdle(this, false)
    }
    this.#pins++
    return this.#fd
  }

  unpin(): void {
    this.#pins--
    if (this.#pins > 0 || this.#fd === -1) return
    if (this.#discarded) this.closeIdle()
    else this.#pool.setIdle(this, true)
  }

  /** Calls with the open file's descriptor. */
  use<T>(call: (fd: number) => T, create = false): T {
    const fd = this.pin(create)
    try {
      return call(fd)
    } finally {
      this.unpin()
    }
  }

  /** Gives the descriptor back: now, or when its last user is done. The file may be used again. */
  close(): void {
    if (this.#fd === -1) return
    if (this.#pins === 0) this.closeIdle()
    else this.#discarded = true
  }

  /** Its name may belong to another file from now on: it is not opened again. What is open stays so while it is used. */
  retire(): void {
    this.#retired = true
    this.close()
  }

  /** The file was moved. What is open stays open. */
  moved(path: string): void {
    this.#path = path
  }

  /** For {@link FilePool} only. */
  closeIdle(): void {
    const fd = this.#fd
    this.#fd = -1
    this.#discarded = false
    this.#pool.closed(this)
    this.#pool.fs.closeSync(fd)
  }

  #open(create: boolean): number {
    const { fs } = this.#pool
    try {
      return fs.openSync(this.#path, 'r+')
    } catch (error) {
      if (!create || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      return fs.openSync(this.#path, 'w+')
    }
  }
}
