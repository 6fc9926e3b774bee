/** A signal to a connector that takes them: a small form, in front of the page. */
import { labelled, listen, make } from './dom.ts'
import { onSubmit, tell } from './notices.ts'
import type { Console } from './page.ts'

export function askForSignal({ client }: Pick<Console, 'client'>, name: string): void {
  const type = make('input', { required: true, pattern: '[a-zA-Z][a-zA-Z0-9._\\-]{0,63}', autofocus: true })
  const data = make('textarea', { rows: 6, spellcheck: 'false' }, '{}')
  const cancel = make('button', { type: 'button', class: 'plain' }, 'Cancel')
  const form = make(
    'form',
    {},
    labelled('Type', type),
    labelled('Data, a JSON object', data),
    make('div', { class: 'actions' }, cancel, make('button', { type: 'submit' }, 'Send')),
  )
  const heading = make('h2', { id: 'signal' }, `Signal to ${name}`)
  const dialog = make('dialog', { 'aria-labelledby': 'signal' }, heading, form)
  listen(data, 'input', () => data.setCustomValidity(''))
  onSubmit(form, async () => {
    const given = objectIn(data.value)
    if (given === undefined) {
      data.setCustomValidity('A JSON object is needed')
      data.reportValidity()
      return
    }
    const body = { type: type.value, data: given }
    const { id } = await client.call('POST /connectors/{name}/signals', { path: { name }, body })
    dialog.close()
    tell(`${name}: signal ${id} is sent`)
  })
  const before = document.activeElement
  listen(cancel, 'click', () => dialog.close())
  dialog.addEventListener('close', () => {
    dialog.remove()
    if (before instanceof HTMLElement) before.focus()
  })
  document.body.append(dialog)
  dialog.showModal()
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
