/**
 * What a worker does for its cluster: it keeps what the internal topics say in memory, runs the connectors and tasks that
 * the assignment gives it, and, where it leads, makes the changes that are asked for. Everything it knows is in those
 * topics; a worker that starts anew goes on from there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRetriable, RetriableError } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import { NotLeaderError, type Cluster, type Unit } from '../cluster/cluster.ts'
import { ConfigProviders, type ProviderSpec } from '../config/config-providers.ts'
import type { PeerTls } from '../config/peer-agent.ts'
import type { ParsedWorkerConfig, WorkerConfig } from '../config/worker-settings.ts'
import { levelNamed, LogLevels } from '../logging/log-levels.ts'
import type { Logger } from '../logging/logger.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import { ensureInternalTopics } from '../worker/internal-topics.ts'
import type { ShownProgress } from '../worker/task-progress.ts'
import type { TaskId, TaskStatus } from '../worker/task-spec.ts'
import { AuditLog } from './audit-log.ts'
import { BulkApply } from './bulk-apply.ts'
import { ClusterEvents } from './cluster-events.ts'
import type { ConfigEncryption, Reencrypted } from './config-encryption.ts'
import { ConfigStore, type Config } from './config-store.ts'
import { ConnectorActor, type ActorContext } from './connector-actor.ts'
import { ConnectorErrands } from './connector-errands.ts'
import { ConnectorOffsets } from './connector-offsets.ts'
import { ConnectorSignals } from './connector-signals.ts'
import { ConnectorTopics } from './connector-topics.ts'
import { ConnectorViews } from './connector-views.ts'
import { ConnectorWrites } from './connector-writes.ts'
import { clusterTopics } from './cluster-topics.ts'
import { configDigest, LeaderRequests } from './leader-requests.ts'
import { PluginViews } from './plugin-views.ts'
import { ReferenceWatch } from './reference-watch.ts'
import { SessionKeys } from './session-keys.ts'
import { StatusStore } from './status-store.ts'
import { TopicTails } from './topic-tail.ts'
import type { TaskRunner } from './task-runner.ts'
import type { WorkerParts } from './task-spec.ts'
import { ConfigValidator } from './validation.ts'
import { WorkerRequests } from './worker-request.ts'
import { workerMetrics } from './worker-metrics.ts'
import { hasOthersToFence, ZombieFencing } from './zombie-fencing.ts'

export interface HerderOptions {
  readonly client: LogClient
  readonly cluster: Cluster
  readonly config: WorkerConfig
  /** The worker's settings for its converters, by full name. */
  readonly converterSettings: Config
  /** Default: none. */
  readonly configProviders?: readonly ProviderSpec[]
  /** Of secrets in the config topic. Default: none. */
  readonly encryption?: ConfigEncryption
  /** The worker's settings for the clients of connectors. Default: none. */
  readonly clientSettings?: ParsedWorkerConfig['clientSettings']
  readonly plugins: PluginRegistry
  /**
   * Called when the herder starts. The runner tells states by the first function, and asks the second, of a task that
   * writes in transactions, whether it may go on: when its id is its own, and before it reads. By the third it tells
   * topics that tasks begin to use, by the last how runs of tasks get on.
   */
  readonly startRunner: (
    onStatus: (status: TaskStatus) => void,
    mayRun: (id: TaskId, run: number) => Promise<boolean>,
    onTopic: (id: TaskId, topic: string) => void,
    onProgress: (id: TaskId, run: number, progress: ShownProgress) => void,
  ) => TaskRunner
  /** How others reach this worker, host:port. */
  readonly workerId: string
  readonly logger: Logger
  /** For other workers that are reached by https. */
  readonly workerTls?: PeerTls | undefined
  /** Of this process's loggers. Default: some that nobody goes by. */
  readonly levels?: LogLevels | undefined
  /** How often files that configs refer to are looked at. Default 5000. */
  readonly referenceIntervalMs?: number
  /** Longest time for a connector to say how its work splits, beyond the runner's own limit. Default 65 000. */
  readonly planTimeoutMs?: number
}

