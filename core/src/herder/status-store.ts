import { setTimeout as sleep } from 'node:timers/promises'
import type { LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { LatestWrites } from '../cluster/latest-writes.ts'
import { TopicLog, type TopicLogRecord } from '../cluster/topic-log.ts'
import type { TaskId } from '../worker/task-spec.ts'
import { parseProgress, type ShownProgress } from '../worker/task-progress.ts'
import { parseTopicKey, TopicStatuses, topicStatusRecord, type TopicStatus } from './topic-statuses.ts'

/** STALLED is no word of Kafka Connect's. */
export type State = 'UNASSIGNED' | 'RUNNING' | 'STALLED' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'STOPPED'

const states: ReadonlySet<string> = new Set<State>([
  'UNASSIGNED',
  'RUNNING',
  'STALLED',
  'PAUSED',
  'FAILED',
  'RESTARTING',
  'STOPPED',
])

/** The state of a connector or task, as the worker that runs it last told. */
export interface Status {
  readonly state: State
  readonly workerId: string
  /** Generation of the assignment under which it was told. */
  readonly generation: number
  /** Why it failed. */
  readonly trace?: string | undefined
  /** Of the plugin that runs, as Kafka Connect 4.1 and later has it. */
  readonly version?: string | undefined
  /** Of a task that runs: how it gets on, if it says so. */
  readonly progress?: ShownProgress | undefined
}

export interface StatusStoreOptions {
  readonly client: LogClient
  readonly topic: string
  readonly logger: Logger
  /** Of this worker, as its statuses have it. */
  readonly workerId: string
  /** Whether this worker is the one to run it, as far as it knows. */
  readonly isMine: (connector: string, task: number | undefined) => boolean
  /** Another state is known now. Not called while the topic is first read, nor where one is removed. */
  readonly changed: (connector: string, task: number | undefined, status: Status) => void
  /** It is in the topic now how a task gets on, which is less often than this worker knows it of its own. */
  readonly progressed: (connector: string, task: number, progress: ShownProgress) => void
  /** Topics of a connector were reset: what it uses from now on is to be told anew. */
  readonly topicsReset: (connector: string) => void
}

/** How often it is written how tasks get on. */
const progressIntervalMs = 10_000

interface ConnectorStates {
  connector: Status | undefined
  readonly tasks: Map<number, Status>
}

/**
 * States of connectors and tasks, in memory as the status topic has them. Writes are told at once and carried out in
 * the background, the newest for each key: who tells a state has no time to wait.
 */
export class StatusStore {
  readonly #options: StatusStoreOptions
  readonly #log: TopicLog
  readonly #states = new Map<string, ConnectorStates>()
  readonly #topics = new TopicStatuses()
  /** By key: what was told last and has not come back yet. Until it does, an older echo must not bring the past back. */
  readonly #told = new Map<string, string | null>()
  readonly #writes: LatestWrites
  readonly #stop = new AbortController()
  /** Keys of tasks of this worker that have got on since that was written last. */
  readonly #gotOn = new Map<string, TaskId>()
  #live = false
  #progressTimer: NodeJS.Timeout | undefined

  constructor(options: StatusStoreOptions) {
    this.#options = options
    this.#log = new TopicLog({ ...options, onRecord: (record) => this.#echoed(record) })
    const { topic, logger } = options
    this.#writes = new LatestWrites({ log: this.#log, topic, logger, signal: this.#stop.signal })
  }

  async start(): Promise<void> {
    await this.#log.start()
    this.#live = true
    this.#progressTimer = setInterval(() => this.writeProgress(), progressIntervalMs).unref()
  }

  /** Resolves when what has been told is written, or cannot be within the time. */
  async flush(limitMs: number): Promise<void> {
    const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(limitMs)])
    while (this.#writes.underWay !== undefined && !limit.aborted) {
      await Promise.race([this.#writes.underWay, sleep(limitMs, undefined, { signal: limit }).catch(() => undefined)])
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#progressTimer)
    await this.#log.close()
    await this.#writes.underWay
  }

  /** Connectors that have a status of any kind, also those that do not exist any more. */
  connectors(): string[] {
    return [...new Set([...this.#states.keys(), ...this.#topics.connectors()])]
  }

  connector(name: string): Status | undefined {
    return this.#states.get(name)?.connector
  }

  task(connector: string, task: number): Status | undefined {
    return this.#states.get(connector)?.tasks.get(task)
  }

  /** By task number, in order. */
  tasks(connector: string): readonly (readonly [number, Status])[] {
    return [...(this.#states.get(connector)?.tasks ?? [])].sort(([a], [b]) => a - b)
  }

  /**
   * Tells a state. A `safe` one gives way to what another worker has told under a newer assignment: a worker that lost
   * a task may still have something to say about it.
   */
  putConnector(name: string, status: Status, options: { readonly safe?: boolean } = {}): void {
    if (options.safe === true && !mayFollow(this.connector(name), status)) return
    this.#tell(`status-connector-${name}`, status)
  }

  putTask(connector: string, task: number, status: Status, options: { readonly safe?: boolean } = {}): void {
    const before = this.task(connector, task)
    if (options.safe === true && !mayFollow(before, status)) return
    const progress = runs(status) && before?.workerId === status.workerId ? before.progress : undefined
    this.#tell(`status-task-${connector}-${task}`, { ...status, progress })
  }

  /** Notes how a task that runs here gets on; others learn it when that is next written. */
  putProgress(id: TaskId, progress: ShownProgress): void {
    const { connector, task } = id
    const status = this.task(connector, task)
    if (status === undefined || !runs(status)) return
    this.#states.get(connector)!.tasks.set(task, { ...status, progress })
    this.#gotOn.set(`status-task-${connector}-${task}`, id)
  }

  /** Writes what was noted since the last time. Called by itself every ten seconds. */
  writeProgress(): void {
    for (const [key, { connector, task }] of this.#gotOn) {
      const status = this.task(connector, task)
      if (status?.progress === undefined) continue
      this.#tell(key, status)
      this.#options.progressed(connector, task, status.progress)
    }
    this.#gotOn.clear()
  }

  /** The topics that the connector has used since it was made, or since they were reset. */
  topics(connector: string): string[] {
    return this.#topics.of(connector)
  }

  /** A task uses a topic. Told once; when it was first seen to stays. */
  putTopic(status: TopicStatus): void {
    if (!this.#topics.has(status)) this.#tellRecord(topicStatusRecord(status))
  }

  resetTopics(connector: string): void {
    for (const record of this.#topics.tombstones(connector)) this.#tellRecord(record)
  }

  /** Removes the status of the connector and of all its tasks, and the topics that it used. */
  remove(connector: string): void {
    this.resetTopics(connector)
    if (!this.#states.has(connector)) return
    this.#tell(`status-connector-${connector}`, null)
    for (const [task] of this.tasks(connector)) this.removeTask(connector, task)
  }

  removeTask(connector: string, task: number): void {
    this.#tell(`status-task-${connector}-${task}`, null)
  }

  #tell(key: string, status: Status | null): void {
    const value =
      status === null
        ? null
        : JSON.stringify({
            state: status.state,
            trace: status.trace ?? null,
            worker_id: status.workerId,
            generation: status.generation,
            ...(status.version === undefined ? {} : { version: status.version }),
            ...(status.progress === undefined ? {} : { progress: status.progress }),
          })
    this.#tellRecord({ key, value })
  }

  #tellRecord({ key, value }: TopicLogRecord): void {
    // Memory knows at once, so that what is asked next has the answer; the log's own echo comes to the same.
    this.#read({ key, value })
    this.#told.set(key, value)
    void this.#writes.tell({ key, value })
  }

  #echoed(record: TopicLogRecord): void {
    const told = this.#told.get(record.key)
    if (told === record.value) this.#told.delete(record.key)
    if (told !== undefined && told !== record.value) return
    const mine = this.#mineBefore(record)
    if (mine === undefined) this.#read(record)
    // Who reads the topic later must not take the late word for the last one.
    else this.#tell(record.key, mine)
  }

  /**
   * What this worker told of something that it runs, where a worker that ran it before says only now that it failed, has
   * ceased to, or that there is no such task: it was paused, or cut off. Who does away with a task that runs here after all
   * leads this worker to stop it, and to say so itself.
   */
  #mineBefore({ key, value }: TopicLogRecord): Status | undefined {
    const { workerId, isMine } = this.#options
    const target = parseKey(key)
    if (target === undefined) return undefined
    const { connector, task } = target
    const mine = task === undefined ? this.connector(connector) : this.task(connector, task)
    if (mine?.workerId !== workerId || mine.state === 'UNASSIGNED' || !isMine(connector, task)) return undefined
    if (value === null) return mine
    try {
      const late = parseStatus(value)
      const isLate = late.workerId !== mine.workerId && late.generation < mine.generation
      return isLate ? mine : undefined
    } catch {
      return undefined
    }
  }

  #read({ key, value }: TopicLogRecord): void {
    const used = parseTopicKey(key)
    if (used !== undefined) {
      if (this.#topics.apply(used, value) && this.#live) this.#options.topicsReset(used.connector)
      return
    }
    const target = parseKey(key)
    if (target === undefined) return
    try {
      this.#apply(target, value === null ? undefined : parseStatus(value))
    } catch (error) {
      const { topic, logger } = this.#options
      logger.error('ignoring a record of the status topic', { topic, key, error: (error as Error).message })
    }
  }

  #apply({ connector, task }: StatusKey, status: Status | undefined): void {
    const entry = this.#states.get(connector) ?? { connector: undefined, tasks: new Map<number, Status>() }
    this.#states.set(connector, entry)
    const before = task === undefined ? entry.connector : entry.tasks.get(task)
    if (task === undefined) entry.connector = status
    else if (status === undefined) entry.tasks.delete(task)
    else entry.tasks.set(task, this.#withNewestProgress(status, before))
    if (entry.connector === undefined && entry.tasks.size === 0) this.#states.delete(connector)
    // What comes back from the log was known already.
    if (!this.#live || status === undefined) return
    if (!isSame(before, status)) this.#options.changed(connector, task, status)
    const { progress, workerId } = status
    const isNews = progress !== undefined && progress.at !== before?.progress?.at && workerId !== this.#options.workerId
    if (isNews && task !== undefined) this.#options.progressed(connector, task, progress)
  }

  /** What comes back from the log of this worker's own tasks is behind what it knows of them. */
  #withNewestProgress(status: Status, before: Status | undefined): Status {
    const isOwn = this.#live && [status, before].every((each) => each?.workerId === this.#options.workerId)
    return isOwn && runs(status) && before !== undefined && runs(before)
      ? { ...status, progress: before.progress }
      : status
  }
}

interface StatusKey {
  readonly connector: string
  readonly task?: number
}

function parseKey(key: string): StatusKey | undefined {
  if (key.startsWith('status-connector-')) return { connector: key.slice('status-connector-'.length) }
  if (!key.startsWith('status-task-')) return undefined
  const rest = key.slice('status-task-'.length)
  const dash = rest.lastIndexOf('-')
  const task = Number(rest.slice(dash + 1))
  return dash < 1 || !Number.isInteger(task) ? undefined : { connector: rest.slice(0, dash), task }
}

function parseStatus(text: string): Status {
  const { state, trace, worker_id, generation, version, progress } = JSON.parse(text) as Record<string, unknown>
  const shown = parseProgress(progress)
  if (typeof state !== 'string' || !states.has(state)) throw new Error(`its state is not known`)
  return {
    state: state as State,
    workerId: typeof worker_id === 'string' ? worker_id : '',
    generation: typeof generation === 'number' ? generation : 0,
    ...(typeof trace === 'string' ? { trace } : {}),
    ...(typeof version === 'string' ? { version } : {}),
    ...(shown === undefined ? {} : { progress: shown }),
  }
}

/** Whether the state is one of a task that has begun and not ended. */
function runs({ state }: Status): boolean {
  return state === 'RUNNING' || state === 'STALLED' || state === 'PAUSED'
}

function isSame(a: Status | undefined, b: Status): boolean {
  return a?.state === b.state && a.workerId === b.workerId && a.trace === b.trace && a.version === b.version
}

function mayFollow(stored: Status | undefined, next: Status): boolean {
  return stored === undefined || stored.workerId === next.workerId || stored.generation <= next.generation
}
