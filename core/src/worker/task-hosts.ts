/**
 * Runs tasks in threads, as seen from the main thread: which thread a task goes to, what happens when it fails or its
 * thread dies, and how it is stopped. Tasks share a few threads (`task.threads`), unless a connector asks for one of its
 * own (`task.isolation=thread`), or a task has cost its neighbours their thread. Planning has a thread apart, which lives
 * only while it is needed: what asks an external system may hang, and must not take running tasks with it.
 */
import type { ClientSecurity } from '../client/client.ts'
import { availableParallelism } from 'node:os'
import { ConnectError, type ConfigProblems } from '@tidewire/sdk'
import type { ProviderSpec } from '../config/config-providers.ts'
import type { ParsedWorkerConfig, WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import type { ChainKind } from '../config/transform-settings.ts'
import type { PluginRef } from '../plugin/manifest.ts'
import type { ErrandKind, Errands } from './errand-messages.ts'
import { ErrandRunner, type ErrandCalls } from './errand-runner.ts'
import { budgetBuffer } from './byte-budget.ts'
import { HostHandle, type Death } from './host-handle.ts'
import { traceOf, type HostCall, type HostCalls, type HostMessage, type HostSettings } from './host-messages.ts'
import { endlessLease } from './lease.ts'
import { defaultRestartLimits, isPermanent, RestartPolicy, type RestartLimits } from './restart-policy.ts'
import type { WorkerTaskMetrics } from './task-metrics.ts'
import type { ShownProgress } from './task-progress.ts'
import { taskKey, type SignalPlace, type TaskId, type TaskSpec, type TaskStatus } from './task-spec.ts'
import { within } from './time-limit.ts'

export interface TaskHostsOptions {
  readonly config: WorkerConfig
  /** How the log is reached. Default: in plain text, by nobody in particular. */
  readonly security?: ClientSecurity
  readonly workerId: string
  readonly logger: Logger
  /** The worker's `producer.*`, `consumer.*` and `admin.*`. Default: none. */
  readonly clientSettings?: ParsedWorkerConfig['clientSettings']
  /** Default: none. */
  readonly configProviders?: readonly ProviderSpec[]
  /** Every change of a task's state. */
  readonly onStatus: (status: TaskStatus) => void
  /** A task has used a topic for the first time (KIP-558). Left out: nobody is told. */
  readonly onTopic?: (id: TaskId, topic: string) => void
  /** How a run of a task gets on; at most once a second. Left out: nobody is told. */
  readonly onProgress?: (id: TaskId, run: number, progress: ShownProgress) => void
  /** Until when this worker counts as a member of its cluster; see lease.ts. Default: for ever. */
  readonly lease?: SharedArrayBuffer
  /** Whether this run of a task may go on, by the newest config and assignment. Default: it may. */
  readonly mayRun?: (id: TaskId, run: number) => Promise<boolean>
  readonly restartLimits?: RestartLimits
  /** Seconds without a heartbeat after which a thread counts as blocked. Default 30. */
  readonly blockedAfterS?: number
  /** Longest time for a connector to say how its work splits. Default 60 000. */
  readonly planTimeoutMs?: number
  /** Heap limit of a host thread. Default 1024. */
  readonly heapMb?: number
  /** For tests: see {@link HostSettings.clientModule}. */
  readonly clientModule?: string
}

interface Task {
  spec: TaskSpec
  readonly policy: RestartPolicy
  host: HostHandle | undefined
  /** Beside others; `task.weight`. */
  readonly weight: number
  /** It has cost its neighbours their thread: from now on it has one of its own. */
  apart: boolean
  stalled: boolean
  restarts: number
  /** While it waits to be started again. */
  restart: NodeJS.Timeout | undefined
  slowStart: NodeJS.Timeout | undefined
}

type Failure = Pick<Extract<HostMessage, { kind: 'failed' }>, 'trace' | 'permanent' | 'overtaken'>

type Config = Readonly<Record<string, string>>

const heartbeatMs = 1000
/** More shared threads than this are of no use: what they have in common is the log. */
const maxThreadsByDefault = 4
/** Share of its heap limit from which a thread is reported, and below which it may be again. */
const heapWarning = { from: 0.85, again: 0.7 }
/** Beyond the grace that a task has: for the thread to answer at all. */
const answerMarginMs = 2000
const plannerIdleMs = 5000
/** For a thread to tell what its tasks have done. */
const metricsWaitMs = 1000
/** A task that takes longer to start is reported. */
const slowStartMs = 60_000

/** See the head of the file. */
export class TaskHosts {
  readonly #options: TaskHostsOptions
  readonly #settings: HostSettings
  readonly #errands: ErrandRunner
  readonly #tasks = new Map<string, Task>()
  readonly #hosts = new Set<HostHandle>()
  readonly #watch: NodeJS.Timeout
  readonly #threads: number
  readonly #fullHeaps = new Set<HostHandle>()
  #planner: HostHandle | undefined
  #plannerIdle: NodeJS.Timeout | undefined
  #plansUnderWay = 0
  #closed = false

  constructor(options: TaskHostsOptions) {
    this.#options = options
    this.#settings = hostSettings(options)
    this.#errands = new ErrandRunner(this.#settings, options.logger)
    this.#threads =
      options.config['task.threads'] ?? Math.max(1, Math.min(maxThreadsByDefault, availableParallelism() - 1))
    this.#watch = setInterval(() => this.#lookAfterThreads(), heartbeatMs)
    this.#watch.unref()
  }

  /** Starts the threads before they are needed: they take a while to load, and a worker that starts waits for its log. */
  warmUp(): void {
    this.#sharedHost()
    if (this.#planner !== undefined) return
    this.#planner = this.#newHost('planner', false)
    this.#closePlannerLater(this.#planner)
  }

  /** Resolves when a thread has taken the task; how it fares comes as status. */
  async startTask(spec: TaskSpec): Promise<void> {
    const key = taskKey(spec)
    if (this.#closed) throw new ConnectError('the task hosts are closed')
    if (this.#tasks.has(key)) throw new ConnectError(`task ${key} runs already`)
    const policy = new RestartPolicy(this.#options.restartLimits ?? defaultRestartLimits)
    const weight = Number(spec.config['task.weight'] ?? 1)
    const task: Task = {
      spec,
      policy,
      host: undefined,
      weight: Number.isFinite(weight) ? weight : 1,
      apart: spec.config['task.isolation']?.trim().toLowerCase() === 'thread',
      stalled: false,
      restarts: 0,
      restart: undefined,
      slowStart: undefined,
    }
    this.#tasks.set(key, task)
    await this.#start(task)
  }

  /** Resolves when the task has ended, or was cut off after the graceful timeout. Nothing to do for an unknown one. */
  async stopTask(id: TaskId): Promise<void> {
    const task = this.#tasks.get(taskKey(id))
    if (task === undefined) return
    this.#tasks.delete(taskKey(id))
    clearTimeout(task.restart)
    clearTimeout(task.slowStart)
    const { host } = task
    if (host !== undefined && !host.isDead) await this.#stop(task.spec, host)
    this.#tell(task, 'UNASSIGNED')
  }

  async pauseTask(id: TaskId): Promise<void> {
    await this.#setTarget(id, 'PAUSED')
  }

  async resumeTask(id: TaskId): Promise<void> {
    await this.#setTarget(id, 'STARTED')
  }

  /** Topics that it goes on using are told anew. Nothing to do for an unknown task. */
  async forgetTopics(id: TaskId): Promise<void> {
    const host = this.#tasks.get(taskKey(id))?.host
    if (host === undefined || host.isDead) return
    await host.call('forgetTopics', { id: { connector: id.connector, task: id.task } })
  }

  /**
   * How the connector splits its work: for each task, the settings to merge over the connector's.
   * @throws ConfigError with what is wrong, where the config or the connector's `check` says so
   */
  async planTasks(ref: PluginRef, config: Config, maxTasks: number): Promise<Record<string, string>[]> {
    return this.#askPlanner('plan', { ref, config, maxTasks }, ref)
  }

  /** What is wrong with the config, the connector's own `check` included. */
  async check(ref: PluginRef, config: Config): Promise<ConfigProblems> {
    return this.#askPlanner('check', { ref, config }, ref)
  }

  /** As {@link check}, of a transform or a predicate and its own settings. */
  async checkPart(kind: ChainKind, ref: PluginRef, config: Config): Promise<ConfigProblems> {
    return this.#askPlanner('checkPart', { kind, ref, config }, ref)
  }

  /** Where the connector reads signals from; undefined: with this config it takes none. */
  async signalPlace(ref: PluginRef, config: Config): Promise<SignalPlace | undefined> {
    return this.#askPlanner('signalPlace', { ref, config }, ref)
  }

  /** Of all tasks whose threads answer at once; of one that is blocked nothing is known. */
  async metrics(): Promise<WorkerTaskMetrics[]> {
    const hosts = new Set([...this.#tasks.values()].flatMap(({ host }) => host ?? []))
    const answers = [...hosts].map(async (host) => {
      const asked = host.call('metrics', {}).catch(() => [])
      return (await within(metricsWaitMs, asked)) ? asked : []
    })
    return (await Promise.all(answers)).flat().flatMap((each) => {
      const task = this.#tasks.get(taskKey(each))
      return task === undefined ? [] : [{ ...each, restarts: task.restarts }]
    })
  }

  /** See errand-runner.ts. */
  async runErrand<K extends ErrandKind>(
    kind: K,
    errand: Errands[K]['errand'],
    calls: ErrandCalls<K>,
  ): Promise<Errands[K]['end']> {
    return this.#errands.run(kind, errand, calls)
  }

  /** Stops all tasks at once, within one graceful timeout, and ends the threads. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#watch)
    clearTimeout(this.#plannerIdle)
    const errands = this.#errands.close()
    await Promise.all([...this.#tasks.values()].map(async ({ spec }) => this.stopTask(spec)))
    await errands
    await Promise.all([...this.#hosts].map(async (host) => this.#retire(host)))
  }

  async #start(task: Task): Promise<void> {
    const { spec } = task
    const host = task.apart ? this.#newHost(taskKey(spec), false) : this.#sharedHost()
    task.host = host
    clearTimeout(task.slowStart)
    task.slowStart = setTimeout(() => {
      const { connector, task: number } = spec
      this.#options.logger.warn('a task has not started yet', { connector, task: number, afterMs: slowStartMs })
    }, slowStartMs)
    task.slowStart.unref()
    try {
      await host.call('start', { spec, slot: host.takeSlot(taskKey(spec)) })
    } catch (error) {
      // A thread that died has told so already.
      if (task.host !== host || host.isDead) return
      this.#failed(task, { trace: traceOf(error), permanent: isPermanent(error), overtaken: false })
    }
  }

  async #stop(id: TaskId, host: HostHandle): Promise<void> {
    const { logger, config } = this.#options
    const graceMs = config['task.shutdown.graceful.timeout.ms']
    const { connector, task } = id
    try {
      const stopping = host.call('stop', { id: { connector, task }, graceMs })
      const answered = await within(graceMs + answerMarginMs, stopping)
      const outcome = answered ? await stopping : 'cut off'
      if (!answered) {
        stopping.catch(() => undefined)
        await host.kill(`blocked its thread, so that task ${taskKey(id)} could not be stopped in ${graceMs} ms`)
      }
      if (outcome === 'cut off')
        logger.warn('a task did not stop in time and was cut off', { connector, task, graceMs })
      // Code that was cut off may still run: its thread goes as soon as nobody else needs it.
      if (!host.isShared || (outcome === 'cut off' && this.#tasksOf(host).length === 0)) await this.#retire(host)
    } catch (error) {
      // The thread died meanwhile: the task has ended too.
      logger.debug('a task ended with its thread', { connector, task, reason: String(error) })
    }
  }

  async #setTarget(id: TaskId, targetState: 'STARTED' | 'PAUSED'): Promise<void> {
    const task = this.#tasks.get(taskKey(id))
    if (task === undefined) return
    task.spec = { ...task.spec, targetState }
    if (task.host === undefined || task.host.isDead) return
    const { connector, task: number } = id
    await task.host.call(targetState === 'PAUSED' ? 'pause' : 'resume', { id: { connector, task: number } })
  }

  /** The one with the least to do; a new one, while all have something to do and there may be more. */
  #sharedHost(): HostHandle {
    const shared = [...this.#hosts].filter((host) => host.isShared && !host.isDead)
    const load = new Map(shared.map((host) => [host, { weight: 0, tasks: 0 }]))
    for (const { host, weight } of this.#tasks.values()) {
      const loaded = host === undefined ? undefined : load.get(host)
      if (loaded === undefined) continue
      loaded.weight += weight
      loaded.tasks++
    }
    const [least] = [...load].sort(([, a], [, b]) => a.weight - b.weight || a.tasks - b.tasks)
    if (least === undefined || (least[1].tasks > 0 && shared.length < this.#threads)) {
      return this.#newHost('shared', true)
    }
    return least[0]
  }

  #newHost(name: string, isShared: boolean): HostHandle {
    const limits = { heapMb: this.#options.heapMb ?? 1024, isShared }
    const host: HostHandle = new HostHandle(name, this.#settings, limits, {
      onMessage: (message) => this.#onMessage(host, message),
      onDeath: (death) => this.#onDeath(host, death),
    })
    this.#hosts.add(host)
    return host
  }

  #tasksOf(host: HostHandle): Task[] {
    return [...this.#tasks.values()].filter((task) => task.host === host)
  }

  async #retire(host: HostHandle): Promise<void> {
    this.#hosts.delete(host)
    this.#fullHeaps.delete(host)
    if (host.isDead) return
    const closing = host.call('close', {}).catch(() => undefined)
    await within(answerMarginMs, closing)
    await host.terminate()
  }

  #onMessage(host: HostHandle, message: Exclude<HostMessage, { kind: 'answer' | 'alive' }>): void {
    if (message.kind === 'log') {
      this.#options.logger[message.level](message.message, message.details)
      return
    }
    if (message.kind === 'mayRun') {
      void this.#answerMayRun(host, message)
      return
    }
    const task = this.#tasks.get(taskKey(message.id))
    // News of a run that is over.
    if (task?.host !== host || task.spec.generation !== message.generation) return
    if (message.kind === 'topic') {
      this.#options.onTopic?.(message.id, message.topic)
      return
    }
    if (message.kind === 'progress') {
      this.#options.onProgress?.(message.id, message.generation, message.progress)
      return
    }
    clearTimeout(task.slowStart)
    if (message.kind === 'failed') this.#failed(task, message)
    else if (message.kind === 'stalled') this.#stalled(task, message.trace)
    else this.#getsOn(task, message.kind === 'running' ? 'RUNNING' : 'PAUSED')
  }

  #stalled(task: Task, trace: string): void {
    const { connector, task: number } = task.spec
    task.stalled = true
    this.#options.logger.warn('a task does not get on', { connector, task: number, trace })
    this.#tell(task, 'STALLED', trace)
  }

  #getsOn(task: Task, state: 'RUNNING' | 'PAUSED'): void {
    const { connector, task: number } = task.spec
    if (task.stalled) this.#options.logger.info('a task gets on again', { connector, task: number })
    task.stalled = false
    this.#tell(task, state)
  }

  async #answerMayRun(host: HostHandle, message: Extract<HostMessage, { kind: 'mayRun' }>): Promise<void> {
    const { mayRun, logger } = this.#options
    const { id, generation, question } = message
    try {
      const yes = mayRun === undefined || (await mayRun(id, generation))
      await host.call('mayRun', { question, yes })
    } catch (error) {
      // The worker stops, or the thread is gone: so will the task be.
      logger.debug('a task was not told whether it may run', { ...id, reason: String(error) })
    }
  }

  /** Whoever is to blame has failed; the others are started again at once, and it does not count against them. */
  #onDeath(host: HostHandle, { reason, culprit }: Death): void {
    this.#hosts.delete(host)
    this.#fullHeaps.delete(host)
    const tasks = this.#tasksOf(host)
    for (const task of tasks) task.host = undefined
    if (tasks.length > 0) {
      this.#options.logger.error('a host thread died; its tasks are started again', {
        reason,
        tasks: tasks.map(({ spec }) => taskKey(spec)),
      })
    }
    for (const task of tasks) {
      if (culprit === undefined) {
        this.#failed(task, { trace: reason, permanent: false, overtaken: false })
      } else if (taskKey(task.spec) === culprit.task) {
        task.apart = true
        this.#failed(task, { trace: `task ${culprit.task} ${culprit.cause}`, permanent: false, overtaken: false })
      } else {
        task.restarts++
        this.#tell(task, 'RESTARTING', `its thread was lost: task ${culprit.task} ${culprit.cause}`)
        void this.#start(task)
      }
    }
  }

  /** One that is overtaken will mostly be stopped before its restart. */
  #failed(task: Task, { trace, permanent, overtaken }: Failure): void {
    const { host } = task
    task.host = undefined
    task.stalled = false
    clearTimeout(task.slowStart)
    if (host?.isShared === false) void this.#retire(host)
    const delayMs = task.policy.next(permanent)
    const { connector, task: number } = task.spec
    const level = delayMs === undefined ? 'error' : overtaken ? 'info' : 'warn'
    this.#options.logger[level](overtaken ? 'task overtaken' : 'task failed', {
      connector,
      task: number,
      restartInMs: delayMs ?? 'never',
      trace,
    })
    if (delayMs === undefined) {
      this.#tell(task, 'FAILED', trace)
      return
    }
    task.restarts++
    this.#tell(task, 'RESTARTING', trace)
    task.restart = setTimeout(() => void this.#start(task), delayMs)
  }

  #tell({ spec: { connector, task, generation } }: Task, state: TaskStatus['state'], trace?: string): void {
    this.#options.onStatus({ connector, task, state, generation, ...(trace === undefined ? {} : { trace }) })
  }

  #lookAfterThreads(): void {
    const { blockedAfterS = 30, logger } = this.#options
    for (const host of this.#hosts) {
      const missedBeats = host.countMissedBeats()
      const turn = host.longTurn()
      if (turn !== undefined && missedBeats === 1) {
        logger.warn('a task keeps its thread to itself for longer than a second', { host: host.name, ...turn })
      }
      this.#lookAtHeap(host)
      if (missedBeats < blockedAfterS) continue
      logger.error('a host thread is blocked and is replaced', { host: host.name, afterS: blockedAfterS, ...turn })
      void host.kill(`blocked its thread for ${blockedAfterS} s`)
    }
  }

  /** Once for each time that it fills. */
  #lookAtHeap(host: HostHandle): void {
    if (host.health === undefined) return
    const { heapBytes, heapLimitBytes } = host.health
    if (heapBytes < heapWarning.again * heapLimitBytes) this.#fullHeaps.delete(host)
    if (heapBytes < heapWarning.from * heapLimitBytes || this.#fullHeaps.has(host)) return
    this.#fullHeaps.add(host)
    this.#options.logger.warn('the heap of a host thread is nearly full', {
      host: host.name,
      heapBytes,
      heapLimitBytes,
      tasks: this.#tasksOf(host).map(({ spec }) => taskKey(spec)),
    })
  }

  async #askPlanner<K extends HostCall>(
    call: K,
    args: HostCalls[K]['args'],
    ref: PluginRef,
  ): Promise<HostCalls[K]['answer']> {
    const { planTimeoutMs = 60_000 } = this.#options
    clearTimeout(this.#plannerIdle)
    if (this.#planner === undefined || this.#planner.isDead) this.#planner = this.#newHost('planner', false)
    const planner = this.#planner
    this.#plansUnderWay++
    try {
      const answer = planner.call(call, args)
      if (await within(planTimeoutMs, answer)) return await answer
      answer.catch(() => undefined)
      // It may block the thread; whoever else waits there asks again.
      await planner.kill(`connector ${ref.name} did not answer within ${planTimeoutMs} ms`)
      throw new ConnectError(`connector ${ref.name} did not say within ${planTimeoutMs} ms how its work splits`)
    } finally {
      this.#plansUnderWay--
      if (this.#plansUnderWay === 0 && !this.#closed) this.#closePlannerLater(planner)
    }
  }

  #closePlannerLater(planner: HostHandle): void {
    this.#plannerIdle = setTimeout(() => {
      if (this.#planner === planner) this.#planner = undefined
      void this.#retire(planner)
    }, plannerIdleMs)
    this.#plannerIdle.unref()
  }
}

