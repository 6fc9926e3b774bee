/**
 * Previews, dead letters and re-drives of connectors, on whichever worker is asked: what they need to know is in the
 * config topic, and what they do is done in threads of their own (core/src/worker/errand-runner.ts).
 */
import { inspect } from 'node:util'
import { ConfigError, NotFoundError, RetriableError } from '@tidewire/sdk'
import type { Cluster } from '../cluster/cluster.ts'
import { unmaskSecrets } from '../config/secrets.ts'
import { stringifyExact } from '@tidewire/sdk/exact-json'
import { messageOf } from '../logging/message-of.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type {
  Ended,
  ListedLetter,
  ListEnd,
  ListErrand,
  PreviewedRecord,
  PreviewErrand,
  RedriveEnd,
  RedriveErrand,
  RedrivenLetter,
  TryEnd,
} from '../worker/errand-messages.ts'
import type { TaskSpec } from '../worker/task-spec.ts'
import { pause } from '../worker/time-limit.ts'
import type { Config, StoredConnector } from './config-store.ts'
import type { ConnectorViews } from './connector-views.ts'
import { tryLimitMs } from './deep-validation.ts'
import { planTasks, taskPlugins, workerRead, type WorkerParts } from './task-spec.ts'
import type { TaskRunner } from './task-runner.ts'
import { InvalidConfigError, type ConfigValidator } from './validation.ts'

export type { LetterChoice } from '../worker/errand-messages.ts'
export type ListRequest = Omit<ListErrand, 'spec' | 'topic'>
export type RedriveRequest = Omit<RedriveErrand, 'spec' | 'topic' | 'alone'>

export interface PreviewRequest extends Omit<PreviewErrand, 'spec'> {
  /** Undefined: the stored one. */
  readonly config: Config | undefined
  /** Which of the tasks that the connector's work is split into. */
  readonly task: number
}

/** The answer to a preview. */
export interface Preview {
  readonly name: string
  readonly type: 'source' | 'sink'
  readonly task: number
  /** How many tasks the work is split into; only the records of this one are seen. */
  readonly tasks: number
  readonly records: readonly PreviewedRecord[]
  readonly ended: Ended
  readonly error?: string
  /** What the connector and its clients had to say, warnings and errors above all. */
  readonly log: readonly { readonly level: string; readonly message: string; readonly details: string }[]
  readonly warnings: readonly string[]
}

export interface ConnectorErrandsOptions {
  readonly views: ConnectorViews
  readonly validator: ConfigValidator
  readonly plugins: PluginRegistry
  readonly cluster: Pick<Cluster, 'refresh' | 'runsTasks'>
  readonly worker: WorkerParts
  /** @throws RetriableError while the worker starts */
  readonly runner: () => TaskRunner
  /** Reads all that is in the config topic now. */
  readonly catchUp: () => Promise<void>
  readonly planTimeoutMs: number
}

/** The answer as JSON, in which the numbers of records keep all their digits. */
export function previewText(preview: Preview): string {
  return stringifyExact(preview)
}

/** How long a re-drive waits for the tasks of a connector that was stopped. */
const stopLimitMs = 10_000
const stopLookMs = 50
const maxLogLines = 50
const maxDetails = 1000

/** See the head of the file. */
export class ConnectorErrands {
  readonly #options: ConnectorErrandsOptions
  /** Connectors whose letters are being put back here. */
  readonly #redriving = new Set<string>()

  constructor(options: ConnectorErrandsOptions) {
    this.#options = options
  }

