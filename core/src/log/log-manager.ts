import { join } from 'node:path'
import type { Logger } from '../logging/logger.ts'
import { Checkpoints } from './checkpoints.ts'
import { makeDataDirectory, openDataDirectory, randomUuid } from './data-directory.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DirectoryLock } from './directory-lock.ts'
import { LogStorageError, storageError } from './errors.ts'
import { FileDeletions } from './file-deletions.ts'
import { FilePool } from './file-pool.ts'
import { nodeFileSystem, syncDirectory, writeFileAtomically } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { LogCleaner } from './log-cleaner.ts'
import { PartitionLog } from './partition-log.ts'
import type { FlushPolicy, StorageContext } from './storage-context.ts'
import { ReadBuffers } from './read-buffers.ts'
import { recoverPartitions } from './startup-recovery.ts'
import { SyncQueue } from './sync-queue.ts'
import { resolveTopicConfig, validateTopicConfig, type TopicConfig } from './topic-config.ts'
import { checkTopicName, namesCollide } from './topic-name.ts'
import { TopicRemoval } from './topic-removal.ts'
import { TopicStore } from './topic-store.ts'
import type { StoredTopic } from './topic-store.ts'

export type { FlushPolicy } from './storage-context.ts'

export interface LogManagerOptions {
  /** Data directory; made where it is missing. */
  readonly dir: string
  readonly logger: Logger
  /** Default `commit`. */
  readonly flush?: FlushPolicy
  /** Default topic settings, by Kafka's names. */
  readonly defaults?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
  /** Most files open at one time. Default 512. */
  readonly maxOpenFiles?: number
  /** How often with flush=interval. Default 1000. */
  readonly flushIntervalMs?: number
  /** How often recovery points are written, which bounds how much is checked after a crash. Default 30 000. */
  readonly checkpointIntervalMs?: number
  /** `log.retention.check.interval.ms`. Default 300 000. */
  readonly retentionIntervalMs?: number
  /** `log.cleaner.backoff.ms`: how often is looked for what to compact. Default 15 000. */
  readonly compactionIntervalMs?: number
  /** `log.cleaner.dedupe.buffer.size`: most memory for the keys of a partition that is compacted. Default 32 MiB. */
  readonly compactionMapBytes?: number
  /** `producer.id.expiration.ms`. Default one day. */
  readonly producerExpirationMs?: number
  /** For tests that let it fail. */
  readonly fs?: FileSystem
}

/** A topic as it stands; a new object after each change. */
export interface Topic {
  readonly name: string
  /** Kafka's form of a uuid: 22 characters of URL-safe base64. */
  readonly id: string
  readonly partitions: number
  /** Only what was set for this topic. */
  readonly config: Readonly<Record<string, string>>
  /** What holds, defaults included. */
  readonly effective: TopicConfig
}

const CLEAN_FILE = '.clean_shutdown'
const MAX_PARTITIONS = 100_000

/** All topics of one data directory. */
export class LogManager {
  /** Drawn once per data directory; Kafka's form of a uuid. */
  readonly clusterId: string
  readonly #options: LogManagerOptions
  #defaults: Readonly<Record<string, string>>
  readonly #fs: FileSystem
  readonly #lock: DirectoryLock
  readonly #context: StorageContext
  readonly #store: TopicStore
  readonly #topics = new Map<string, Topic>()
  readonly #namesById = new Map<string, string>()
  /** By `topic-partition`; opened on first use. */
  readonly #logs = new Map<string, PartitionLog>()
  readonly #checkpoints: Checkpoints
  /** Whether partitions that are not open need no check. */
  readonly #clean: boolean
  readonly #timers: NodeJS.Timeout[] = []
  #checkpointing: Promise<void> | undefined
  readonly #cleaner: LogCleaner
  readonly #removal: TopicRemoval
  /** True when it resolves: no partition is left that an unclean shutdown may have harmed. */
  #recovering: Promise<boolean> = Promise.resolve(true)
  #closed = false

