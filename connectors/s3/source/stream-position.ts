import { createHash } from 'node:crypto'
import { ConfigError, type SourceOffset, type SourcePartition } from '@tidewire/sdk'

/** Letters of base64 that tell an object from others, and its content from its others. */
const keyLetters = 11
const etagLetters = 5

/** How far an object was read that is not at its end. */
export interface OpenObject {
  readonly key: string
  readonly etag: string
  /** The number of the next record to give. */
  readonly record: number
}

interface Entry {
  readonly etag: string
  /** Where it stands in the stream's order; undefined: it was remembered by a predecessor, and has not been seen since. */
  rank: string | undefined
  /** Remembered by a predecessor, and so in the log for sure. */
  readonly inherited: boolean
  /** What is to be done after reading is done. */
  settled: boolean
}

/**
 * How far one stream of objects has been read, in a few hundred bytes however many there are. The objects of a stream have
 * an order, which each one's *rank* tells. All up to the `floor` are done; above it those that are done are remembered one by
 * one, up to a number: so that an object that appears later than others of higher rank is found all the same.
 */
export class StreamPosition {
  readonly partition: SourcePartition
  readonly #order: string
  readonly #lookback: number
  readonly #done = new Map<string, Entry>()
  #floor: string
  #open: OpenObject | undefined
  /** The offset without an open object, while nothing has changed. */
  #stored: SourceOffset | undefined

  /**
   * @param order what ranks are made of; positions of another order say nothing here
   * @param lookback how many objects that are done are remembered above the floor
   * @throws ConfigError where the stored offset is none of ours
   */
  constructor(partition: SourcePartition, stored: SourceOffset | undefined, order: string, lookback: number) {
    this.partition = partition
    this.#order = order
    this.#lookback = lookback
    const { floor, done, open } = parsePosition(stored, order)
    this.#floor = floor
    this.#open = open
    for (const { key, etag, settled } of done) this.#done.set(key, { etag, rank: undefined, inherited: true, settled })
  }

  /** All objects whose rank is not above it are done. */
  get floor(): string {
    return this.#floor
  }

  get open(): OpenObject | undefined {
    return this.#open
  }

  /**
   * What is known of an object above the floor.
   * @param etag as it is now; undefined: whatever it is
   * @returns `unsettled`: read by a predecessor, and something is left to be done with it; `changed`: read when it had another ETag
   */
  fateOf(key: string, etag: string | undefined, rank: string): 'new' | 'done' | 'unsettled' | 'changed' {
    const entry = this.#done.get(digest(key, keyLetters))
    if (entry === undefined) return 'new'
    entry.rank ??= rank
    if (etag !== undefined && entry.etag !== digest(etag, etagLetters)) return 'changed'
    return entry.inherited && !entry.settled ? 'unsettled' : 'done'
  }

