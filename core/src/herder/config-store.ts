import type { LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import {
  commitRecord,
  connectorRecord,
  parseConfigRecord,
  restartRecord,
  targetStateRecord,
  taskRecord,
  type ConfigRecord,
  type RestartRequest,
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
}

export interface ConfigStoreListener {
  /** Something about the connector changed, or it is gone. Not called while the topic is first read. */
  changed(connector: string): void
  /** Someone asked for a restart. Requests of the past, read at start, are not given. */
  restartRequested(connector: string, request: RestartRequest): void
}

export interface ConfigStoreOptions {
  readonly client: LogClient
  readonly topic: string
  readonly logger: Logger
  readonly listener: ConfigStoreListener
  /** Longest time for a write to be read back. Default 30 000. */
  readonly writeTimeoutMs?: number
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
 */
export class ConfigStore {
  readonly #options: ConfigStoreOptions
  readonly #log: TopicLog
  readonly #connectors = new Map<string, Entry>()
  /** Kept apart, since an initial state is written before its connector. */
  readonly #targetStates = new Map<string, TargetState>()
  /** Task configs that no commit has made effective yet. */
  readonly #uncommitted = new Map<string, Map<number, Config>>()
  #live = false

  constructor(options: ConfigStoreOptions) {
    this.#options = options
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
    return { ...entry, targetState: this.#targetStates.get(connector) ?? 'STARTED' }
  }

  /** Waits until all that is in the topic now has been read. */
  async refresh(): Promise<void> {
    await this.#limited(this.#log.readToEnd(), 'Reading the config topic')
  }

  async putConnector(connector: string, config: Config, initialState?: TargetState): Promise<void> {
    await this.#write([
      // Before the config, so that nobody starts what should begin paused.
      ...(initialState === undefined ? [] : [targetStateRecord(connector, initialState)]),
      connectorRecord(connector, config),
    ])
  }

  async removeConnector(connector: string): Promise<void> {
    await this.#write([connectorRecord(connector, null), targetStateRecord(connector, null)])
  }

  async putTasks(connector: string, tasks: readonly Config[]): Promise<void> {
    const records = tasks.map((config, task) => taskRecord(connector, task, config))
    // The commit goes out only when all tasks are on the log: otherwise one that is refused would leave it incomplete.
    if (records.length > 0) await this.#limited(this.#log.write(records), 'Writing task configs')
    await this.#write([commitRecord(connector, tasks.length)])
  }

  async putTargetState(connector: string, state: TargetState): Promise<void> {
    // A stopped connector has no tasks, so that offsets may be changed while it is stopped.
    const records = state === 'STOPPED' ? [commitRecord(connector, 0)] : []
    await this.#write([...records, targetStateRecord(connector, state)])
  }

  async requestRestart(connector: string, request: RestartRequest): Promise<void> {
    await this.#write([restartRecord(connector, request)])
  }

  async #write(records: readonly TopicLogRecord[]): Promise<void> {
    await this.#limited(this.#log.writeAndRead(records), 'Writing to the config topic')
  }

  #limited<T>(promise: Promise<T>, what: string): Promise<T> {
    return withTimeLimit(promise, this.#options.writeTimeoutMs ?? 30_000, `${what} '${this.#options.topic}'`)
  }

  #read(record: TopicLogRecord): void {
    const { topic, logger, listener } = this.#options
    try {
      const parsed = parseConfigRecord(record)
      if (parsed.kind === 'other') return
      if (parsed.kind === 'restart') {
        if (this.#live) listener.restartRequested(parsed.connector, parsed.request)
      } else if (this.#apply(parsed) && this.#live) {
        listener.changed(parsed.connector)
      }
    } catch (error) {
      logger.error('ignoring a record of the config topic', { topic, key: record.key, error: (error as Error).message })
    }
  }

  /** Returns whether there is something to tell. */
  #apply(record: Exclude<ConfigRecord, { kind: 'restart' | 'other' }>): boolean {
    const { connector } = record
    const entry = this.#connectors.get(connector)
    switch (record.kind) {
      case 'connector':
        if (record.properties === null) return this.#forget(connector)
        if (entry !== undefined) entry.config = record.properties
        else {
          this.#connectors.set(connector, {
            config: record.properties,
            tasks: [],
            appliedConfig: undefined,
            inconsistent: false,
          })
        }
        return true
      case 'target-state': {
        const before = this.#targetStates.get(connector) ?? 'STARTED'
        if (record.state === null) this.#targetStates.delete(connector)
        else this.#targetStates.set(connector, record.state)
        return entry !== undefined && before !== (record.state ?? 'STARTED')
      }
      case 'task': {
        const tasks = this.#uncommitted.get(connector) ?? new Map<number, Config>()
        this.#uncommitted.set(connector, tasks.set(record.task, record.properties))
        return false
      }
      case 'commit':
        return this.#commit(connector, entry, record.tasks)
    }
  }

  #commit(connector: string, entry: Entry | undefined, count: number): boolean {
    const uncommitted = this.#uncommitted.get(connector)
    this.#uncommitted.delete(connector)
    // The connector was deleted, and compaction took its config and the tombstone: what is left of it means nothing.
    if (entry === undefined) return this.#forget(connector)
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
