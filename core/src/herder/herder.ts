/**
 * What REST and the command line ask of a worker: connectors and their states, by Kafka Connect's rules. Everything it
 * knows is in the internal topics; a worker that starts anew goes on from there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AlreadyExistsError, ConfigError, isRetriable, NotFoundError } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import { connectorNameProblem, frameworkSettings } from '../config/connector-settings.ts'
import { kafkaDefinition, type ConfigKeyInfo } from '../config/kafka-definition.ts'
import { maskSecrets, unmaskSecrets } from '../config/secrets.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import type { ConnectorPlugin, PluginRegistry } from '../plugin/plugin-registry.ts'
import { soleWorker, type Assignment } from './assignment.ts'
import type { RestartRequest, TargetState } from './config-records.ts'
import { ConfigStore, sameConfig, sameConfigs, type Config, type StoredConnector } from './config-store.ts'
import { ConnectorActor, type ActorContext } from './connector-actor.ts'
import { ensureInternalTopics } from './internal-topics.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { StatusStore, type State, type Status } from './status-store.ts'
import type { TaskId, TaskStatus } from '../worker/task-spec.ts'
import type { TaskRunner } from './task-runner.ts'
import { configInfos, ConfigValidator, InvalidConfigError, type ConfigInfos } from './validation.ts'

export type ConnectorType = 'source' | 'sink' | 'unknown'

/** A connector as `GET /connectors/{name}` shows it; secrets are masked. */
export interface ConnectorInfo {
  readonly name: string
  readonly config: Config
  readonly tasks: readonly TaskId[]
  readonly type: ConnectorType
}

interface StateInfo {
  readonly state: State
  readonly worker_id: string
  readonly trace?: string
}

export type TaskStateInfo = StateInfo & { readonly id: number }

/** The answer to `GET /connectors/{name}/status`. */
export interface ConnectorStateInfo {
  readonly name: string
  readonly connector: StateInfo
  readonly tasks: readonly TaskStateInfo[]
  readonly type: ConnectorType
}

/** What a write came to, with what is odd about the config but no error. */
export interface Written {
  readonly info: ConnectorInfo
  readonly created: boolean
  readonly warnings: readonly string[]
}

/** An entry of `GET /connector-plugins`. */
export interface PluginInfo {
  /** The well-known class that it stands in for, or its short name where there is none. */
  readonly class: string
  readonly type: 'source' | 'sink' | 'converter' | 'header_converter' | 'unknown'
  readonly version?: string
  /** The short name; `connector.class` takes either. */
  readonly name: string
  /** Why the plugin cannot be used. Its type is then unknown. */
  readonly error?: string
  /** Where the plugin that cannot be used is. */
  readonly location?: string
}

export interface HerderOptions {
  readonly client: LogClient
  readonly config: WorkerConfig
  /** The worker's settings for its converters, by full name. */
  readonly converterSettings: Config
  readonly plugins: PluginRegistry
  /** Called when the herder starts; the runner tells states by the function given. */
  readonly startRunner: (onStatus: (status: TaskStatus) => void) => TaskRunner
  /** How others reach this worker, host:port. */
  readonly workerId: string
  readonly logger: Logger
  readonly assignment?: Assignment
  /** Longest time for a connector to say how its work splits, beyond the runner's own limit. Default 65 000. */
  readonly planTimeoutMs?: number
}

export class Herder {
  readonly #options: HerderOptions
  readonly #assignment: Assignment
  readonly #store: ConfigStore
  readonly #statuses: StatusStore
  readonly #validator: ConfigValidator
  readonly #queue = new KeyedQueue()
  readonly #actors = new Map<string, ConnectorActor>()
  #runner: TaskRunner | undefined
  #context: ActorContext | undefined
  readonly #stop = new AbortController()
  #runs = 0
  #clusterId = ''

