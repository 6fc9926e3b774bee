/**
 * The thread side of task hosting: the tasks of one thread, what they share, and whose fault it is when code that nobody
 * awaits throws.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { NotFoundError, type Sink, type Source } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import { ConfigProviders, withReferences, type ResolvedConfig } from '../config/config-providers.ts'
import { frameworkSettings } from '../config/connector-settings.ts'
import { Secrets, secretValues } from '../config/secrets.ts'
import type { ChainKind } from '../config/transform-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { loadConnector, loadPredicate, loadTransform } from '../plugin/load.ts'
import type { PluginRef } from '../plugin/manifest.ts'
import { ActiveTopics } from './active-topics.ts'
import { ByteBudget } from './byte-budget.ts'
import { buildTask } from './build-task.ts'
import { parseConnectorConfig, requireValid } from './connector-config.ts'
import {
  traceOf,
  type HostBirth,
  type HostCall,
  type HostCalls,
  type HostMessage,
  type HostSettings,
} from './host-messages.ts'
import { Lease } from './lease.ts'
import { logClients, type OpenClient } from './log-clients.ts'
import { OffsetStore } from './offset-store.ts'
import { isPermanent } from './restart-policy.ts'
import { taskKey, type SignalPlace, type TaskId, type TaskSpec } from './task-spec.ts'
import { scrubbedLogger } from './resolve-task.ts'
import { TaskActivity } from './task-activity.ts'
import { isOvertaken } from './task-client.ts'
import { taskMetrics, type TaskMetrics } from './task-metrics.ts'
import { ProgressNews } from './task-progress.ts'
import type { TaskRunner } from './task-runner.ts'
import { within } from './time-limit.ts'
import { parsePart } from './transform-chain.ts'
import type { Turns } from './turns.ts'

type Config = Readonly<Record<string, string>>

interface HostedTask {
  readonly spec: TaskSpec
  readonly activity: TaskActivity
  readonly topics: ActiveTopics
  readonly secrets: Secrets
  readonly progress: ProgressNews
  /** Undefined until it is put together. */
  runner: TaskRunner | undefined
  paused: boolean
  stopping: boolean
  failed: boolean
  /** It has been told so. */
  running: boolean
  /** The kind of wait that it was told to be stalled for. */
  stalled: string | undefined
  ended: Promise<void>
}

/** A pause between two looks that the process cannot have made of its own accord. */
const maxLookPauseMs = 10_000

interface Shared {
  readonly openClient: OpenClient
  readonly client: LogClient
  readonly offsets: OffsetStore
}

type Handlers = { [K in HostCall]: (args: HostCalls[K]['args']) => Promise<HostCalls[K]['answer']> }

/** See the head of the file. */
export class TaskHost {
  readonly #settings: HostSettings
  readonly #post: (message: HostMessage) => void
  readonly #logger: Logger
  readonly #turns: Turns
  readonly #budget: ByteBudget
  readonly #tasks = new Map<string, HostedTask>()
  /** The task whose code is running, through all that it awaits, schedules and listens to. */
  readonly #current = new AsyncLocalStorage<HostedTask>()
  readonly #lease: Lease
  readonly #questions = new Map<number, (yes: boolean) => void>()
  readonly #providers: ConfigProviders
  #lastQuestion = 0
  #lastLook = Date.now()
  #shared: Promise<Shared> | undefined

