/** A new connector: a plugin is chosen, then its settings are filled in. */
import type { Plugin } from '../core/src/rest-client/operations.ts'
import { configEditor } from './config-editor.ts'
import { fill, find, labelled, link, make, options, row, table } from './dom.ts'
import { tell, tellError } from './notices.ts'
import type { Console, Page } from './page.ts'

export function choosePlugin({ client, signal }: Console): Page {
  const title = 'New connector'
  const place = make('div', { class: 'card' })
  const list = table('Connectors to choose from', ['Connector', 'Type', 'Versions', 'Stands in for'], [])
  client.call('GET /connector-plugins', { signal }).then((plugins) => {
    const byName = Map.groupBy(
      plugins.filter(({ type }) => type === 'source' || type === 'sink'),
      ({ name }) => name,
    )
    const rows = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, versions]) => pluginRow(name, versions))
    find('tbody', list).replaceChildren(...rows)
    fill(place, list)
  }, tellError)
  return {
    title,
    element: make(
      'section',
      {},
      make('h1', { tabindex: -1 }, title),
      make(
        'p',
        { class: 'soft' },
        'What is it to be? ',
        link('What could not be loaded', 'plugins'),
        ' is listed apart.',
      ),
      place,
    ),
  }
}

function pluginRow(name: string, versions: readonly Plugin[]): HTMLTableRowElement {
  const { type, class: standsFor } = versions[0]!
  const others = standsFor === name ? '' : standsFor
  return row(link(name, 'new', name), type, versions.map(({ version }) => version ?? '').join(', '), others)
}

export function newConnector(app: Console, plugin: string): Page {
  const { client, go } = app
  const name = make('input', { id: 'connector-name', required: true, autocomplete: 'off', spellcheck: 'false' })
  const state = make('select')
  options(state, [
    ['RUNNING', 'running'],
    ['PAUSED', 'paused'],
    ['STOPPED', 'stopped: with no tasks, so that offsets can be set first'],
  ])
  const editor = configEditor(app, {
    config: { 'connector.class': plugin },
    action: 'Create',
    besides: labelled('It begins', state),
    settings: () => ({ name: name.value.trim() }),
    save: async (config) => {
      const given = name.value.trim()
      const initial = state.value as 'RUNNING' | 'PAUSED' | 'STOPPED'
      await client.call('POST /connectors', { body: { name: given, config, initial_state: initial } })
      go('connectors', given)
      tell(`${given} is created`)
    },
  })
  return {
    title: `New ${plugin}`,
    element: make(
      'section',
      {},
      make('h1', { tabindex: -1 }, `New ${plugin}`),
      make('p', {}, link('Another plugin', 'new')),
      labelled('Name', name),
      editor,
    ),
  }
}
