import { AlreadyExistsError, ConfigError, NotFoundError, RetriableError } from '@tidewire/sdk'
import { NotLeaderError, type Cluster } from '../cluster/cluster.ts'
import { connectorNameProblem } from '../config/connector-settings.ts'
import { unmaskSecrets } from '../config/secrets.ts'
import type { SettingErrors } from '../config/settings.ts'
import type { Logger } from '../logging/logger.ts'
import { requireDecrypted, type Reencrypted } from './config-encryption.ts'
import type { RestartRequest, TargetState } from './config-records.ts'
import { sameConfig, sameConfigs, type Config, type ConfigStore, type StoredConnector } from './config-store.ts'
import type { ConnectorInfo, ConnectorStateInfo, ConnectorViews, StateInfo } from './connector-views.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { configDigest } from './leader-requests.ts'
import { InvalidConfigError, type ConfigValidator } from './validation.ts'

/** What a write came to, with what is odd about the config but no error. */
export interface Written {
  readonly info: ConnectorInfo
  readonly created: boolean
  readonly warnings: readonly string[]
}

/** What a connector is to be. */
export interface WantedConnector {
  readonly config: Config
  /** What it begins as, where it is not there yet; one that is there stays as it is. */
  readonly initialState?: TargetState | undefined
}

/** What a config would be stored as, and what is wrong with it, as long as no other is stored for the connector meanwhile. */
export interface CheckedConfig {
  readonly stored: Config | undefined
  /** With the stored secrets in place of masks. */
  readonly config: Config
  readonly errors: SettingErrors
  readonly warnings: readonly string[]
}

/** What applying a config came to. */
export interface Applied {
  readonly action: 'create' | 'update' | 'unchanged'
  /** Undefined where it was carried out before, for the same request. */
  readonly checked: CheckedConfig | undefined
}

/** The task runs on another worker, which alone can restart it. Retriable. */
export class NotOwnerError extends Error {
  override readonly name = 'NotOwnerError'
  readonly retriable = true
  readonly connector: string
  readonly task: number

  constructor(connector: string, task: number) {
    super(`Task ${connector}-${task} does not run on this worker`)
    this.connector = connector
    this.task = task
  }
}

export interface ConnectorWritesOptions {
  readonly store: ConfigStore
  readonly views: ConnectorViews
  readonly validator: ConfigValidator
  readonly cluster: Cluster
  readonly logger: Logger
  /** Resolves when all that earlier leaders wrote has been read. @throws NotLeaderError */
  readonly leading: () => Promise<void>
  readonly restartTask: (connector: string, task: number) => void
  /** Whether so many tasks write in transactions and have no predecessors to be fenced (KIP-618). */
  readonly startFenced: (connector: StoredConnector, tasks: number) => boolean
}

/** So many restarts of tasks are remembered. */
const maxRestarts = 1024

/**
 * Changes to connectors, which the leader alone makes: elsewhere each throws NotLeaderError, and belongs sent to the
 * leader. With `request`, a name for it that stays the same when it is sent again, a write is carried out once, whichever
 * worker leads by then: the answer is the same as if the first had not been lost.
 */
export class ConnectorWrites {
  readonly #options: ConnectorWritesOptions
  readonly #queue = new KeyedQueue()
  /** Requests that restarted a task here. */
  readonly #restarts = new Set<string>()

  constructor(options: ConnectorWritesOptions) {
    this.#options = options
  }

