import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectError, type Logger, type SourceOffset, type SourcePartition } from '@tidewire/sdk'
import type { Bucket } from './bucket.ts'
import { worksAhead } from './fetch-ahead.ts'
import {
  fixedStreams,
  laneCount,
  nameReader,
  orderOf,
  type FoundObject,
  type NamedObject,
  type ReadName,
  type Stream,
} from './object-names.ts'
import type { Family } from './read-records.ts'
import { readPrefix, shareOf, type S3SourceConfig } from './settings.ts'
import { compareRanks, StreamPosition } from './stream-position.ts'
import type { Found, Work } from './work.ts'

/** Objects that are found and not yet read, at most; a listing has any number. */
const mostPending = 10_000

export interface ListingContext {
  readonly config: S3SourceConfig
  readonly signal: AbortSignal
  readonly log: Logger
  readonly offsets: {
    getAll(partitions: readonly SourcePartition[]): Promise<(SourceOffset | undefined)[]>
  }
}

/** The source partition of a stream. */
export function partitionOf(
  config: Pick<S3SourceConfig, 's3.bucket.name' | 'topics.dir'>,
  stream: string,
): SourcePartition {
  return { bucket: config['s3.bucket.name'], dir: config['topics.dir'], stream }
}

interface Candidate {
  readonly named: NamedObject
  readonly position: StreamPosition
  value?: FoundObject
  keys?: FoundObject
  headers?: FoundObject
  readonly formats: { value?: NamedObject['format']; keys?: NamedObject['format']; headers?: NamedObject['format'] }
}

/** Finds objects by listing the bucket again and again. */
export class Listing {
  readonly #context: ListingContext
  readonly #bucket: Bucket
  readonly #readName: ReadName
  readonly #order: string
  readonly #share: { readonly index: number; readonly count: number }
  readonly #positions = new Map<string, StreamPosition>()
  /** Objects that changed after they were read, each told once. */
  readonly #told = new Set<string>()

  constructor(context: ListingContext, bucket: Bucket) {
    this.#context = context
    this.#bucket = bucket
    this.#readName = nameReader(context.config)
    this.#order = orderOf(context.config)
    this.#share = shareOf(context.config)
  }

  /** What there is to do, for as long as the task runs. One thing is asked for when the one before it is done. */
  async *find(): AsyncGenerator<Found> {
    const { config, signal } = this.#context
    const own = fixedStreams(config).filter((stream) => this.#isMine(stream))
    await this.#know(own)
    while (!signal.aborted) {
      const pass = await this.#list(own)
      for (const settle of pass.unsettled) yield { settle }
      for (const [index, read] of pass.works.entries()) {
        yield { read, next: pass.works.slice(index + 1, index + 1 + worksAhead) }
      }
      if (!pass.complete) continue
      // All that was listed is read now.
      for (const position of this.#positions.values()) position.forgetUnseen()
      if (pass.floor !== undefined) {
        const offsets = this.#raise(own, pass.floor)
        if (offsets.length > 0) yield { offsets }
      }
      yield { idle: true }
      await sleep(config['s3.poll.interval.ms'], undefined, { signal }).catch(() => undefined)
    }
  }

  #raise(streams: readonly Stream[], floor: string): { position: StreamPosition; offset: SourceOffset }[] {
    return streams.flatMap(({ name }) => {
      const position = this.#positions.get(name)!
      const offset = position.raise(floor)
      return offset === undefined ? [] : [{ position, offset }]
    })
  }

  /** One look at the bucket. */
  async #list(own: readonly Stream[]): Promise<Pass> {
    const { config } = this.#context
    const inOrder = own.length > 0 && this.#order === 'lexicographic'
    const pass = new Pass(inOrder ? config['listing.lookback.objects'] * laneCount : undefined)
    const after = inOrder ? own.map(({ name }) => this.#positions.get(name)!.floor).reduce(lower) : ''
    for (const prefix of this.#prefixes()) {
      for await (const page of this.#bucket.list(prefix, after)) {
        const named = page.flatMap((object) => {
          const name = this.#readName(object)
          return name === undefined || !this.#isMine(name.stream) ? [] : [{ object, name }]
        })
        await this.#know(named.map(({ name }) => name.stream))
        for (const { object, name } of named) this.#look(object, name, pass)
        pass.seen(page)
        // In that order nothing that comes later is to be read earlier.
        if (inOrder && pass.candidates.size >= mostPending) {
          pass.complete = false
          break
        }
        pass.limit()
      }
    }
    this.#plan(pass)
    return pass
  }

  /** With topics given, their folders alone. */
  #prefixes(): readonly string[] {
    const { config } = this.#context
    const prefix = readPrefix(config)
    if (config.mode === 'GENERIC' || config.topics.length === 0) return [prefix]
    return [...new Set(config.topics)].map((topic) => `${prefix}${topic}${config['directory.delim']}`)
  }

