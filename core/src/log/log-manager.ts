import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../logging/logger.ts'
import { openDataDirectory, randomUuid } from './data-directory.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DirectoryLock } from './directory-lock.ts'
import { LogStorageError } from './errors.ts'
import { FilePool } from './file-pool.ts'
import { nodeFileSystem, syncDirectory, writeFileAtomically } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { formatOffsetCheckpoint, readOffsetCheckpoint } from './offset-checkpoint.ts'
import type { PartitionOffsets } from './offset-checkpoint.ts'
import { LogCleaner } from './log-cleaner.ts'
import { PartitionLog } from './partition-log.ts'
import type { FlushPolicy, StorageContext } from './storage-context.ts'
import { ReadBuffers } from './read-buffers.ts'
import { SyncQueue } from './sync-queue.ts'
import { resolveTopicConfig, validateTopicConfig, type TopicConfig } from './topic-config.ts'
import { checkTopicName, namesCollide } from './topic-name.ts'
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

const RECOVERY_FILE = 'recovery-point-offset-checkpoint'
const START_FILE = 'log-start-offset-checkpoint'
const CLEAN_FILE = '.clean_shutdown'
const MAX_PARTITIONS = 100_000

/** All topics of one data directory. */
export class LogManager {
  /** Drawn once per data directory; Kafka's form of a uuid. */
  readonly clusterId: string
  readonly #options: LogManagerOptions
  readonly #fs: FileSystem
  readonly #lock: DirectoryLock
  readonly #context: StorageContext
  readonly #store: TopicStore
  readonly #topics = new Map<string, Topic>()
  readonly #namesById = new Map<string, string>()
  /** By `topic-partition`; opened on first use. */
  readonly #logs = new Map<string, PartitionLog>()
  /** Of partitions that are not open, as the checkpoints have them. */
  readonly #startOffsets: PartitionOffsets
  readonly #recoveryPoints: PartitionOffsets
  /** Whether partitions that are not open need no check. */
  readonly #clean: boolean
  readonly #timers: NodeJS.Timeout[] = []
  #checkpointing: Promise<void> | undefined
  readonly #cleaner: LogCleaner
  #closed = false

  private constructor(options: LogManagerOptions, lock: DirectoryLock) {
    const { dir, fs = nodeFileSystem } = options
    this.#options = options
    this.#fs = fs
    this.#lock = lock
    this.clusterId = openDataDirectory(fs, dir)
    this.#context = {
      fs,
      pool: new FilePool(fs, options.maxOpenFiles ?? 512),
      syncs: new SyncQueue(fs),
      buffers: new ReadBuffers(),
      logger: options.logger,
      flush: options.flush ?? 'commit',
      clock: options.clock ?? Date.now,
    }
    this.#store = new TopicStore(fs, dir)
    for (const topic of this.#store.topics.values()) this.#publish(topic)
    this.#startOffsets = readOffsetCheckpoint(fs, join(dir, START_FILE)) ?? emptyOffsets()
    this.#recoveryPoints = readOffsetCheckpoint(fs, join(dir, RECOVERY_FILE)) ?? emptyOffsets()
    this.#clean = this.#takeCleanMark()
    const host = {
      context: this.#context,
      dir,
      partitions: (wanted: (config: TopicConfig) => boolean) => this.#partitionsWithFiles(wanted),
    }
    this.#cleaner = new LogCleaner(host, options.compactionMapBytes ?? 32 * 1024 * 1024)
  }

