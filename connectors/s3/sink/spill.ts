/**
 * What of open objects does not fit in memory waits in files: one for each object, in a folder of the task's own. The folder's
 * name has the machine and the process that made it, so that what a killed one left can be told from what is in use.
 */
import { appendFile, mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

const folderName = /^tidewire-s3-spill-(.+)-(\d+)-(\d+)-\w{6}$/
const machine = hostname().replaceAll(/[^\w.-]/g, '_')
/** When this process began. In a container each has the same number. */
const began = Math.round(Date.now() - process.uptime() * 1000)

/** A task's folder. It is made when something is put there first. */
export class SpillFolder {
  readonly #parent: string
  #folder: Promise<string> | undefined
  #files = 0

  /** @param parent where to make it; undefined: the system's folder for temporary files */
  constructor(parent: string | undefined) {
    this.#parent = parent ?? tmpdir()
  }

  async file(): Promise<SpillFile> {
    this.#folder ??= this.#make()
    return new SpillFile(join(await this.#folder, String(this.#files++)))
  }

  async #make(): Promise<string> {
    try {
      await mkdir(this.#parent, { recursive: true })
      return await mkdtemp(join(this.#parent, `tidewire-s3-spill-${machine}-${process.pid}-${began}-`))
    } catch (error) {
      this.#folder = undefined
      throw error
    }
  }

  /** Removes what processes that are no more have left. Nothing that is in the way of that is an error. */
  async clean(): Promise<void> {
    const names = await readdir(this.#parent).catch(() => [])
    for (const name of names) {
      const [, owner, pid, start] = folderName.exec(name) ?? []
      if (owner === machine && !isRunning(Number(pid), Number(start))) await removed(join(this.#parent, name))
    }
  }

  async remove(): Promise<void> {
    const folder = await this.#folder?.catch(() => undefined)
    this.#folder = undefined
    if (folder !== undefined) await removed(folder)
  }
}

/** Bytes of one object, in order: added at the end, taken from the beginning. */
export class SpillFile {
  readonly #path: string
  #from = 0
  #to = 0

  constructor(path: string) {
    this.#path = path
  }

  get bytes(): number {
    return this.#to - this.#from
  }

  /** A file that could not be written whole has what it had before. */
  async append(pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(pieces)
    // What a failed attempt left behind the end does not count.
    if (this.#to === 0) await appendFile(this.#path, bytes, { flag: 'w' })
    else await this.#writeAt(bytes, this.#to)
    this.#to += bytes.length
  }

  async #writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const file = await open(this.#path, 'r+')
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at)
        at += bytesWritten
      }
    } finally {
      await file.close()
    }
  }

  /** Takes the next bytes, as many as there are at most. */
  async take(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.min(length, this.bytes))
    const file = await open(this.#path, 'r')
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, this.#from + at)
        if (bytesRead === 0) throw new Error(`${this.#path} ends before its end: someone has shortened it`)
        at += bytesRead
      }
    } finally {
      await file.close()
    }
    this.#from += bytes.length
    if (this.#from === this.#to) this.#from = this.#to = 0
    return bytes
  }

  async remove(): Promise<void> {
    await removed(this.#path)
  }
}

async function removed(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

function isRunning(pid: number, start: number): boolean {
  // The clock may have been set by a little since.
  if (pid === process.pid) return Math.abs(start - began) < 5000
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