  /**
   * Shows what a connector would do, and writes nothing.
   * @throws InvalidConfigError as for a connector that is to be made; NotFoundError
   */
  async preview(name: string, request: PreviewRequest, signal: AbortSignal): Promise<Preview> {
    const { validator, runner } = this.#options
    const { config: given, task, ...wanted } = request
    const stored = given === undefined ? (await this.#stored(name)).config : this.#options.views.storedConfig(name)
    const config: Config = { ...unmaskSecrets(given ?? stored!, stored), name }
    const { errors, warnings, plugin } = await validator.validate(config)
    if (Object.keys(errors).length > 0) throw new InvalidConfigError(errors, warnings)
    const { type } = plugin.manifest
    if (type === 'source' && (wanted.from === 'latest' || typeof wanted.from !== 'string')) {
      throw new ConfigError('a source is read from "earliest" or "committed"')
    }
    const { spec, tasks } = await this.#spec(name, config, task)
    const records: PreviewedRecord[] = []
    const log: Preview['log'][number][] = []
    const about = { name, type, task, tasks, records, log, warnings }
    try {
      const end = await runner().runErrand(
        'preview',
        { ...wanted, spec },
        {
          signal,
          onItem: (record) => void records.push(record),
          onLog: ({ level, message, details }) => {
            if (level === 'debug' || log.length >= maxLogLines) return
            // Whose it is goes without saying.
            const own = Object.entries(details).filter(([key]) => key !== 'connector' && key !== 'errand')
            const text = own.length === 0 ? '' : inspect(Object.fromEntries(own), { breakLength: Infinity })
            log.push({ level, message, details: text.slice(0, maxDetails) })
          },
        },
      )
      return { ...about, ...end }
    } catch (error) {
      // What stands in the way of every record is the answer where it is not the request's fault.
      if (error instanceof Error && error.name === 'ErrandsBusyError') throw error
      if (error instanceof Error && error.name === 'ConfigError') throw new ConfigError(error.message)
      return { ...about, ended: 'failed', error: messageOf(error) }
    }
  }

  /** Has a connector, which need not exist, try its config on the external system: see the SDK's `tryOut`. */
  async tryOut(config: Config, signal: AbortSignal): Promise<TryEnd> {
    const { spec } = await this.#spec(config['name'] ?? '', config, undefined)
    const calls = { signal, onItem: () => undefined }
    return this.#options.runner().runErrand('try', { spec, timeoutMs: tryLimitMs }, calls)
  }

  /** The dead letters of a connector. @throws NotFoundError, also where it has no topic for them */
  async letters(
    name: string,
    request: ListRequest,
    signal: AbortSignal,
  ): Promise<ListEnd & { readonly letters: readonly ListedLetter[] }> {
    const { config } = await this.#stored(name)
    const topic = await this.#letterTopic(name, config)
    const { spec } = await this.#spec(name, config, undefined)
    const letters: ListedLetter[] = []
    const onItem = (letter: ListedLetter): void => void letters.push(letter)
    const end = await this.#options.runner().runErrand('list', { ...request, spec, topic }, { signal, onItem })
    return { ...end, letters }
  }

  /**
   * Puts dead letters of a connector back through it. One at a time for each connector.
   * @throws NotFoundError, also where it has no topic for them; RetriableError while another is under way
   */
  async redrive(
    name: string,
    request: RedriveRequest,
    onLetter: (letter: RedrivenLetter) => void,
    signal: AbortSignal,
  ): Promise<RedriveEnd> {
    const stored = await this.#stored(name)
    const topic = await this.#letterTopic(name, stored.config)
    if (this.#redriving.has(name)) throw new RetriableError(`dead letters of ${name} are being put back already`)
    this.#redriving.add(name)
    try {
      const { spec } = await this.#spec(name, stored.config, 0)
      const alone = await this.#isStopped(name, signal)
      return await this.#options
        .runner()
        .runErrand('redrive', { ...request, spec, topic, alone }, { signal, onItem: onLetter })
    } finally {
      this.#redriving.delete(name)
    }
  }

  async #letterTopic(name: string, config: Config): Promise<string> {
    const { 'errors.deadletterqueue.topic.name': given = '' } = await workerRead(this.#options.worker, config)
    const topic = given.trim()
    if (topic !== '') return topic
    throw new NotFoundError(`Connector ${name} has no dead letter topic: errors.deadletterqueue.topic.name is not set`)
  }

  /** Whether nothing of it runs on any worker; tasks that are just stopping are waited for. */
  async #isStopped(name: string, signal: AbortSignal): Promise<boolean> {
    const { views, cluster } = this.#options
    const deadline = performance.now() + stopLimitMs
    for (;;) {
      await cluster.refresh()
      if (views.stored(name).targetState !== 'STOPPED') return false
      // States do not say so: those of a stopped connector's tasks are removed, whoever still has one.
      if (!cluster.runsTasks(name)) return true
      if (signal.aborted || performance.now() > deadline) return false
      await pause(stopLookMs, signal)
    }
  }

  /** One made a moment ago by another worker is found too. @throws NotFoundError */
  async #stored(name: string): Promise<StoredConnector> {
    const { views, catchUp } = this.#options
    await catchUp()
    return views.stored(name)
  }

  /** @param task undefined: the connector's config alone will do */
  async #spec(name: string, config: Config, task: number | undefined) {
    const { plugins, worker, runner, planTimeoutMs } = this.#options
    const { spec: parts } = await taskPlugins(plugins, worker, config)
    const configs = task === undefined ? [config] : await planTasks(plugins, runner(), worker, config, planTimeoutMs)
    const own = configs[task ?? 0]
    if (own === undefined) {
      throw new ConfigError(`the work of the connector is split into ${configs.length} tasks: there is no task ${task}`)
    }
    const spec: TaskSpec = {
      connector: name,
      task: task ?? 0,
      ...parts,
      config: own,
      targetState: 'STARTED',
      generation: 0,
    }
    return { spec, tasks: configs.length }
  }
}