  constructor(settings: HostBirth, post: (message: HostMessage) => void, logger: Logger, turns: Turns) {
    this.#settings = settings
    this.#post = post
    this.#logger = logger
    this.#lease = new Lease(settings.lease)
    this.#turns = turns
    this.#budget = new ByteBudget(settings.budget, settings.loans)
    this.#providers = new ConfigProviders(settings.configProviders)
    turns.note(() => this.#current.getStore()?.activity)
  }

  readonly calls: Handlers = {
    start: async ({ spec, slot }) => this.#start(spec, slot),
    stop: async ({ id, graceMs }) => this.#stop(id, graceMs),
    pause: async ({ id }) => this.#setPaused(id, true),
    resume: async ({ id }) => this.#setPaused(id, false),
    forgetTopics: async ({ id }) => this.#forgetTopics(id),
    mayRun: async ({ question, yes }) => this.#answered(question, yes),
    plan: async ({ ref, config, maxTasks }) => this.#plan(ref, config, maxTasks),
    check: async ({ ref, config }) => this.#check(ref, config),
    checkPart: async ({ kind, ref, config }) => this.#checkPart(kind, ref, config),
    signalPlace: async ({ ref, config }) => this.#signalPlace(ref, config),
    metrics: async () => this.#metrics(),
    close: async () => this.#close(),
  }

  /** An error that nobody caught: fails the task it came from; where that cannot be told, all tasks. */
  uncaught(error: unknown): void {
    const culprit = this.#current.getStore()
    if (culprit !== undefined) {
      this.#failFromOutside(culprit, error)
      return
    }
    const tasks = [...this.#tasks.values()]
    const clean = tasks.reduce((left, { secrets }) => secrets.scrubAll(left), error)
    this.#logger.error('an error that no task can be named for: all tasks of the thread fail', {
      error: traceOf(clean),
    })
    for (const task of tasks) this.#failFromOutside(task, clean)
  }

