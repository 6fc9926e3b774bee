import { isErrorKind, type Logger, type SourceOffset, type SourcePartition } from '@tidewire/sdk'
import type { Bucket } from './bucket.ts'
import { partitionOf } from './listing.ts'
import { notifiedObjects, type NotifiedObject } from './notification.ts'
import { laneCount, nameReader, orderOf, type FoundObject, type ReadName } from './object-names.ts'
import { Queue } from './queue.ts'
import { shareOf, type S3SourceConfig } from './settings.ts'
import { StreamPosition } from './stream-position.ts'
import type { Found } from './work.ts'

interface NotificationContext {
  readonly config: S3SourceConfig
  readonly signal: AbortSignal
  readonly log: Logger
  readonly offsets: {
    getAll(partitions: readonly SourcePartition[]): Promise<(SourceOffset | undefined)[]>
  }
}

/** A message that is not deleted yet, and how many of its objects are not in the log. */
interface Held {
  readonly receipt: string
  left: number
}

/**
 * Finds objects by the notifications of a queue, which any number of tasks share. A message is deleted when its records are
 * in the log; until then it is kept hidden. What each task read last is remembered in its position, so that a message that
 * comes again is known; and that of an object half read goes on where it was.
 */
export class Notifications {
  readonly #context: NotificationContext
  readonly #bucket: Bucket
  readonly #queue: Queue
  readonly #readName: ReadName
  readonly #held = new Set<Held>()
  /** By arrival, what was read has an order too. */
  #arrivals = 0
  #failure: { readonly error: unknown } | undefined
  #ended = false

  constructor(context: NotificationContext, bucket: Bucket) {
    this.#context = context
    this.#bucket = bucket
    this.#queue = new Queue(context.config, context.signal)
    this.#readName = nameReader(context.config)
  }

  async *find(): AsyncGenerator<Found> {
    const { config, signal } = this.#context
    const positions = await this.#positions()
    const timer = setInterval(() => void this.#prolong(), config['sqs.visibility.timeout.seconds'] * 500)
    try {
      while (!signal.aborted) {
        yield { idle: true }
        const messages = (await this.#queue.receive()).map(({ receipt, body }) => ({
          body,
          held: { receipt, left: 1 },
        }))
        for (const { held } of messages) this.#held.add(held)
        for (const { held, body } of messages) yield* this.#objectsOf(held, body, positions)
        if (this.#failure !== undefined) throw this.#failure.error
      }
    } finally {
      clearInterval(timer)
      this.#ended = true
      this.#queue.close()
    }
  }

  /** This task's own first, then those of all that the connector may have had. */
  async #positions(): Promise<readonly StreamPosition[]> {
    const { config, offsets } = this.#context
    const { index, count } = shareOf(config)
    const shares = [index, ...Array.from({ length: count }, (_, share) => share).filter((share) => share !== index)]
    const partitions = shares.map((share) => partitionOf(config, `queue-${share}`))
    const stored = await offsets.getAll(partitions)
    const positions = partitions.map(
      (partition, at) =>
        new StreamPosition(partition, stored[at], orderOf(config), config['listing.lookback.objects'] * laneCount),
    )
    for (const position of positions) this.#arrivals = Math.max(this.#arrivals, position.rankByAge(arrivalRank))
    return positions
  }

  async *#objectsOf(held: Held, body: string, positions: readonly StreamPosition[]): AsyncGenerator<Found> {
    const { config, log } = this.#context
    const objects = notifiedObjects(body)
    if (objects === undefined) {
      // Left to the queue's own dead letters.
      log.warn('a message of the queue is no notification of S3, and is left there', { body: body.slice(0, 200) })
      this.#held.delete(held)
      return
    }
    const settled = (): Promise<void> => this.#settled(held)
    const all = new Map<string, Found>()
    for (const notified of objects) {
      if (notified.bucket !== config['s3.bucket.name']) continue
      const found = await this.#found(notified, positions, settled)
      if (found !== undefined) all.set(`${notified.key}?${notified.version ?? ''}`, found)
    }
    held.left = all.size
    if (all.size === 0) await this.#deleted(held)
    yield* all.values()
  }

  /** What is to be done about an object; undefined: nothing. */
  async #found(
    notified: NotifiedObject,
    positions: readonly StreamPosition[],
    settled: () => Promise<void>,
  ): Promise<Found | undefined> {
    const { config } = this.#context
    const object = await this.#look(notified)
    const named = object && this.#readName(object)
    if (object === undefined || named === undefined) return undefined
    if (object.modified < config['file.discovery.starting.timestamp']) return undefined
    // By its version too: a key may be told of any number of times.
    const identity = notified.version === undefined ? named.family : `${named.family}?${notified.version}`
    const rank = arrivalRank(this.#arrivals++)
    const family = {
      named: { ...named, family: identity, rank },
      value: { object, format: named.format },
      ...{ keys: undefined, headers: undefined },
    }
    for (const position of positions) {
      const fate = position.fateOf(identity, object.etag, rank)
      if (fate === 'unsettled') return { settle: { family, position, settled } }
      if (fate === 'done') return undefined
    }
    const position = positions[0]!
    const open = positions.find((one) => one.open?.key === identity && one.open.etag === object.etag)?.open
    return { read: { family, position, from: open?.record ?? 0, settled } }
  }

  async #look({ key, version }: NotifiedObject): Promise<FoundObject | undefined> {
    return this.#bucket.look(key, version)
  }

  async #settled(held: Held): Promise<void> {
    if (--held.left === 0) await this.#deleted(held)
  }

  async #deleted(held: Held): Promise<void> {
    if (this.#ended) return
    this.#held.delete(held)
    try {
      await this.#queue.delete(held.receipt)
    } catch (error) {
      if (this.#context.signal.aborted) return
      if (isExpired(error))
        this.#context.log.warn('a notification had become visible again, and is known when it comes')
      else this.#failure ??= { error }
    }
  }

  async #prolong(): Promise<void> {
    for (const held of [...this.#held]) {
      try {
        if (this.#held.has(held) && !this.#ended) await this.#queue.prolong(held.receipt)
      } catch (error) {
        if (this.#ended || this.#context.signal.aborted) return
        // It comes again then, and is known by what it tells of.
        if (!isErrorKind(error, 'RetriableError')) this.#held.delete(held)
        this.#context.log.warn('a notification could not be kept hidden, and may come again', {
          error: (error as Error).message,
        })
      }
    }
  }
}

const arrivalRank = (arrival: number): string => String(arrival).padStart(16, '0')

/** The message has been visible again since it was received. */
function isExpired(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly name?: string } }
  return /ReceiptHandleIsInvalid|InvalidReceiptHandle|MessageNotInflight/.test(cause?.name ?? '')
}
