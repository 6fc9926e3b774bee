/**
 * The log in memory, for tests: topics, transactions with fencing, groups of one member. Several clients over one
 * {@link FakeLog} see the same records. A test may hold back acknowledgements ({@link FakeLog.hold}), make calls fail
 * ({@link FakeLog.failNext}), and take partitions away from a group consumer.
 */
import type { TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import {
  LogError,
  type Admin,
  type FetchedRecords,
  type GroupConsumer,
  type GroupConsumerOptions,
  type GroupDescription,
  type GroupListing,
  type GroupMetadata,
  type InRecord,
  type LogClient,
  type NewTopic,
  type OutRecord,
  type PollOptions,
  type ProduceResult,
  type Producer,
  type ProducerOptions,
  type Reader,
  type ReadOptions,
  type TopicDescription,
} from '../../client/client.ts'

interface Transaction {
  state: 'open' | 'committed' | 'aborted'
}

interface StoredRecord extends InRecord {
  readonly transaction: Transaction | undefined
}

/** A produce that the test decides the fate of. */
export interface HeldProduce {
  readonly records: readonly OutRecord[]
  readonly topic: string
  acknowledge(): void
  fail(error: LogError): void
}

type Operation = 'produce' | 'commit' | 'abort' | 'poll' | 'groupCommit' | 'createTopics' | 'init'

/** What the clients share. */
export class FakeLog {
  readonly topics = new Map<string, StoredRecord[][]>()
  readonly groups = new Map<string, Map<string, TopicPartitionOffset>>()
  readonly consumers = new Set<FakeGroupConsumer>()
  readonly epochs = new Map<string, number>()
  /** Of every topic. */
  topicConfig: Readonly<Record<string, string>> = {}
  /** Whether a produce to a missing topic makes it. */
  autoCreate = false
  readonly held: HeldProduce[] = []
  #holds: ((records: readonly OutRecord[]) => boolean) | undefined
  readonly #failures: { operation: Operation; error: LogError }[] = []
  #waiting: (() => void)[] = []

  createTopic(topic: string, partitions = 1): void {
    this.topics.set(
      topic,
      Array.from({ length: partitions }, () => []),
    )
  }

  /** From now on, produces that match are not written before the test says so. */
  hold(matches: (records: readonly OutRecord[]) => boolean = () => true): void {
    this.#holds = matches
  }

  /** Lets go of all that is held, and of what comes. */
  release(): void {
    this.#holds = undefined
    for (const produce of this.held.splice(0)) produce.acknowledge()
  }

  /** The next call of this kind throws. */
  failNext(operation: Operation, error: LogError): void {
    this.#failures.push({ operation, error })
  }

  throwIfFailing(operation: Operation): void {
    const index = this.#failures.findIndex((failure) => failure.operation === operation)
    if (index >= 0) throw this.#failures.splice(index, 1)[0]!.error
  }

  holds(records: readonly OutRecord[]): boolean {
    return this.#holds?.(records) === true
  }

  append(record: OutRecord, transaction: Transaction | undefined): TopicPartitionOffset {
    if (!this.topics.has(record.topic)) {
      if (!this.autoCreate) {
        throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `no topic ${record.topic}`, { retriable: true })
      }
      this.createTopic(record.topic)
    }
    const partitions = this.topics.get(record.topic)!
    const partition = record.partition ?? partitionOf(record.key, partitions.length)
    const log = partitions[partition]
    if (log === undefined) {
      throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `no partition ${partition}`, { retriable: true })
    }
    const offset = log.length
    log.push({
      offset,
      timestamp: record.timestamp ?? Date.now(),
      key: bytes(record.key),
      value: bytes(record.value),
      headers: (record.headers ?? []).map((header) => ({ key: header.key, value: bytes(header.value) })),
      transaction,
    })
    this.wake()
    return { topic: record.topic, partition, offset }
  }

  /** All committed records of a topic, partition after partition. */
  records(topic: string): InRecord[] {
    return (this.topics.get(topic) ?? []).flatMap((log) =>
      log.filter(({ transaction }) => transaction === undefined || transaction.state === 'committed'),
    )
  }

  values(topic: string): (string | undefined)[] {
    return this.records(topic).map((record) => record.value?.toString())
  }

  read(tp: TopicPartition, from: number, committedOnly: boolean, max: number): FetchedRecords | undefined {
    const log = this.topics.get(tp.topic)?.[tp.partition]
    if (log === undefined) return undefined
    const records: InRecord[] = []
    let next = from
    let size = 0
    for (; next < log.length && size < max; next++) {
      const record = log[next]!
      if (committedOnly && record.transaction?.state === 'open') break
      if (committedOnly && record.transaction?.state === 'aborted') continue
      records.push(record)
      size += (record.key?.length ?? 0) + (record.value?.length ?? 0) + 20
    }
    if (next === from) return undefined
    const { topic, partition } = tp
    return { topic, partition, records, nextOffset: next, highWatermark: log.length, bytes: size }
  }

  /** For readers of what is committed: where the first transaction that is open begins. */
  stableEndOf({ topic, partition }: TopicPartition): number {
    const log = this.topics.get(topic)?.[partition] ?? []
    const open = log.findIndex(({ transaction }) => transaction?.state === 'open')
    return open >= 0 ? open : log.length
  }

  /** Resolves at the next change, when the wait is over, or when the signal is aborted. */
  async change(waitMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, waitMs)
      signal?.addEventListener('abort', done, { once: true })
      this.#waiting.push(done)
    })
  }

  wake(): void {
    for (const done of this.#waiting.splice(0)) done()
  }
}

