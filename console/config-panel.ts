/** The config of a connector, secrets masked. */
import { fill, find, make, table } from './dom.ts'
import type { Console, Panel } from './page.ts'

export function configPanel({ state }: Console, name: string): Panel {
  const list = table(`Config of ${name}`, ['Setting', 'Value'], [])
  const json = make('pre', { tabindex: 0 })
  const changed = (): void => {
    const config = state.get(name)?.config ?? {}
    const rows = Object.entries(config)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([setting, value]) =>
        make(
          'tr',
          {},
          make('th', { scope: 'row', class: 'code' }, setting),
          make('td', { class: 'code value' }, value),
        ),
      )
    find('tbody', list).replaceChildren(...rows)
    fill(json, JSON.stringify(config, null, 2))
  }
  changed()
  return {
    element: make(
      'div',
      {},
      make('h2', {}, 'Config'),
      make('div', { class: 'card' }, list),
      make('details', { class: 'card pad' }, make('summary', {}, 'As JSON'), json),
    ),
    changed,
  }
}
