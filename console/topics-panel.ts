/** The topics that a connector has used, each with its tail. */
import { fill, link, make, row, table } from './dom.ts'
import { button, tell, tellError } from './notices.ts'
import type { Console, Panel } from './page.ts'

export function topicsPanel({ client, signal }: Console, name: string): Panel {
  const path = { name }
  const list = make('div', { class: 'card' })
  const read = async (): Promise<void> => {
    const answer = await client.call('GET /connectors/{name}/topics', { path, signal })
    const topics = [...(answer[name]?.topics ?? [])].sort()
    const rows = topics.map((topic) => row(topic, link('Tail', 'topics', topic)))
    for (const [at, each] of rows.entries()) each.querySelector('a')!.ariaLabel = `Tail of ${topics[at]!}`
    if (rows.length === 0) fill(list, make('p', { class: 'pad soft' }, 'It has used none yet.'))
    else fill(list, table(`Topics of ${name}`, ['Topic', ''], rows))
  }
  const reset = async (): Promise<void> => {
    await client.call('PUT /connectors/{name}/topics/reset', { path })
    tell(`${name}: the list is emptied; what goes on being used is in it again soon`)
    await read()
  }
  read().catch(tellError)
  return {
    element: make(
      'div',
      {},
      make('div', { class: 'head' }, make('h2', {}, 'Topics in use'), button('Read again', read)),
      list,
      make('div', { class: 'actions' }, button('Empty the list', reset)),
    ),
  }
}
