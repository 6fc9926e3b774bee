/**
 * What changes, told as it is seen: connectors' configs and target states, states of connectors and tasks, and the workers
 * of the cluster. Every worker sees all of it in the internal topics, and so tells all of it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Cluster } from '../cluster/cluster.ts'
import type { Config, ConfigStore } from './config-store.ts'
import { stateInfo, type ConnectorViews } from './connector-views.ts'
import type { ShownProgress } from '../worker/task-progress.ts'
import { EventRing } from './event-ring.ts'
import type { Status, StatusStore } from './status-store.ts'

export interface ClusterEventsOptions {
  readonly store: ConfigStore
  readonly statuses: StatusStore
  readonly views: ConnectorViews
  readonly cluster: Cluster
}

/** What was told of a connector last; by reference, since the store replaces what changes. */
interface Told {
  readonly config: Config
  readonly targetState: string
  readonly tasks: readonly Config[]
}

const limits = { maxEvents: 2000, maxBytes: 1024 * 1024 }

/** See the head of the file. */
export class ClusterEvents {
  readonly ring = new EventRing(limits)
  readonly #options: ClusterEventsOptions
  readonly #told = new Map<string, Told>()
  /** Undefined before the start. */
  #workers: readonly { readonly worker_id: string; readonly away_until?: string }[] | undefined

  constructor(options: ClusterEventsOptions) {
    this.#options = options
  }

  /** From now on changes are told: what is there already is none. */
  start(): void {
    for (const name of this.#options.store.connectors()) this.#remember(name)
    this.#workers = this.#workersNow()
  }

  connectorChanged(name: string): void {
    if (this.#workers === undefined) return
    const { store, views } = this.#options
    const before = this.#told.get(name)
    const stored = store.get(name)
    this.#remember(name)
    if (stored === undefined) {
      if (before !== undefined) this.ring.add('config', name, { connector: name, change: 'deleted' })
      return
    }
    const { config, targetState, tasks } = stored
    if (before?.config !== config) {
      const change = before === undefined ? 'created' : 'updated'
      this.ring.add('config', name, { connector: name, change, config: views.masked(config) })
    }
    if (targetState !== (before?.targetState ?? 'STARTED')) {
      this.ring.add('target-state', name, { connector: name, state: targetState })
    }
    if (tasks !== before?.tasks && tasks.length !== (before?.tasks.length ?? 0)) {
      this.ring.add('tasks', name, { connector: name, tasks: tasks.length })
    }
  }

  stateChanged(connector: string, task: number | undefined, status: Status): void {
    if (this.#workers === undefined) return
    const owner = this.#options.cluster.owner(connector, task)
    this.ring.add('status', connector, {
      connector,
      ...(task === undefined ? {} : { task }),
      ...stateInfo(status, owner),
    })
  }

  taskProgressed(connector: string, task: number, progress: ShownProgress): void {
    if (this.#workers !== undefined) this.ring.add('progress', connector, { connector, task, ...progress })
  }

  /** A new assignment has been read: workers may have come, gone or vanished, and with them what they ran. */
  assignmentChanged(): void {
    const before = this.#workers
    if (before === undefined) return
    const now = this.#workersNow()
    if (isDeepStrictEqual(before, now)) return
    this.#workers = now
    this.ring.add('workers', undefined, { workers: now })
    const wasAway = new Set(
      before.filter((worker) => worker.away_until !== undefined).map((worker) => worker.worker_id),
    )
    const turned = now.filter((worker) => (worker.away_until !== undefined) !== wasAway.has(worker.worker_id))
    if (turned.length > 0) this.#tellStatesOf(new Set(turned.map((worker) => worker.worker_id)))
  }

  /** What a worker ran that has vanished, or has come back, is in another state than the one that was told last. */
  #tellStatesOf(workers: ReadonlySet<string>): void {
    const { statuses, cluster } = this.#options
    const isTheirs = (connector: string, task?: number): boolean => {
      const owner = cluster.owner(connector, task)
      return owner !== undefined && workers.has(owner.workerId)
    }
    for (const name of statuses.connectors()) {
      const status = statuses.connector(name)
      if (status !== undefined && isTheirs(name)) this.stateChanged(name, undefined, status)
      for (const [task, each] of statuses.tasks(name)) if (isTheirs(name, task)) this.stateChanged(name, task, each)
    }
  }

  #workersNow() {
    const { cluster } = this.#options
    return cluster.workers.map(({ workerId, url, draining, awayUntil }) => ({
      worker_id: workerId,
      leader: url === cluster.leaderUrl,
      draining,
      ...(awayUntil === undefined ? {} : { away_until: new Date(awayUntil).toISOString() }),
    }))
  }

  #remember(name: string): void {
    const stored = this.#options.store.get(name)
    if (stored === undefined) this.#told.delete(name)
    else this.#told.set(name, { config: stored.config, targetState: stored.targetState, tasks: stored.tasks })
  }
}
