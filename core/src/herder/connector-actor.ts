import { isErrorKind } from '@tidewire/sdk'
import type { Cluster } from '../cluster/cluster.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type { RestartRequest } from './config-records.ts'
import { sameConfig, sameConfigs, type Config, type ConfigStore, type StoredConnector } from './config-store.ts'
import type { ReferenceWatch } from './reference-watch.ts'
import type { State, StatusStore } from './status-store.ts'
import { planTasks, taskPlugins, type WorkerParts } from './task-spec.ts'
import type { ShownProgress } from '../worker/task-progress.ts'
import type { TaskStatus } from '../worker/task-spec.ts'
import type { TaskRunner } from './task-runner.ts'
import { withTimeLimit } from './time-limit.ts'

/** What all connectors of a worker share. */
export interface ActorContext {
  readonly store: ConfigStore
  readonly statuses: StatusStore
  readonly plugins: PluginRegistry
  readonly runner: TaskRunner
  readonly cluster: Cluster
  readonly workerId: string
  readonly worker: WorkerParts
  readonly references: ReferenceWatch
  /** `exactly.once.source.support=enabled`. */
  readonly exactlyOnce: boolean
  readonly logger: Logger
  /**
   * Makes the planned tasks those of the connector, unless its config or target state changed meanwhile; asks the leader
   * for it until it is done, or the signal aborted.
   */
  readonly commitTasks: (
    connector: string,
    config: Config,
    tasks: readonly Config[],
    signal: AbortSignal,
  ) => Promise<void>
  /** Resolves when the transactional producers of the connector's earlier tasks are fenced. */
  readonly fenceEarlierTasks: (connector: string, signal: AbortSignal) => Promise<void>
  /** Longest time for a connector to say how its work splits. */
  readonly planTimeoutMs: number
  /** Longest time for a task to be started or stopped; more than the graceful shutdown that the runner allows. */
  readonly taskTimeoutMs: number
  /** Numbers the runs of tasks. */
  readonly nextRun: () => number
}

interface RunningTask {
  readonly config: Config
  /** The commit that it is of, by identity. */
  readonly commit: readonly Config[]
  readonly run: number
  /** The newest assignment that it was seen to be this worker's under. */
  generation: number
  paused: boolean
  exactlyOnce: boolean
  /** Of the plugin. */
  version: string | undefined
  /** The runner has it; before, it may wait for its predecessors to be fenced. */
  handedOver: boolean
  readonly stop: AbortController
}

interface Planning {
  readonly config: Config
  readonly stop: AbortController
}

const firstRetryMs = 1000
const lastRetryMs = 60_000

/**
 * Brings what this worker has of one connector from whatever runs to what the config topic and the assignment ask for:
 * the connector itself, which plans its tasks, and any of the tasks, each by itself. Each wake compares the two and makes
 * the next steps, so that it does not matter which change came when, or what a crash left half done.
 *
 * Connector code runs in task hosts only. What may take long (planning, and the start of a task whose predecessors have to
 * be fenced first) goes on beside: the actor can always give up what is taken away.
 */
export class ConnectorActor {
  readonly #name: string
  readonly #context: ActorContext
  readonly #tasks = new Map<number, RunningTask>()
  #awake = false
  #closed = false
  #working: Promise<void> | undefined
  /** The newest assignment that the connector itself was seen to be this worker's under; undefined: it is not. */
  #generation: number | undefined
  /** The config and the committed tasks that planning found to agree; by identity, as the store holds them. */
  #planned: Pick<StoredConnector, 'config' | 'tasks'> | undefined
  #planning: Planning | undefined
  /** Planning failed for this config: not before the timer fires (if it has one) it is tried again. */
  #failed: { readonly config: Config; readonly timer?: NodeJS.Timeout } | undefined
  #failures = 0
  /** Ends the watch over what the connector's config refers to. */
  #unwatch: (() => void) | undefined
  #restarts = new Set<number>()

