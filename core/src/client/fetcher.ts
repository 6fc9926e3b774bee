import type { TopicPartition } from '@tidewire/sdk'
import { fetch } from '../protocol/messages/fetch.ts'
import { ZERO_UUID, type RequestInput, type ResponseOf } from '../protocol/message.ts'
import { backoffMs, monotonicMs, retryBackoff } from './backoff.ts'
import { LogError, type FetchedRecords, type OwnConnections, type PollOptions, type ReadOptions } from './client.ts'
import { staleMetadata, type Cluster } from './cluster.ts'
import { addressText, brokerError, type Address, type Connection } from './connection.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { decodeFetch, nextOffsetOf, type FetchedChunk } from './decode-fetch.ts'
import { fetchOffsets, isolationLevel } from './list-offsets.ts'
import { partitionKey } from './topic-partitions.ts'

export interface FetcherOptions {
  readonly isolation: 'read_committed' | 'read_uncommitted'
  /** What is buffered and what is asked for, together. */
  readonly maxBytes: number
  readonly memory: ReadOptions['memory']
  readonly maxPartitionBytes: number
  readonly minBytes: number
  /** How long a broker holds back an answer that has fewer. */
  readonly maxWaitMs: number
  /** Where to go on when the offset is not, or no more, in the partition; `none`: the poll fails. */
  readonly offsetReset: 'earliest' | 'latest' | 'none'
  readonly connections: OwnConnections
}

/** One poll decodes no more than this, above one chunk: decoding blocks the thread. */
const POLL_BYTES = 1024 * 1024
const MIN_FETCH_BYTES = 128 * 1024
/** What is asked for after an answer that brought next to nothing, where account is kept. */
const FIRST_FETCH_BYTES = 1024 * 1024
/** Last version of Fetch that names topics rather than giving their ids. */
const LAST_WITH_NAMES = 12

interface Partition {
  readonly topic: string
  readonly partition: number
  /** Where the next fetch begins; undefined while it is being looked up. */
  offset: number | undefined
  reset: 'earliest' | 'latest'
  paused: boolean
  /** Changes when the reader goes elsewhere, so that what was fetched before is told from what comes after. */
  version: number
  busy: boolean
  failures: number
  notBefore: number
}

interface Ready extends FetchedChunk {
  readonly source: Partition
  readonly version: number
  readonly nextOffset: number
  readonly highWatermark: number
}

type FetchAnswer = ResponseOf<typeof fetch>['responses'][number]['partitions'][number]

