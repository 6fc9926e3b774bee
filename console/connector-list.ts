/** All connectors, with what they do. */
import type { KnownConnector } from './cluster-state.ts'
import { badge, fill, find, labelled, link, listen, make, row, table } from './dom.ts'
import type { Console, Page } from './page.ts'

/** Tasks of a connector that are shown to get on; its page has all. */
const mostProgress = 2

export function connectorList({ state }: Console): Page {
  const filter = make('input', { type: 'search', placeholder: 'a name, a class, a state, a worker' })
  const summary = make('p', { class: 'soft', role: 'status' })
  const rows = new Map<string, HTMLTableRowElement>()
  const list = table('Connectors', ['Name', 'Connector', 'State', 'Tasks', 'Workers'], [])
  const body = find('tbody', list)
  const none = make(
    'p',
    { class: 'soft card pad' },
    'No connector yet. ',
    link('Make the first', 'new'),
    ', or POST one to /connectors.',
  )
  const heading = make(
    'div',
    { class: 'head' },
    make('h1', { tabindex: -1 }, 'Connectors'),
    link('New connector', 'new'),
  )
  find('a', heading).className = 'button'
  const shown = make('div', {}, labelled('Filter', filter), summary, make('div', { class: 'card' }, list))

  const applyFilter = (): void => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean)
    for (const each of rows.values()) {
      const text = each.textContent.toLowerCase()
      each.hidden = !words.every((word) => text.includes(word))
    }
  }
  const showAll = (): void => {
    const connectors = state.connectors()
    rows.clear()
    for (const connector of connectors) rows.set(connector.name, rowOf(connector))
    body.replaceChildren(...rows.values())
    none.hidden = connectors.length > 0
    shown.hidden = connectors.length === 0
  }
  const showSummary = (): void => {
    const counts = countOf(state.connectors().map((connector) => connector.state?.state ?? 'UNASSIGNED'))
    const failed = state.connectors().filter((each) => each.tasks.some((task) => task.state === 'FAILED')).length
    fill(
      summary,
      [...counts].map(([name, count]) => `${count} ${name.toLowerCase()}`).join(', '),
      failed > 0 && `; ${failed} with failed tasks`,
    )
  }
  const changed = (name?: string): void => {
    const connector = name === undefined ? undefined : state.get(name)
    const old = name === undefined ? undefined : rows.get(name)
    // A row that stands stays where it is, with the focus that it may have.
    if (connector !== undefined && old !== undefined) old.replaceChildren(...keepingFocus(old, rowOf(connector)))
    else if (connector !== undefined || old !== undefined || name === undefined) showAll()
    applyFilter()
    showSummary()
  }
  listen(filter, 'input', applyFilter)
  changed()
  return { title: 'Connectors', element: make('section', {}, heading, none, shown), changed }
}

function rowOf({ name, config, type, state, tasks }: KnownConnector): HTMLTableRowElement {
  const counts = [...countOf(tasks.map((task) => task.state))].flatMap(([each, count]) => [badge(each, count), ' '])
  const told = tasks.flatMap((task) => (task.progress === undefined ? [] : [task.progress.text]))
  const progress = told.slice(0, mostProgress).map((text) => make('div', { class: 'soft' }, text))
  const workers = [...new Set(tasks.map((task) => task.worker_id))].sort()
  return row(
    make('strong', {}, link(name, 'connectors', name)),
    [make('div', {}, config['connector.class'] ?? ''), make('div', { class: 'soft' }, type)],
    badge(state?.state ?? 'UNASSIGNED'),
    counts.length === 0 ? '–' : [...counts, ...progress],
    workers.length === 0 ? '–' : workers.map((worker) => make('div', {}, worker)),
  )
}

/** The new row's cells, with the old link where it has the focus. */
function keepingFocus(old: HTMLTableRowElement, now: HTMLTableRowElement): Element[] {
  const [first, ...others] = now.children
  return [old.contains(document.activeElement) ? old.children[0]! : first!, ...others]
}

function countOf(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
