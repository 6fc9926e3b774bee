import type { LogClient } from '../client/client.ts'
import type { LeaderWriter } from '../cluster/cluster.ts'
import type { Logger } from '../logging/logger.ts'
import { ConfigEncryption, isEncrypted, type StoredSecrets } from './config-encryption.ts'
import {
  commitRecord,
  connectorRecord,
  fencedRecord,
  loggerLevelRecord,
  parseConfigRecord,
  restartRecord,
  sessionKeyRecord,
  targetStateRecord,
  taskRecord,
  type ConfigRecord,
  type RestartRequest,
  type SessionKey,
  type TargetState,
} from './config-records.ts'
import { withTimeLimit } from './time-limit.ts'
import { TopicLog, type TopicLogRecord } from '../cluster/topic-log.ts'

export type Config = Readonly<Record<string, string>>

/** What the config topic says about one connector. */
export interface StoredConnector {
  readonly config: Config
  readonly targetState: TargetState
  /** Committed task configs, by task number. */
  readonly tasks: readonly Config[]
  /** The connector config that was in force when the tasks were committed; undefined before the first commit. */
  readonly appliedConfig: Config | undefined
  /** A commit was read whose task records are not all there (compaction took them): the tasks must be planned anew. */
  readonly inconsistent: boolean
  /**
   * KIP-618: how many transactional producers the tasks that could start last have, where any could; and whether these
   * are fenced already for the tasks committed now.
   */
  readonly producers: number | undefined
  readonly fenced: boolean
}

export interface ConfigStoreListener {
  /** Something about the connector changed, or it is gone. Not called while the topic is first read. */
  changed(connector: string): void
  /** What has to run is about to change ({@link ConfigStore.ahead}): the write that says so is given to the writer next. */
  changing(): void
  /** Someone asked for a restart. Requests of the past, read at start, are not given. */
  restartRequested(connector: string, request: RestartRequest): void
  /** The same for the level of a logger on all workers. */
  loggerLevelSet(logger: string, level: string): void
}

export interface ConfigStoreOptions {
  readonly client: LogClient
  /** All writes go through it: only the leader's get in. */
  readonly writer: LeaderWriter
  readonly topic: string
  readonly logger: Logger
  readonly listener: ConfigStoreListener
  /** How secrets stand in the topic. Default: as they are. */
  readonly encryption?: ConfigEncryption | undefined
  /** Which settings of a config are secret. Default: none. */
  readonly secretsOf?: (config: Config) => ReadonlySet<string>
  /** Longest time for a write to be read back. Default 30 000. */
  readonly readTimeoutMs?: number
}

/** So many requests that were carried out are remembered: far more than there are within the time one is sent again. */
const maxRequests = 4096

interface Fencing {
  producers: number | undefined
  fenced: boolean
}

interface Entry {
  config: Config
  tasks: readonly Config[]
  appliedConfig: Config | undefined
  inconsistent: boolean
}

/**
 * Connector configs, task configs and target states, as the config topic has them. The order of the log is the truth:
 * a write is acknowledged once it was read back, and memory changes by what is read alone.
 *
 * A write may be for a request, which its records name: whoever is the leader when the request is sent again, for want
 * of an answer, sees that it was carried out ({@link ConfigStore.carriedOut}).
 */
export class ConfigStore {
  readonly #options: ConfigStoreOptions
  readonly #log: TopicLog
  readonly #encryption: ConfigEncryption
  readonly #secretsOf: (config: Config) => ReadonlySet<string>
  readonly #connectors = new Map<string, Entry>()
  /** Kept apart, since an initial state is written before its connector. */
  readonly #targetStates = new Map<string, TargetState>()
  /** Task configs that no commit has made effective yet. */
  readonly #uncommitted = new Map<string, Map<number, Config>>()
  /** Kept apart, since the producers of a deleted connector may still live when it is made anew. */
  readonly #fencings = new Map<string, Fencing>()
  /** Tasks by connector that are being written now. */
  readonly #ahead = new Map<string, readonly Config[]>()
  readonly #requests = new Map<string, { readonly created: boolean }>()
  /** The newest first; requests signed with the one before may still be on their way. */
  #sessionKeys: readonly SessionKey[] = []
  #live = false
  /** A write failed, and may have got into the log all the same. */
  #behind = false