/**
 * Reads partitions ahead of the caller: the answer to one fetch gives the offset of the next, which is sent at once, so
 * that it is under way while the caller works on what it has; as far as `maxBytes` allows. An idle caller is not
 * fetched for.
 *
 * Each broker is asked for all its partitions in one request at a time, over connections that are used for nothing
 * else, since the broker holds the answer back until there are records.
 */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #options: FetcherOptions
  readonly #pool: ConnectionPool
  readonly #partitions = new Map<string, Partition>()
  readonly #ready: Ready[] = []
  readonly #asked = new Map<string, number>()
  #readyBytes = 0
  /** What the fetches under way will bring, if each brings as much as the last one did. */
  #expectedBytes = 0
  #lastAnswerBytes = 0
  #error: LogError | undefined
  #wakePoll: (() => void) | undefined
  #polling = false
  #interrupted = false
  #timer: NodeJS.Timeout | undefined
  #resolving = false
  #refreshing = false
  #closed = false

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#pool = cluster.newPool(options.connections)
  }

  /** Begins to read a partition, or goes elsewhere in one that is being read. */
  seek({ topic, partition }: TopicPartition, offset: number | 'earliest' | 'latest'): void {
    const key = partitionKey(topic, partition)
    let state = this.#partitions.get(key)
    if (state === undefined) {
      state = {
        topic,
        partition,
        offset: undefined,
        reset: 'earliest',
        paused: false,
        version: 0,
        busy: false,
        failures: 0,
        notBefore: 0,
      }
      this.#partitions.set(key, state)
    }
    state.version++
    state.failures = 0
    state.notBefore = 0
    state.offset = typeof offset === 'number' ? offset : undefined
    if (typeof offset === 'string') state.reset = offset
    this.#dropStale()
    this.#fetch()
  }

  remove({ topic, partition }: TopicPartition): void {
    const key = partitionKey(topic, partition)
    const state = this.#partitions.get(key)
    if (state === undefined) return
    state.version++
    this.#partitions.delete(key)
    this.#dropStale()
  }

  clear(): void {
    for (const state of [...this.#partitions.values()]) this.remove(state)
    this.#error = undefined
  }

  /** What is buffered of it is kept, and given once it is resumed. */
  setPaused({ topic, partition }: TopicPartition, paused: boolean): void {
    const state = this.#partitions.get(partitionKey(topic, partition))
    if (state === undefined || state.paused === paused) return
    state.paused = paused
    if (!paused) this.#wake()
  }

  /**
   * The next records; empty when the wait passed or was aborted.
   * @throws LogError
   */
  async poll({ maxWaitMs, signal }: PollOptions): Promise<FetchedRecords[]> {
    const deadline = monotonicMs() + maxWaitMs
    for (;;) {
      this.#throwError()
      const records = this.#take()
      this.#polling = records.length === 0
      this.#fetch()
      const waitMs = deadline - monotonicMs()
      if (records.length > 0 || waitMs <= 0 || signal?.aborted === true || this.#interrupted || this.#closed) {
        this.#polling = false
        this.#interrupted = false
        return records
      }
      await this.#wait(waitMs, signal)
    }
  }

  /** The poll under way, or the next one, returns with what there is. */
  interrupt(): void {
    this.#interrupted = true
    this.#wakePoll?.()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.clear()
    this.#cluster.closePool(this.#pool)
    this.#wakePoll?.()
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        this.#wakePoll = undefined
        resolve()
      }
      const timer = setTimeout(done, Math.min(ms, 0x7fffffff))
      signal?.addEventListener('abort', done)
      this.#wakePoll = done
    })
  }

  #wake(): void {
    this.#fetch()
    this.#wakePoll?.()
  }

  #throwError(): void {
    const error = this.#error
    this.#error = undefined
    if (error !== undefined) throw error
  }

  /** Whole chunks, in the order in which they came, of partitions that are not paused. */
  #take(): FetchedRecords[] {
    const taken: FetchedRecords[] = []
    let bytes = 0
    for (let i = 0; i < this.#ready.length && bytes < POLL_BYTES;) {
      const chunk = this.#ready[i]!
      if (chunk.source.paused) {
        i++
        continue
      }
      const { topic, partition, nextOffset, highWatermark } = chunk
      const size = chunk.records.length
      if (taken.length === 0)
        taken.push({ topic, partition, records: this.#decode(chunk), nextOffset, highWatermark, bytes: size })
      else {
        const records = this.#decodeUnlessDamaged(chunk)
        if (records === undefined) break
        taken.push({ topic, partition, records, nextOffset, highWatermark, bytes: size })
      }
      this.#ready.splice(i, 1)
      this.#readyBytes -= size
      bytes += size
    }
    if (taken.length > 0) this.#account()
    return taken
  }

  #decode(chunk: Ready): FetchedRecords['records'] {
    try {
      return decodeFetch(chunk)
    } catch (error) {
      // From the same place again: damage on the way, or memory, may be gone; damage on disk will show again.
      this.seek(chunk, chunk.offset)
      throw error
    }
  }

  /** Damage is reported by the poll that begins with it, so that what was good before it is not lost. */
  #decodeUnlessDamaged(chunk: Ready): FetchedRecords['records'] | undefined {
    try {
      return decodeFetch(chunk)
    } catch {
      return undefined
    }
  }

  #dropStale(): void {
    for (let i = this.#ready.length - 1; i >= 0; i--) {
      const chunk = this.#ready[i]!
      if (chunk.version === chunk.source.version) continue
      this.#ready.splice(i, 1)
      this.#readyBytes -= chunk.records.length
    }
    this.#account()
  }

  /** Sends what fetches can be sent. */
  #fetch(): void {
    if (this.#closed) return
    const now = monotonicMs()
    const byLeader = new Map<string, { address: Address; partitions: Partition[] }>()
    const stale = new Set<string>()
    let unresolved = false
    let wakeAt = Infinity
    for (const state of this.#partitions.values()) {
      if (state.paused || state.busy) continue
      if (state.notBefore > now) {
        wakeAt = Math.min(wakeAt, state.notBefore)
        continue
      }
      if (state.offset === undefined) {
        unresolved = true
        continue
      }
      const address = this.#cluster.leader(state.topic, state.partition)
      if (address === undefined) {
        stale.add(state.topic)
        continue
      }
      const name = addressText(address)
      const group = byLeader.get(name)
      if (group === undefined) byLeader.set(name, { address, partitions: [state] })
      else group.partitions.push(state)
    }
    for (const [name, { address, partitions }] of byLeader) {
      if (this.#asked.has(name)) continue
      const room = this.#room()
      if (room > 0) void this.#fetchFrom(name, address, partitions, room)
    }
    if (unresolved) void this.#resolveOffsets()
    if (stale.size > 0) void this.#refresh(stale)
    this.#setTimer(wakeAt, now)
  }

  #account(): void {
    this.#options.memory?.holds(this.#readyBytes + this.#expectedBytes)
  }

  /** Bytes that may be asked for now; 0 where it is better to wait. */
  #room(): number {
    const { memory } = this.#options
    // However little memory there is, reading goes on.
    const mostBytes = memory === undefined ? Infinity : Math.max(MIN_FETCH_BYTES, memory.mostBytes)
    const maxBytes = Math.min(this.#options.maxBytes, mostBytes)
    let asked = 0
    for (const bytes of this.#asked.values()) asked += bytes
    // While nobody polls, one answer ahead is enough to find out whether there is anything.
    if (!this.#polling && this.#readyBytes === 0 && asked > 0) return 0
    const room = maxBytes - this.#readyBytes - asked
    if (room < maxBytes / 4) return 0
    // An account by what the last answer brought holds only if the next cannot bring a hundred times as much.
    return Math.floor(
      memory === undefined ? room : Math.min(room, Math.max(FIRST_FETCH_BYTES, 4 * this.#lastAnswerBytes)),
    )
  }

  async #fetchFrom(name: string, address: Address, partitions: readonly Partition[], maxBytes: number): Promise<void> {
    const expected = Math.min(maxBytes, this.#lastAnswerBytes)
    this.#asked.set(name, maxBytes)
    this.#expectedBytes += expected
    this.#account()
    const sent = partitions.map((state) => ({ state, version: state.version, offset: state.offset! }))
    for (const { state } of sent) state.busy = true
    let gotRecords = false
    try {
      const connection = await this.#pool.get(address)
      const response = await connection.request(fetch, ...this.#request(connection, partitions, maxBytes))
      const error = brokerError(response.errorCode, 'fetch')
      if (error !== undefined) throw error
      const asked = new Map(sent.map((each) => [partitionKey(each.state.topic, each.state.partition), each]))
      const bytesBefore = this.#readyBytes
      for (const { topic, topicId, partitions: answers } of response.responses) {
        const topicName = topic === '' ? this.#cluster.topicNameOf(topicId) : topic
        for (const answer of answers) {
          const request = asked.get(partitionKey(topicName ?? '', answer.partitionIndex))
          if (request !== undefined && request.version === request.state.version) {
            gotRecords = this.#answered(request.state, request.offset, answer) || gotRecords
          }
        }
      }
      this.#lastAnswerBytes = this.#readyBytes - bytesBefore
    } catch (error) {
      const reason =
        error instanceof LogError ? error : new LogError('PROTOCOL', String(error), { retriable: true, cause: error })
      for (const { state, version } of sent) if (version === state.version) this.#failed(state, reason)
    }
    this.#asked.delete(name)
    this.#expectedBytes -= expected
    this.#account()
    for (const { state } of sent) state.busy = false
    if (this.#closed) return
    if (gotRecords || this.#error !== undefined) this.#wakePoll?.()
    if (gotRecords || this.#polling) this.#fetch()
  }

  #request(
    connection: Connection,
    partitions: readonly Partition[],
    maxBytes: number,
  ): [RequestInput<typeof fetch>, { version: number; timeoutMs: number }] {
    const { minBytes, maxPartitionBytes, isolation, maxWaitMs, connections } = this.#options
    const topics = new Map<string, { topic: string; topicId: string; partitions: FetchPartition[] }>()
    for (const { topic, partition, offset } of partitions) {
      const known = this.#cluster.topic(topic)
      let entry = topics.get(topic)
      if (entry === undefined) topics.set(topic, (entry = { topic, topicId: known?.id ?? ZERO_UUID, partitions: [] }))
      entry.partitions.push({
        partition,
        currentLeaderEpoch: known?.partitions[partition]?.leaderEpoch ?? -1,
        fetchOffset: offset!,
        partitionMaxBytes: Math.min(maxPartitionBytes, maxBytes),
      })
    }
    const list = [...topics.values()]
    const version = connection.version(
      fetch,
      list.some((each) => each.topicId === ZERO_UUID) ? LAST_WITH_NAMES : Infinity,
    )
    const body = { maxWaitMs, minBytes, maxBytes, isolationLevel: isolationLevel(isolation), topics: list }
    return [body, { version, timeoutMs: maxWaitMs + (connections.requestTimeoutMs ?? this.#cluster.requestTimeoutMs) }]
  }

  /** @returns whether there is something for the caller */
  #answered(state: Partition, offset: number, answer: FetchAnswer): boolean {
    const { topic, partition } = state
    const error = brokerError(answer.errorCode, `fetching ${topic}-${partition} at offset ${offset}`)
    if (error !== undefined) {
      this.#failed(state, error)
      return false
    }
    state.failures = 0
    const { records } = answer
    if (records === null || records.length === 0) return false
    const nextOffset = nextOffsetOf(records, offset)
    if (nextOffset === offset) {
      const message = `${topic}-${partition}: the batch at offset ${offset} is larger than a fetch of ${this.#options.maxPartitionBytes} bytes, and the broker sends parts only`
      this.#failed(state, new LogError('RECORD_TOO_LARGE', message, { retriable: false }))
      return false
    }
    const aborted = this.#options.isolation === 'read_committed' ? (answer.abortedTransactions ?? []) : []
    aborted.sort((a, b) => a.firstOffset - b.firstOffset)
    state.offset = nextOffset
    const { version } = state
    const { highWatermark } = answer
    this.#ready.push({ source: state, version, topic, partition, offset, records, aborted, nextOffset, highWatermark })
    this.#readyBytes += records.length
    this.#goLast(state)
    return true
  }

  /** Brokers fill an answer in the order of the request: who has had its turn goes to the end. */
  #goLast(state: Partition): void {
    const key = partitionKey(state.topic, state.partition)
    this.#partitions.delete(key)
    this.#partitions.set(key, state)
  }

  #failed(state: Partition, error: LogError): void {
    const { offsetReset } = this.#options
    if (error.code === 'OFFSET_OUT_OF_RANGE' && offsetReset !== 'none') {
      this.#cluster.logger.warn('offset out of range, going on elsewhere', {
        topic: state.topic,
        partition: state.partition,
        offset: state.offset,
        reset: offsetReset,
      })
      state.offset = undefined
      state.reset = offsetReset
      this.#wake()
      return
    }
    state.failures++
    state.notBefore = monotonicMs() + backoffMs(state.failures, retryBackoff)
    if (staleMetadata.has(error.code)) void this.#refresh(new Set([state.topic]))
    else if (!error.retriable && error.code !== 'UNKNOWN_SERVER_ERROR') this.#error ??= error
  }

  async #resolveOffsets(): Promise<void> {
    if (this.#resolving) return
    this.#resolving = true
    const now = monotonicMs()
    const states = [...this.#partitions.values()].filter(
      (state) => state.offset === undefined && !state.paused && !state.busy && state.notBefore <= now,
    )
    const wanted = states.map((state) => ({ state, version: state.version }))
    try {
      const { offsets, errors } = await fetchOffsets(
        this.#cluster,
        states.map(({ topic, partition, reset }) => ({ topic, partition, at: reset })),
        this.#options.isolation,
      )
      const asked = new Map(wanted.map((each) => [partitionKey(each.state.topic, each.state.partition), each]))
      const find = ({ topic, partition }: TopicPartition): Partition | undefined => {
        const each = asked.get(partitionKey(topic, partition))
        return each?.version === each?.state.version ? each?.state : undefined
      }
      for (const each of offsets) {
        const state = find(each)
        if (state !== undefined) state.offset = each.offset
      }
      for (const each of errors) {
        const state = find(each)
        if (state !== undefined) this.#failed(state, each.error)
      }
    } catch (error) {
      const reason =
        error instanceof LogError ? error : new LogError('PROTOCOL', String(error), { retriable: true, cause: error })
      for (const { state, version } of wanted) if (state.version === version) this.#failed(state, reason)
    } finally {
      this.#resolving = false
    }
    this.#wake()
  }

  async #refresh(topics: ReadonlySet<string>): Promise<void> {
    if (this.#refreshing || this.#closed) return
    this.#refreshing = true
    try {
      await this.#cluster.refresh(topics)
    } catch (error) {
      this.#cluster.logger.debug('metadata refresh failed', { error: String(error) })
    }
    this.#refreshing = false
    const now = monotonicMs()
    for (const state of this.#partitions.values()) {
      if (!topics.has(state.topic) || this.#cluster.leader(state.topic, state.partition) !== undefined) continue
      state.failures++
      state.notBefore = now + backoffMs(state.failures, retryBackoff)
    }
    this.#wake()
  }

  #setTimer(at: number, now: number): void {
    clearTimeout(this.#timer)
    if (at === Infinity) return
    this.#timer = setTimeout(() => this.#fetch(), Math.max(1, Math.ceil(at - now))).unref()
  }
}

interface FetchPartition {
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
}
