/**
 * Notices when files that configs refer to (`${file:…}`, `${dir:…}`) hold other values than before: `config.action.reload`.
 * Each worker looks at its own files, for what it runs itself. Files are looked at by their times and sizes, each once a
 * round for all who refer to it, since file systems of networks and containers tell nobody of changes; only one that has
 * changed is read, until that succeeds. Of values nothing is kept but a hash.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { ConfigProviders } from '../config/config-providers.ts'

type Config = Readonly<Record<string, string>>

export interface ReferenceWatchOptions {
  readonly providers: ConfigProviders
  /** Default 5000. */
  readonly intervalMs?: number | undefined
}

interface Watched {
  readonly config: Config
  readonly files: readonly string[]
  readonly changed: () => void
  /** Of the files when their values were read. */
  stamp: string
  /** The newest, which may be that of a file half written: it counts once it has not changed for a round. */
  seen: string
  /** Undefined: not all could be read. */
  values: string | undefined
}

const defaultIntervalMs = 5000
const nothing = (): void => undefined

/** See the head of the file. */
export class ReferenceWatch {
  readonly #providers: ConfigProviders
  readonly #intervalMs: number
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor({ providers, intervalMs = defaultIntervalMs }: ReferenceWatchOptions) {
    this.#providers = providers
    this.#intervalMs = intervalMs
  }

  /**
   * Calls `changed` each time that a file has come to hold other values, all of which can be read: a file that is gone, or
   * being replaced, changes nothing yet. What is read after this has resolved is not older than what is compared with.
   * @returns ends it
   */
  async watch(config: Config, changed: () => void): Promise<() => void> {
    const action = config['config.action.reload']?.trim().toLowerCase()
    const files = action === 'none' ? [] : this.#providers.filesOf(config)
    if (files.length === 0) return nothing
    const stamp = await stampOf(files, new Map())
    const watched = { config, files, changed, stamp, seen: stamp, values: await this.#valuesOf(config) }
    this.#watched.add(watched)
    this.#timer ??= setInterval(() => void this.#look(), this.#intervalMs).unref()
    return () => {
      this.#watched.delete(watched)
      if (this.#watched.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  /** One round; a slow disk makes no two of them. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const stamps = new Map<string, Promise<string>>()
    try {
      for (const watched of [...this.#watched]) await this.#lookAt(watched, await stampOf(watched.files, stamps))
    } finally {
      this.#looking = false
    }
  }

  async #lookAt(watched: Watched, stamp: string): Promise<void> {
    const isSettled = stamp === watched.seen
    watched.seen = stamp
    if (!isSettled || stamp === watched.stamp) return
    const values = await this.#valuesOf(watched.config)
    // Tried again with the next round: that it cannot be read may pass without a change of the file.
    if (values === undefined) return
    watched.stamp = stamp
    if (values === watched.values) return
    watched.values = values
    if (this.#watched.has(watched)) watched.changed()
  }

  async #valuesOf(config: Config): Promise<string | undefined> {
    const { values, errors } = await this.#providers.resolve(config)
    if (Object.keys(errors).length > 0) return undefined
    return createHash('sha256')
      .update(JSON.stringify([...values]))
      .digest('base64')
  }
}

async function stampOf(files: readonly string[], known: Map<string, Promise<string>>): Promise<string> {
  const stamps = files.map((file) => {
    const stamp = known.get(file) ?? stampOfFile(file)
    known.set(file, stamp)
    return stamp
  })
  return (await Promise.all(stamps)).join('\n')
}

/** Of where a link leads: Kubernetes replaces mounted secrets by another link. */
async function stampOfFile(file: string): Promise<string> {
  try {
    const { mtimeNs, ctimeNs, size, ino } = await stat(file, { bigint: true })
    return [mtimeNs, ctimeNs, size, ino].join(' ')
  } catch {
    return 'gone'
  }
}
