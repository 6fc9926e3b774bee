import { ConnectError, type FollowedRecord } from '@tidewire/sdk'
import { LogError, type InRecord, type LogClient, type Reader } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { ShareHolder } from './byte-budget.ts'
import { backoffMs, pause } from './time-limit.ts'

export interface FollowOptions {
  readonly client: Pick<LogClient, 'admin' | 'reader'>
  readonly clientId: string | undefined
  readonly topic: string
  /** A promise is waited for before the next one. */
  readonly onRecord: (record: FollowedRecord) => void | Promise<void>
  /** Ends it. */
  readonly signal: AbortSignal
  /** Of what is fetched and not told yet. */
  readonly memory: ShareHolder
  readonly logger: Logger
  /** Called once it is under way and cannot go on. */
  readonly onFailure: (error: unknown) => void
}

/** Most bytes that are fetched ahead. */
const maxBytes = 2 * 1024 * 1024
const firstRetryMs = 300
const maxRetryMs = 10_000
/** How often it is looked whether the topic has got more partitions. */
const lookMs = 60_000
/** Work without waiting, after which others of the thread get their turn. */
const maxTurnMs = 10

/**
 * See `TransformContext.followTopic` of the SDK.
 * @throws ConnectError where the topic does not exist or cannot be read, or the task ends first
 */
export async function followTopic(options: FollowOptions): Promise<void> {
  const { topic } = options
  const count = await partitionsOf(options)
  if (count === undefined) throw new ConnectError(`topic ${topic} does not exist: create it, or correct its name`)
  const ends = await committedEnds(options, count)
  const beginning = new Map(Array.from({ length: count }, (_, partition) => [partition, 0]))
  return new Follower({ ...options, grows: true }, beginning, ends).start()
}

export interface FollowFromOptions extends FollowOptions {
  /** Undefined: the end of what is committed. */
  readonly from: number | undefined
  /** Makes the topic where there is none. */
  readonly create: () => Promise<void>
}

/**
 * See `SourceTaskContext.followTopic` of the SDK.
 * @throws ConnectError where the topic cannot be read or has more than one partition, or the task ends first
 */
export async function followFrom(options: FollowFromOptions): Promise<void> {
  const { topic, from, create } = options
  let count = await partitionsOf(options)
  if (count === undefined) {
    await create()
    count = await partitionsOf(options)
  }
  if (count !== 1) {
    const found =
      count === undefined ? 'does not exist' : `has ${count} partitions: it must have one to be read in order`
    throw new ConnectError(`topic ${topic} ${found}`)
  }
  const start = from ?? (await committedEnds(options, 1)).get(0) ?? 0
  return new Follower({ ...options, grows: false }, new Map([[0, start]]), new Map()).start()
}

/** Not the very end: a transaction that is open there, of a source that waits for a device, may be so for long. */
async function committedEnds({ client, topic }: FollowOptions, count: number): Promise<Map<number, number>> {
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
  const ends = await client.admin.offsets(partitions, 'latest', 'read_committed')
  return new Map(ends.map(({ partition, offset }) => [partition, offset]))
}

/** Undefined: there is no such topic. @throws ConnectError */
async function partitionsOf({ client, topic }: Pick<FollowOptions, 'client' | 'topic'>): Promise<number | undefined> {
  try {
    const [description] = await client.admin.topics([topic])
    return description?.partitions
  } catch (error) {
    throw unreadable(topic, error)
  }
}

interface FollowerOptions extends FollowOptions {
  /** Partitions that come later are read too. */
  readonly grows: boolean
}

class Follower {
  readonly #options: FollowerOptions
  readonly #reader: Reader
  /** By partition: the next offset to read. */
  readonly #positions: Map<number, number>
  /** Where the partitions ended at the call, of those that have not been read so far. */
  readonly #ahead: Map<number, number>
  readonly #ready = Promise.withResolvers<void>()
  #isReady = false
  #nextLook = performance.now() + lookMs

  /**
   * @param positions where to begin
   * @param ends up to where to read before it is ready
   */
  constructor(options: FollowerOptions, positions: Map<number, number>, ends: Map<number, number>) {
    const { client, clientId, memory } = options
    this.#options = options
    this.#reader = client.reader({ ...(clientId === undefined ? {} : { clientId }), maxBytes, memory })
    this.#positions = positions
    this.#ahead = ends
  }