function bytes(value: Uint8Array | string | null): Buffer | null {
  return value === null ? null : Buffer.from(value as string)
}

function partitionOf(key: Uint8Array | string | null, partitions: number): number {
  let hash = 0
  for (const byte of bytes(key) ?? []) hash = (hash * 31 + byte) >>> 0
  return hash % partitions
}

class FakeProducer implements Producer {
  readonly #log: FakeLog
  readonly #id: string | undefined
  #epoch = 0
  #transaction: Transaction | undefined
  readonly #underWay = new Set<Promise<unknown>>()
  #closed = false

  constructor(log: FakeLog, options: ProducerOptions) {
    this.#log = log
    this.#id = options.transactionalId
  }

  async produce(records: readonly OutRecord[]): Promise<ProduceResult> {
    this.#check()
    const transaction = this.#transaction
    if (this.#id !== undefined && transaction?.state !== 'open') {
      throw new LogError('INVALID_TXN_STATE', 'no transaction was begun', { retriable: false })
    }
    const result = this.#produce(records, transaction)
    this.#underWay.add(result)
    try {
      return await result
    } finally {
      this.#underWay.delete(result)
    }
  }

  async #produce(records: readonly OutRecord[], transaction: Transaction | undefined): Promise<ProduceResult> {
    if (this.#log.holds(records)) {
      await new Promise<void>((resolve, reject) => {
        this.#log.held.push({ records, topic: records[0]?.topic ?? '', acknowledge: resolve, fail: reject })
        this.#log.wake()
      })
    } else {
      await Promise.resolve()
    }
    this.#log.throwIfFailing('produce')
    this.#check()
    const failures: { index: number; error: LogError }[] = []
    const offsets: TopicPartitionOffset[] = []
    records.forEach((record, index) => {
      if (bytes(record.value)?.includes('too large') === true) {
        failures.push({ index, error: new LogError('MESSAGE_TOO_LARGE', 'record too large', { retriable: false }) })
        return
      }
      offsets.push(this.#log.append(record, transaction))
    })
    return { failures, offsets }
  }

  async initTransactions(): Promise<void> {
    this.#log.throwIfFailing('init')
    this.#epoch = (this.#log.epochs.get(this.#id!) ?? 0) + 1
    this.#log.epochs.set(this.#id!, this.#epoch)
    // The coordinator aborts what the fenced producer left open.
    openTransactions.get(this.#log)?.forEach((transaction, id) => {
      if (id === this.#id && transaction.state === 'open') transaction.state = 'aborted'
    })
    this.#log.wake()
  }

