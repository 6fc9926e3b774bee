import type { Logger } from '@tidewire/sdk'
import type { Bucket } from './bucket.ts'
import type { FoundObject } from './object-names.ts'
import type { S3SourceConfig } from './settings.ts'
import type { Work } from './work.ts'

/** Objects that are dealt with at a time. */
const mostAtOnce = 16

interface AfterContext {
  readonly config: S3SourceConfig
  readonly signal: AbortSignal
  readonly log: Logger
  readonly preview: boolean
}

/**
 * What becomes of objects when their records are in the log. A crash before it is done leaves it to the successor, which
 * finds the object among those that were read and not settled: each step may be repeated.
 */
export class AfterReading {
  /** Whether anything is to be done at all. */
  readonly isToDo: boolean
  readonly #context: AfterContext
  readonly #bucket: Bucket
  readonly #running = new Map<string, Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  #ended = false

  constructor(context: AfterContext, bucket: Bucket) {
    this.#context = context
    this.#bucket = bucket
    this.isToDo = context.config['after.reading'] !== 'keep' && !context.preview
  }

  /** Begins it, and waits only where much is under way. */
  async act(work: Omit<Work, 'from'>): Promise<void> {
    const { family } = work.family.named
    if (this.#ended || !this.isToDo || this.#running.has(family)) return
    const running = this.#settle(work)
      .catch((error: unknown) => {
        if (!this.#context.signal.aborted) this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(family))
    this.#running.set(family, running)
    if (this.#running.size >= mostAtOnce) await Promise.race(this.#running.values())
    this.throwIfFailed()
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Waits for what is under way, and begins nothing more. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#running.values())
  }

  async #settle({ family, position, settled }: Omit<Work, 'from'>): Promise<void> {
    const { value, keys, headers } = family
    // The values last: while they are there, what is left to be done is found again.
    for (const part of [headers, keys, value]) if (part !== undefined) await this.#deal(part.object)
    position.settle(family.named.family)
    await settled?.()
  }

  async #deal(object: FoundObject): Promise<void> {
    const { config, log } = this.#context
    const done = await this.#act(object)
    if (!done) {
      log.warn(`an object was to be dealt with (after.reading=${config['after.reading']}), and is not what was read`, {
        key: object.key,
      })
    }
  }

  #act(object: FoundObject): Promise<boolean> {
    const { config } = this.#context
    switch (config['after.reading']) {
      case 'tag': {
        const [name = '', ...value] = config['after.reading.tag'].split('=')
        return this.#bucket.tag(object, name, value.join('='))
      }
      case 'move': {
        const bucket = config['after.reading.move.bucket'] ?? config['s3.bucket.name']
        return this.#bucket.move(object, bucket, (config['after.reading.move.prefix'] ?? '') + object.key)
      }
      case 'delete':
        return this.#bucket.delete(object)
      case 'keep':
        return Promise.resolve(true)
    }
  }
}