  constructor(name: string, context: ActorContext) {
    this.#name = name
    this.#context = context
  }

  /** Nothing runs and nothing is under way: the actor can be dropped. */
  get idle(): boolean {
    return (
      this.#working === undefined &&
      this.#planning === undefined &&
      this.#generation === undefined &&
      this.#tasks.size === 0
    )
  }

  /** Something about the connector, or about whose it is, may have changed. */
  wake(): void {
    if (this.#closed) return
    this.#awake = true
    this.#working ??= this.#work()
  }

  /** Resolves when all that was known at the last wake has been acted upon: what is not this worker's has stopped. */
  async settled(): Promise<void> {
    await this.#working
  }

  /** As much of the restart as concerns this worker. */
  restart({ includeTasks, onlyFailed }: RestartRequest): void {
    const { statuses, store, cluster } = this.#context
    if (store.get(this.#name)?.targetState === 'STOPPED') return
    const isMeant = (state: State | undefined): boolean => !onlyFailed || state === 'FAILED'
    if (cluster.ownsConnector(this.#name) && isMeant(statuses.connector(this.#name)?.state)) {
      this.#tell('RESTARTING')
      this.#cancelPlanning()
    }
    for (const [task, { state }] of includeTasks ? statuses.tasks(this.#name) : []) {
      if (cluster.ownsTask(this.#name, task) && isMeant(state)) this.#markForRestart(task)
    }
    this.wake()
  }

  restartTask(task: number): void {
    this.#markForRestart(task)
    this.wake()
  }

  /** What is known of the connector's topics was reset: those that it goes on using are told anew. */
  forgetTopics(): void {
    const { runner, logger } = this.#context
    for (const [task, { handedOver }] of this.#tasks) {
      if (!handedOver) continue
      runner.forgetTopics({ connector: this.#name, task }).catch((error: unknown) => {
        // Its thread died: the task begins anew, and tells them anyway.
        logger.debug('a task was not told to forget its topics', {
          connector: this.#name,
          task,
          error: messageOf(error),
        })
      })
    }
  }

  /** A task host told something about a task. */
  taskTold({ task, state, trace, generation }: TaskStatus): void {
    // News of a run that was stopped meanwhile is of no interest.
    if (this.#closed || this.#tasks.get(task)?.run !== generation) return
    this.#tellTask(task, state, trace)
  }

  /** How a run of a task gets on. */
  taskProgressed(task: number, run: number, progress: ShownProgress): void {
    if (this.#closed || this.#tasks.get(task)?.run !== run) return
    this.#context.statuses.putProgress({ connector: this.#name, task }, progress)
  }

  /** Whether this run of a task is what config topic and assignment, as far as they are read, ask for. */
  isCurrent(task: number, run: number): boolean {
    const { store, cluster } = this.#context
    const running = this.#tasks.get(task)
    const stored = store.get(this.#name)
    if (this.#closed || running?.run !== run || stored === undefined) return false
    const isOwn = cluster.ownsTask(this.#name, task) && this.#isOfThisStay(running)
    return stored.tasks === running.commit && stored.fenced && isOwn
  }

  /** Stops reacting; the tasks are stopped by the runner, all at once. Says so in the status topic. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPlanning()
    for (const { stop } of this.#tasks.values()) stop.abort()
    await this.#working
  }

  /** To be called when the tasks have stopped: nobody runs the connector now. */
  tellUnassigned(): void {
    for (const [task, { generation }] of this.#tasks) this.#tellGivenUp(task, generation)
    this.#giveUpConnector()
  }

  async #work(): Promise<void> {
    while (this.#awake && !this.#closed) {
      this.#awake = false
      try {
        await this.#step()
      } catch (error) {
        this.#context.logger.error('cannot bring the connector to its state', {
          connector: this.#name,
          error: messageOf(error),
        })
      }
    }
    // At once, and not in a later turn: a wake from now on must begin anew.
    this.#working = undefined
  }

  async #step(): Promise<void> {
    const { store, statuses, cluster } = this.#context
    const stored = store.get(this.#name)
    const hadSome = this.#generation !== undefined || this.#tasks.size > 0
    if (stored === undefined || !cluster.ownsConnector(this.#name)) {
      this.#cancelPlanning()
      this.#giveUpConnector()
    }
    await this.#adjustTasks(stored)
    if (stored === undefined) {
      // Each worker for what it told itself, the leader for workers that are gone.
      if (store.get(this.#name) === undefined && (hadSome || cluster.leads)) statuses.remove(this.#name)
    } else if (cluster.ownsConnector(this.#name)) {
      this.#runConnector(stored)
    }
  }

  #runConnector({ config, tasks, targetState, inconsistent }: StoredConnector): void {
    this.#generation = this.#context.cluster.generation
    if (targetState === 'STOPPED') {
      this.#cancelPlanning()
      this.#forgetTasksFrom(0)
      this.#tell('STOPPED')
      return
    }
    this.#forgetTasksFrom(tasks.length)
    if (this.#planned?.config === config && this.#planned.tasks === tasks && !inconsistent) {
      this.#tell(targetState === 'PAUSED' ? 'PAUSED' : 'RUNNING')
    } else {
      this.#startPlanning(config)
    }
  }

  #giveUpConnector(): void {
    const { statuses, workerId, store } = this.#context
    const generation = this.#generation
    this.#generation = undefined
    if (generation === undefined || store.get(this.#name) === undefined) return
    const told = statuses.connector(this.#name)
    if (told === undefined || told.state === 'FAILED' || told.state === 'STOPPED') return
    statuses.putConnector(this.#name, { state: 'UNASSIGNED', workerId, generation }, { safe: true })
  }

  async #adjustTasks(stored: StoredConnector | undefined): Promise<void> {
    const { cluster } = this.#context
    const tasks = stored === undefined || stored.targetState === 'STOPPED' ? [] : stored.tasks
    const owned = new Set([...tasks.keys()].filter((task) => cluster.ownsTask(this.#name, task)))
    const restarts = this.#restarts
    this.#restarts = new Set()
    const givenUp = [...this.#tasks].filter(([task]) => !owned.has(task))
    const restarted = [...this.#tasks.keys()].filter((task) => owned.has(task) && restarts.has(task))
    await this.#stopTasks([...givenUp.map(([task]) => task), ...restarted])
    for (const [task, { generation }] of givenUp) {
      if (task < tasks.length) this.#tellGivenUp(task, generation)
      else this.#context.statuses.removeTask(this.#name, task)
    }
    await Promise.all([...owned].map((task) => this.#adjustTask(task, tasks, stored?.targetState === 'PAUSED')))
  }

  async #adjustTask(task: number, commit: readonly Config[], paused: boolean): Promise<void> {
    const { runner, cluster } = this.#context
    // Given to another while this waited for others to stop: there is another wake for that.
    if (!cluster.ownsTask(this.#name, task)) return
    const running = this.#tasks.get(task)
    // Tasks that write in transactions are fenced when there is a new commit, whatever is in it.
    const staysAsItIs =
      running !== undefined &&
      this.#isOfThisStay(running) &&
      (running.commit === commit || (!running.exactlyOnce && running.handedOver)) &&
      sameConfig(running.config, commit[task]!)
    if (!staysAsItIs) {
      if (running !== undefined) await this.#stopTasks([task])
      if (cluster.ownsTask(this.#name, task)) this.#startTask(task, commit, paused)
      return
    }
    running.generation = cluster.generation
    if (running.paused === paused) return
    running.paused = paused
    if (!running.handedOver) return
    const id = { connector: this.#name, task }
    await this.#limited(
      paused ? runner.pauseTask(id) : runner.resumeTask(id),
      `${paused ? 'Pausing' : 'Resuming'} task ${task}`,
    )
  }

  /** Otherwise another may have run it since, and be further than it. */
  #isOfThisStay({ generation }: RunningTask): boolean {
    return generation >= this.#context.cluster.presentSince
  }

  #startTask(task: number, commit: readonly Config[], paused: boolean): void {
    const { statuses, cluster, nextRun } = this.#context
    const running: RunningTask = {
      config: commit[task]!,
      commit,
      run: nextRun(),
      generation: cluster.generation,
      paused,
      exactlyOnce: false,
      version: undefined,
      handedOver: false,
      stop: new AbortController(),
    }
    this.#tasks.set(task, running)
    // What an earlier worker told does not hold any more; the host tells when it runs.
    if (statuses.task(this.#name, task)?.state !== 'RESTARTING') this.#tellTask(task, 'UNASSIGNED')
    void this.#handOver(task, running).catch((error: unknown) => {
      if (this.#tasks.get(task) !== running) return
      // Not kept as running: the next wake tries again.
      running.stop.abort()
      this.#tellTask(task, 'FAILED', traceOf(error))
      this.#tasks.delete(task)
    })
  }

  async #handOver(task: number, running: RunningTask): Promise<void> {
    const { plugins, runner, worker, exactlyOnce, fenceEarlierTasks, references } = this.#context
    const { signal } = running.stop
    const { manifest, spec } = await taskPlugins(plugins, worker, running.config)
    running.version = manifest.version
    running.exactlyOnce = exactlyOnce && manifest.type === 'source' && manifest.exactlyOnce
    if (running.exactlyOnce && !signal.aborted) await fenceEarlierTasks(this.#name, signal)
    // Before the task reads them, so that no change is missed.
    const unwatch = await references.watch(running.config, () => this.#referenceChanged(task, running))
    signal.addEventListener('abort', unwatch, { once: true })
    if (signal.aborted) {
      unwatch()
      return
    }
    running.handedOver = true
    const { config, run, paused } = running
    const starting = runner.startTask({
      ...spec,
      connector: this.#name,
      task,
      config,
      targetState: paused ? 'PAUSED' : 'STARTED',
      generation: run,
    })
    await this.#limited(starting, `Starting task ${task}`)
  }

  async #stopTasks(tasks: readonly number[]): Promise<void> {
    const { runner, logger } = this.#context
    await Promise.all(
      tasks.map(async (task) => {
        this.#tasks.get(task)?.stop.abort()
        this.#tasks.delete(task)
        try {
          await this.#limited(runner.stopTask({ connector: this.#name, task }), `Stopping task ${task}`)
        } catch (error) {
          logger.error('cannot stop a task', { connector: this.#name, task, error: messageOf(error) })
        }
      }),
    )
  }

  #forgetTasksFrom(count: number): void {
    const { statuses } = this.#context
    for (const [task] of statuses.tasks(this.#name)) if (task >= count) statuses.removeTask(this.#name, task)
  }

  #startPlanning(config: Config): void {
    if (this.#planning?.config === config || this.#failed?.config === config) return
    this.#cancelPlanning()
    const planning: Planning = { config, stop: new AbortController() }
    this.#planning = planning
    void this.#plan(planning)
      .catch((error: unknown) => {
        if (this.#planning === planning) this.#planningFailed(config, error)
      })
      .finally(() => {
        // What was given up is nobody's business any more; the actor may have been dropped, and another made since.
        if (this.#planning !== planning) return
        this.#planning = undefined
        this.wake()
      })
  }

  async #plan({ config, stop: { signal } }: Planning): Promise<void> {
    const isCancelled = (): boolean => signal.aborted
    const { plugins, runner, worker, store, planTimeoutMs, commitTasks, references } = this.#context
    const unwatch = await references.watch(config, () => this.#planAgain())
    if (isCancelled()) {
      unwatch()
      return
    }
    this.#unwatch = unwatch
    const tasks = await planTasks(plugins, runner, worker, config, planTimeoutMs)
    if (isCancelled()) return
    await commitTasks(this.#name, config, tasks, signal)
    const after = store.get(this.#name)
    if (isCancelled() || after?.config !== config || !sameConfigs(after.tasks, tasks)) return
    this.#planned = { config, tasks: after.tasks }
    this.#failures = 0
  }

  #planningFailed(config: Config, error: unknown): void {
    const { logger } = this.#context
    this.#failures++
    // A config that cannot work is left alone until it changes; the rest may pass: a plugin comes, a database answers.
    const permanent = isErrorKind(error, 'ConfigError')
    const pauseMs = Math.min(firstRetryMs * 2 ** (this.#failures - 1), lastRetryMs) * (0.5 + Math.random() / 2)
    const timer = permanent ? undefined : setTimeout(() => this.#retryPlanning(), pauseMs)
    timer?.unref()
    this.#failed = { config, ...(timer === undefined ? {} : { timer }) }
    this.#tell('FAILED', traceOf(error))
    logger.error('connector failed', { connector: this.#name, error: messageOf(error), retry: !permanent })
  }

  #retryPlanning(): void {
    this.#failed = undefined
    this.wake()
  }

  #cancelPlanning(): void {
    clearTimeout(this.#failed?.timer)
    this.#planning?.stop.abort()
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#failed = undefined
    this.#planning = undefined
    this.#planned = undefined
  }

  /** A file that the connector's config refers to holds something else. Tasks are restarted each by itself. */
  #planAgain(): void {
    this.#context.logger.info('restarting the connector: a file that it refers to has changed', {
      connector: this.#name,
    })
    this.#cancelPlanning()
    this.wake()
  }

  #referenceChanged(task: number, running: RunningTask): void {
    if (this.#closed || this.#tasks.get(task) !== running) return
    this.#context.logger.info('restarting a task: a file that it refers to has changed', {
      connector: this.#name,
      task,
    })
    this.restartTask(task)
  }

  #markForRestart(task: number): void {
    this.#restarts.add(task)
    this.#tellTask(task, 'RESTARTING')
  }

  #limited(promise: Promise<void>, what: string): Promise<void> {
    return withTimeLimit(promise, this.#context.taskTimeoutMs, what)
  }

  #tell(state: State, trace?: string): void {
    const { statuses, workerId, cluster, store, plugins } = this.#context
    const before = statuses.connector(this.#name)
    const { 'connector.class': name = '', 'connector.plugin.version': wanted } = store.get(this.#name)?.config ?? {}
    const version = plugins.knownConnector(name.trim(), wanted)?.manifest.version
    const isSame = before?.state === state && before.trace === trace && before.version === version
    if (isSame && before.workerId === workerId) return
    const generation = this.#generation ?? cluster.generation
    statuses.putConnector(this.#name, { state, workerId, generation, trace, version }, { safe: true })
  }

  #tellTask(task: number, state: State, trace?: string): void {
    const { statuses, workerId, cluster } = this.#context
    const running = this.#tasks.get(task)
    const generation = running?.generation ?? cluster.generation
    const version = running?.version
    statuses.putTask(this.#name, task, { state, workerId, generation, trace, version }, { safe: true })
  }

  /** As of the assignment that gave it to this worker: whoever has it by now has told it under a newer one. */
  #tellGivenUp(task: number, generation: number): void {
    const { statuses, workerId } = this.#context
    if (statuses.task(this.#name, task)?.state === 'FAILED') return
    statuses.putTask(this.#name, task, { state: 'UNASSIGNED', workerId, generation }, { safe: true })
  }
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // What the user can mend needs no stack.
  const known = isErrorKind(error, 'ConfigError') || isErrorKind(error, 'NotFoundError')
  return known ? `${error.name}: ${error.message}` : (error.stack ?? error.message)
}
