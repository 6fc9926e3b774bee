/** What keeps a cluster from being as it should be once a fault is over. */
import { askRest } from '../support/ask-rest.ts'
import { noConnector, type ConnectorsModel, type TargetState, type Version } from './connectors-model.ts'
import type { TestCluster } from './test-cluster.ts'

interface UnitStatus {
  readonly state: string
  readonly worker_id: string
  readonly trace?: string
}

export interface Listed {
  readonly status: { readonly connector: UnitStatus; readonly tasks: readonly (UnitStatus & { readonly id: number })[] }
  readonly info: { readonly config: Readonly<Record<string, string>>; readonly tasks: readonly unknown[] }
}

export type Listing = Readonly<Record<string, Listed>>

/**
 * Everything that is not right (yet). Empty where the cluster is settled: then the model has taken over what is there.
 */
export async function unsettled(cluster: TestCluster, model: ConnectorsModel): Promise<string[]> {
  const workers = cluster.present
  const views = await Promise.all(
    workers.map(async ({ url, id }) => {
      try {
        // Who does not answer is asked again.
        const path = '/connectors?expand=status&expand=info'
        const { status, body } = await askRest(url, 'GET', path, { timeoutMs: 10_000 })
        return status === 200 ? (body as Listing) : `${id} answers ${status} ${JSON.stringify(body)}`
      } catch (error) {
        return `${id} does not answer: ${String(error)}`
      }
    }),
  )
  const silent = views.filter((view) => typeof view === 'string')
  if (silent.length > 0) return silent
  const listings = views as Listing[]
  const [listing] = listings
  if (listing === undefined) return ['there is no worker']
  if (new Set(listings.map(textOf)).size > 1)
    return workers.map(({ id }, index) => `${id} says otherwise than others: ${textOf(listings[index]!)}`)
  const owners = workers.map(({ id }) => id)
  const problems = [...contentProblems(listing, model), ...stateProblems(listing), ...balanceProblems(listing, owners)]
  if (problems.length === 0) for (const name of model.names) model.adopt(name, versionOf(listing[name]))
  return problems
}

function versionOf(listed: Listed | undefined): Version {
  if (listed === undefined) return noConnector
  return { config: listed.info.config, target: listed.status.connector.state as TargetState }
}

/** Traces aside, which may be long and tell of the past. */
function textOf(listing: Listing): string {
  return Object.entries(listing)
    .map(([name, { status, info }]) => {
      const tasks = status.tasks.map(({ id, state, worker_id }) => `${id} ${state} ${worker_id}`).sort()
      return `${name} (${info.config['note'] ?? ''}) ${status.connector.state} ${status.connector.worker_id}: ${tasks.join(', ')}`
    })
    .sort()
    .join('; ')
}

/** Acknowledged writes that are not there, and what nobody wrote. */
function contentProblems(listing: Listing, model: ConnectorsModel): string[] {
  const names = new Set([...model.names, ...Object.keys(listing)])
  return [...names].map((name) => model.impossible(name, versionOf(listing[name]))).filter((why) => why !== undefined)
}

function stateProblems(listing: Listing): string[] {
  const problems: string[] = []
  for (const [name, { status, info }] of Object.entries(listing)) {
    const target = status.connector.state
    const wanted = target === 'STOPPED' ? 0 : Number(info.config['tasks.max'])
    if (status.tasks.length !== wanted || info.tasks.length !== wanted)
      problems.push(`${name} has ${status.tasks.length} tasks, not ${wanted}`)
    for (const { id, state, worker_id, trace } of status.tasks) {
      if (state !== target) problems.push(`${name}-${id} is ${state} on ${worker_id}: ${trace ?? 'no trace'}`)
    }
  }
  return problems
}

/** Tasks and connectors of each worker, within one of each other; none on a worker that is not there. */
function balanceProblems(listing: Listing, workers: readonly string[]): string[] {
  const all = Object.values(listing).map(({ status }) => status)
  const kinds = {
    connectors: all.map(({ connector }) => connector.worker_id),
    tasks: all.flatMap(({ tasks }) => tasks.map(({ worker_id }) => worker_id)),
  }
  return Object.entries(kinds).flatMap(([kind, owners]) => {
    const counts = new Map(workers.map((id) => [id, 0]))
    const strangers = owners.filter((owner) => !counts.has(owner))
    if (strangers.length > 0) return [`${kind} are on ${strangers.join()}, which is not there`]
    for (const owner of owners) counts.set(owner, counts.get(owner)! + 1)
    const sizes = [...counts.values()]
    return Math.max(...sizes) - Math.min(...sizes) > 1
      ? [`${kind} are not balanced: ${[...counts].map(([id, count]) => `${id} ${count}`).join(', ')}`]
      : []
  })
}
