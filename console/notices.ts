/** What the user is told besides the page: that something went wrong, that something was done, and questions. */
import { NoAnswerError, RestClientError } from '../core/src/rest-client/rest-client.ts'
import { fill, find, listen, make } from './dom.ts'

/** An event of the window: the worker does not know, or know any more, who asks. */
export const logInNeeded = 'tidewire-log-in-needed'

/** What went wrong, in words that name the way out. */
export function describeError(error: unknown): string {
  if (error instanceof NoAnswerError) return `The worker does not answer (${error.message})`
  if (!(error instanceof RestClientError)) return error instanceof Error ? error.message : String(error)
  switch (error.status) {
    case 401:
      return `Not logged in: ${error.message}`
    case 403:
      return `Not allowed: ${error.message}`
    default:
      return error.message
  }
}

/** Stands until the next page, or until it is closed. */
export function tell(text: string, kind: 'error' | 'done' = 'done'): void {
  const close = make('button', { type: 'button', class: 'plain', 'aria-label': 'Close this message' }, '×')
  const notice = make('div', { class: `notice ${kind}`, role: kind === 'error' ? 'alert' : 'status' }, text, close)
  listen(close, 'click', () => notice.remove())
  const place = find('#notices')
  // Ten wrong clicks are not ten lines.
  for (const old of place.children) if (old.firstChild?.textContent === text) old.remove()
  place.append(notice)
  while (place.children.length > 4) place.firstElementChild!.remove()
}

export function tellError(error: unknown): void {
  if (isOver(error)) return
  if (error instanceof RestClientError && error.status === 401) {
    dispatchEvent(new Event(logInNeeded))
    return
  }
  tell(describeError(error), 'error')
}

/** Of what ended since nobody wants it any more. */
export function isOver(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

export function clearNotices(): void {
  fill(find('#notices'))
}

/** A button whose work is under way once at a time; what goes wrong is told. */
export function button(
  label: string,
  work: () => void | Promise<void>,
  attributes: { readonly class?: string; readonly title?: string; readonly 'aria-label'?: string } = {},
): HTMLButtonElement {
  const element = make('button', { type: 'button', ...attributes }, label)
  listen(element, 'click', () => void whileBusy(element, work))
  return element
}

/** Calls `work` on a submit, once at a time; what goes wrong is told. */
export function onSubmit(form: HTMLFormElement, work: () => void | Promise<void>): void {
  listen(form, 'submit', (event) => {
    event.preventDefault()
    void whileBusy(form, work)
  })
}

// Not disabled: that would take the focus away.
async function whileBusy(element: HTMLElement, work: () => void | Promise<void>): Promise<void> {
  if (element.ariaBusy === 'true') return
  element.ariaBusy = 'true'
  try {
    await work()
  } catch (error) {
    tellError(error)
  } finally {
    element.ariaBusy = null
  }
}

/** Whether the user goes on; Escape and Cancel do not. */
export async function confirm(question: string, remark: string, action: string): Promise<boolean> {
  const cancel = make('button', { type: 'button', autofocus: true }, 'Cancel')
  const go = make('button', { type: 'button', class: 'danger' }, action)
  const heading = make('h2', { id: 'question' }, question)
  const dialog = make(
    'dialog',
    { 'aria-labelledby': 'question' },
    heading,
    make('p', {}, remark),
    make('div', { class: 'actions' }, cancel, go),
  )
  const before = document.activeElement
  document.body.append(dialog)
  dialog.showModal()
  const answer = Promise.withResolvers<boolean>()
  listen(cancel, 'click', () => answer.resolve(false))
  listen(go, 'click', () => answer.resolve(true))
  dialog.addEventListener('close', () => answer.resolve(false))
  try {
    return await answer.promise
  } finally {
    dialog.remove()
    if (before instanceof HTMLElement) before.focus()
  }
}
