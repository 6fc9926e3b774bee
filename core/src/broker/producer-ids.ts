import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'

const blockSize = 1000

/**
 * Gives out producer ids, each once in the life of a data directory. A block of them is noted on disk before the first
 * of it is given out; what a crash leaves of a block is lost, which costs nothing.
 */
export class ProducerIds {
  readonly #file: string
  readonly #folder: string
  #next = 0
  #end = 0
  #allocating: Promise<void> | undefined

  constructor(dataDir: string) {
    this.#folder = dataDir
    this.#file = join(dataDir, 'producer-ids')
  }

  /** @throws Error of the file system */
  async next(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#allocating ??= this.#allocate().finally(() => (this.#allocating = undefined))
      await this.#allocating
    }
    return this.#next++
  }

  async #allocate(): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '0'
      throw error
    })
    const start = Number(text)
    if (!Number.isSafeInteger(start) || start < 0) throw new Error(`${this.#file} is damaged: "${text.slice(0, 40)}"`)
    const temporary = `${this.#file}.tmp`
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(String(start + blockSize))
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.#file)
    await syncFolder(this.#folder)
    this.#next = start
    this.#end = start + blockSize
  }
}

/** Without it the rename could be undone by a power failure. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
