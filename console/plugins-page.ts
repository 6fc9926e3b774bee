/** What is there to deploy, and what could not be loaded. */
import { fill, link, make, row, table } from './dom.ts'
import { tellError } from './notices.ts'
import type { Console, Page } from './page.ts'

export function pluginsPage({ client, signal }: Console): Page {
  const place = make('div')
  client.call('GET /connector-plugins', { query: { connectorsOnly: false }, signal }).then((plugins) => {
    const isConnector = (type: string): boolean => type === 'source' || type === 'sink'
    const broken = plugins.filter(({ error }) => error !== undefined)
    const loaded = plugins.filter(({ error }) => error === undefined)
    const rows = loaded.map(({ name, type, version, class: standsFor }) =>
      row(isConnector(type) ? link(name, 'new', name) : name, type, version ?? '', standsFor === name ? '' : standsFor),
    )
    const lost = broken.map((plugin) =>
      row(
        [make('strong', {}, plugin.class), make('div', { class: 'soft' }, plugin.location ?? '')],
        plugin.error ?? '',
      ),
    )
    fill(
      place,
      lost.length > 0 && make('h2', {}, 'Could not be loaded'),
      lost.length > 0 &&
        make('div', { class: 'card' }, table('Plugins that could not be loaded', ['Plugin', 'Why'], lost)),
      lost.length > 0 && make('h2', {}, 'Loaded'),
      make('div', { class: 'card' }, table('Plugins', ['Plugin', 'Type', 'Version', 'Stands in for'], rows)),
    )
  }, tellError)
  return { title: 'Plugins', element: make('section', {}, make('h1', { tabindex: -1 }, 'Plugins'), place) }
}
