/** How far a connector has come, and, once it is stopped, where it is to begin. */
import type { OffsetsFrom } from '../core/src/rest-client/operations.ts'
import { labelled, listen, make, options, row } from './dom.ts'
import { button, confirm, onSubmit, tell } from './notices.ts'
import type { Console, Panel } from './page.ts'
import { fillList, readPanel } from './read-panel.ts'

const kinds = [
  ['earliest', 'the beginning'],
  ['latest', 'what comes from now on'],
  ['timestamp', 'a time'],
  ['offset', 'an offset'],
] as const

export function offsetsPanel({ client, state, signal }: Console, name: string): Panel {
  const path = { name }
  const list = make('div', { class: 'card' })
  const read = async (): Promise<void> => {
    const { offsets } = await client.call('GET /connectors/{name}/offsets', { path, signal })
    const rows = offsets.map(({ partition, offset }) =>
      row(make('code', {}, JSON.stringify(partition)), make('code', {}, JSON.stringify(offset))),
    )
    fillList(list, 'None is stored yet.', `Offsets of ${name}`, ['Partition', 'Offset'], rows)
  }
  const begin = beginForm(async (from, topics) => {
    const body = { from, ...(topics.length === 0 ? {} : { topics }) }
    const { message } = await client.call('PATCH /connectors/{name}/offsets', { path, body })
    tell(message)
    await read()
  })
  const forget = button(
    'Forget all…',
    async () => {
      const remark = 'It begins anew when it is resumed: records may be read, or written, once more.'
      if (!(await confirm(`Forget the offsets of ${name}?`, remark, 'Forget'))) return
      tell((await client.call('DELETE /connectors/{name}/offsets', { path })).message)
      await read()
    },
    { class: 'danger' },
  )
  const change = make('div', {}, make('h2', {}, 'Begin elsewhere'), begin, make('div', { class: 'actions' }, forget))
  const hint = make('p', { class: 'soft' }, 'Stop the connector to change its offsets.')
  const changed = (): void => {
    const isStopped = state.get(name)?.state?.state === 'STOPPED'
    change.hidden = !isStopped
    hint.hidden = isStopped
  }
  changed()
  return { element: readPanel('Offsets', read, list, hint, change), changed }
}

function beginForm(set: (from: OffsetsFrom, topics: readonly string[]) => Promise<void>): HTMLFormElement {
  const kind = make('select')
  options(kind, kinds)
  const time = make('input', { type: 'datetime-local', step: 1 })
  const offset = make('input', { inputmode: 'numeric', pattern: '[0-9]+' })
  const topics = make('input', { placeholder: 'all', spellcheck: 'false' })
  const [timeLabel, offsetLabel] = [labelled('Time, of this machine', time), labelled('Offset', offset)]
  const show = (): void => {
    timeLabel.hidden = kind.value !== 'timestamp'
    offsetLabel.hidden = kind.value !== 'offset'
  }
  listen(kind, 'change', show)
  show()
  const form = make(
    'form',
    { class: 'card pad line' },
    labelled('Begin from', kind),
    timeLabel,
    offsetLabel,
    labelled('Topics, of a sink', topics),
    make('button', { type: 'submit', class: 'primary' }, 'Set'),
  )
  onSubmit(form, async () => {
    const wanted = topics.value.split(',').map((each) => each.trim())
    await set(placeOf(kind.value, time.value, offset.value), wanted.filter(Boolean))
  })
  return form
}

/** @throws Error that says what is missing */
function placeOf(kind: string, time: string, offset: string): OffsetsFrom {
  if (kind === 'earliest' || kind === 'latest') return kind
  if (kind === 'offset') {
    if (!/^\d{1,15}$/.test(offset)) throw new Error('The offset must be a whole number')
    return { offset: Number(offset) }
  }
  const timestamp = Date.parse(time)
  if (Number.isNaN(timestamp)) throw new Error('Give the time to begin from')
  return { timestamp }
}
