/** The records that failed, and another try for them. */
import type { DeadLetter, DeadLetters, RedrivenLine, RedriveRequest } from '../core/src/rest-client/operations.ts'
import { fill, make, row } from './dom.ts'
import { button, tell, tellError } from './notices.ts'
import type { Console, Panel } from './page.ts'
import { fillList, readPanel } from './read-panel.ts'
import { textOfBytes } from './shown-bytes.ts'

const pageLetters = 50
const placeOf = ({ partition, offset }: { partition: number; offset: number }): string => `${partition}:${offset}`

export function deadLettersPanel({ client, state, signal }: Console, name: string): Panel {
  const path = { name }
  const list = make('div', { class: 'card' })
  const about = make('p', { class: 'soft' })
  const result = make('p', { role: 'status' })
  const outcomes = new Map<string, HTMLElement>()
  const chosen = new Map<string, HTMLInputElement>()

  const show = ({ topic, partitions, letters }: DeadLetters): void => {
    outcomes.clear()
    chosen.clear()
    const held = partitions.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0)
    fill(about, `Topic ${topic} holds ${held}; shown are ${letters.length}.`)
    const rows = letters.map((letter) => {
      const place = placeOf(letter)
      const box = make('input', { type: 'checkbox', 'aria-label': `Choose letter ${place}` })
      const outcome = make('div', { class: 'soft' }, letter.redriven ? 'put back' : '')
      chosen.set(place, box)
      outcomes.set(place, outcome)
      return row(box, place, new Date(letter.timestamp).toLocaleString(), reasonOf(letter), recordOf(letter), outcome)
    })
    const columns = ['', 'Letter', 'Time', 'Reason', 'Record', 'Outcome']
    fillList(list, 'There are none.', `Dead letters of ${name}`, columns, rows)
  }
  const read = async (): Promise<void> => {
    const query = { limit: pageLetters, from: wanted.checked ? 'redriven' : 'earliest' }
    show(await client.call('GET /connectors/{name}/dlq', { path, query, signal }))
  }
  const put = async (body: RedriveRequest): Promise<void> => {
    fill(result, 'Under way…')
    const counts = new Map<string, number>()
    // It goes on when another page is shown: to give it up halfway takes a reason.
    let ended = 'It broke off before its end'
    try {
      for await (const line of client.lines('POST /connectors/{name}/dlq/redrive', { path, body })) {
        if ('done' in line) ended = summaryOf(counts, line)
        else {
          counts.set(line.outcome, (counts.get(line.outcome) ?? 0) + 1)
          const place = outcomes.get(placeOf(line))
          if (place !== undefined) fill(place, line.outcome, line.reason !== undefined && `: ${line.reason}`)
        }
      }
    } finally {
      fill(result, ended)
    }
  }
  const wanted = make('input', { type: 'checkbox', checked: true })
  wanted.addEventListener('change', () => void read().catch(tellError))
  const choice = (): { partition: number; offset: number }[] =>
    [...chosen]
      .filter(([, box]) => box.checked)
      .map(([place]) => {
        const [partition, offset] = place.split(':').map(Number)
        return { partition: partition!, offset: offset! }
      })
  const ofChosen = (dryRun: boolean) => async (): Promise<void> => {
    const offsets = choice()
    if (offsets.length === 0) tell('No letter is chosen', 'error')
    else await put({ offsets, ...(dryRun ? { dryRun } : {}) })
  }
  const queue = state.get(name)?.config['errors.deadletterqueue.topic.name'] ?? ''
  if (queue === '') {
    const hint =
      'It has no topic for dead letters: errors.deadletterqueue.topic.name names one, with errors.tolerance=all.'
    return { element: make('p', { class: 'soft' }, hint) }
  }
  const actions = make(
    'div',
    { class: 'actions' },
    button('Put all back', async () => put({}), { class: 'primary', title: 'All since the last re-drive' }),
    button('Put the chosen back', ofChosen(false)),
    button('Try the chosen', ofChosen(true), { title: 'Converts them, and delivers nothing' }),
  )
  const onlyNew = make('label', {}, wanted, ' only those since the last re-drive')
  return { element: readPanel('Dead letters', read, about, onlyNew, list, actions, result) }
}

function summaryOf(
  counts: ReadonlyMap<string, number>,
  { ended, error }: Extract<RedrivenLine, { done: true }>,
): string {
  const done = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  const why = ended === 'end' ? '' : `; ended by ${ended}${error === undefined ? '' : `: ${error}`}`
  return `${done === '' ? 'There was nothing to put back' : done}${why}`
}

function reasonOf({ stage, exception, message, origin }: DeadLetter): HTMLElement {
  const from = origin.topic === null ? '' : `${origin.topic} ${origin.partition ?? ''}:${origin.offset ?? ''}`
  return make(
    'div',
    {},
    make('div', {}, message ?? exception ?? ''),
    make('div', { class: 'soft' }, [stage, from].filter(Boolean).join(', of ')),
  )
}

function recordOf({ key, value }: DeadLetter): HTMLElement {
  return make('div', { class: 'code value' }, textOfBytes(key), make('br'), textOfBytes(value))
}
