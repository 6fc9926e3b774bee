/** Workers that run nothing but keep account of what they would, over a network that can be cut. */
import type { Cluster, Unit } from '../../core/src/cluster/cluster.ts'
import { hrtimeMs } from '../../core/src/cluster/lease.ts'
import { LogCluster } from '../../core/src/cluster/log-cluster.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { cuttableProxy, type CuttableProxy } from './cuttable-proxy.ts'

const sessionTimeoutMs = 2000
const maxDelayMs = 4000

export interface ToyClusterOptions {
  readonly address: string
  readonly groupId: string
  readonly topic: string
}

const keyOf = ({ connector, task }: Unit): string => `${connector}/${task ?? ''}`

/** What is common to the workers of one cluster: the work, and the account of who runs what. */
export class ToyCluster {
  readonly options: ToyClusterOptions
  readonly units: Unit[] = []
  readonly workers: ToyWorker[] = []
  /** What must never be: units that two could have written for at the same moment. */
  readonly overlaps: string[] = []
  readonly #watch: NodeJS.Timeout

  constructor(options: ToyClusterOptions) {
    this.options = options
    this.#watch = setInterval(() => this.check(), 2)
  }

  async start(workerId: string): Promise<ToyWorker> {
    const worker = await ToyWorker.create(this, workerId)
    this.workers.push(worker)
    await worker.start()
    return worker
  }

  addTasks(connector: string, count: number): void {
    this.units.push({ connector, weight: 0 })
    for (let task = 0; task < count; task++) this.units.push({ connector, task, weight: 1 })
    for (const worker of this.workers) worker.cluster.workChanged()
  }

  check(): void {
    for (const key of this.units.map(keyOf)) {
      const runners = this.workers.filter((worker) => worker.mayRun(key))
      if (runners.length > 1) this.overlaps.push(`${key}: ${runners.map(({ workerId }) => workerId).join()}`)
    }
  }

  /** By one worker each, who knows it; and as many at each as at any other, or one more. */
  isPlaced(among: readonly ToyWorker[]): boolean {
    const tasks = this.units.filter(({ task }) => task !== undefined)
    const counts = among.map((worker) => tasks.filter((unit) => worker.mayRun(keyOf(unit))).length)
    const all = counts.reduce((sum, count) => sum + count, 0)
    return all === tasks.length && Math.max(...counts) - Math.min(...counts) <= 1
  }

  async close(): Promise<void> {
    for (const worker of this.workers) await worker.end()
    clearInterval(this.#watch)
  }
}

export class ToyWorker {
  readonly workerId: string
  readonly cluster: Cluster
  /** Each with the generation it began under. */
  readonly running = new Map<string, number>()
  /** Everything begun and stopped, in order. */
  readonly journal: string[] = []
  fatal: Error | undefined
  readonly #toys: ToyCluster
  readonly #proxy: CuttableProxy
  readonly #client: ReturnType<typeof createClient>
  readonly #lease: Float64Array
  #working = Promise.resolve()
  #ended = false

  private constructor(toys: ToyCluster, workerId: string, proxy: CuttableProxy) {
    this.#toys = toys
    this.workerId = workerId
    this.#proxy = proxy
    this.#client = createClient({ bootstrapServers: [proxy.address], clientId: workerId, requestTimeoutMs: 5000 })
    this.cluster = new LogCluster({
      client: this.#client,
      workerId,
      url: `http://${workerId}`,
      logger: silentLogger,
      onFatal: (error) => (this.fatal = error),
      config: {
        'group.id': toys.options.groupId,
        'assignment.storage.topic': toys.options.topic,
        'session.timeout.ms': sessionTimeoutMs,
        'heartbeat.interval.ms': 500,
        'rebalance.timeout.ms': 60_000,
        'scheduled.rebalance.max.delay.ms': maxDelayMs,
      },
    })
    this.#lease = new Float64Array(this.cluster.lease)
  }

  static async create(toys: ToyCluster, workerId: string): Promise<ToyWorker> {
    return new ToyWorker(toys, workerId, await cuttableProxy(toys.options.address))
  }

  /** Whether it could write for the unit at this moment. */
  mayRun(key: string): boolean {
    return !this.#ended && this.running.has(key) && this.#lease[0]! > hrtimeMs()
  }

  async start(): Promise<void> {
    await this.cluster.start({
      assigned: (connectors) => this.#follow(connectors),
      leadershipChanged: () => undefined,
      assignmentRead: () => undefined,
      work: () => this.#toys.units,
    })
    this.#follow(new Set(this.#toys.units.map(({ connector }) => connector)))
  }

  cut(): void {
    this.#proxy.cut('silent')
  }

  heal(): void {
    this.#proxy.heal()
  }

  /** What is left of it after kill -9: nothing that the log would notice. */
  async kill(): Promise<void> {
    this.#ended = true
    this.#proxy.cut('refused')
    await this.#client.close()
    await this.#proxy.close()
  }

  /** A planned stop: what runs has stopped before it leaves. */
  async leave(): Promise<void> {
    await this.#working
    for (const key of [...this.running.keys()]) this.#note(key, false)
    await this.cluster.close()
    await this.end()
  }

  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.cluster.close()
    await this.#client.close()
    await this.#proxy.close()
  }

  /** Stopping takes a moment; what is begun is begun only where it is this worker's still. */
  #follow(connectors: ReadonlySet<string>): void {
    this.#working = this.#working.then(async () => {
      const { generation } = this.cluster
      const units = this.#toys.units.filter(({ connector }) => connectors.has(connector))
      const gone = units.filter((unit) => this.#hasToStop(unit))
      if (gone.length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
      for (const unit of gone) this.#note(keyOf(unit), false)
      for (const unit of units) {
        if (this.#owns(unit) && !this.running.has(keyOf(unit))) this.#note(keyOf(unit), true)
      }
      this.cluster.released(generation)
    })
  }

  #hasToStop(unit: Unit): boolean {
    const began = this.running.get(keyOf(unit))
    return began !== undefined && (!this.#owns(unit) || began < this.cluster.presentSince)
  }

  #owns({ connector, task }: Unit): boolean {
    return task === undefined ? this.cluster.ownsConnector(connector) : this.cluster.ownsTask(connector, task)
  }

  #note(key: string, begins: boolean): void {
    if (begins) this.running.set(key, this.cluster.generation)
    else this.running.delete(key)
    this.journal.push(`${begins ? 'start' : 'stop'} ${key}`)
    this.#toys.check()
  }
}