  constructor(options: ConfigStoreOptions) {
    this.#options = options
    this.#encryption = options.encryption ?? new ConfigEncryption()
    this.#secretsOf = options.secretsOf ?? (() => new Set())
    this.#log = new TopicLog({ ...options, onRecord: (record) => this.#read(record) })
  }

  async start(): Promise<void> {
    await this.#log.start()
    this.#live = true
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  connectors(): string[] {
    return [...this.#connectors.keys()]
  }

  get(connector: string): StoredConnector | undefined {
    const entry = this.#connectors.get(connector)
    if (entry === undefined) return undefined
    const fencing = this.#fencings.get(connector)
    return {
      ...entry,
      targetState: this.#targetStates.get(connector) ?? 'STARTED',
      producers: fencing?.producers,
      fenced: fencing?.fenced ?? false,
    }
  }

  /**
   * Each connector with its tasks, as the topic says once what is being written now is in it: with a new connector, or new
   * tasks, goes in one transaction who is to run them.
   */
  *ahead(): Generator<readonly [string, readonly Config[]]> {
    for (const [connector, { tasks }] of this.#connectors) yield [connector, this.#ahead.get(connector) ?? tasks]
    for (const entry of this.#ahead) if (!this.#connectors.has(entry[0])) yield entry
  }

  /** {@link ConfigStore.ahead} knew already what is read of it now. */
  isAhead(connector: string): boolean {
    return this.#ahead.has(connector)
  }

  /** Whether the secrets of the committed tasks are encrypted as they would be now. */
  areTasksEncrypted(connector: string): boolean {
    const tasks = this.#connectors.get(connector)?.tasks ?? []
    return tasks.every((config) => this.#encryption.isCurrent(config, this.#secretsOf))
  }

  /** How the secrets of a connector and its tasks stand in the topic. `unreadable`: at least one, and others may be older. */
  storedSecrets(connector: string): StoredSecrets {
    const { config = {}, tasks = [] } = this.#connectors.get(connector) ?? {}
    const configs = [config, ...tasks]
    if (configs.some((each) => Object.values(each).some(isEncrypted))) return 'unreadable'
    return configs.every((each) => this.#encryption.isCurrent(each, this.#secretsOf)) ? 'current' : 'older'
  }

  /** Whether this worker encrypts what it writes. */
  get encrypts(): boolean {
    return this.#encryption.hasKey
  }

  /** Whether secrets of any connector are encrypted with a key that this worker does not have. */
  get hasUnreadable(): boolean {
    return this.connectors().some((connector) => this.storedSecrets(connector) === 'unreadable')
  }

  /** What workers sign with: the newest first, then, if there is one, the one before. */
  get sessionKeys(): readonly SessionKey[] {
    return this.#sessionKeys
  }

  /**
   * Whether a request was carried out already, and whether it made the connector. For the leader, before it writes:
   * reads first what a write that failed may have left.
   */
  async carriedOut(request: string): Promise<{ readonly created: boolean } | undefined> {
    if (this.#behind) {
      await this.refresh()
      this.#behind = false
    }
    return this.#requests.get(request)
  }

  /** Requests that were carried out whose names begin so: the parts of one that changes many connectors. */
  carriedOutParts(prefix: string): string[] {
    return [...this.#requests.keys()].filter((request) => request.startsWith(prefix))
  }

  /** Waits until all that is in the topic now has been read. */
  async refresh(): Promise<void> {
    await this.#limited(this.#log.readToEnd(), 'Reading the config topic')
  }

  async putConnector(connector: string, config: Config, initialState?: TargetState, request?: string): Promise<void> {
    const records = [
      // Before the config, so that nobody starts what should begin paused.
      ...(initialState === undefined ? [] : [targetStateRecord(connector, initialState)]),
      connectorRecord(connector, this.#encrypted(connector, config)),
    ]
    const tasks = this.#connectors.get(connector)?.tasks ?? []
    await this.#writeAhead(connector, tasks, records, request)
  }

  async removeConnector(connector: string, request?: string): Promise<void> {
    await this.#write([connectorRecord(connector, null), targetStateRecord(connector, null)], request)
  }

  /** With `fenced`, they have no predecessors that would have to be fenced, and may start at once. */
  async putTasks(connector: string, tasks: readonly Config[], fenced = false): Promise<void> {
    const records = tasks.map((config, task) => taskRecord(connector, task, this.#encrypted(connector, config)))
    const start = fenced ? [fencedRecord(connector, tasks.length)] : []
    await this.#writeAhead(connector, tasks, [...records, commitRecord(connector, tasks.length), ...start])
  }

  /** Writes config and tasks as they are, with the secrets encrypted as they would be now. */
  async rewrite(connector: string, fenced: boolean): Promise<void> {
    const { config, tasks } = this.#connectors.get(connector)!
    const records = tasks.map((each, task) => taskRecord(connector, task, this.#encrypted(connector, each)))
    const commit = tasks.length === 0 ? [] : [commitRecord(connector, tasks.length)]
    const start = fenced && tasks.length > 0 ? [fencedRecord(connector, tasks.length)] : []
    await this.#write([connectorRecord(connector, this.#encrypted(connector, config)), ...records, ...commit, ...start])
  }

  async putTargetState(connector: string, state: TargetState, request?: string): Promise<void> {
    // A stopped connector has no tasks, so that offsets may be changed while it is stopped.
    const records = state === 'STOPPED' ? [commitRecord(connector, 0)] : []
    await this.#write([...records, targetStateRecord(connector, state)], request)
  }

  async requestRestart(connector: string, restart: RestartRequest, request?: string): Promise<void> {
    await this.#write([restartRecord(connector, restart)], request)
  }

  async putLoggerLevel(logger: string, level: string, request?: string): Promise<void> {
    await this.#write([loggerLevelRecord(logger, level)], request)
  }

  /** All earlier producers are fenced: these tasks may start. */
  async putFenced(connector: string, tasks: number): Promise<void> {
    await this.#write([fencedRecord(connector, tasks)])
  }

  async putSessionKey(key: SessionKey): Promise<void> {
    await this.#write([sessionKeyRecord(key)])
  }

  #encrypted(connector: string, config: Config): Config {
    return this.#encryption.encrypt(connector, config, this.#secretsOf)
  }

  /** One at a time for each connector. @throws as {@link ConfigStore.#write} */
  async #writeAhead(
    connector: string,
    tasks: readonly Config[],
    records: readonly TopicLogRecord[],
    request?: string,
  ): Promise<void> {
    const { listener } = this.#options
    this.#ahead.set(connector, tasks)
    listener.changing()
    try {
      await this.#write(records, request)
      this.#ahead.delete(connector)
    } catch (error) {
      this.#ahead.delete(connector)
      listener.changing()
      throw error
    }
  }

  /** @throws NotLeaderError; after other errors it may have been written all the same */
  async #write(records: readonly TopicLogRecord[], request?: string): Promise<void> {
    const { writer, topic } = this.#options
    try {
      const named = request === undefined ? records : records.map((record) => ({ ...record, request }))
      const first = await writer.write(topic, named)
      const reading = first < 0 ? this.#log.readToEnd() : this.#log.readPast(first + records.length - 1)
      await this.#limited(reading, 'Reading back what was written to')
    } catch (error) {
      this.#behind = true
      throw error
    }
  }

  #limited<T>(promise: Promise<T>, what: string): Promise<T> {
    return withTimeLimit(promise, this.#options.readTimeoutMs ?? 30_000, `${what} '${this.#options.topic}'`)
  }

  #read(record: TopicLogRecord): void {
    const { topic, logger, listener } = this.#options
    try {
      const parsed = parseConfigRecord(record)
      if (record.request !== undefined) this.#remember(record.request, parsed)
      if (parsed.kind === 'other') return
      if (parsed.kind === 'session-key') {
        this.#sessionKeys = [parsed.sessionKey, ...this.#sessionKeys.slice(0, 1)]
      } else if (parsed.kind === 'restart') {
        if (this.#live) listener.restartRequested(parsed.connector, parsed.request)
      } else if (parsed.kind === 'logger-level') {
        if (this.#live) listener.loggerLevelSet(parsed.logger, parsed.level)
      } else if (this.#apply(parsed) && this.#live) {
        listener.changed(parsed.connector)
      }
    } catch (error) {
      logger.error('ignoring a record of the config topic', { topic, key: record.key, error: (error as Error).message })
    }
  }

  #remember(request: string, record: ConfigRecord): void {
    const created = record.kind === 'connector' && !this.#connectors.has(record.connector)
    const before = this.#requests.get(request)?.created ?? false
    this.#requests.set(request, { created: created || before })
    if (this.#requests.size > maxRequests) this.#requests.delete(this.#requests.keys().next().value!)
  }

  /** Returns whether there is something to tell. */
  #apply(record: Exclude<ConfigRecord, { kind: 'restart' | 'session-key' | 'logger-level' | 'other' }>): boolean {
    const { connector } = record
    const entry = this.#connectors.get(connector)
    switch (record.kind) {
      case 'connector':
        if (record.properties === null) return this.#forget(connector)
        this.#configRead(connector, entry, this.#encryption.decrypt(connector, record.properties))
        return true
      case 'target-state': {
        const before = this.#targetStates.get(connector) ?? 'STARTED'
        if (record.state === null) this.#targetStates.delete(connector)
        else this.#targetStates.set(connector, record.state)
        return entry !== undefined && before !== (record.state ?? 'STARTED')
      }
      case 'task': {
        const tasks = this.#uncommitted.get(connector) ?? new Map<number, Config>()
        this.#uncommitted.set(connector, tasks.set(record.task, this.#encryption.decrypt(connector, record.properties)))
        return false
      }
      case 'commit':
        return this.#commit(connector, entry, record.tasks)
      case 'fenced':
        this.#fencings.set(connector, { producers: record.tasks, fenced: true })
        return false
    }
  }

  #configRead(connector: string, entry: Entry | undefined, config: Config): void {
    if (entry !== undefined) entry.config = config
    else this.#connectors.set(connector, { config, tasks: [], appliedConfig: undefined, inconsistent: false })
  }

  #commit(connector: string, entry: Entry | undefined, count: number): boolean {
    const uncommitted = this.#uncommitted.get(connector)
    this.#uncommitted.delete(connector)
    // The connector was deleted, and compaction took its config and the tombstone: what is left of it means nothing.
    if (entry === undefined) return this.#forget(connector)
    // Whatever it commits: tasks that come after a fencing need one of their own.
    this.#fencings.set(connector, { producers: this.#fencings.get(connector)?.producers, fenced: false })
    const tasks = Array.from({ length: count }, (_, task) => uncommitted?.get(task))
    if (tasks.every((config) => config !== undefined)) {
      entry.tasks = tasks
      entry.appliedConfig = entry.config
      entry.inconsistent = false
    } else {
      entry.tasks = []
      entry.inconsistent = true
    }
    return true
  }

  #forget(connector: string): boolean {
    this.#uncommitted.delete(connector)
    return this.#connectors.delete(connector)
  }
}

export function sameConfigs(a: readonly Config[], b: readonly Config[]): boolean {
  return a.length === b.length && a.every((config, task) => sameConfig(config, b[task]!))
}

export function sameConfig(a: Config, b: Config): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}