  async start(): Promise<void> {
    this.#assign('position')
    void this.#follow()
    return this.#ready.promise
  }

  #isEnding(): boolean {
    return this.#options.signal.aborted
  }

  async #follow(): Promise<void> {
    const { onFailure, topic } = this.#options
    try {
      await this.#read()
      this.#ready.reject(new ConnectError(`the task ended before topic ${topic} was read`))
    } catch (error) {
      if (this.#isReady && !this.#isEnding()) onFailure(error)
      this.#ready.reject(error)
    } finally {
      this.#options.memory.holds(0)
      await this.#reader.close()
    }
  }

  /** Until the task ends. @throws ConnectError where it cannot be read any more; what `onRecord` throws */
  async #read(): Promise<void> {
    const { signal, topic, logger } = this.#options
    await this.#dropEmpty()
    let failures = 0
    let turnBegan = performance.now()
    while (!this.#isEnding()) {
      try {
        const fetched = await this.#reader.poll({ maxWaitMs: lookMs, signal })
        failures = 0
        if (this.#isEnding()) return
        for (const { partition, records, nextOffset } of fetched) await this.#tell(partition, records, nextOffset)
        if (performance.now() >= this.#nextLook) await this.#look()
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        if (this.#isEnding() || error.code === 'CLOSED') return
        const isCutOff = error.code === 'OFFSET_OUT_OF_RANGE'
        if (!error.retriable && !isCutOff) throw unreadable(topic, error)
        if (failures++ === 0) logger.warn('cannot read a topic; trying again', { topic, error: messageOf(error) })
        // Its beginning was deleted, or it was made anew: what is told twice does no harm.
        this.#assign(isCutOff ? 'earliest' : 'position')
        await pause(backoffMs(failures, firstRetryMs, maxRetryMs), signal)
      }
      if (performance.now() - turnBegan > maxTurnMs) {
        await new Promise((resolve) => setImmediate(resolve))
        turnBegan = performance.now()
      }
    }
  }

  async #tell(partition: number, records: readonly InRecord[], nextOffset: number): Promise<void> {
    const { onRecord } = this.#options
    for (const { offset, key, value, headers, timestamp } of records) {
      const answer = onRecord({
        partition,
        offset,
        key: owned(key),
        value: owned(value),
        headers: headers.map(ownedHeader),
        timestamp,
      })
      if (answer === undefined) continue
      await answer
      if (this.#isEnding()) return
    }
    this.#positions.set(partition, nextOffset)
    if (nextOffset >= (this.#ahead.get(partition) ?? Infinity)) this.#ahead.delete(partition)
    this.#noteReady()
  }

  /** Partitions with nothing in them give nothing to read. */
  async #dropEmpty(): Promise<void> {
    const { client, topic } = this.#options
    const partitions = [...this.#ahead.keys()].map((partition) => ({ topic, partition }))
    const starts = partitions.length === 0 ? [] : await client.admin.offsets(partitions, 'earliest')
    for (const { partition, offset } of starts) {
      if (offset >= this.#ahead.get(partition)!) this.#ahead.delete(partition)
    }
    this.#noteReady()
  }

  #noteReady(): void {
    if (this.#isReady || this.#ahead.size > 0) return
    this.#isReady = true
    this.#ready.resolve()
  }

  /** A partition that has come since is read from its beginning. */
  async #look(): Promise<void> {
    this.#nextLook = performance.now() + lookMs
    if (!this.#options.grows) return
    const [description] = await this.#options.client.admin.topics([this.#options.topic])
    const count = description?.partitions ?? 0
    if (count <= this.#positions.size) return
    for (let partition = this.#positions.size; partition < count; partition++) this.#positions.set(partition, 0)
    this.#assign('position')
  }

  #assign(from: 'earliest' | 'position'): void {
    const { topic } = this.#options
    this.#reader.assign(
      [...this.#positions].map(([partition, position]) => ({
        topic,
        partition,
        offset: from === 'earliest' || position === 0 ? 'earliest' : position,
      })),
    )
  }
}

function unreadable(topic: string, cause: unknown): ConnectError {
  return new ConnectError(`topic ${topic} cannot be read: ${messageOf(cause)}`, { cause })
}

/** What was fetched is a view of a whole fetch, which a table of such would keep. */
function owned(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}

function ownedHeader({ key, value }: InRecord['headers'][number]): FollowedRecord['headers'][number] {
  return { key, value: owned(value) }
}