function hostSettings(options: TaskHostsOptions): HostSettings {
  const { config, workerId, clientModule, lease, security = {}, clientSettings, configProviders = [] } = options
  return {
    bootstrapServers: config['bootstrap.servers'],
    requestTimeoutMs: config['request.timeout.ms'],
    security,
    clients: {
      security: config,
      overridePolicy: config['connector.client.config.override.policy'],
      ...(clientSettings ?? { producer: {}, consumer: {}, admin: {} }),
    },
    configProviders,
    workerId,
    groupId: config['group.id'],
    offsetTopic: config['offset.storage.topic'],
    offsetTopicShape: {
      partitions: config['offset.storage.partitions'],
      replicationFactor: config['offset.storage.replication.factor'],
    },
    internalTopics: [
      config['config.storage.topic'],
      config['offset.storage.topic'],
      config['status.storage.topic'],
      config['assignment.storage.topic'],
    ],
    flushIntervalMs: config['offset.flush.interval.ms'],
    stalledAfterMs: config['task.stalled.after.ms'],
    exactlyOnce: config['exactly.once.source.support'] === 'enabled',
    createTopics: config['topic.creation.enable'],
    trackTopics: config['topic.tracking.enable'],
    heartbeatMs,
    budget: budgetBuffer(config['worker.max.buffered.bytes']),
    lease: lease ?? endlessLease(),
    clientModule: clientModule ?? new URL('../client/log-client.ts', import.meta.url).href,
  }
}