  #isMine({ share }: Stream): boolean {
    return share % this.#share.count === this.#share.index
  }

  /** Positions of streams that were not met before. */
  async #know(streams: readonly Stream[]): Promise<void> {
    const { config, offsets } = this.#context
    const names = [...new Set(streams.map(({ name }) => name))].filter((name) => !this.#positions.has(name))
    if (names.length === 0) return
    const partitions = names.map((name) => partitionOf(config, name))
    const stored = await offsets.getAll(partitions)
    for (const [index, name] of names.entries()) {
      const lookback = config['listing.lookback.objects']
      this.#positions.set(name, new StreamPosition(partitions[index]!, stored[index], this.#order, lookback))
    }
  }

  #look(object: FoundObject, named: NamedObject, pass: Pass): void {
    const { config } = this.#context
    const position = this.#positions.get(named.stream.name)!
    if (object.modified < config['file.discovery.starting.timestamp']) return
    if (compareRanks(named.rank, position.floor) <= 0 || pass.isBeyond(named.rank)) return
    if (named.part === 'keys' && !config['store.kafka.keys']) return
    if (named.part === 'headers' && !config['store.kafka.headers']) return
    let candidate = pass.candidates.get(named.family)
    if (candidate === undefined) {
      candidate = { named, position, formats: {} }
      pass.candidates.set(named.family, candidate)
    }
    candidate[named.part] = object
    candidate.formats[named.part] = named.format
  }

  /** From what was found to what is to be done. */
  #plan(pass: Pass): void {
    const { config, log } = this.#context
    const blocked = new Set<StreamPosition>()
    const candidates = [...pass.candidates.values()].sort(
      (one, other) =>
        compareRanks(one.named.rank, other.named.rank) || compareRanks(one.named.family, other.named.family),
    )
    for (const candidate of candidates) {
      const { named, position } = candidate
      const family = familyOf(candidate)
      const etag = (named.tombstones ? candidate.keys : candidate.value)?.etag
      const fate = position.fateOf(named.family, etag, named.rank)
      if (fate === 'unsettled') pass.unsettled.push({ family, position })
      if (fate === 'changed' && this.#isLeft(named.family)) continue
      if (fate === 'done' || fate === 'unsettled' || etag === undefined) continue
      const lacks = named.tombstones
        ? undefined
        : config['store.kafka.keys'] && family.keys === undefined
          ? 'keys'
          : config['store.kafka.headers'] && family.headers === undefined
            ? 'headers'
            : undefined
      if (lacks !== undefined && !blocked.has(position)) {
        blocked.add(position)
        log.warn(`${named.family} waits for its ${lacks}, and what follows it in its partition with it`, {
          stream: named.stream.name,
        })
      }
      if (!blocked.has(position)) pass.works.push({ family, position, from: this.#start(named.family, etag, position) })
    }
    // What was half read goes first, since a stream remembers just one.
    pass.works.sort((one, other) => Number(isOpen(other)) - Number(isOpen(one)))
  }

  /** Whether an object that changed after it was read is left as it is. @throws ConnectError where that is to fail the task */
  #isLeft(family: string): boolean {
    const { config, log } = this.#context
    if (config['object.changed'] === 'reread') return false
    if (config['object.changed'] === 'fail') throw changedError(family)
    if (!this.#told.has(family))
      log.warn('an object was written anew after it was read, and is not read again', { key: family })
    this.#told.add(family)
    return true
  }

  /** @throws ConnectError */
  #start(family: string, etag: string, { open }: StreamPosition): number {
    const { config, log } = this.#context
    if (open?.key !== family) return 0
    if (open.etag === etag) return open.record
    if (config['object.changed'] === 'fail') throw changedError(family)
    const record = config['object.changed'] === 'reread' ? 0 : open.record
    log.warn('an object was written anew while it was half read', { key: family, goesOnAt: record })
    return record
  }
}

const isOpen = ({ family, position }: Work): boolean => position.open?.key === family.named.family

const lower = (one: string, other: string): string => (compareRanks(one, other) <= 0 ? one : other)

export function changedError(key: string): ConnectError {
  return new ConnectError(
    `${key} was written anew after it was read: with object.changed=reread it is read again, with ignore it is not`,
    { code: 'S3_OBJECT_CHANGED' },
  )
}

function familyOf({ named, value, keys, headers, formats }: Candidate): Family {
  const part = (which: 'value' | 'keys' | 'headers', object: FoundObject | undefined) =>
    object && { object, format: formats[which]! }
  return {
    named,
    value: part('value', value),
    keys: part('keys', keys),
    headers: part('headers', headers),
  }
}

/** What one look at the bucket found. */
class Pass {
  readonly candidates = new Map<string, Candidate>()
  readonly works: Work[] = []
  readonly unsettled: Omit<Work, 'from'>[] = []
  /** Whether nothing was left out for want of room. */
  complete = true
  /** From that rank on all is left for the next look. */
  #beyond: string | undefined
  readonly #lookback: number | undefined
  #lastKeys: string[] = []

  /** @param lookback how many objects from the end all up to there counts as done, once it is read; undefined: never */
  constructor(lookback: number | undefined) {
    this.#lookback = lookback
  }

  seen(page: readonly FoundObject[]): void {
    if (this.#lookback === undefined) return
    for (const { key } of page) this.#lastKeys.push(key)
    this.#lastKeys = this.#lastKeys.slice(-(this.#lookback + 1))
  }

  /** Up to there all counts as done, once what was found is read. */
  get floor(): string | undefined {
    return this.#lookback === undefined || this.#lastKeys.length <= this.#lookback ? undefined : this.#lastKeys[0]
  }

  isBeyond(rank: string): boolean {
    return this.#beyond !== undefined && compareRanks(rank, this.#beyond) >= 0
  }

  /** Keeps those that are to be read first. */
  limit(): void {
    if (this.candidates.size < 2 * mostPending) return
    this.complete = false
    const ordered = [...this.candidates].sort(([, one], [, other]) => compareRanks(one.named.rank, other.named.rank))
    this.#beyond = ordered[mostPending]![1].named.rank
    for (const [family, { named }] of ordered.slice(mostPending))
      if (this.isBeyond(named.rank)) this.candidates.delete(family)
  }
}