  /**
   * Opens a data directory and takes its lock. After an unclean shutdown the tails of the partitions are checked.
   * @throws DataDirectoryError when it is in use, or of a newer format
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    mkdirSync(options.dir, { recursive: true })
    const lock = lockDirectory(options.dir)
    try {
      const manager = new LogManager(options, lock)
      manager.#finishDeletions()
      await manager.#recover()
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
    this.#startOffsets.delete(name)
    this.#recoveryPoints.delete(name)
    this.#cleaner.forget(name)
    this.#removeFiles(stored)
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

  get openFiles(): number {
    return this.#context.pool.openFiles
  }

  /** Writes out everything, marks the shutdown as clean and gives the lock back. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    try {
      await Promise.all([this.#checkpointing, this.#cleaner.idle()])
      const closed = await Promise.allSettled([...this.#logs.values()].map((log) => log.close()))
      this.#saveRecoveryPoints()
      this.#saveStartOffsets()
      const dirty = closed.find((result) => result.status === 'rejected' || !result.value)
      if (dirty === undefined) writeFileAtomically(this.#fs, this.#options.dir, CLEAN_FILE, '')
      else
        this.#options.logger.error('The shutdown is not clean: the next start checks the tails', {
          cause: reasonOf(dirty),
        })
    } finally {
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
    for (const deleted of this.#store.deleted.values()) if (deleted.name === topic.name) this.#removeFiles(deleted)
    try {
      return new PartitionLog({
        context: this.#context,
        topic: topic.name,
        topicId: topic.id,
        partition: index,
        dataDir: this.#options.dir,
        config: topic.effective,
        logStartOffset: this.#startOffsets.get(topic.name)?.get(index) ?? 0,
        recoveryPoint: this.#clean ? Infinity : (this.#recoveryPoints.get(topic.name)?.get(index) ?? 0),
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
    const topic: Topic = { ...stored, effective: resolveTopicConfig(stored.config, this.#options.defaults) }
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

  /** After an unclean shutdown: opens every partition, which checks its tail. Otherwise they are opened on first use. */
  async #recover(): Promise<void> {
    if (this.#clean) return
    const started = performance.now()
    let partitions = 0
    for (const topic of this.topics()) {
      for (let i = 0; i < topic.partitions; i++) {
        try {
          this.partition(topic.name, i)
        } catch (error) {
          this.#options.logger.error('A partition is offline', {
            topic: topic.name,
            partition: i,
            error: String(error),
          })
        }
        // Lets timers and signals through.
        if (++partitions % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    if (partitions === 0) return
    syncDirectory(this.#fs, this.#options.dir)
    this.#options.logger.info('Checked the tails of all partitions after an unclean shutdown', {
      partitions,
      ms: Math.round(performance.now() - started),
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
      if ((await log.checkpoint()) !== before) changed = true
    }
    if (changed) this.#saveRecoveryPoints()
  }

  #saveRecoveryPoints(): void {
    for (const log of this.#logs.values()) setOffset(this.#recoveryPoints, log, log.recoveryPoint)
    const content = formatOffsetCheckpoint(this.#recoveryPoints)
    writeFileAtomically(this.#fs, this.#options.dir, RECOVERY_FILE, content)
  }

  #saveStartOffsets(): void {
    for (const log of this.#logs.values()) {
      if (log.logStartOffset > 0) setOffset(this.#startOffsets, log, log.logStartOffset)
    }
    const content = formatOffsetCheckpoint(this.#startOffsets)
    writeFileAtomically(this.#fs, this.#options.dir, START_FILE, content)
  }

  // ---- deleted topics

  #finishDeletions(): void {
    const { dir } = this.#options
    for (const topic of this.#store.deleted.values()) this.#removeFiles(topic)
    for (const name of this.#fs.readdirSync(dir)) if (name.endsWith('-delete')) this.#removeDirectory(join(dir, name))
  }

  /** Moves the directories out of the way at once, so that the name is free, and removes them in the background. */
  #removeFiles(topic: StoredTopic): void {
    const { dir, logger } = this.#options
    try {
      for (let i = 0; i < topic.partitions; i++) {
        const from = join(dir, `${topic.name}-${i}`)
        if (!this.#fs.existsSync(from) || !this.#belongsTo(from, topic)) continue
        const to = join(dir, `${topic.id}.${i}.${randomUuid()}-delete`)
        this.#fs.renameSync(from, to)
        this.#removeDirectory(to)
      }
      syncDirectory(this.#fs, dir)
      this.#store.deleted.delete(topic.id)
      this.#store.save()
    } catch (error) {
      logger.warn('Files of a deleted topic are left until the next start', { topic: topic.name, error: String(error) })
    }
  }

  /** A topic of the same name may have been made since. */
  #belongsTo(dir: string, topic: StoredTopic): boolean {
    const path = join(dir, 'partition.metadata')
    return !this.#fs.existsSync(path) || this.#fs.readFileSync(path, 'utf8').includes(`topic_id: ${topic.id}`)
  }

  #removeDirectory(path: string): void {
    this.#fs.rm(path, { recursive: true, force: true }, (error) => {
      if (error) this.#options.logger.warn('A deleted partition could not be removed', { path, error: error.message })
    })
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

function emptyOffsets(): PartitionOffsets {
  return new Map()
}

function setOffset(offsets: PartitionOffsets, log: PartitionLog, offset: number): void {
  const byPartition = offsets.get(log.topic) ?? new Map<number, number>()
  offsets.set(log.topic, byPartition.set(log.partition, offset))
}
