import { NotFoundError, type Setting, type Settings } from '@tidewire/sdk'
import type { Cluster, ClusterOwner } from '../cluster/cluster.ts'
import type { ConfigProviders } from '../config/config-providers.ts'
import { frameworkSettings } from '../config/connector-settings.ts'
import { maskSecrets, secretNames } from '../config/secrets.ts'
import { chainParts, chainPartSettings } from '../config/transform-settings.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type { ShownProgress } from '../worker/task-progress.ts'
import type { TaskId } from '../worker/task-spec.ts'
import type { Config, ConfigStore, StoredConnector } from './config-store.ts'
import type { State, Status, StatusStore } from './status-store.ts'

export type ConnectorType = 'source' | 'sink' | 'unknown'

/** A connector as `GET /connectors/{name}` shows it; secrets are masked. */
export interface ConnectorInfo {
  readonly name: string
  readonly config: Config
  readonly tasks: readonly TaskId[]
  readonly type: ConnectorType
}

export interface StateInfo {
  readonly state: State
  readonly worker_id: string
  /** Of the plugin that runs, or ran last. */
  readonly version?: string
  readonly trace?: string
}

export interface TaskStateInfo extends StateInfo {
  readonly id: number
  /** How it gets on, where it says so. */
  readonly progress?: ShownProgress
}

/** The answer to `GET /connectors/{name}/status`. */
export interface ConnectorStateInfo {
  readonly name: string
  readonly connector: StateInfo
  readonly tasks: readonly TaskStateInfo[]
  readonly type: ConnectorType
}

/** Connectors and their states as this worker's own stores have them: any worker answers, whoever runs them. */
export class ConnectorViews {
  readonly #store: ConfigStore
  readonly #statuses: StatusStore
  readonly #plugins: PluginRegistry
  readonly #cluster: Pick<Cluster, 'owner'>
  readonly #providers: ConfigProviders

  constructor(
    store: ConfigStore,
    statuses: StatusStore,
    plugins: PluginRegistry,
    cluster: Pick<Cluster, 'owner'>,
    providers: ConfigProviders,
  ) {
    this.#store = store
    this.#statuses = statuses
    this.#plugins = plugins
    this.#cluster = cluster
    this.#providers = providers
  }

  names(): string[] {
    return this.#store.connectors()
  }

  /** @throws NotFoundError */
  info(name: string): ConnectorInfo {
    const stored = this.stored(name)
    return {
      name,
      config: this.masked(stored.config),
      tasks: stored.tasks.map((_, task) => ({ connector: name, task })),
      type: this.typeOf(stored),
    }
  }

  /** The config as it is stored, secrets included: for the platform itself, never for an answer. */
  storedConfig(name: string): Config | undefined {
    return this.#store.get(name)?.config
  }