  begin(): void {
    this.#check()
    if (this.#transaction?.state === 'open') throw new Error('a transaction is open')
    this.#transaction = { state: 'open' }
    const open = openTransactions.get(this.#log) ?? new Map<string, Transaction>()
    openTransactions.set(this.#log, open.set(this.#id!, this.#transaction))
  }

  async sendOffsets(): Promise<void> {
    this.#check()
  }

  async commit(): Promise<void> {
    await this.#end('committed', 'commit')
  }

  async abort(): Promise<void> {
    await this.#end('aborted', 'abort')
  }

  async #end(state: 'committed' | 'aborted', operation: 'commit' | 'abort'): Promise<void> {
    await Promise.allSettled([...this.#underWay])
    this.#log.throwIfFailing(operation)
    this.#check()
    if (this.#transaction !== undefined) this.#transaction.state = state
    this.#transaction = undefined
    this.#log.wake()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.resolve()
  }

  #check(): void {
    if (this.#closed) throw new LogError('CLOSED', 'the producer is closed', { retriable: false })
    if (this.#id !== undefined && this.#epoch !== 0 && this.#log.epochs.get(this.#id) !== this.#epoch) {
      throw new LogError('INVALID_PRODUCER_EPOCH', `a newer producer has the id ${this.#id}`, { retriable: false })
    }
  }
}

const openTransactions = new WeakMap<FakeLog, Map<string, Transaction>>()

const topicKey = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

class FakeReader implements Reader {
  readonly #log: FakeLog
  readonly #committedOnly: boolean
  readonly #max: number
  readonly #positions = new Map<string, { tp: TopicPartition; offset: number }>()

  constructor(log: FakeLog, options: ReadOptions) {
    this.#log = log
    this.#committedOnly = options.isolation !== 'read_uncommitted'
    this.#max = options.maxPartitionBytes ?? 1_048_576
  }

  assign(positions: Parameters<Reader['assign']>[0]): void {
    this.#positions.clear()
    for (const { topic, partition, offset } of positions) {
      const tp = { topic, partition }
      const at = offset === 'earliest' ? 0 : offset === 'latest' ? this.#log.stableEndOf(tp) : offset
      this.#positions.set(topicKey(tp), { tp, offset: at })
    }
  }

  async poll({ maxWaitMs, signal }: PollOptions): Promise<readonly FetchedRecords[]> {
    this.#log.throwIfFailing('poll')
    const deadline = Date.now() + maxWaitMs
    for (;;) {
      const fetched: FetchedRecords[] = []
      for (const position of this.#positions.values()) {
        const records = this.#log.read(position.tp, position.offset, this.#committedOnly, this.#max)
        if (records === undefined) continue
        position.offset = records.nextOffset
        fetched.push(records)
      }
      const left = deadline - Date.now()
      if (fetched.length > 0 || left <= 0 || signal?.aborted === true) return fetched
      await this.#log.change(left, signal)
    }
  }

  async close(): Promise<void> {
    this.#positions.clear()
  }
}

/** A group's only member: it has all partitions of its topics from its first poll on. */
export class FakeGroupConsumer implements GroupConsumer {
  readonly #log: FakeLog
  readonly #options: GroupConsumerOptions
  readonly #positions = new Map<string, { tp: TopicPartition; offset: number }>()
  readonly #paused = new Set<string>()
  #joined = false
  readonly #changes: (() => Promise<void>)[] = []

  constructor(log: FakeLog, options: GroupConsumerOptions) {
    this.#log = log
    this.#options = options
    log.consumers.add(this)
  }

  get groupId(): string {
    return this.#options.groupId
  }

  /** Takes partitions away, within the next poll. */
  revoke(partitions: readonly TopicPartition[], how: 'revoked' | 'lost' = 'revoked'): void {
    this.#changes.push(async () => {
      await (how === 'revoked' ? this.#options.onRevoke(partitions) : this.#options.onLost(partitions))
      for (const tp of partitions) this.#positions.delete(topicKey(tp))
    })
    this.#log.wake()
  }

  /** Gives partitions, within the next poll. */
  give(partitions: readonly TopicPartition[]): void {
    this.#changes.push(async () => this.#assign(partitions))
    this.#log.wake()
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    for (const { topic, partition, offset } of await this.committed(partitions)) {
      const tp = { topic, partition }
      const reset = this.#options.offsetReset === 'latest' ? this.#log.stableEndOf(tp) : 0
      this.#positions.set(topicKey(tp), { tp, offset: offset >= 0 ? offset : reset })
    }
    await this.#options.onAssign(partitions)
  }

  async poll({ maxWaitMs, signal }: PollOptions): Promise<readonly FetchedRecords[]> {
    this.#log.throwIfFailing('poll')
    const deadline = Date.now() + maxWaitMs
    for (;;) {
      if (!this.#joined) {
        this.#joined = true
        await this.#assign(this.#subscribed())
      }
      for (const change of this.#changes.splice(0)) await change()
      const fetched: FetchedRecords[] = []
      for (const [key, position] of this.#positions) {
        if (this.#paused.has(key)) continue
        const records = this.#log.read(position.tp, position.offset, true, this.#options.maxPartitionBytes ?? 1_048_576)
        if (records === undefined) continue
        position.offset = records.nextOffset
        fetched.push(records)
      }
      const left = deadline - Date.now()
      if (fetched.length > 0 || left <= 0 || signal?.aborted === true) return fetched
      await this.#log.change(left, signal)
    }
  }

  #subscribed(): TopicPartition[] {
    return [...this.#log.topics].flatMap(([topic, partitions]) => {
      const wanted = this.#options.topics?.includes(topic) ?? this.#options.topicsPattern?.test(topic)
      return wanted === true ? partitions.map((_, partition) => ({ topic, partition })) : []
    })
  }

  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    this.#log.throwIfFailing('groupCommit')
    const group = this.#log.groups.get(this.groupId) ?? new Map<string, TopicPartitionOffset>()
    this.#log.groups.set(this.groupId, group)
    for (const offset of offsets) group.set(topicKey(offset), offset)
    this.#log.wake()
  }

  groupMetadata(): GroupMetadata {
    return { groupId: this.groupId, memberId: 'member', generation: 1 }
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    const group = this.#log.groups.get(this.groupId)
    return partitions.map(
      ({ topic, partition }) => group?.get(`${topic}-${partition}`) ?? { topic, partition, offset: -1 },
    )
  }

  seek({ topic, partition, offset }: TopicPartitionOffset): void {
    this.#positions.set(`${topic}-${partition}`, { tp: { topic, partition }, offset })
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) this.#paused.add(topicKey(tp))
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) this.#paused.delete(topicKey(tp))
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#positions.values()].map(({ tp }) => tp)
  }

  async close(): Promise<void> {
    if (!this.#log.consumers.delete(this)) return
    if (this.#positions.size > 0) await this.#options.onRevoke(this.assignment())
    this.#positions.clear()
  }
}

class FakeAdmin implements Admin {
  readonly #log: FakeLog

  constructor(log: FakeLog) {
    this.#log = log
  }

  async clusterId(): Promise<string> {
    return 'fake'
  }

  async topics(names?: readonly string[]): Promise<readonly TopicDescription[]> {
    return [...this.#log.topics]
      .filter(([topic]) => names?.includes(topic) ?? true)
      .map(([topic, partitions]) => ({ topic, partitions: partitions.length, internal: topic.startsWith('__') }))
  }

  async createTopics(topics: readonly NewTopic[]): Promise<readonly string[]> {
    this.#log.throwIfFailing('createTopics')
    const made = topics.filter(({ topic }) => !this.#log.topics.has(topic))
    for (const { topic, partitions } of made) this.#log.createTopic(topic, partitions < 1 ? 1 : partitions)
    return made.map(({ topic }) => topic)
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    for (const name of names) this.#log.topics.delete(name)
  }

  async topicConfig(): Promise<Readonly<Record<string, string>>> {
    return this.#log.topicConfig
  }

  async offsets(
    partitions: readonly TopicPartition[],
    at: Parameters<Admin['offsets']>[1],
    isolation: Parameters<Admin['offsets']>[2] = 'read_uncommitted',
  ): Promise<readonly TopicPartitionOffset[]> {
    return partitions.map(({ topic, partition }) => {
      const end = this.#log.topics.get(topic)?.[partition]?.length ?? 0
      const latest = isolation === 'read_committed' ? this.#log.stableEndOf({ topic, partition }) : end
      return { topic, partition, offset: at === 'latest' ? latest : 0 }
    })
  }

  async groups(): Promise<readonly GroupListing[]> {
    return [...this.#log.groups.keys()].map((groupId) => ({
      groupId,
      protocolType: 'consumer',
      state: 'Empty',
      type: 'classic',
    }))
  }

  async group(groupId: string): Promise<GroupDescription | undefined> {
    const listed = (await this.groups()).find((each) => each.groupId === groupId)
    return listed && { ...listed, protocol: '', members: [] }
  }

  async groupOffsets(groupId: string): Promise<readonly TopicPartitionOffset[]> {
    return [...(this.#log.groups.get(groupId)?.values() ?? [])]
  }

  async alterGroupOffsets(groupId: string, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const group = this.#log.groups.get(groupId) ?? new Map<string, TopicPartitionOffset>()
    this.#log.groups.set(groupId, group)
    for (const offset of offsets) group.set(topicKey(offset), offset)
  }

  async deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    for (const each of partitions) this.#log.groups.get(groupId)?.delete(topicKey(each))
  }

  async deleteGroup(groupId: string): Promise<void> {
    this.#log.groups.delete(groupId)
  }

  async fenceProducers(transactionalIds: readonly string[]): Promise<void> {
    for (const id of transactionalIds) await new FakeProducer(this.#log, { transactionalId: id }).initTransactions()
  }
}

/** A client of a {@link FakeLog}. */
export function fakeLogClient(log: FakeLog = new FakeLog()): LogClient {
  return {
    producer: (options = {}) => new FakeProducer(log, options),
    reader: (options = {}) => new FakeReader(log, options),
    groupConsumer: (options) => new FakeGroupConsumer(log, options),
    groupMember: () => {
      throw new Error('not in the fake log')
    },
    admin: new FakeAdmin(log),
    close: async () => Promise.resolve(),
  }
}
