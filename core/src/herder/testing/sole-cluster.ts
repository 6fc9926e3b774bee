/** A cluster of one worker in memory: it leads, and all work is its own. */
import type { Cluster, ClusterListener, ClusterOwner, ClusterWorker, StateRecord } from '../../cluster/cluster.ts'
import { NotLeaderError } from '../../cluster/cluster.ts'
import type { MemoryLog } from './memory-log.ts'

export class SoleCluster implements Cluster {
  readonly lease = new SharedArrayBuffer(8)
  workers: readonly ClusterWorker[] = []
  generation = 1
  presentSince = 1
  leads = true
  leaderUrl: string | undefined = 'http://127.0.0.1:8083'
  /** REST of the other worker. */
  othersUrl: string | undefined
  /** Until when its owner's work waits for it, whoever that is. */
  awayUntil: number | undefined
  /** Connectors whose tasks have not all stopped. */
  readonly stopping = new Set<string>()
  /** What is given to others. */
  readonly elsewhere = new Set<string>()
  readonly releases: number[] = []
  readonly #log: MemoryLog
  #listener: ClusterListener | undefined

  constructor(log: MemoryLog) {
    this.#log = log
    new Float64Array(this.lease)[0] = Infinity
  }

  readonly writer = {
    write: async (topic: string, records: readonly StateRecord[]): Promise<number> => {
      if (!this.leads) throw new NotLeaderError('not the leader', this.leaderUrl)
      return this.#log.writeAtomically(topic, records)
    },
  }

  async start(listener: ClusterListener): Promise<void> {
    this.#listener = listener
    if (this.leads) await listener.leadershipChanged(true)
  }

  /** Gives units (`a`, `a-0`) to another worker, or back. */
  give(units: readonly string[], away: boolean): void {
    for (const unit of units) {
      if (away) this.elsewhere.add(unit)
      else this.elsewhere.delete(unit)
    }
    this.generation++
    this.#listener!.assigned(new Set(units.map((unit) => unit.replace(/-\d+$/, ''))))
  }

  /** It was out of the cluster for so long that others had its work, and has all of it again before it hears of that. */
  comeBack(connectors: readonly string[]): void {
    this.generation += 2
    this.presentSince = this.generation
    this.#listener!.assigned(new Set(connectors))
  }

  /** A new assignment says so. */
  assign(workers: readonly ClusterWorker[]): void {
    this.workers = workers
    this.#listener!.assignmentRead()
  }

  async lead(leads: boolean): Promise<void> {
    this.leads = leads
    await this.#listener!.leadershipChanged(leads)
  }

  work() {
    return [...this.#listener!.work()]
  }

  ownsConnector(connector: string): boolean {
    return !this.elsewhere.has(connector)
  }

  ownsTask(connector: string, task: number): boolean {
    return !this.elsewhere.has(`${connector}-${task}`)
  }

  owner(): ClusterOwner {
    const url = this.othersUrl ?? 'http://127.0.0.1:8083'
    return { workerId: new URL(url).host, url, ...(this.awayUntil === undefined ? {} : { awayUntil: this.awayUntil }) }
  }

  runsTasks(connector: string): boolean {
    return this.stopping.has(connector)
  }

  workChanged(): void {
    // Nothing is decided: all is here.
  }

  released(generation: number): void {
    this.releases.push(generation)
  }

  async refresh(): Promise<void> {
    await Promise.resolve()
  }

  async drain(): Promise<void> {
    await Promise.resolve()
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }
}