const defaultPlanTimeoutMs = 65_000
/** So long a log may take for its first answer before that is worth a line. */
const noAnswerMs = 3000
/** Longest wait for states to be in the status topic. */
const statusFlushMs = 5000
/** Longest wait for them before another worker may go on with what this one has stopped. */
const releaseFlushMs = 1000

export class Herder {
  /** Connectors and their states, for any worker to show. */
  readonly views: ConnectorViews
  readonly plugins: PluginViews
  /** Changes to connectors, for the leader to make. */
  readonly writes: ConnectorWrites
  /** Many connectors at once. */
  readonly bulk: BulkApply
  /** What changes, as it is seen. */
  readonly events: ClusterEvents
  /** Topics as they grow. */
  readonly tails: TopicTails
  /** Previews, dead letters and re-drives. */
  readonly errands: ConnectorErrands
  /** Offsets of connectors, to read and to change. */
  readonly offsets: ConnectorOffsets
  /** To connectors that take them. */
  readonly signals: ConnectorSignals
  /** Of writes by REST. */
  readonly audit: AuditLog
  readonly keys: SessionKeys
  /** Which topics connectors have used. */
  readonly topics: ConnectorTopics
  readonly levels: LogLevels
  /** To other workers. */
  readonly requests: WorkerRequests
  readonly cluster: Cluster
  readonly #options: HerderOptions
  readonly #store: ConfigStore
  readonly #statuses: StatusStore
  readonly #fencing: ZombieFencing
  readonly #leader: LeaderRequests
  readonly #actors = new Map<string, ConnectorActor>()
  readonly #storeStarted = Promise.withResolvers<void>()
  readonly #stop = new AbortController()
  readonly #worker: WorkerParts
  #runner: TaskRunner | undefined
  #context: ActorContext | undefined
  #runs = 0
  #clusterId = ''
  /** Since it leads: reads what earlier leaders wrote, once. */
  #catchingUp: Promise<void> | undefined
  /** One after the other: what an older assignment took away has stopped too. */
  #releasing: Promise<void> = Promise.resolve()

