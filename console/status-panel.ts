/** The state of a connector and of each of its tasks, with what they say of their failures. */
import type { ConnectorState, TaskState } from '../core/src/rest-client/operations.ts'
import { badge, fill, find, make, table } from './dom.ts'
import { button, tell } from './notices.ts'
import type { Console, Panel } from './page.ts'

export function statusPanel({ client, state }: Console, name: string): Panel {
  const connector = stateLine()
  const rows = new Map<number, ReturnType<typeof taskRow>>()
  const tasks = table(`Tasks of ${name}`, ['Task', 'State', 'Worker', 'Version', ''], [])
  const none = make('p', { class: 'pad soft' }, 'It has no tasks now.')
  const restart = async (task: number): Promise<void> => {
    await client.call('POST /connectors/{name}/tasks/{task}/restart', { path: { name, task } })
    tell(`${name}: the restart of task ${task} is under way`)
  }
  const changed = (): void => {
    const known = state.get(name)
    if (known === undefined) return
    connector.show(known.state)
    for (const task of known.tasks) {
      const shown = rows.get(task.id) ?? taskRow(task.id, restart)
      rows.set(task.id, shown)
      shown.show(task)
    }
    const ids = new Set(known.tasks.map((task) => task.id))
    for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id)
    const wanted = [...rows].sort(([a], [b]) => a - b).map(([, { element }]) => element)
    const body = find('tbody', tasks)
    // Rows that stand are left alone, with what is open in them and the focus that they may have.
    if (wanted.length !== body.children.length || wanted.some((each, at) => body.children[at] !== each)) {
      body.replaceChildren(...wanted)
    }
    tasks.hidden = wanted.length === 0
    none.hidden = wanted.length > 0
  }
  changed()
  return {
    element: make(
      'div',
      {},
      make('h2', {}, 'Connector'),
      make('div', { class: 'card pad' }, connector.element),
      make('h2', {}, 'Tasks'),
      make('div', { class: 'card' }, tasks, none),
    ),
    changed,
  }
}

function stateLine() {
  const line = make('div', {})
  const trace = traceOf()
  return {
    element: make('div', {}, line, trace.element),
    show: (now: ConnectorState | undefined): void => {
      const version = now?.version === undefined ? '' : `, version ${now.version}`
      fill(line, badge(now?.state ?? 'UNASSIGNED'), now !== undefined && ` on ${now.worker_id}${version}`)
      trace.show(now)
    },
  }
}

function taskRow(id: number, restart: (task: number) => Promise<void>) {
  const [state, worker, version] = [make('td'), make('td'), make('td')]
  const trace = traceOf()
  const again = button('Restart', async () => restart(id), { 'aria-label': `Restart task ${id}` })
  const stateText = make('div')
  const progress = progressOf()
  state.append(stateText, progress.element, trace.element)
  return {
    element: make('tr', {}, make('th', { scope: 'row' }, id), state, worker, version, make('td', {}, again)),
    show: (task: TaskState): void => {
      fill(stateText, badge(task.state))
      progress.show(task.progress)
      trace.show(task)
      fill(worker, task.worker_id)
      fill(version, task.version ?? '')
    },
  }
}

/** What it says of how it gets on: a line, and figures to open. */
function progressOf() {
  const summary = make('summary')
  const figures = make('dl', { class: 'figures' })
  const element = make('details', { hidden: true, class: 'progress' }, summary, figures)
  return {
    element,
    show: (now: TaskState['progress']): void => {
      element.hidden = now === undefined
      if (now === undefined) return
      fill(summary, now.text)
      summary.title = `As of ${new Date(now.at).toLocaleString()}`
      fill(
        figures,
        ...Object.entries(now.figures).flatMap(([name, figure]) => [
          make('dt', {}, name),
          make('dd', {}, figure.toLocaleString()),
        ]),
      )
    },
  }
}

/** What failed, or what is waited for; open where it is news. */
function traceOf() {
  const text = make('pre', { tabindex: 0 })
  const summary = make('summary')
  const element = make('details', { hidden: true }, summary, text)
  let shown: string | undefined
  return {
    element,
    show: (now: ConnectorState | TaskState | undefined): void => {
      const trace = now?.trace === '' ? undefined : now?.trace
      if (trace === shown) return
      shown = trace
      element.hidden = trace === undefined
      element.open = trace !== undefined
      fill(summary, trace?.split('\n')[0] ?? '')
      fill(text, trace ?? '')
    },
  }
}
