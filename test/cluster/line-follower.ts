import { open } from 'node:fs/promises'

/** Gives the whole lines that a growing file has got since the last look. A file that is not there yet has none. */
export class LineFollower {
  readonly #file: string
  #at = 0

  constructor(file: string) {
    this.#file = file
  }

  async next(): Promise<string[]> {
    const file = await open(this.#file, 'r').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return undefined
    })
    if (file === undefined) return []
    try {
      const { size } = await file.stat()
      const { buffer } = await file.read(Buffer.alloc(Math.max(0, size - this.#at)), 0, null, this.#at)
      const end = buffer.lastIndexOf('\n') + 1
      this.#at += end
      return buffer.subarray(0, end).toString().split('\n').slice(0, -1)
    } finally {
      await file.close()
    }
  }
}
