import { isErrorKind } from '@tidewire/sdk'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type { Assignment } from './assignment.ts'
import type { RestartRequest } from './config-records.ts'
import { sameConfig, sameConfigs, type Config, type ConfigStore, type StoredConnector } from './config-store.ts'
import type { State, StatusStore } from './status-store.ts'
import { planTasks, taskSpec, type WorkerConverters } from './task-spec.ts'
import type { TaskStatus } from '../worker/task-spec.ts'
import type { TaskRunner } from './task-runner.ts'
import { withTimeLimit } from './time-limit.ts'

/** What all connectors of a worker share. */
export interface ActorContext {
  readonly store: ConfigStore
  readonly statuses: StatusStore
  readonly plugins: PluginRegistry
  readonly runner: TaskRunner
  readonly assignment: Assignment
  readonly workerId: string
  readonly worker: WorkerConverters
  readonly logger: Logger
  /**
   * Makes the planned tasks those of the connector, unless its config or target state changed meanwhile. Takes its turn
   * among the writes for this connector.
   */
  readonly commitTasks: (connector: string, config: Config, tasks: readonly Config[]) => Promise<void>
  /** Longest time for a connector to say how its work splits. */
  readonly planTimeoutMs: number
  /** Longest time for a task to be started or stopped; more than the graceful shutdown that the runner allows. */
  readonly taskTimeoutMs: number
  /** Numbers the runs of tasks. */
  readonly nextRun: () => number
}

interface RunningTask {
  readonly config: Config
  readonly run: number
  paused: boolean
}

const firstRetryMs = 1000
const lastRetryMs = 60_000

/**
 * Brings one connector from whatever runs to what the config topic asks for. Each wake compares the two and makes the
 * next steps, so that it does not matter which change came when, or what a crash left half done.
 *
 * Connector code runs in task hosts only; planning, which may take long, goes on beside and wakes the actor when done.
 */
export class ConnectorActor {
  readonly #name: string
  readonly #context: ActorContext
  readonly #tasks = new Map<number, RunningTask>()
  #awake = false
  #closed = false
  #working: Promise<void> | undefined
  /** The config and the committed tasks that planning found to agree; by identity, as the store holds them. */
  #planned: Pick<StoredConnector, 'config' | 'tasks'> | undefined
  #planning: { readonly config: Config } | undefined
  /** Planning failed for this config: not before the timer fires (if it has one) it is tried again. */
  #failed: { readonly config: Config; readonly timer?: NodeJS.Timeout } | undefined
  #failures = 0
  #restarts = new Set<number>()

  constructor(name: string, context: ActorContext) {
    this.#name = name
    this.#context = context
  }

  /** Nothing runs and nothing is under way: the actor can be dropped. */
  get idle(): boolean {
    return this.#working === undefined && this.#planning === undefined && this.#tasks.size === 0
  }

