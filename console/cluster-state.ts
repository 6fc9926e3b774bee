/** What is known of the cluster: read once, and kept up by events. Nothing of a browser in here. */
import type {
  ClusterEvent,
  Config,
  ConnectorInfo,
  ConnectorState,
  ConnectorStatus,
  TaskState,
  Worker,
} from '../core/src/rest-client/operations.ts'
import type { ServerEvent } from '../core/src/rest-client/server-events.ts'

export interface KnownConnector {
  readonly name: string
  readonly type: ConnectorInfo['type']
  readonly config: Config
  /** Undefined until it is known. */
  readonly state: ConnectorState | undefined
  readonly tasks: readonly TaskState[]
}

export type Expanded = Readonly<Record<string, { readonly status?: ConnectorStatus; readonly info?: ConnectorInfo }>>

/** What an event changed, and what has to be read anew since an event does not tell all of it. */
export interface Change {
  readonly connector?: string
  readonly isStale?: boolean
  readonly workers?: boolean
}

const connectorEvents: ReadonlySet<string> = new Set(['status', 'config', 'tasks', 'target-state', 'progress'])

export class ClusterState {
  readonly #connectors = new Map<string, KnownConnector>()
  /** Undefined: this address does not tell (`admin.listeners`). */
  workers: readonly Worker[] | undefined = []

  get(name: string): KnownConnector | undefined {
    return this.#connectors.get(name)
  }

  /** By name. */
  connectors(): KnownConnector[] {
    return [...this.#connectors.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  replaceAll(all: Expanded): void {
    this.#connectors.clear()
    for (const [name, { info, status }] of Object.entries(all)) {
      if (info !== undefined) this.replace(name, info, status)
    }
  }

  /** As it was read; without info it is gone. */
  replace(name: string, info: ConnectorInfo | undefined, status: ConnectorStatus | undefined): void {
    if (info === undefined) {
      this.#connectors.delete(name)
      return
    }
    const { config, type } = info
    this.#connectors.set(name, { name, type, config, state: status?.connector, tasks: status?.tasks ?? [] })
  }

  apply({ event, data }: ServerEvent): Change {
    if (event === 'workers') return { workers: true }
    if (!connectorEvents.has(event)) return {}
    const told = JSON.parse(data) as Extract<ClusterEvent, { connector: string }>
    const name = told.connector
    const known = this.#connectors.get(name)
    if ('change' in told) {
      if (told.change === 'deleted') this.#connectors.delete(name)
      else if (known !== undefined && told.config !== undefined) {
        this.#connectors.set(name, { ...known, config: told.config })
      }
      return { connector: name, isStale: told.change !== 'deleted' }
    }
    if (known !== undefined && 'figures' in told) {
      const { task: id, text, figures, at } = told
      const tasks = known.tasks.map((each) => (each.id === id ? { ...each, progress: { text, figures, at } } : each))
      this.#connectors.set(name, { ...known, tasks })
      return { connector: name }
    }
    // Its config is on the way, or it has just been deleted: reading it tells which.
    if (known === undefined || !('worker_id' in told)) return { connector: name, isStale: true }
    const { task } = told
    const state = stateOf(told)
    if (task === undefined) {
      this.#connectors.set(name, { ...known, state })
      return { connector: name }
    }
    // One that it did not have may be a late word of one that it has no longer.
    if (!known.tasks.some(({ id }) => id === task)) return { connector: name, isStale: true }
    const tasks = known.tasks.map((each) =>
      each.id === task ? { id: task, ...state, ...progressOf(each, state) } : each,
    )
    this.#connectors.set(name, { ...known, tasks })
    return { connector: name }
  }
}

/** What it said of how it gets on, while it goes on. */
function progressOf({ progress, worker_id }: TaskState, now: ConnectorState): Pick<TaskState, 'progress'> {
  const goesOn =
    worker_id === now.worker_id && (now.state === 'RUNNING' || now.state === 'STALLED' || now.state === 'PAUSED')
  return goesOn && progress !== undefined ? { progress } : {}
}

function stateOf({ state, worker_id, version, trace }: ConnectorState): ConnectorState {
  return {
    state,
    worker_id,
    ...(version === undefined ? {} : { version }),
    ...(trace === undefined ? {} : { trace }),
  }
}