  /** The offset of the record before `record` of an object. */
  reading(key: string, etag: string, record: number): SourceOffset {
    this.#open = { key, etag, record }
    return { ...this.#withoutOpen(), key, etag, record }
  }

  /** The offset after an object's last record. @param settled whether nothing is left to be done with it */
  finished(key: string, etag: string, rank: string, settled: boolean): SourceOffset {
    this.#open = undefined
    this.#stored = undefined
    const name = digest(key, keyLetters)
    // Behind all others, if it is read again.
    this.#done.delete(name)
    this.#done.set(name, { etag: digest(etag, etagLetters), rank, inherited: false, settled })
    this.#forget()
    return this.#withoutOpen()
  }

  /** What was to be done with an object after reading is done; stored with the next offset. */
  settle(key: string): void {
    const entry = this.#done.get(digest(key, keyLetters))
    if (entry === undefined) return
    entry.settled = true
    this.#stored = undefined
  }

  /**
   * Gives those remembered by a predecessor ranks in the order in which they were read.
   * @returns how many there are
   */
  rankByAge(rankOf: (age: number) => string): number {
    let age = 0
    for (const entry of this.#done.values()) entry.rank = rankOf(age++)
    return age
  }

  /** All objects above the floor have been seen: those remembered that were not are gone, and need no memory. */
  forgetUnseen(): void {
    for (const [name, { rank }] of this.#done) if (rank === undefined) this.#done.delete(name)
    this.#stored = undefined
  }

  /** Everything up to that rank is done. @returns the offset, where that is news */
  raise(floor: string): SourceOffset | undefined {
    if (compareRanks(floor, this.#floor) <= 0) return undefined
    for (const { rank, settled } of this.#done.values()) {
      // What is left to be done with an object is found by listing it.
      if (!settled && rank !== undefined && compareRanks(rank, floor) <= 0) return undefined
    }
    this.#floor = floor
    for (const [name, { rank }] of this.#done) {
      if (rank !== undefined && compareRanks(rank, floor) <= 0) this.#done.delete(name)
    }
    this.#stored = undefined
    return this.offset()
  }

  /** The offset as it is. */
  offset(): SourceOffset {
    const open = this.#open
    return open === undefined ? this.#withoutOpen() : { ...this.#withoutOpen(), ...open }
  }

  #forget(): void {
    const ranked = [...this.#done].filter(([, { rank }]) => rank !== undefined)
    if (ranked.length <= this.#lookback) return
    ranked.sort(([, one], [, other]) => compareRanks(one.rank!, other.rank!))
    for (const [name, { rank, settled }] of ranked.slice(0, ranked.length - this.#lookback)) {
      // Those that wait are as many as are read and not yet in the log.
      if (!settled) return
      this.#done.delete(name)
      if (compareRanks(rank!, this.#floor) > 0) this.#floor = rank!
    }
  }

  #withoutOpen(): SourceOffset {
    this.#stored ??= positionOffset(
      this.#order,
      this.#floor,
      [...this.#done].map(([key, { etag, settled }]) => ({ key, etag, settled })),
    )
    return this.#stored
  }
}

interface DoneEntry {
  readonly key: string
  readonly etag: string
  readonly settled: boolean
}

/** The offset of a stream that is done up to a rank. */
export function positionOffset(order: string, floor: string, done: readonly DoneEntry[] = []): SourceOffset {
  const text = done.map(({ key, etag, settled }) => key + etag + (settled ? '' : '!')).join('')
  return { order, floor, done: text }
}

/** @throws ConfigError */
export function parsePosition(
  stored: SourceOffset | undefined,
  order: string,
): { floor: string; done: DoneEntry[]; open: OpenObject | undefined } {
  if (stored === undefined) return { floor: '', done: [], open: undefined }
  const { order: storedOrder, floor, done, key, etag, record } = stored
  const entries = typeof done === 'string' ? /^(?:[\w-]{16}!?)*$/.exec(done) : null
  if (typeof floor !== 'string' || entries === null) throw unreadable(stored)
  if (storedOrder !== order) {
    throw new ConfigError(
      `the stored position is one in order of ${String(storedOrder)}, and the connector now reads in order of ${order}: ` +
        'set it back, or reset the connector’s offsets',
      { setting: 'listing.order' },
    )
  }
  const remembered = [...(done as string).matchAll(/([\w-]{11})([\w-]{5})(!?)/g)]
  const position = {
    floor,
    done: remembered.map(([, name, mark, pending]) => ({ key: name!, etag: mark!, settled: pending === '' })),
  }
  if (key === undefined || key === null) return { ...position, open: undefined }
  if (typeof key !== 'string' || typeof etag !== 'string' || !isCount(record)) throw unreadable(stored)
  return { ...position, open: { key, etag, record } }
}

function unreadable(stored: SourceOffset): ConfigError {
  return new ConfigError(
    `the offset ${JSON.stringify(stored)} is not {"order": …, "floor": <rank>, "done": <entries>} with, for a half-read ` +
      'object, {"key": …, "etag": …, "record": <number of the next>}; set or delete it over REST',
  )
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const digest = (text: string, letters: number): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, letters)

const surrogate = /[\ud800-\udfff]/

/** The order of S3's listings: by bytes of UTF-8, from which that of UTF-16 differs where there are surrogates. */
export function compareRanks(one: string, other: string): number {
  if (surrogate.test(one) || surrogate.test(other)) return Buffer.compare(Buffer.from(one), Buffer.from(other))
  return one < other ? -1 : one > other ? 1 : 0
}
