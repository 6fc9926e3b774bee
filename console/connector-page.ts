/** One connector: what it does, what can be done with it, and its other pages. */
import type { InputOf } from '../core/src/rest-client/rest-client.ts'
import { configPanel } from './config-panel.ts'
import { configEditor } from './config-editor.ts'
import { deadLettersPanel } from './dead-letters-panel.ts'
import { badge, fill, hrefOf, make } from './dom.ts'
import { button, confirm, tell } from './notices.ts'
import { offsetsPanel } from './offsets-panel.ts'
import type { Console, Page, Panel } from './page.ts'
import { askForSignal } from './signal-dialog.ts'
import { statusPanel } from './status-panel.ts'
import { topicsPanel } from './topics-panel.ts'

const panels = {
  status: { title: 'Status', make: statusPanel },
  config: { title: 'Config', make: configPanel },
  edit: { title: 'Edit', make: editPanel },
  offsets: { title: 'Offsets', make: offsetsPanel },
  'dead-letters': { title: 'Dead letters', make: deadLettersPanel },
  topics: { title: 'Topics', make: topicsPanel },
} as const satisfies Record<string, { title: string; make: (app: Console, name: string) => Panel }>

export function connectorPage(app: Console, name: string, asked = 'status'): Page {
  const { state } = app
  const tab = Object.hasOwn(panels, asked) ? (asked as keyof typeof panels) : 'status'
  const title = make('h1', { tabindex: -1 }, name)
  const about = make('p', { class: 'soft' })
  const body = make('div', {})
  const place = make('div', {})
  let panel: Panel | undefined
  const tabs = Object.entries(panels).map(([each, { title: text }]) =>
    make(
      'a',
      {
        href: hrefOf('connectors', name, ...(each === 'status' ? [] : [each])),
        'aria-current': each === tab && 'page',
      },
      text,
    ),
  )
  const signal = button('Signal…', () => askForSignal(app, name), {
    title: 'Asks something of its tasks while they run',
  })
  signal.hidden = true
  fill(
    body,
    actions(app, name, signal),
    make('nav', { class: 'tabs', 'aria-label': `Pages of ${name}` }, ...tabs),
    place,
  )

  const changed = (): void => {
    const connector = state.get(name)
    body.hidden = connector === undefined
    if (connector === undefined) {
      fill(about, `There is no connector of this name${panel === undefined ? '' : ' any more'}.`)
      return
    }
    const { config, type } = connector
    const plugin = config['connector.class'] ?? ''
    fill(about, badge(connector.state?.state ?? 'UNASSIGNED'), ` ${type}, ${plugin}`)
    if (panel === undefined) {
      // Where the worker does not answer the page says so itself.
      void takesSignals(app, plugin).then(
        (takes) => (signal.hidden = !takes),
        () => undefined,
      )
      panel = panels[tab].make(app, name)
      place.append(panel.element)
    } else panel.changed?.()
  }
  changed()
  return {
    title: name,
    element: make('section', {}, title, about, body),
    changed: (connector) => {
      if (connector === undefined || connector === name) changed()
    },
  }
}

function actions({ client, go }: Console, name: string, signal: HTMLElement): HTMLElement {
  const path = { name }
  const restart = (query: InputOf<'POST /connectors/{name}/restart'>['query']) => async (): Promise<void> => {
    await client.call('POST /connectors/{name}/restart', { path, query: { includeTasks: true, ...query } })
    tell(`${name}: the restart is under way`)
  }
  return make(
    'div',
    { class: 'actions', role: 'group', 'aria-label': `What to do with ${name}` },
    button('Pause', async () => client.call('PUT /connectors/{name}/pause', { path }), {
      title: 'Its tasks stay, and do nothing',
    }),
    button('Resume', async () => client.call('PUT /connectors/{name}/resume', { path })),
    button('Stop', async () => client.call('PUT /connectors/{name}/stop', { path }), {
      title: 'It has no tasks until it is resumed; its offsets can be changed',
    }),
    button('Restart', restart({}), { title: 'The connector and all its tasks' }),
    button('Restart failed', restart({ onlyFailed: true }), {
      title: 'What of the connector and its tasks has failed',
    }),
    signal,
    button(
      'Delete…',
      async () => {
        const remark = 'Its tasks end, and its config is gone. Topics, and the offsets that it stored, stay.'
        if (!(await confirm(`Delete connector ${name}?`, remark, 'Delete'))) return
        await client.call('DELETE /connectors/{name}', { path })
        go('connectors')
        tell(`${name} is deleted`)
      },
      { class: 'danger' },
    ),
  )
}

async function takesSignals({ client, signal }: Console, plugin: string): Promise<boolean> {
  const plugins = await client.call('GET /connector-plugins', { signal })
  const [name, simple] = [plugin.trim(), `.${plugin.trim()}`]
  return plugins.some(
    (each) => each.signals === true && [each.class, each.name].some((own) => own === name || own.endsWith(simple)),
  )
}

function editPanel(app: Console, name: string): Panel {
  const { client, state, go } = app
  const given = state.get(name)!.config
  const editor = configEditor(app, {
    config: given,
    action: 'Save',
    save: async (config) => {
      await client.call('PUT /connectors/{name}/config', { path: { name }, body: config })
      go('connectors', name, 'config')
      tell(`${name}: the config is saved`)
    },
  })
  const note = make('p', { class: 'notice error', role: 'alert', hidden: true })
  return {
    element: make('div', {}, note, editor),
    changed: () => {
      if (JSON.stringify(state.get(name)?.config) === JSON.stringify(given)) return
      note.hidden = false
      fill(
        note,
        'The config was changed meanwhile, by somebody else or by what you saved. Saving puts yours in its place. ',
        button('Take the new one', () => go('connectors', name, 'edit')),
      )
    },
  }
}