  constructor(options: HerderOptions) {
    this.#options = options
    this.cluster = options.cluster
    const { client, config, logger, plugins, cluster, workerId } = options
    const store = new ConfigStore({
      client,
      writer: cluster.writer,
      topic: config['config.storage.topic'],
      logger,
      encryption: options.encryption,
      secretsOf: (properties) => this.views.secretsOf(properties),
      listener: {
        changed: (connector) => this.#changed(connector),
        changing: () => cluster.workChanged(),
        restartRequested: (connector, request) => this.#actors.get(connector)?.restart(request),
        loggerLevelSet: (logger, level) => this.#setLoggerLevel(logger, level),
      },
    })
    this.#store = store
    this.#statuses = new StatusStore({
      client,
      topic: config['status.storage.topic'],
      logger,
      workerId,
      isMine: (connector, task) => {
        if (task === undefined) return store.get(connector) !== undefined && cluster.ownsConnector(connector)
        return store.get(connector)?.tasks[task] !== undefined && cluster.ownsTask(connector, task)
      },
      changed: (connector, task, status) => this.events.stateChanged(connector, task, status),
      progressed: (connector, task, progress) => this.events.taskProgressed(connector, task, progress),
      topicsReset: (connector) => this.#actors.get(connector)?.forgetTopics(),
    })
    const providers = new ConfigProviders(options.configProviders ?? [])
    this.#worker = { config, converterSettings: options.converterSettings, providers }
    const validator = new ConfigValidator(plugins, {
      providers,
      check: (ref, raw) => this.#ready().runner.check(ref, raw),
      checkPart: (kind, ref, raw) => this.#ready().runner.checkPart(kind, ref, raw),
      exactlyOnce: config['exactly.once.source.support'] === 'enabled',
      overridePolicy: config['connector.client.config.override.policy'],
    })
    this.views = new ConnectorViews(store, this.#statuses, plugins, cluster, providers)
    this.events = new ClusterEvents({ store, statuses: this.#statuses, views: this.views, cluster })
    this.plugins = new PluginViews(
      plugins,
      validator,
      (name) => this.views.storedConfig(name),
      (given, signal) => this.errands.tryOut(given, signal),
    )
    this.writes = new ConnectorWrites({
      store,
      views: this.views,
      validator,
      cluster,
      logger,
      leading: () => this.#leading(),
      restartTask: (connector, task) => this.#actor(connector).restartTask(task),
      startFenced: (stored, tasks) =>
        config['exactly.once.source.support'] === 'enabled' &&
        this.views.isExactlyOnce(stored) &&
        !hasOthersToFence(stored.producers, tasks),
    })
    this.bulk = new BulkApply({ store, views: this.views, writes: this.writes, leading: () => this.#leading() })
    this.tails = new TopicTails(client, config)
    this.errands = new ConnectorErrands({
      views: this.views,
      validator,
      plugins,
      cluster,
      worker: this.#worker,
      runner: () => this.#ready().runner,
      catchUp: () => this.catchUp(),
      planTimeoutMs: options.planTimeoutMs ?? defaultPlanTimeoutMs,
    })
    this.offsets = new ConnectorOffsets({
      client,
      config,
      clientSettings: options.clientSettings,
      views: this.views,
      plugins,
      worker: this.#worker,
      writes: this.writes,
      cluster,
      logger,
      runner: () => this.#ready().runner,
      catchUp: () => this.catchUp(),
      fence: (connector) => this.fence(connector),
    })
    this.signals = new ConnectorSignals({
      client,
      config,
      views: this.views,
      plugins,
      runner: () => this.#ready().runner,
      catchUp: () => this.catchUp(),
      planTimeoutMs: options.planTimeoutMs ?? defaultPlanTimeoutMs,
    })
    this.audit = new AuditLog({ client, config, logger })
    this.topics = new ConnectorTopics(store, this.#statuses, config)
    this.levels = options.levels ?? new LogLevels()
    this.keys = new SessionKeys({ store, cluster, config, logger })
    this.requests = new WorkerRequests(options.workerTls)
    this.#leader = new LeaderRequests({ cluster, keys: this.keys, requests: this.requests, logger })
    this.#fencing = new ZombieFencing({
      store,
      admin: client.admin,
      groupId: config['group.id'],
      logger,
      isSink: (stored) => this.views.typeOf(stored) === 'sink',
      alone: (connector, work) => this.writes.alone(connector, work),
    })
  }

  /**
   * Makes and reads the internal topics and joins the cluster, then sets all that is this worker's going.
   * @throws InternalTopicError where one has settings that would lose state
   */
  async start(): Promise<void> {
    const { client, logger, plugins, workerId, config, cluster } = this.#options
    const runner = this.#options.startRunner(
      (status) => this.#actors.get(status.connector)?.taskTold(status),
      (id, run) => this.#mayRun(id, run),
      (id, topic) => this.topics.used(id, topic),
      ({ connector, task }, run, progress) => this.#actors.get(connector)?.taskProgressed(task, run, progress),
    )
    this.#runner = runner
    await this.#firstAnswer(() => ensureInternalTopics(client.admin, clusterTopics(config)))
    await Promise.all([
      this.#whileAway(async () => (this.#clusterId = await client.admin.clusterId())),
      this.#whileAway(() => this.#store.start()).then(() => this.#storeStarted.resolve()),
      this.#whileAway(() => this.#statuses.start()),
      cluster.start({
        assigned: (connectors) => this.#assigned(connectors),
        leadershipChanged: (leads) => this.#leadershipChanged(leads),
        work: () => this.#work(),
        assignmentRead: () => this.events.assignmentChanged(),
      }),
    ])
    this.#context = {
      store: this.#store,
      statuses: this.#statuses,
      plugins,
      runner,
      cluster,
      workerId,
      worker: this.#worker,
      references: new ReferenceWatch({
        providers: this.#worker.providers,
        intervalMs: this.#options.referenceIntervalMs,
      }),
      exactlyOnce: config['exactly.once.source.support'] === 'enabled',
      logger,
      commitTasks: (connector, plannedFrom, tasks, signal) => this.#commitTasks(connector, plannedFrom, tasks, signal),
      fenceEarlierTasks: (connector, signal) => this.#fenceEarlierTasks(connector, signal),
      planTimeoutMs: this.#options.planTimeoutMs ?? defaultPlanTimeoutMs,
      taskTimeoutMs: config['task.shutdown.graceful.timeout.ms'] + 30_000,
      nextRun: () => ++this.#runs,
    }
    if (cluster.leads) this.#clearStatuses()
    this.events.start()
    for (const name of this.#store.connectors()) this.#wake(name)
    if (this.#options.encryption?.hasKey === true) void this.#tellOlderSecrets()
  }

  /** Stops all tasks within the graceful timeout, says so in the status topic, and hands the work over to the others. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#storeStarted.promise.catch(() => undefined)
    this.#storeStarted.reject(new Error('the worker is stopping'))
    this.keys.close()
    const actors = [...this.#actors.values()]
    await Promise.all([...actors.map((actor) => actor.close()), this.#runner?.close()])
    for (const actor of actors) actor.tellUnassigned()
    // Before anybody else says that it runs there.
    await this.#statuses.flush(statusFlushMs)
    await this.cluster.close()
    await Promise.all([this.#store.close(), this.#statuses.close(), this.audit.close(), this.offsets.close()])
    this.requests.close()
  }

  get workerId(): string {
    return this.#options.workerId
  }

  get clusterId(): string {
    return this.#clusterId
  }

  /** What this worker has to tell of itself and of what it runs; see worker-metrics.ts. */
  async metrics(): Promise<string> {
    const { workerId, views, cluster } = this
    const tasks = await this.#ready().runner.metrics()
    return workerMetrics({ workerId, views, leads: cluster.leads, tasks })
  }

  /** See {@link ConnectorWrites.reencrypt}. */
  async reencrypt(): Promise<Record<string, Reencrypted>> {
    // Which settings are secret is for the plugins to say.
    await this.#options.plugins.list()
    return this.writes.reencrypt()
  }

  /** Resolves when all that is in the config topic now has been read. */
  async catchUp(): Promise<void> {
    await this.#store.refresh()
  }

  /** The leader's answer to a worker that is about to start tasks. @throws NotLeaderError, NotFoundError, ConfigError */
  async fence(connector: string): Promise<void> {
    await this.#leading()
    await this.#fencing.fence(connector)
  }

  /** The client tries for long before it says that nobody answers; whoever has just started a worker should know sooner. */
  async #firstAnswer(work: () => Promise<void>): Promise<void> {
    const { config, logger } = this.#options
    const notice = setTimeout(() => {
      logger.warn('no answer from the log yet; going on trying', { 'bootstrap.servers': config['bootstrap.servers'] })
    }, noAnswerMs)
    try {
      await this.#whileAway(work)
    } finally {
      clearTimeout(notice)
    }
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

  /** Resolves when this worker leads and has read all that earlier leaders wrote. @throws NotLeaderError */
  async #leading(): Promise<void> {
    const { cluster } = this.#options
    if (!cluster.leads) throw new NotLeaderError('this worker does not lead', cluster.leaderUrl)
    if (this.#catchingUp === undefined) {
      const catchingUp = this.#storeStarted.promise.then(() => this.#store.refresh())
      this.#catchingUp = catchingUp
      catchingUp.catch(() => {
        if (this.#catchingUp === catchingUp) this.#catchingUp = undefined
      })
    }
    await this.#catchingUp
  }

  async #leadershipChanged(leads: boolean): Promise<void> {
    this.#catchingUp = undefined
    if (!leads) return
    await this.#leading()
    this.keys.keepFresh()
    if (this.#context !== undefined) this.#clearStatuses()
  }

  /** All that has to run: each connector, and each of its tasks. */
  #work(): readonly Unit[] {
    const units: Unit[] = []
    for (const [connector, tasks] of this.#store.ahead()) {
      units.push({ connector, weight: 0 })
      for (const [task, config] of tasks.entries()) units.push({ connector, task, weight: weightOf(config) })
    }
    return units
  }

  #assigned(connectors: ReadonlySet<string>): void {
    const { cluster } = this.#options
    const { generation } = cluster
    for (const connector of connectors) this.#wake(connector)
    const settled = Promise.all([...connectors].map(async (connector) => this.#actors.get(connector)?.settled()))
    const before = this.#releasing
    this.#releasing = (async () => {
      await settled
      await this.#statuses.flush(releaseFlushMs)
      await before
      cluster.released(generation)
    })()
  }

  #changed(connector: string): void {
    const { cluster } = this.#options
    if (cluster.leads && !this.#store.isAhead(connector)) cluster.workChanged()
    this.events.connectorChanged(connector)
    this.#wake(connector)
  }

  async #mayRun({ connector, task }: TaskId, run: number): Promise<boolean> {
    await this.#whileAway(() => Promise.all([this.#store.refresh(), this.#options.cluster.refresh()]))
    return this.#actors.get(connector)?.isCurrent(task, run) ?? false
  }

  async #commitTasks(
    connector: string,
    plannedFrom: Config,
    tasks: readonly Config[],
    signal: AbortSignal,
  ): Promise<void> {
    const itself = () => this.writes.commitTasks(connector, configDigest(plannedFrom), tasks)
    await this.#leader.commitTasks(connector, plannedFrom, tasks, itself, signal)
    if (!this.#options.cluster.leads && !signal.aborted) await this.#store.refresh()
  }

  async #fenceEarlierTasks(connector: string, signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted
    while (!isOver() && this.#store.get(connector)?.fenced === false) {
      await this.#leader.fence(connector, () => this.fence(connector), signal)
      if (!isOver()) await this.#store.refresh()
    }
  }

  async #tellOlderSecrets(): Promise<void> {
    const { plugins, logger } = this.#options
    await plugins.list().catch(() => undefined)
    const older = this.#store.connectors().filter((name) => this.#store.storedSecrets(name) === 'older')
    if (older.length === 0) return
    logger.warn(
      'secrets in the config topic are in clear, or encrypted with an older key: tidewire cluster reencrypt, once all workers have the key',
      { connectors: older.slice(0, 10).join(', '), count: older.length },
    )
  }

  #setLoggerLevel(logger: string, text: string): void {
    const level = levelNamed(text)
    if (level === undefined)
      this.#options.logger.warn('ignoring an unknown level for a logger', { logger, level: text })
    else this.levels.set(logger, level)
  }

  #ready(): ActorContext {
    if (this.#context === undefined) throw new RetriableError('the worker is still starting')
    return this.#context
  }

  /** States of connectors that are gone, told by workers that are gone too. */
  #clearStatuses(): void {
    for (const name of this.#statuses.connectors()) {
      if (this.#store.get(name) === undefined) this.#statuses.remove(name)
    }
  }

  #wake(name: string): void {
    // While the topics are still being read; all are woken when that is done.
    if (this.#context === undefined) return
    if (!this.#actors.has(name) && !this.#isConcerned(name)) {
      if (this.#options.cluster.leads && this.#store.get(name) === undefined) this.#statuses.remove(name)
      return
    }
    const actor = this.#actor(name)
    actor.wake()
    void actor.settled().then(() => {
      if (!this.#isConcerned(name) && actor.idle && this.#actors.get(name) === actor) this.#actors.delete(name)
    })
  }

  /** Whether something of the connector is this worker's. */
  #isConcerned(name: string): boolean {
    const { cluster } = this.#options
    const stored = this.#store.get(name)
    if (stored === undefined) return false
    return cluster.ownsConnector(name) || stored.tasks.some((_, task) => cluster.ownsTask(name, task))
  }

  #actor(name: string): ConnectorActor {
    let actor = this.#actors.get(name)
    if (actor === undefined) {
      actor = new ConnectorActor(name, this.#ready())
      this.#actors.set(name, actor)
    }
    return actor
  }
}

function weightOf(config: Config): number {
  const weight = Number(config['task.weight'] ?? 1)
  // A connector may give a task anything; what is no weight counts as the usual one.
  return Number.isFinite(weight) && weight >= 0 ? weight : 1
}