  /** @throws AlreadyExistsError, InvalidConfigError, NotLeaderError */
  async create(name: string, config: Config, initialState?: TargetState, request?: string): Promise<Written> {
    const { store } = this.#options
    return this.#write(name, request, async (before) => {
      if (before !== undefined) return this.#written(name, before.created)
      if (store.get(name) !== undefined) throw new AlreadyExistsError(`Connector ${name} already exists`)
      return this.#put(name, config, initialState, request)
    })
  }

  /** Creates or replaces. @throws InvalidConfigError, NotLeaderError */
  async putConfig(name: string, config: Config, request?: string): Promise<Written> {
    return this.#write(name, request, async (before) =>
      before === undefined ? this.#put(name, config, undefined, request) : this.#written(name, before.created),
    )
  }

  /** Stores nothing. A config that is stored as it is need not be right. */
  async check(name: string, given: Config): Promise<CheckedConfig> {
    const stored = this.#options.store.get(name)?.config
    const config: Config = { ...unmaskSecrets(given, stored), name }
    const right = { stored, config, errors: {}, warnings: [] }
    const problem = connectorNameProblem(name)
    if (problem !== undefined) return { ...right, errors: { name: [problem] } }
    if (stored !== undefined && sameConfig(stored, config)) return right
    try {
      const { errors, warnings } = await this.#options.validator.validate(config)
      return { ...right, errors, warnings: [...warnings, ...this.#storedInClear(config)] }
    } catch (error) {
      if (error instanceof InvalidConfigError) return { ...right, errors: error.errors }
      throw error
    }
  }

  /**
   * Creates or replaces, unless the config is stored as it is. The state of one that is there stays.
   * @param checked what {@link ConnectorWrites.check} said of it
   * @throws InvalidConfigError, NotLeaderError
   */
  async apply(name: string, wanted: WantedConnector, checked: CheckedConfig, request?: string): Promise<Applied> {
    const { store } = this.#options
    return this.#write(name, request, async (before) => {
      if (before !== undefined) return { action: before.created ? 'create' : 'update', checked: undefined }
      const isCurrent = checked.stored === store.get(name)?.config
      const found = isCurrent ? checked : await this.check(name, wanted.config)
      const { stored, config, errors, warnings } = found
      if (Object.keys(errors).length > 0) throw new InvalidConfigError(errors, warnings)
      if (stored !== undefined && sameConfig(stored, config)) return { action: 'unchanged', checked: found }
      this.#warn(name, warnings)
      await store.putConnector(name, config, stored === undefined ? wanted.initialState : undefined, request)
      return { action: stored === undefined ? 'create' : 'update', checked: found }
    })
  }

  /** Changes the given settings; null removes one. @throws NotFoundError, InvalidConfigError, NotLeaderError */
  async patchConfig(
    name: string,
    changes: Readonly<Record<string, string | null>>,
    request?: string,
  ): Promise<Written> {
    return this.#write(name, request, async (before) => {
      if (before !== undefined) return this.#written(name, false)
      const merged: Record<string, string | null> = { ...this.#options.views.stored(name).config, ...changes }
      const config = Object.entries(merged).flatMap(([key, value]) => (value === null ? [] : [[key, value]]))
      return this.#put(name, Object.fromEntries(config) as Config, undefined, request)
    })
  }

  /** @throws NotFoundError, NotLeaderError */
  async delete(name: string, request?: string): Promise<void> {
    const { store, views } = this.#options
    await this.#write(name, request, async (before) => {
      if (before !== undefined) return
      views.stored(name)
      await store.removeConnector(name, request)
    })
  }

  /** Pauses, resumes or stops. @throws NotFoundError, NotLeaderError */
  async setTargetState(name: string, state: TargetState, request?: string): Promise<void> {
    const { store, views } = this.#options
    await this.#write(name, request, async (before) => {
      if (before !== undefined || views.stored(name, `Unknown connector ${name}`).targetState === state) return
      await store.putTargetState(name, state, request)
    })
  }

  /**
   * Restarts the connector, its tasks, or what of both has failed, wherever they run. Returns the status with RESTARTING
   * where that is what will happen. @throws NotFoundError, NotLeaderError
   */
  async restart(name: string, restart: RestartRequest, request?: string): Promise<ConnectorStateInfo> {
    const { store, views } = this.#options
    return this.#write(name, request, async (before) => {
      views.stored(name, `Unknown connector: ${name}`)
      const status = views.status(name)
      if (before === undefined) await store.requestRestart(name, restart, request)
      const isMeant = (info: StateInfo): boolean => !restart.onlyFailed || info.state === 'FAILED'
      const restarting = <S extends StateInfo>(info: S): S => (isMeant(info) ? { ...info, state: 'RESTARTING' } : info)
      return {
        ...status,
        connector: restarting(status.connector),
        tasks: restart.includeTasks ? status.tasks.map(restarting) : status.tasks,
      }
    })
  }

  /** Of all workers of the cluster (KIP-976). @throws NotLeaderError */
  async setLoggerLevel(logger: string, level: string, request?: string): Promise<void> {
    await this.#write(`logger ${logger}`, request, async (before) => {
      if (before === undefined) await this.#options.store.putLoggerLevel(logger, level, request)
    })
  }

  /** For the worker that runs it. @throws NotFoundError, NotOwnerError */
  async restartTask(name: string, task: number, request?: string): Promise<void> {
    const { store, views, cluster, restartTask } = this.#options
    // A connector that was made a moment ago by another worker.
    if (store.get(name)?.tasks[task] === undefined) await store.refresh()
    if (views.stored(name, `Unknown connector: ${name}`).tasks[task] === undefined)
      throw new NotFoundError(`Unknown task: ${name}-${task}`)
    if (!cluster.ownsTask(name, task)) throw new NotOwnerError(name, task)
    if (request !== undefined) {
      if (this.#restarts.has(request)) return
      this.#restarts.add(request)
      if (this.#restarts.size > maxRestarts) this.#restarts.delete(this.#restarts.keys().next().value!)
    }
    restartTask(name, task)
  }

  /**
   * Makes the planned tasks those of the connector.
   * @param plannedFrom what `configDigest` says of the config that they were planned from
   * @throws RetriableError where that is not the connector's any more; ConfigError where this worker lacks the key to its
   *   secrets; NotLeaderError
   */
  async commitTasks(name: string, plannedFrom: string, tasks: readonly Config[]): Promise<void> {
    const { store } = this.#options
    await this.#write(name, undefined, async () => {
      const stored = store.get(name)
      // Or else it would be taken for another config than what was planned from.
      if (stored !== undefined) requireDecrypted(stored.config)
      if (stored === undefined || stored.targetState === 'STOPPED' || configDigest(stored.config) !== plannedFrom) {
        throw new RetriableError(`connector ${name} has changed since its tasks were planned`)
      }
      // Also where the tasks stay the same: the commit says which config they are of, and a reader of the compacted
      // topic takes a commit into account only where it comes after the config.
      const isApplied = stored.appliedConfig !== undefined && sameConfig(stored.appliedConfig, stored.config)
      const isSame = isApplied && !stored.inconsistent && sameConfigs(stored.tasks, tasks)
      if (!isSame || !store.areTasksEncrypted(name)) {
        await store.putTasks(name, tasks, this.#options.startFenced(stored, tasks.length))
      }
    })
  }

  /**
   * Has the secrets of every connector stored as they would be now, in its tasks too: with the key that encrypts. What is
   * encrypted with a key that this worker lacks stays as it is. To be asked again does no harm.
   * @throws ConfigError where there is no key; NotLeaderError
   */
  async reencrypt(): Promise<Record<string, Reencrypted>> {
    const { store, leading } = this.#options
    await leading()
    if (!store.encrypts) {
      throw new ConfigError(
        'config.storage.encryption.key: the worker that leads has no key to encrypt with; all workers of the cluster need the same',
        { setting: 'config.storage.encryption.key' },
      )
    }
    const done: [string, Reencrypted][] = []
    for (const name of store.connectors().sort()) {
      await this.alone(name, async () => {
        const stored = store.get(name)
        if (stored === undefined) return
        const before = store.storedSecrets(name)
        if (before !== 'current') await store.rewrite(name, this.#options.startFenced(stored, stored.tasks.length))
        done.push([name, before === 'older' ? 'reencrypted' : before])
      })
    }
    return Object.fromEntries(done)
  }

  /** Runs it alone among the writes for the connector. @throws NotLeaderError */
  async alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#write(name, undefined, work)
  }

  async #put(
    name: string,
    given: Config,
    initialState: TargetState | undefined,
    request: string | undefined,
  ): Promise<Written> {
    const { store, validator } = this.#options
    const problem = connectorNameProblem(name)
    if (problem !== undefined) throw new InvalidConfigError({ name: [problem] })
    const stored = store.get(name)
    const config: Config = { ...unmaskSecrets(given, stored?.config), name }
    const { errors, warnings } = await validator.validate(config)
    if (Object.keys(errors).length > 0) throw new InvalidConfigError(errors, warnings)
    const all = [...warnings, ...this.#storedInClear(config)]
    this.#warn(name, all)
    await store.putConnector(name, config, initialState, request)
    return this.#written(name, stored === undefined, all)
  }

  /** Of a worker without the key that others have: what it writes all can read, and so can whoever reads the topic. */
  #storedInClear(config: Config): string[] {
    const { store, views } = this.#options
    if (store.encrypts || !store.hasUnreadable) return []
    const secrets = [...views.secretsOf(config)].filter((name) => config[name] !== '')
    if (secrets.length === 0) return []
    const which = secrets.join(', ')
    return [
      `${which} stands in clear in the config topic, where other connectors have theirs encrypted: the worker that leads has no config.storage.encryption.key`,
    ]
  }

  #warn(name: string, warnings: readonly string[]): void {
    for (const warning of warnings) this.#options.logger.warn(warning, { connector: name })
  }

  #written(name: string, created: boolean, warnings: readonly string[] = []): Written {
    return { info: this.#options.views.info(name), created, warnings }
  }

  /** One write at a time for each connector. */
  async #write<T>(
    name: string,
    request: string | undefined,
    work: (before: { readonly created: boolean } | undefined) => Promise<T>,
  ): Promise<T> {
    const { store, leading, cluster } = this.#options
    // At once, and not after a write that waits for a leader.
    if (!cluster.leads) throw new NotLeaderError('only the leader changes connectors', cluster.leaderUrl)
    return this.#queue.run(name, async () => {
      await leading()
      return work(request === undefined ? undefined : await store.carriedOut(request))
    })
  }
}
