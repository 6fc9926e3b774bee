import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from './replace-file.ts'

const blockSize = 1000

/**
 * Gives out producer ids, each once in the life of a data directory. A block of them is noted on disk before the first
 * of it is given out; what a crash leaves of a block is lost, which costs nothing.
 */
export class ProducerIds {
  readonly #file: string
  #next = 0
  #end = 0
  #allocating: Promise<void> | undefined

  constructor(dataDir: string) {
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
    await replaceFile(this.#file, String(start + blockSize))
    this.#next = start
    this.#end = start + blockSize
  }
}
