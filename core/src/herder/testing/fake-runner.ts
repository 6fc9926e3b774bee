/** Task hosts that run nothing: they note what they are asked, and tell the states that a test wants told. */
import type { ConfigProblems } from '@tidewire/sdk'
import type { ErrandKind, Errands } from '../../worker/errand-messages.ts'
import type { WorkerTaskMetrics } from '../../worker/task-metrics.ts'
import type { ShownProgress } from '../../worker/task-progress.ts'
import type { SignalPlace, TaskId, TaskSpec, TaskStatus } from '../../worker/task-spec.ts'
import type { TaskRunner } from '../task-runner.ts'

type Config = Readonly<Record<string, string>>

export class FakeRunner implements TaskRunner {
  readonly running = new Map<string, TaskSpec & { paused: boolean }>()
  /** Everything asked, in order: `start a-0`. */
  readonly calls: string[] = []
  plan: (config: Config, maxTasks: number) => Promise<Record<string, string>[]> = async () => [{}]
  problems: ConfigProblems = {}
  /** What transforms and predicates say of their settings. */
  partProblems: ConfigProblems = {}
  /** What an errand comes to. */
  errand: (errand: Errands[ErrandKind]['errand']) => Promise<unknown> = () =>
    Promise.reject(new Error('no errands here'))
  startError: Error | undefined
  closed = false
  readonly #onStatus: (status: TaskStatus) => void
  readonly #onProgress: (id: TaskId, run: number, progress: ShownProgress) => void

  constructor(
    onStatus: (status: TaskStatus) => void,
    onProgress: (id: TaskId, run: number, progress: ShownProgress) => void,
  ) {
    this.#onStatus = onStatus
    this.#onProgress = onProgress
  }

  tellProgress(id: string, progress: ShownProgress): void {
    const { connector, task, generation } = this.running.get(id)!
    this.#onProgress({ connector, task }, generation, progress)
  }

  tell(id: string, state: TaskStatus['state'], trace?: string): void {
    const { connector, task, generation } = this.running.get(id)!
    this.#onStatus({ connector, task, generation, state, ...(trace === undefined ? {} : { trace }) })
  }

  async startTask(spec: TaskSpec): Promise<void> {
    const id = `${spec.connector}-${spec.task}`
    this.calls.push(`start ${id}`)
    if (this.startError !== undefined) throw this.startError
    if (this.running.has(id)) throw new Error(`${id} runs already`)
    const paused = spec.targetState === 'PAUSED'
    this.running.set(id, { ...spec, paused })
    this.tell(id, paused ? 'PAUSED' : 'RUNNING')
  }

  async stopTask({ connector, task }: TaskId): Promise<void> {
    this.calls.push(`stop ${connector}-${task}`)
    this.running.delete(`${connector}-${task}`)
  }

  async pauseTask({ connector, task }: TaskId): Promise<void> {
    this.calls.push(`pause ${connector}-${task}`)
    this.running.get(`${connector}-${task}`)!.paused = true
    this.tell(`${connector}-${task}`, 'PAUSED')
  }

  async resumeTask({ connector, task }: TaskId): Promise<void> {
    this.calls.push(`resume ${connector}-${task}`)
    this.running.get(`${connector}-${task}`)!.paused = false
    this.tell(`${connector}-${task}`, 'RUNNING')
  }

  async forgetTopics({ connector, task }: TaskId): Promise<void> {
    this.calls.push(`forget topics ${connector}-${task}`)
  }

  async planTasks(_ref: unknown, config: Config, maxTasks: number): Promise<Record<string, string>[]> {
    this.calls.push(`plan ${config['name']!}`)
    return this.plan(config, maxTasks)
  }

  async runErrand<K extends ErrandKind>(kind: K, errand: Errands[K]['errand']): Promise<Errands[K]['end']> {
    this.calls.push(`${kind} ${errand.spec.connector}`)
    return (await this.errand(errand)) as Errands[K]['end']
  }

  async check(): Promise<ConfigProblems> {
    return this.problems
  }

  async checkPart(): Promise<ConfigProblems> {
    return this.partProblems
  }

  async signalPlace(): Promise<SignalPlace | undefined> {
    return undefined
  }

  async metrics(): Promise<WorkerTaskMetrics[]> {
    return []
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