  #failFromOutside(task: HostedTask, error: unknown): void {
    if (task.stopping || task.failed) {
      const { connector, task: number } = task.spec
      this.#logger.warn('a task that has ended threw', {
        connector,
        task: number,
        error: task.secrets.scrub(traceOf(error)),
      })
      return
    }
    if (task.runner !== undefined) task.runner.fail(error)
    else this.#tellFailed(task, error)
  }

  async #start(spec: TaskSpec, slot: number): Promise<undefined> {
    const key = taskKey(spec)
    if (this.#tasks.has(key)) throw new Error(`task ${key} runs already`)
    const task: HostedTask = {
      spec,
      activity: new TaskActivity(slot, this.#turns),
      topics: new ActiveTopics(this.#settings.trackTopics ? (topic) => this.#tellTopic(spec, topic) : undefined),
      secrets: new Secrets(),
      progress: new ProgressNews(),
      runner: undefined,
      paused: spec.targetState === 'PAUSED',
      stopping: false,
      failed: false,
      running: false,
      stalled: undefined,
      ended: Promise.resolve(),
    }
    this.#tasks.set(key, task)
    task.ended = this.#current
      .run(task, async () => this.#run(task))
      .catch((error: unknown) => this.#tellFailed(task, error))
      .finally(() => {
        if (this.#tasks.get(key) === task) this.#tasks.delete(key)
      })
    return Promise.resolve(undefined)
  }

  async #run(task: HostedTask): Promise<void> {
    // What the tasks of the thread share is no task's.
    this.#shared ??= this.#current.exit(() => this.#open())
    const { client, offsets, openClient } = await this.#shared
    const own: LogClient[] = []
    const open: OpenClient = (options) => own[own.push(openClient(options)) - 1]!
    try {
      await this.#runWith(task, { client, offsets, openClient: open })
    } finally {
      await Promise.all(own.map((each) => each.close()))
    }
  }

  /** @param shared opens clients of the task's own */
  async #runWith(task: HostedTask, shared: Shared): Promise<void> {
    const { spec } = task
    const runner = await buildTask(spec, {
      settings: this.#settings,
      activity: task.activity,
      activeTopics: task.topics,
      budget: this.#budget,
      logger: this.#logger,
      lease: this.#lease,
      mayRun: () => this.#mayRun(spec),
      providers: this.#providers,
      secrets: task.secrets,
      progress: task.progress.tell,
      ...shared,
    })
    if (task.stopping || task.failed) return
    task.runner = runner
    if (task.paused) runner.pause()
    else runner.resume()
    await runner.run(() => {
      task.running = true
      this.#tellRunning(task)
    })
  }

  #mayRun(spec: TaskSpec): Promise<boolean> {
    const question = ++this.#lastQuestion
    return new Promise((resolve) => {
      this.#questions.set(question, resolve)
      this.#post({ kind: 'mayRun', id: idOf(spec), generation: spec.generation, question })
    })
  }

  #answered(question: number, yes: boolean): undefined {
    this.#questions.get(question)?.(yes)
    this.#questions.delete(question)
    return undefined
  }

  async #open(): Promise<Shared> {
    const { security, offsetTopic } = this.#settings
    const openClient = await logClients(this.#settings, this.#logger)
    const client = openClient(security)
    return { client, offsets: new OffsetStore({ client, topic: offsetTopic, logger: this.#logger }), openClient }
  }

  async #stop(id: TaskId, graceMs: number): Promise<'ended' | 'cut off'> {
    const task = this.#tasks.get(taskKey(id))
    if (task === undefined) return 'ended'
    task.stopping = true
    const began = performance.now()
    const outcome =
      task.runner === undefined
        ? (await within(graceMs, task.ended))
          ? 'ended'
          : 'cut off'
        : await task.runner.stop(graceMs)
    // The loop of a task that was cut off ends at its next step, if there is one.
    if (outcome === 'ended') await within(Math.max(100, graceMs - (performance.now() - began)), task.ended)
    this.#tasks.delete(taskKey(id))
    return outcome
  }

  async #setPaused(id: TaskId, paused: boolean): Promise<undefined> {
    const task = this.#tasks.get(taskKey(id))
    if (task === undefined) throw new NotFoundError(`task ${taskKey(id)} does not run here`)
    task.paused = paused
    if (task.runner !== undefined) {
      if (paused) task.runner.pause()
      else task.runner.resume()
      this.#tellRunning(task)
    }
    return Promise.resolve(undefined)
  }

  #metrics(): Promise<TaskMetrics[]> {
    return Promise.resolve([...this.#tasks.values()].map(({ spec, activity }) => taskMetrics(spec, activity.counts)))
  }

  #forgetTopics(id: TaskId): Promise<undefined> {
    this.#tasks.get(taskKey(id))?.topics.forget()
    return Promise.resolve(undefined)
  }

  #tellTopic(spec: TaskSpec, topic: string): void {
    this.#post({ kind: 'topic', id: idOf(spec), generation: spec.generation, topic })
  }

  /** One map of settings a task, as the connector splits its work. */
  async #plan(ref: PluginRef, raw: Config, maxTasks: number): Promise<Record<string, string>[]> {
    return this.#withConfig(ref, raw, async (connector, resolved, secrets) => {
      requireValid(resolved.errors)
      const { config, problems } = parseConnectorConfig(connector, resolved.config)
      requireValid(problems)
      if (connector.tasks === undefined) {
        return connector.type === 'source' ? [{}] : Array.from({ length: maxTasks }, () => ({}))
      }
      const { signal } = new AbortController()
      const log = scrubbedLogger(this.#logger.child({ connector: raw['name'] }), secrets)
      const tasks = await connector.tasks(config, maxTasks, { signal, log })
      return tasks.map((task) => withReferences(task, raw, resolved))
    })
  }

  async #check(ref: PluginRef, raw: Config): Promise<Record<string, string[]>> {
    return this.#withConfig(ref, raw, (connector, { config, errors }, secrets) =>
      Object.keys(errors).length > 0 ? errors : secrets.scrubAll(parseConnectorConfig(connector, config).problems),
    )
  }

  async #checkPart(kind: ChainKind, ref: PluginRef, raw: Config): Promise<Record<string, string[]>> {
    const secrets = new Secrets()
    try {
      const { config, values, errors } = await this.#providers.resolve(raw)
      secrets.add(values.values())
      const definition = kind === 'transforms' ? await loadTransform(ref) : await loadPredicate(ref)
      secrets.add(secretValues(config, definition.config, {}))
      return Object.keys(errors).length > 0 ? errors : secrets.scrubAll(parsePart(definition, config).problems)
    } catch (error) {
      throw secrets.scrubAll(error)
    }
  }

  async #signalPlace(ref: PluginRef, raw: Config): Promise<SignalPlace | undefined> {
    return this.#withConfig(ref, raw, (connector, resolved) => {
      requireValid(resolved.errors)
      const { config, problems } = parseConnectorConfig(connector, resolved.config)
      requireValid(problems)
      const signals = connector.type === 'source' ? connector.signals : undefined
      const topic = signals?.topic(config)
      const key = signals?.key?.(config)
      return topic === undefined ? undefined : { topic, ...(key === undefined ? {} : { key }) }
    })
  }

  /** What is thrown holds no secrets. */
  async #withConfig<T>(
    ref: PluginRef,
    raw: Config,
    work: (connector: Source | Sink, resolved: ResolvedConfig, secrets: Secrets) => T | Promise<T>,
  ): Promise<T> {
    const secrets = new Secrets()
    try {
      const resolved = await this.#providers.resolve(raw)
      secrets.add(resolved.values.values())
      const connector: Source | Sink = await loadConnector(ref)
      secrets.add(secretValues(resolved.config, connector.config, frameworkSettings(connector.type)))
      return await work(connector, resolved, secrets)
    } catch (error) {
      throw secrets.scrubAll(error)
    }
  }

  async #close(): Promise<undefined> {
    const shared = await this.#shared?.catch(() => undefined)
    await shared?.offsets.close()
    await shared?.client.close()
    return undefined
  }

  /** To be called every second or so: tells what tasks say of how they get on, where that is news. */
  tellProgress(): void {
    for (const { spec, progress, secrets, running, stopping, failed } of this.#tasks.values()) {
      if (!running || stopping || failed) continue
      const news = progress.take(secrets.scrub)
      if (news !== undefined)
        this.#post({ kind: 'progress', id: idOf(spec), generation: spec.generation, progress: news })
    }
  }

  /** To be called every second or so: tells of tasks that have work and do not get on with it, and of those that do again. */
  lookForStalls(): void {
    const now = Date.now()
    // The whole process was held: whatever did not move meanwhile could not.
    const wasHeld = now - this.#lastLook > maxLookPauseMs
    this.#lastLook = now
    if (wasHeld) return
    for (const task of this.#tasks.values()) this.#lookForStall(task, now)
  }

  #lookForStall(task: HostedTask, now: number): void {
    const { spec, runner, stopping, failed } = task
    if (runner === undefined || stopping || failed) return
    const wait = runner.waitsFor()
    const limitMs = Number(spec.config['task.stalled.after.ms'] ?? this.#settings.stalledAfterMs)
    if (wait !== undefined && limitMs > 0 && now - wait.since >= limitMs) {
      if (task.stalled === wait.kind) return
      task.stalled = wait.kind
      const trace = `${task.secrets.scrub(wait.what)} (since ${new Date(wait.since).toISOString()})`
      this.#post({ kind: 'stalled', id: idOf(spec), generation: spec.generation, trace })
    } else if (task.stalled !== undefined && task.running) {
      this.#tellRunning(task)
    }
  }

  #tellRunning(task: HostedTask): void {
    if (task.stopping || task.failed) return
    task.stalled = undefined
    const { spec, paused } = task
    this.#post({ kind: paused ? 'paused' : 'running', id: idOf(spec), generation: spec.generation })
  }

  #tellFailed(task: HostedTask, error: unknown): void {
    const { spec } = task
    if (task.failed) return
    task.failed = true
    const overtaken = isOvertaken(error)
    const { scrub } = task.secrets
    if (task.stopping) {
      if (overtaken) return
      this.#logger.warn('a task failed while it was stopped', { ...idOf(spec), error: scrub(traceOf(error)) })
      return
    }
    this.#post({
      kind: 'failed',
      id: idOf(spec),
      generation: spec.generation,
      trace: scrub(overtaken ? messageOf(error) : traceOf(error)),
      permanent: isPermanent(error),
      overtaken,
    })
  }
}

function idOf({ connector, task }: TaskSpec): TaskId {
  return { connector, task }
}
