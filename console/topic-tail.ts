/** The records of a topic as they come. */
import type { TailedRecord } from '../core/src/rest-client/operations.ts'
import { NoAnswerError } from '../core/src/rest-client/rest-client.ts'
import { fill, find, labelled, make, onceOver, options, row, table } from './dom.ts'
import { button, describeError, isOver, onSubmit, tellError } from './notices.ts'
import type { Console, Page } from './page.ts'
import { textOfBytes } from './shown-bytes.ts'

/** More would be no page any more. */
const maxRows = 500
const pauseMs = 2000

export function chooseTopic({ go }: Console): Page {
  const topic = make('input', { required: true, autocomplete: 'off', spellcheck: 'false' })
  const form = make(
    'form',
    { class: 'card pad line' },
    labelled('Topic', topic),
    make('button', { type: 'submit', class: 'primary' }, 'Show its tail'),
  )
  onSubmit(form, () => go('topics', topic.value.trim()))
  const remark = 'The topics that a connector uses are on its page.'
  return {
    title: 'Topics',
    element: make('section', {}, make('h1', { tabindex: -1 }, 'Topics'), make('p', { class: 'soft' }, remark), form),
  }
}

export function topicTail(app: Console, topic: string): Page {
  const from = make('select')
  options(from, [
    ['latest', 'now'],
    ['earliest', 'the beginning'],
  ])
  const partition = make('input', { inputmode: 'numeric', pattern: '[0-9]*', placeholder: 'all', size: 4 })
  const records = table(`Records of ${topic}`, ['Partition', 'Offset', 'Time', 'Key', 'Value', 'Headers'], [])
  const body = find('tbody', records)
  const state = make('p', { class: 'soft', role: 'status' })
  let reading = new AbortController()
  onceOver(app.signal, () => reading.abort())

  const add = (record: TailedRecord): void => {
    body.prepend(recordRow(record))
    while (body.children.length > maxRows) body.lastElementChild!.remove()
  }
  const stop = (): void => {
    reading.abort()
    fill(state, 'Stopped.')
  }
  const follow = async (): Promise<void> => {
    reading.abort()
    reading = new AbortController()
    const { signal } = reading
    fill(body)
    fill(state, 'Opening…')
    const query = {
      from: from.value,
      format: 'text' as const,
      ...(partition.value === '' ? {} : { partition: Number(partition.value) }),
    }
    let lastEventId = ''
    for (;;) {
      try {
        const asked = { path: { topic }, query, signal, ...(lastEventId === '' ? {} : { lastEventId }) }
        for await (const { id, event, data } of app.client.events('GET /topics/{topic}/tail', asked)) {
          lastEventId = id
          if (event === 'ready') fill(state, 'Records are shown as they come, the newest first.')
          else if (event === 'record') add(JSON.parse(data) as TailedRecord)
          else if (event === 'failed') throw new Error((JSON.parse(data) as { error: string }).error)
        }
      } catch (error) {
        if (isOver(error)) return
        fill(state, describeError(error))
        if (!(error instanceof NoAnswerError) || lastEventId === '') throw error
      }
      await new Promise((again) => setTimeout(again, pauseMs))
      if (signal.aborted) return
    }
  }
  const form = make(
    'form',
    { class: 'card pad line' },
    labelled('From', from),
    labelled('Partition', partition),
    make('button', { type: 'submit', class: 'primary' }, 'Show'),
    button('Stop', stop),
  )
  // Not awaited: it goes on for as long as it is looked at.
  onSubmit(form, () => void follow().catch(tellError))
  follow().catch(tellError)
  return {
    title: `Tail of ${topic}`,
    element: make(
      'section',
      {},
      make('h1', { tabindex: -1 }, `Tail of ${topic}`),
      form,
      state,
      make('div', { class: 'card' }, records),
    ),
  }
}

function recordRow({ partition, offset, timestamp, key, value, headers }: TailedRecord): HTMLTableRowElement {
  const cell = (text: string): HTMLElement => make('div', { class: 'code value' }, text)
  return row(
    String(partition),
    String(offset),
    timestamp < 0 ? '' : new Date(timestamp).toLocaleString(),
    cell(textOfBytes(key)),
    cell(textOfBytes(value)),
    headers.map((header) => cell(`${header.key}: ${textOfBytes(header.value)}`)),
  )
}