  constructor(options: HerderOptions) {
    this.#options = options
    this.#assignment = options.assignment ?? soleWorker
    const { client, config, logger, plugins } = options
    this.#store = new ConfigStore({
      client,
      topic: config['config.storage.topic'],
      logger,
      listener: {
        changed: (connector) => this.#wake(connector),
        restartRequested: (connector, request) => {
          if (this.#context !== undefined) this.#actor(connector).restart(request)
        },
      },
    })
    this.#statuses = new StatusStore({ client, topic: config['status.storage.topic'], logger })
    this.#validator = new ConfigValidator(plugins, {
      check: (ref, raw) => this.#ready().runner.check(ref, raw),
      exactlyOnce: config['exactly.once.source.support'] === 'enabled',
    })
  }

  /**
   * Makes and reads the internal topics, then sets all connectors going from what they say.
   * @throws InternalTopicError where one has settings that would lose state
   */
  async start(): Promise<void> {
    const { client, logger, plugins, workerId, config, converterSettings } = this.#options
    const runner = this.#options.startRunner((status) => this.#actors.get(status.connector)?.taskTold(status))
    this.#runner = runner
    await this.#whileAway(() => ensureInternalTopics(client.admin, internalTopics(config)))
    await Promise.all([
      this.#whileAway(async () => (this.#clusterId = await client.admin.clusterId())),
      this.#whileAway(() => this.#store.start()),
      this.#whileAway(() => this.#statuses.start()),
    ])
    this.#context = {
      store: this.#store,
      statuses: this.#statuses,
      plugins,
      runner,
      assignment: this.#assignment,
      workerId,
      worker: { config, converterSettings },
      logger,
      commitTasks: (connector, stored, tasks) => this.#commitTasks(connector, stored, tasks),
      planTimeoutMs: this.#options.planTimeoutMs ?? 65_000,
      taskTimeoutMs: config['task.shutdown.graceful.timeout.ms'] + 30_000,
      nextRun: () => ++this.#runs,
    }
    for (const connector of this.#store.connectors()) this.#wake(connector)
    // Deleted while nobody ran it: what is told of it ends as well.
    for (const connector of this.#statuses.connectors()) {
      if (this.#store.get(connector) === undefined) this.#statuses.remove(connector)
    }
  }

  /** Stops all tasks within the graceful time, says so in the status topic, and lets go of the log. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all([...this.#actors.values()].map((actor) => actor.close()))
    await this.#runner?.close()
    for (const actor of this.#actors.values()) actor.tellUnassigned()
    await this.#statuses.flush(5000)
    await Promise.all([this.#store.close(), this.#statuses.close()])
  }

  /** The log may be started after the worker, or be away for a while: that is waited for, anything else is an error. */
  async #whileAway(work: () => Promise<unknown>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await work()
        return
      } catch (error) {
        if (!isRetriable(error) || this.#stop.signal.aborted) throw error
        if (failures === 0) this.#options.logger.warn('waiting for the log', { error: (error as Error).message })
        await sleep(Math.min(100 * 2 ** failures, 5000), undefined, { signal: this.#stop.signal })
      }
    }
  }

  get clusterId(): string {
    return this.#clusterId
  }

  connectors(): string[] {
    return this.#store.connectors()
  }

  /** @throws NotFoundError */
  info(name: string): ConnectorInfo {
    const stored = this.#stored(name)
    return {
      name,
      config: this.#masked(stored.config),
      tasks: stored.tasks.map((_, task) => ({ connector: name, task })),
      type: this.#typeOf(stored),
    }
  }

  /** The config as it is stored, secrets included: for the platform itself, never for an answer. */
  storedConfig(name: string): Config | undefined {
    return this.#store.get(name)?.config
  }

  /** The states that were told last; UNASSIGNED for a connector so new that nobody told any. @throws NotFoundError */
  status(name: string): ConnectorStateInfo {
    const stored = this.#stored(name)
    return {
      name,
      connector: stateInfo(this.#statuses.connector(name) ?? { state: 'UNASSIGNED', workerId: '', generation: 0 }),
      tasks: this.#statuses.tasks(name).map(([id, status]) => ({ id, ...stateInfo(status) })),
      type: this.#typeOf(stored),
    }
  }

  /** @throws NotFoundError */
  tasks(name: string): { id: TaskId; config: Config }[] {
    const { tasks } = this.#stored(name)
    return tasks.map((config, task) => ({ id: { connector: name, task }, config: this.#masked(config) }))
  }

  /** @throws NotFoundError */
  taskStatus(name: string, task: number): TaskStateInfo {
    this.#stored(name)
    const status = this.#statuses.task(name, task)
    if (status === undefined) throw new NotFoundError(`No status found for task ${name}-${task}`)
    return { id: task, ...stateInfo(status) }
  }

  /** @throws AlreadyExistsError, InvalidConfigError */
  async create(name: string, config: Config, initialState?: TargetState): Promise<Written> {
    return this.#write(name, async () => {
      if (this.#store.get(name) !== undefined) throw new AlreadyExistsError(`Connector ${name} already exists`)
      return this.#put(name, config, initialState)
    })
  }

  /** Creates or replaces. @throws InvalidConfigError */
  async putConfig(name: string, config: Config): Promise<Written> {
    return this.#write(name, () => this.#put(name, config))
  }

  /** Changes the given settings; null removes one. @throws NotFoundError, InvalidConfigError */
  async patchConfig(name: string, changes: Readonly<Record<string, string | null>>): Promise<Written> {
    return this.#write(name, () => {
      const merged: Record<string, string | null> = { ...this.#stored(name).config, ...changes }
      const config = Object.entries(merged).flatMap(([key, value]) => (value === null ? [] : [[key, value]]))
      return this.#put(name, Object.fromEntries(config) as Config)
    })
  }

  /** @throws NotFoundError */
  async delete(name: string): Promise<void> {
    await this.#write(name, () => {
      this.#stored(name)
      return this.#store.removeConnector(name)
    })
  }

  /** Pauses, resumes or stops. @throws NotFoundError */
  async setTargetState(name: string, state: TargetState): Promise<void> {
    await this.#write(name, async () => {
      if (this.#stored(name).targetState !== state) await this.#store.putTargetState(name, state)
    })
  }

  /**
   * Restarts the connector, its tasks, or what of both has failed. Returns the status with RESTARTING where that is
   * what will happen. @throws NotFoundError
   */
  async restart(name: string, request: RestartRequest): Promise<ConnectorStateInfo> {
    return this.#write(name, async () => {
      const status = this.status(name)
      await this.#store.requestRestart(name, request)
      const hit = (info: StateInfo): boolean => !request.onlyFailed || info.state === 'FAILED'
      const restarting = <S extends StateInfo>(info: S): S => (hit(info) ? { ...info, state: 'RESTARTING' } : info)
      return {
        ...status,
        connector: restarting(status.connector),
        tasks: request.includeTasks ? status.tasks.map(restarting) : status.tasks,
      }
    })
  }

  /** @throws NotFoundError */
  async restartTask(name: string, task: number): Promise<void> {
    await this.#write(name, async () => {
      if (this.#stored(name).tasks[task] === undefined) throw new NotFoundError(`Unknown task: ${name}-${task}`)
      this.#actor(name).restartTask(task)
    })
  }

  /** Broken plugins included, with the reason. */
  async plugins(connectorsOnly: boolean): Promise<PluginInfo[]> {
    const { connectors, converters, broken } = await this.#options.plugins.list()
    const entry = (
      plugin: { className: string; manifest: { name: string; version: string } },
      type: PluginInfo['type'],
    ) => ({
      class: plugin.className,
      type,
      version: plugin.manifest.version,
      name: plugin.manifest.name,
    })
    return [
      ...connectors.map((plugin) => entry(plugin, plugin.manifest.type)),
      ...(connectorsOnly
        ? []
        : converters.flatMap((plugin) => [entry(plugin, 'converter'), entry(plugin, 'header_converter')])),
      ...broken.map(({ name, path, reason }) => ({
        class: name,
        type: 'unknown' as const,
        name,
        error: reason,
        location: path,
      })),
    ]
  }

  /** The settings of a connector, with the framework's, or of a converter. @throws NotFoundError */
  async pluginConfig(name: string): Promise<ConfigKeyInfo[]> {
    const { plugins } = this.#options
    try {
      const { manifest } = await plugins.connector(name)
      return kafkaDefinition({ ...frameworkSettings(manifest.type), ...manifest.settings })
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      const converter = await plugins.converter(name).catch(() => undefined)
      if (converter === undefined) throw error
      return kafkaDefinition(converter.manifest.settings)
    }
  }

  /** Validates without storing anything. A mask stands for the value stored for the connector of that name. @throws NotFoundError, ConfigError */
  async validate(pluginName: string, config: Config): Promise<{ infos: ConfigInfos; warnings: readonly string[] }> {
    const { plugins } = this.#options
    const asked = await plugins.connector(pluginName)
    const given = config['connector.class']
    if (given !== undefined && (await plugins.connector(given).catch(() => undefined)) !== asked) {
      throw new ConfigError(`Included connector type ${given} does not match request type ${pluginName}`)
    }
    const stored = this.#store.get(config['name']?.trim() ?? '')
    const full = { 'connector.class': pluginName, ...unmaskSecrets(config, stored?.config) }
    const validation = await this.#validator.validate(full)
    return { infos: configInfos(full, validation), warnings: validation.warnings }
  }

  async #put(name: string, given: Config, initialState?: TargetState): Promise<Written> {
    const problem = connectorNameProblem(name)
    if (problem !== undefined) throw new InvalidConfigError({ name: [problem] })
    const stored = this.#store.get(name)
    const config: Config = { ...unmaskSecrets(given, stored?.config), name }
    const { errors, warnings } = await this.#validator.validate(config)
    if (Object.keys(errors).length > 0) throw new InvalidConfigError(errors, warnings)
    for (const warning of warnings) this.#options.logger.warn(warning, { connector: name })
    await this.#store.putConnector(name, config, initialState)
    return { info: this.info(name), created: stored === undefined, warnings }
  }

  /** One write at a time for each connector. Here writes go to the leader, and wait while there is none. */
  async #write<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#ready()
    return this.#queue.run(name, work)
  }

  async #commitTasks(name: string, config: Config, tasks: readonly Config[]): Promise<void> {
    await this.#write(name, async () => {
      const stored = this.#store.get(name)
      if (stored?.config !== config || stored.targetState === 'STOPPED') return
      // Also where the tasks stay the same: the commit says which config they are of, and a reader of the compacted
      // topic takes a commit into account only where it comes after the config.
      const applied = stored.appliedConfig !== undefined && sameConfig(stored.appliedConfig, config)
      if (!applied || stored.inconsistent || !sameConfigs(stored.tasks, tasks)) await this.#store.putTasks(name, tasks)
    })
  }

  #ready(): ActorContext {
    if (this.#context === undefined) throw new Error('the herder has not started')
    return this.#context
  }

  #wake(name: string): void {
    // While the topics are still being read; all are woken when that is done.
    if (this.#context === undefined) return
    const actor = this.#actor(name)
    actor.wake()
    if (this.#store.get(name) !== undefined) return
    void actor.settled().then(() => {
      if (this.#store.get(name) === undefined && actor.idle && this.#actors.get(name) === actor)
        this.#actors.delete(name)
    })
  }

  #actor(name: string): ConnectorActor {
    let actor = this.#actors.get(name)
    if (actor === undefined) {
      actor = new ConnectorActor(name, this.#ready())
      this.#actors.set(name, actor)
    }
    return actor
  }

  #stored(name: string): StoredConnector {
    const stored = this.#store.get(name)
    if (stored === undefined) throw new NotFoundError(`Connector ${name} not found`)
    return stored
  }

  #pluginOf({ 'connector.class': name }: Config): ConnectorPlugin | undefined {
    return this.#options.plugins.knownConnector(name?.trim() ?? '')
  }

  #typeOf({ config }: StoredConnector): ConnectorType {
    return this.#pluginOf(config)?.manifest.type ?? 'unknown'
  }

  #masked(config: Config): Config {
    const manifest = this.#pluginOf(config)?.manifest
    return maskSecrets(config, manifest?.settings, frameworkSettings(manifest?.type ?? 'sink'))
  }
}

function stateInfo({ state, workerId, trace }: Status): StateInfo {
  return { state, worker_id: workerId, ...(trace === undefined ? {} : { trace }) }
}

function internalTopics(config: WorkerConfig) {
  return [
    {
      topic: config['config.storage.topic'],
      partitions: 1,
      replicationFactor: config['config.storage.replication.factor'],
      setting: 'config.storage.topic',
    },
    {
      topic: config['offset.storage.topic'],
      partitions: config['offset.storage.partitions'],
      replicationFactor: config['offset.storage.replication.factor'],
      setting: 'offset.storage.topic',
    },
    {
      topic: config['status.storage.topic'],
      partitions: config['status.storage.partitions'],
      replicationFactor: config['status.storage.replication.factor'],
      setting: 'status.storage.topic',
    },
  ]
}
