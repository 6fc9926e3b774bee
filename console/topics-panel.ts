/** The topics that a connector has used, each with its tail. */
import { link, make, row } from './dom.ts'
import { button, tell } from './notices.ts'
import type { Console, Panel } from './page.ts'
import { fillList, readPanel } from './read-panel.ts'

export function topicsPanel({ client, signal }: Console, name: string): Panel {
  const path = { name }
  const list = make('div', { class: 'card' })
  const read = async (): Promise<void> => {
    const answer = await client.call('GET /connectors/{name}/topics', { path, signal })
    const topics = [...(answer[name]?.topics ?? [])].sort()
    const rows = topics.map((topic) => row(topic, link('Tail', 'topics', topic)))
    for (const [at, each] of rows.entries()) each.querySelector('a')!.ariaLabel = `Tail of ${topics[at]!}`
    fillList(list, 'It has used none yet.', `Topics of ${name}`, ['Topic', ''], rows)
  }
  const reset = async (): Promise<void> => {
    await client.call('PUT /connectors/{name}/topics/reset', { path })
    tell(`${name}: the list is emptied; what goes on being used is in it again soon`)
    await read()
  }
  const actions = make('div', { class: 'actions' }, button('Empty the list', reset))
  return { element: readPanel('Topics in use', read, list, actions) }
}
