import type { ConnectorInfo, ConnectorState, ConnectorStatus } from '../rest-client/operations.ts'
import { RestClientError, type RestClient } from '../rest-client/rest-client.ts'
import { stateStyle, type Output } from './output.ts'
import { formatPairs, harmless } from './table.ts'

interface ListedConnector {
  readonly name: string
  readonly type: string
  readonly state: string
  readonly worker: string
  readonly class: string
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly worker: string }[]
}

/**
 * `connector list`
 * @param state only those that have it, or a task that has
 */
export async function listConnectors(rest: RestClient, out: Output, state: string | undefined): Promise<void> {
  const answer = await rest.call('GET /connectors', { query: { expand: ['status', 'info'] } })
  const wanted = state?.toUpperCase()
  const list = Object.entries(answer as Exclude<typeof answer, readonly string[]>)
    .flatMap(([name, { status, info }]) => (status && info ? [listed(name, status, info)] : []))
    .filter((each) => wanted === undefined || each.state === wanted || each.tasks.some((task) => task.state === wanted))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  await out.show(list, () => {
    if (list.length === 0) {
      return wanted === undefined
        ? 'there are no connectors: tidewire connector create makes one'
        : `no connector is ${wanted}, or has a task that is`
    }
    return out.table(
      ['NAME', 'TYPE', 'STATE', 'TASKS', 'WORKER', 'CLASS'],
      list.map((each) => [each.name, each.type, each.state, tasksText(each.tasks), each.worker, each.class]),
      { STATE: stateStyle, TASKS: (text) => stateStyle(text.split(' ').at(-1)!) },
    )
  })
}

function listed(name: string, { connector, tasks, type }: ConnectorStatus, { config }: ConnectorInfo): ListedConnector {
  return {
    name,
    type,
    state: connector.state,
    worker: connector.worker_id,
    class: config['connector.class'] ?? '',
    tasks: tasks.map((task) => ({ id: task.id, state: task.state, worker: task.worker_id })),
  }
}

/** `2 RUNNING, 1 FAILED`; the worst is last. */
function tasksText(tasks: readonly { readonly state: string }[]): string {
  const counts = Map.groupBy(tasks, ({ state }) => state)
  const order = ['RUNNING', 'PAUSED', 'STOPPED', 'UNASSIGNED', 'RESTARTING', 'STALLED', 'FAILED']
  return (
    [...counts]
      .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
      .map(([state, { length }]) => `${length} ${state}`)
      .join(', ') || '–'
  )
}

/**
 * `connector describe`
 * @param traces whether of what failed all is shown, not only what went wrong
 */
export async function describeConnector(rest: RestClient, out: Output, name: string, traces: boolean): Promise<void> {
  const path = { name }
  const [info, status, topics] = await Promise.all([
    rest.call('GET /connectors/{name}', { path }),
    rest.call('GET /connectors/{name}/status', { path }),
    topicsOf(rest, name),
  ])
  const described = {
    name,
    type: info.type,
    ...stateOf(status.connector),
    tasks: status.tasks.map((task) => ({
      id: task.id,
      ...stateOf(task),
      ...(task.progress === undefined ? {} : { progress: task.progress }),
    })),
    ...(topics === undefined ? {} : { topics }),
    config: info.config,
  }
  await out.show(described, () => {
    const { connector, tasks } = status
    const getsOn = tasks.some(({ progress }) => progress !== undefined)
    const parts = [
      formatPairs([
        ['Name', out.paint('bold', harmless(name))],
        ['Type', info.type],
        ['State', out.paint(stateStyle(connector.state) ?? 'reset', connector.state)],
        ['Worker', harmless(connector.worker_id)],
        ['Version', harmless(connector.version ?? '–')],
        ...(topics === undefined ? [] : [['Topics', harmless(topics.join(', ') || '–')] as const]),
      ]),
      out.table(
        ['TASK', 'STATE', 'WORKER', ...(getsOn ? ['PROGRESS'] : [])],
        tasks.map((task) => [
          task.id,
          task.state,
          task.worker_id,
          ...(getsOn ? [harmless(task.progress?.text ?? '')] : []),
        ]),
        { STATE: stateStyle },
      ),
      out.table(['SETTING', 'VALUE'], Object.entries(info.config).sort()),
    ]
    const reasons = [{ id: undefined, ...connector }, ...tasks].flatMap(({ id, trace }) => {
      if (trace === undefined) return []
      const [first, ...more] = trace.trimEnd().split('\n')
      const hint =
        traces || more.length === 0 ? '' : `\n(all of it: tidewire connector describe ${harmless(name)} --trace)`
      const text = traces ? harmless(trace, '\n\t') : harmless(first!)
      return [`${out.paint('red', id === undefined ? 'The connector' : `Task ${id}`)}: ${text}${hint}`]
    })
    return [...parts, ...reasons].join('\n\n')
  })
}

/** Those that it has used; undefined where the worker does not keep account of them. */
async function topicsOf(rest: RestClient, name: string): Promise<readonly string[] | undefined> {
  try {
    return (await rest.call('GET /connectors/{name}/topics', { path: { name } }))[name]?.topics ?? []
  } catch (error) {
    if (error instanceof RestClientError && (error.status === 403 || error.status === 404)) return undefined
    throw error
  }
}

function stateOf({ state, worker_id, version, trace }: ConnectorState) {
  return {
    state,
    worker: worker_id,
    ...(version === undefined ? {} : { version }),
    ...(trace === undefined ? {} : { trace }),
  }
}