  /**
   * The states that were told last; UNASSIGNED for a connector so new that nobody told any, and for what was run by a
   * worker that has vanished. @throws NotFoundError
   */
  status(name: string): ConnectorStateInfo {
    const stored = this.stored(name, `No status found for connector ${name}`)
    return {
      name,
      connector: stateInfo(
        this.#statuses.connector(name) ?? { state: 'UNASSIGNED', workerId: '', generation: 0 },
        this.#cluster.owner(name),
      ),
      // A worker that was cut off may tell late of a task that has been done away with meanwhile.
      tasks: this.#statuses
        .tasks(name)
        .filter(([id]) => id < stored.tasks.length)
        .map(([id, status]) => this.#taskState(name, id, status)),
      type: this.typeOf(stored),
    }
  }

  /** @throws NotFoundError */
  tasks(name: string): { id: TaskId; config: Config }[] {
    const { tasks } = this.stored(name)
    return tasks.map((config, task) => ({ id: { connector: name, task }, config: this.masked(config) }))
  }

  /** @throws NotFoundError */
  taskStatus(name: string, task: number): TaskStateInfo {
    const unknown = `No status found for task ${name}-${task}`
    this.stored(name, unknown)
    const status = this.#statuses.task(name, task)
    if (status === undefined) throw new NotFoundError(unknown)
    return this.#taskState(name, task, status)
  }

  #taskState(name: string, id: number, status: Status): TaskStateInfo {
    const info = stateInfo(status, this.#cluster.owner(name, id))
    // Of a worker that has vanished nothing is known.
    const hasNews = status.progress !== undefined && info.state === status.state
    return { id, ...info, ...(hasNews ? { progress: status.progress } : {}) }
  }

  /** @param unknown what is said where it does not exist: Kafka Connect's words differ from call to call. @throws NotFoundError */
  stored(name: string, unknown = `Connector ${name} not found`): StoredConnector {
    const stored = this.#store.get(name)
    if (stored === undefined) throw new NotFoundError(unknown)
    return stored
  }

  typeOf({ config }: StoredConnector): ConnectorType {
    return this.#pluginOf(config)?.manifest.type ?? 'unknown'
  }

  /** A source whose records and offsets go in one transaction, where the worker has that on. */
  isExactlyOnce({ config }: StoredConnector): boolean {
    const manifest = this.#pluginOf(config)?.manifest
    return manifest?.type === 'source' && manifest.exactlyOnce
  }

  /** As it may be shown. */
  masked(config: Config): Config {
    const { settings, open } = this.#declared(config)
    return maskSecrets(config, settings, open, (value) => this.#providers.isReference(value))
  }

  /** Settings whose values are to be kept from whoever may read the config topic. */
  secretsOf(config: Config): ReadonlySet<string> {
    const { settings, open } = this.#declared(config)
    return secretNames(config, settings, open, (value) => this.#providers.isReference(value))
  }

  /** Which settings there are: of the connector, if its plugin is there, and `open` ones, known without it. */
  #declared(config: Config): { readonly settings: Settings | undefined; readonly open: Settings } {
    const manifest = this.#pluginOf(config)?.manifest
    const open: Record<string, Setting> = { ...frameworkSettings(manifest?.type ?? 'sink') }
    for (const kind of ['transforms', 'predicates'] as const) {
      for (const part of chainParts(config, kind)) {
        const { type = '', version } = part
        const plugin =
          kind === 'transforms'
            ? this.#plugins.knownTransform(type, version)
            : this.#plugins.knownPredicate(type, version)
        Object.assign(open, chainPartSettings(part, plugin?.manifest.settings ?? hidden(part.config)))
      }
    }
    return { settings: manifest?.settings, open }
  }

  #pluginOf({ 'connector.class': name, 'connector.plugin.version': version }: Config) {
    return this.#plugins.knownConnector(name?.trim() ?? '', version)
  }
}

/** Of what nobody knows: any may be a secret. */
function hidden(config: Config): Settings {
  return Object.fromEntries(Object.keys(config).map((name) => [name, { type: 'password', doc: '' }]))
}

/** As it is shown. @param owner who is to run it, as the assignment says */
export function stateInfo({ state, workerId, trace, version }: Status, owner: ClusterOwner | undefined): StateInfo {
  // Whoever vanished cannot say so itself. Why something failed stays of interest, and STOPPED is still true.
  const isAway = owner?.awayUntil !== undefined && state !== 'FAILED' && state !== 'STOPPED'
  return {
    state: isAway ? 'UNASSIGNED' : state,
    worker_id: isAway ? owner.workerId : workerId,
    ...(version === undefined ? {} : { version }),
    ...(isAway ? { trace: awayTrace(owner) } : trace === undefined ? {} : { trace }),
  }
}

function awayTrace({ workerId, awayUntil }: ClusterOwner): string {
  const until = new Date(awayUntil!).toISOString()
  return `Worker ${workerId} has vanished. What it ran waits for it until ${until} (scheduled.rebalance.max.delay.ms), then others get it`
}
