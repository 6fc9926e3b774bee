/** The workers of the cluster. */
import { fill, find, make, row, table } from './dom.ts'
import type { Console, Page } from './page.ts'

export function workersPage({ state }: Console): Page {
  const list = table('Workers', ['Worker', 'State', 'Connectors', 'Tasks', 'REST'], [])
  const place = make('div', { class: 'card' })
  const changed = (): void => {
    const { workers } = state
    if (workers === undefined) {
      const hint = 'This address does not tell: admin.listeners keeps /admin to another one.'
      fill(place, make('p', { class: 'pad soft' }, hint))
      return
    }
    const connectors = state.connectors()
    const rows = workers.map(({ worker_id: id, url, leader, draining, away_until: away }) => {
      const runs = connectors.filter((each) => each.state?.worker_id === id && isAlive(each.state.state))
      const tasks = connectors
        .flatMap((each) => each.tasks)
        .filter((task) => task.worker_id === id && isAlive(task.state))
      const states = [
        away === undefined ? '' : `away; its work waits until ${new Date(away).toLocaleTimeString()}`,
        draining ? 'draining: its work goes to the others' : '',
        leader ? 'leader' : '',
      ].filter(Boolean)
      const shown = states.length === 0 ? 'in use' : states.join(', ')
      return row(make('strong', {}, id), shown, String(runs.length), String(tasks.length), url)
    })
    find('tbody', list).replaceChildren(...rows)
    fill(place, list)
  }
  changed()
  return {
    title: 'Workers',
    element: make(
      'section',
      {},
      make('h1', { tabindex: -1 }, 'Workers'),
      make('p', { class: 'soft' }, 'tidewire cluster drain hands the work of one to the others before a planned stop.'),
      place,
    ),
    changed,
  }
}

function isAlive(state: string): boolean {
  return state !== 'UNASSIGNED' && state !== 'STOPPED'
}