  private constructor(options: LogManagerOptions, lock: DirectoryLock) {
    const { dir, fs = nodeFileSystem } = options
    this.#options = options
    this.#defaults = options.defaults ?? {}
    this.#fs = fs
    this.#lock = lock
    this.clusterId = openDataDirectory(fs, dir)
    this.#context = {
      fs,
      pool: new FilePool(fs, options.maxOpenFiles ?? 512),
      syncs: new SyncQueue(fs),
      deletions: new FileDeletions(fs, options.logger),
      buffers: new ReadBuffers(),
      logger: options.logger,
      flush: options.flush ?? 'commit',
      clock: options.clock ?? Date.now,
    }
    this.#store = new TopicStore(fs, dir)
    for (const topic of this.#store.topics.values()) this.#publish(topic)
    this.#checkpoints = new Checkpoints(fs, dir, (topic) => this.#topics.has(topic))
    this.#removal = new TopicRemoval({
      fs,
      dir,
      store: this.#store,
      deletions: this.#context.deletions,
      logger: options.logger,
      delayMs: ({ config }) => resolveTopicConfig(config, this.#defaults).fileDeleteDelayMs,
    })
    this.#clean = this.#takeCleanMark()
    const host = {
      context: this.#context,
      dir,
      partitions: (wanted: (config: TopicConfig) => boolean) => this.#partitionsWithFiles(wanted),
    }
    this.#cleaner = new LogCleaner(host, options.compactionMapBytes ?? 32 * 1024 * 1024)
  }

  /**
   * Opens a data directory and takes its lock. After an unclean shutdown the tails of the partitions are checked, in the background or
   * before their first use.
   * @throws DataDirectoryError when it cannot be made, is in use, or of a newer format
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    makeDataDirectory(options.dir)
    const lock = lockDirectory(options.dir)
    try {
      const manager = new LogManager(options, lock)
      manager.#removal.finish()
      // A partition's first write makes its directory; a killed process may not have come to make that durable.
      if (!manager.#clean) syncDirectory(manager.#fs, options.dir)
      manager.#recovering = manager.#recover()
      manager.#startTimers()
      return manager
    } catch (error) {
      lock.release()
      throw error
    }
  }

  topics(): Topic[] {
    return [...this.#topics.values()]
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  topicById(id: string): Topic | undefined {
    const name = this.#namesById.get(id)
    return name === undefined ? undefined : this.#topics.get(name)
  }

  /**
   * Makes a topic; on disk when the promise resolves.
   * @param topicId Kafka's form of a uuid; drawn where absent
   * @throws LogStorageError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG, KAFKA_STORAGE_ERROR
   */
  async createTopic(
    name: string,
    partitions: number,
    config: Readonly<Record<string, string>> = {},
    topicId: string = randomUuid(),
  ): Promise<Topic> {
    this.checkNewTopic(name, partitions, config)
    try {
      this.#cleaner.forget(name)
      this.#checkpoints.forget(name)
    } catch (error) {
      throw storageError('What was known of an earlier topic could not be removed', error)
    }
    return this.#change({ name, id: topicId, partitions, config }, undefined)
  }

  /**
   * What {@link createTopic} checks, without making anything (CreateTopics with validate_only).
   * @throws LogStorageError
   */
  checkNewTopic(name: string, partitions: number, config: Readonly<Record<string, string>> = {}): void {
    this.#ensureOpen()
    checkTopicName(name)
    if (this.#topics.has(name)) throw new LogStorageError('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
    if (name.includes('.') || name.includes('_')) {
      const other = this.topics().find((topic) => namesCollide(topic.name, name))
      if (other !== undefined) {
        throw new LogStorageError(
          'INVALID_TOPIC_EXCEPTION',
          `Topic '${name}' collides with the existing topic ${other.name}.`,
        )
      }
    }
    checkPartitions(partitions)
    validateTopicConfig(config)
  }

  /** @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR */
  async deleteTopic(name: string): Promise<void> {
    this.#ensureOpen()
    const topic = this.#known(name)
    const stored = this.#store.topics.get(name)!
    this.#store.topics.delete(name)
    this.#store.deleted.set(topic.id, stored)
    this.#save(() => {
      this.#store.topics.set(name, stored)
      this.#store.deleted.delete(topic.id)
    })
    this.#topics.delete(name)
    this.#namesById.delete(topic.id)
    for (let i = 0; i < topic.partitions; i++) {
      this.#logs.get(`${name}-${i}`)?.abandon()
      this.#logs.delete(`${name}-${i}`)
    }
    this.#forget(name)
    this.#removal.remove(stored)
  }

  /**
   * Raises the number of partitions to `total`.
   * @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, KAFKA_STORAGE_ERROR
   */
  async addPartitions(name: string, total: number): Promise<Topic> {
    this.#ensureOpen()
    const topic = this.#known(name)
    checkPartitions(total)
    if (total <= topic.partitions) {
      throw new LogStorageError(
        'INVALID_PARTITIONS',
        `The topic currently has ${topic.partitions} partition(s); ${total} would not be an increase.`,
      )
    }
    return this.#change({ ...this.#store.topics.get(name)!, partitions: total }, this.#store.topics.get(name))
  }

  /**
   * Replaces what is set for the topic; takes effect at once.
   * @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG, KAFKA_STORAGE_ERROR
   */
  async alterConfig(name: string, config: Readonly<Record<string, string>>): Promise<Topic> {
    this.#ensureOpen()
    this.#known(name)
    validateTopicConfig(config)
    const topic = this.#change({ ...this.#store.topics.get(name)!, config }, this.#store.topics.get(name))
    for (let i = 0; i < topic.partitions; i++) this.#logs.get(`${name}-${i}`)?.setConfig(topic.effective)
    return topic
  }

  /** What holds from now on for what topics do not say themselves. */
  setDefaults(defaults: Readonly<Record<string, string>>): void {
    this.#defaults = defaults
    for (const stored of this.#store.topics.values()) {
      const topic = this.#publish(stored)
      for (let i = 0; i < topic.partitions; i++) this.#logs.get(`${topic.name}-${i}`)?.setConfig(topic.effective)
    }
  }

  /**
   * The partition, opened on first use; undefined where there is none.
   * @throws LogStorageError KAFKA_STORAGE_ERROR where its files cannot be opened
   */
  partition(topic: string, index: number): PartitionLog | undefined {
    const open = this.#logs.get(`${topic}-${index}`)
    if (open !== undefined) return open
    const known = this.#topics.get(topic)
    if (this.#closed || known === undefined || !(index >= 0 && index < known.partitions)) return undefined
    const log = this.#openPartition(known, index)
    this.#logs.set(`${topic}-${index}`, log)
    return log
  }

  /** Resolves when the tails of all partitions are checked after an unclean shutdown; at once after a clean one. */
  async recovered(): Promise<void> {
    await this.#recovering
  }

  get openFiles(): number {
    return this.#context.pool.openFiles
  }

  /** Writes out everything, marks the shutdown as clean and gives the lock back. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    try {
      const [checked] = await Promise.all([this.#recovering, this.#checkpointing, this.#cleaner.idle()])
      const closed = await Promise.allSettled([...this.#logs.values()].map((log) => log.close()))
      this.#checkpoints.saveRecoveryPoints(this.#logs.values())
      this.#saveStartOffsets()
      const dirty = closed.find((result) => result.status === 'rejected' || !result.value)
      const cause = dirty === undefined ? undefined : reasonOf(dirty)
      if (cause !== undefined) {
        this.#options.logger.error('The shutdown is not clean: the next start checks the tails', { cause })
      } else if (checked) writeFileAtomically(this.#fs, this.#options.dir, CLEAN_FILE, '')
    } finally {
      this.#context.deletions.close()
      this.#logs.clear()
      this.#lock.release()
    }
  }

  #ensureOpen(): void {
    if (this.#closed) throw new LogStorageError('KAFKA_STORAGE_ERROR', 'The log is shutting down.')
  }

  #known(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new LogStorageError('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic '${name}'.`)
    return topic
  }

  #openPartition(topic: Topic, index: number): PartitionLog {
    this.#removal.makeWay(topic.name)
    try {
      return new PartitionLog({
        context: this.#context,
        topic: topic.name,
        topicId: topic.id,
        partition: index,
        dataDir: this.#options.dir,
        config: topic.effective,
        logStartOffset: this.#checkpoints.startOffset(topic.name, index),
        recoveryPoint: this.#clean ? Infinity : this.#checkpoints.recoveryPoint(topic.name, index),
        saveStartOffset: async () => this.#saveStartOffsets(),
      })
    } catch (error) {
      throw new LogStorageError('KAFKA_STORAGE_ERROR', `${topic.name}-${index} cannot be opened: ${String(error)}`, {
        cause: error,
      })
    }
  }

  #change(topic: StoredTopic, before: StoredTopic | undefined): Topic {
    this.#store.topics.set(topic.name, topic)
    this.#save(() => {
      if (before === undefined) this.#store.topics.delete(topic.name)
      else this.#store.topics.set(topic.name, before)
    })
    return this.#publish(topic)
  }

  #save(undo: () => void): void {
    try {
      this.#store.save()
    } catch (error) {
      undo()
      throw new LogStorageError('KAFKA_STORAGE_ERROR', `The topics could not be written: ${String(error)}`, {
        cause: error,
      })
    }
  }

  #publish(stored: StoredTopic): Topic {
    const topic: Topic = { ...stored, effective: resolveTopicConfig(stored.config, this.#defaults) }
    this.#topics.set(topic.name, topic)
    this.#namesById.set(topic.id, topic.name)
    return topic
  }

  // ---- start and stop

  /** Whether the last shutdown was clean. From now on, until the next one, it is not. */
  #takeCleanMark(): boolean {
    const path = join(this.#options.dir, CLEAN_FILE)
    if (!this.#fs.existsSync(path)) return false
    this.#fs.unlinkSync(path)
    syncDirectory(this.#fs, this.#options.dir)
    return true
  }

  async #recover(): Promise<boolean> {
    if (this.#clean) return true
    const partitions = this.topics().flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
    )
    return recoverPartitions({
      logger: this.#options.logger,
      partitions,
      open: (topic, partition) => void this.partition(topic, partition),
      stopping: () => this.#closed,
    })
  }

  #startTimers(): void {
    const every = (ms: number, run: () => void) => this.#timers.push(setInterval(run, ms).unref())
    every(this.#options.checkpointIntervalMs ?? 30_000, () => void this.checkpoint())
    every(this.#options.retentionIntervalMs ?? 300_000, () => void this.applyRetention())
    every(this.#options.compactionIntervalMs ?? 15_000, () => void this.compact())
    every(60_000, () => this.#expireProducers())
    if (this.#context.flush === 'interval') {
      every(this.#options.flushIntervalMs ?? 1000, () => {
        for (const log of this.#logs.values()) void log.flush()
      })
    }
  }

  #expireProducers(): void {
    const olderThan = this.#context.clock() - (this.#options.producerExpirationMs ?? 86_400_000)
    for (const log of this.#logs.values()) log.expireProducers(olderThan)
  }

  /** Deletes what retention no longer keeps, in all partitions. Runs by itself from time to time. */
  applyRetention(): Promise<void> {
    return this.#cleaner.applyRetention()
  }

  /** Compacts the partitions that are dirty enough. Runs by itself from time to time. */
  compact(): Promise<void> {
    return this.#cleaner.compact()
  }

  async *#partitionsWithFiles(wanted: (config: TopicConfig) => boolean): AsyncGenerator<PartitionLog> {
    let seen = 0
    for (const { name, partitions, effective } of this.topics()) {
      if (!wanted(effective)) continue
      for (let i = 0; i < partitions && !this.#closed; i++) {
        if (++seen % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
        const log = this.#hasFiles(name, i) ? this.#partitionOrUndefined(name, i) : undefined
        if (log !== undefined) yield log
      }
    }
  }

  /** Also undefined where it cannot be opened, which is told. */
  #partitionOrUndefined(topic: string, index: number): PartitionLog | undefined {
    try {
      return this.partition(topic, index)
    } catch (error) {
      this.#options.logger.error('A partition is offline', { topic, partition: index, error: String(error) })
      return undefined
    }
  }

  #hasFiles(topic: string, partition: number): boolean {
    const key = `${topic}-${partition}`
    return this.#logs.has(key) || this.#fs.existsSync(join(this.#options.dir, key))
  }

  /** Makes what was written until now durable, indexes included, and notes that recovery need not look at it. */
  checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpoint()
      .catch((error: unknown) => {
        this.#options.logger.warn('The recovery points could not be written', { error: String(error) })
      })
      .finally(() => (this.#checkpointing = undefined))
    return this.#checkpointing
  }

  async #checkpoint(): Promise<void> {
    let changed = false
    for (const log of [...this.#logs.values()]) {
      const before = log.recoveryPoint
      try {
        if ((await log.checkpoint()) !== before) changed = true
      } catch (error) {
        const partition = `${log.topic}-${log.partition}`
        this.#options.logger.warn('A partition could not be made durable', { partition, error: String(error) })
      }
    }
    if (changed) this.#checkpoints.saveRecoveryPoints(this.#logs.values())
  }

  #saveStartOffsets(): void {
    this.#checkpoints.saveStartOffsets(this.#logs.values())
  }

  /** What is left of a deleted topic in the checkpoints, where it cannot be written now, is for {@link createTopic} to remove. */
  #forget(topic: string): void {
    try {
      this.#cleaner.forget(topic)
      this.#checkpoints.forget(topic)
    } catch (error) {
      this.#options.logger.warn('The checkpoints could not be written', { error: String(error) })
    }
  }
}

function reasonOf(result: PromiseSettledResult<unknown>): string {
  return result.status === 'rejected' ? String(result.reason) : 'a partition could not be written'
}

function checkPartitions(partitions: number): void {
  if (Number.isInteger(partitions) && partitions > 0 && partitions <= MAX_PARTITIONS) return
  throw new LogStorageError(
    'INVALID_PARTITIONS',
    `Number of partitions was set to an invalid value: ${partitions}; it must be from 1 to ${MAX_PARTITIONS}.`,
  )
}