  /** Something about the connector may have changed. */
  wake(): void {
    if (this.#closed) return
    this.#awake = true
    this.#working ??= this.#work().finally(() => (this.#working = undefined))
  }

  /** Resolves when nothing is under way any more, planning included. For shutdown and tests. */
  async settled(): Promise<void> {
    await this.#working
  }

  restart({ includeTasks, onlyFailed }: RestartRequest): void {
    const { statuses, store } = this.#context
    if (store.get(this.#name)?.targetState === 'STOPPED') return
    if (!onlyFailed || statuses.connector(this.#name)?.state === 'FAILED') {
      this.#tell('RESTARTING')
      this.#cancelPlanning()
    }
    for (const [task, { state }] of includeTasks ? statuses.tasks(this.#name) : []) {
      if (!onlyFailed || state === 'FAILED') this.#markForRestart(task)
    }
    this.wake()
  }

  restartTask(task: number): void {
    this.#markForRestart(task)
    this.wake()
  }

  /** A task host told something about a task. */
  taskTold({ task, state, trace, generation }: TaskStatus): void {
    // News of a run that was stopped meanwhile is of no interest.
    if (this.#closed || this.#tasks.get(task)?.run !== generation) return
    this.#tellTask(task, state, trace)
  }

  /** Stops reacting; the tasks are stopped by the runner, all at once. Says so in the status topic. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPlanning()
    await this.#working
  }

  /** To be called when the tasks have stopped: nobody runs the connector now. */
  tellUnassigned(): void {
    const { statuses } = this.#context
    for (const task of this.#tasks.keys()) {
      if (statuses.task(this.#name, task)?.state !== 'FAILED') this.#tellTask(task, 'UNASSIGNED')
    }
    const state = statuses.connector(this.#name)?.state
    if (state !== undefined && state !== 'FAILED' && state !== 'STOPPED') this.#tell('UNASSIGNED')
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
  }

  async #step(): Promise<void> {
    const { store, statuses, assignment } = this.#context
    const stored = store.get(this.#name)
    if (stored === undefined || !assignment.owns(this.#name)) {
      this.#cancelPlanning()
      await this.#stopTasks([...this.#tasks.keys()])
      if (store.get(this.#name) === undefined) statuses.remove(this.#name)
      return
    }
    if (stored.targetState === 'STOPPED') {
      this.#cancelPlanning()
      await this.#stopTasks([...this.#tasks.keys()])
      this.#forgetTasksFrom(0)
      this.#tell('STOPPED')
      return
    }
    await this.#adjustTasks(stored)
    const { config, tasks, inconsistent } = stored
    if (this.#planned?.config === config && this.#planned.tasks === tasks && !inconsistent) {
      this.#tell(stored.targetState === 'PAUSED' ? 'PAUSED' : 'RUNNING')
    } else {
      this.#startPlanning(config)
    }
  }

  async #adjustTasks({ tasks, targetState }: StoredConnector): Promise<void> {
    const restarts = this.#restarts
    this.#restarts = new Set()
    const surplus = [...this.#tasks.keys()].filter((task) => task >= tasks.length || restarts.has(task))
    await this.#stopTasks(surplus)
    this.#forgetTasksFrom(tasks.length)
    await Promise.all(tasks.map((config, task) => this.#adjustTask(task, config, targetState === 'PAUSED')))
  }

  async #adjustTask(task: number, config: Config, paused: boolean): Promise<void> {
    const { runner } = this.#context
    const running = this.#tasks.get(task)
    if (running !== undefined && sameConfig(running.config, config)) {
      if (running.paused === paused) return
      running.paused = paused
      const id = { connector: this.#name, task }
      await this.#limited(
        paused ? runner.pauseTask(id) : runner.resumeTask(id),
        `${paused ? 'Pausing' : 'Resuming'} task ${task}`,
      )
      return
    }
    if (running !== undefined) await this.#stopTasks([task])
    await this.#startTask(task, config, paused)
  }

  async #startTask(task: number, config: Config, paused: boolean): Promise<void> {
    const { plugins, runner, worker, statuses, nextRun } = this.#context
    const run = nextRun()
    this.#tasks.set(task, { config, run, paused })
    // What an earlier worker told does not hold any more; the host tells when it runs.
    if (statuses.task(this.#name, task)?.state !== 'RESTARTING') this.#tellTask(task, 'UNASSIGNED')
    try {
      const targetState = paused ? 'PAUSED' : 'STARTED'
      const spec = await taskSpec(plugins, worker, {
        connector: this.#name,
        task,
        config,
        targetState,
        generation: run,
      })
      if (this.#closed) return
      await this.#limited(runner.startTask(spec), `Starting task ${task}`)
    } catch (error) {
      // Not kept as running: the next wake tries again.
      if (this.#tasks.get(task)?.run === run) this.#tasks.delete(task)
      this.#tellTask(task, 'FAILED', traceOf(error))
    }
  }

  async #stopTasks(tasks: readonly number[]): Promise<void> {
    const { runner, logger } = this.#context
    await Promise.all(
      tasks.map(async (task) => {
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
    const planning = { config }
    this.#planning = planning
    void this.#plan(config, () => this.#planning !== planning)
      .catch((error: unknown) => {
        if (this.#planning === planning) this.#planningFailed(config, error)
      })
      .finally(() => {
        if (this.#planning === planning) this.#planning = undefined
        this.wake()
      })
  }

  async #plan(config: Config, superseded: () => boolean): Promise<void> {
    const { plugins, runner, store, planTimeoutMs, commitTasks } = this.#context
    const tasks = await planTasks(plugins, runner, config, planTimeoutMs)
    if (superseded()) return
    await commitTasks(this.#name, config, tasks)
    const after = store.get(this.#name)
    if (superseded() || after?.config !== config || !sameConfigs(after.tasks, tasks)) return
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
    this.#failed = undefined
    this.#planning = undefined
    this.#planned = undefined
  }

  #markForRestart(task: number): void {
    this.#restarts.add(task)
    this.#tellTask(task, 'RESTARTING')
  }

  #limited(promise: Promise<void>, what: string): Promise<void> {
    return withTimeLimit(promise, this.#context.taskTimeoutMs, what)
  }

  #tell(state: State, trace?: string): void {
    const { statuses, workerId, assignment } = this.#context
    const before = statuses.connector(this.#name)
    const same = before?.state === state && before.trace === trace && before.workerId === workerId
    if (same && before.generation === assignment.generation) return
    statuses.putConnector(this.#name, { state, workerId, generation: assignment.generation, trace }, { safe: true })
  }

  #tellTask(task: number, state: State, trace?: string): void {
    const { statuses, workerId, assignment } = this.#context
    statuses.putTask(this.#name, task, { state, workerId, generation: assignment.generation, trace }, { safe: true })
  }
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // What the user can mend needs no stack.
  const known = isErrorKind(error, 'ConfigError') || isErrorKind(error, 'NotFoundError')
  return known ? `${error.name}: ${error.message}` : (error.stack ?? error.message)
}
