/** Panels that show what they have read from the worker. */
import { fill, make, table, type Child } from './dom.ts'
import { button, tellError } from './notices.ts'

/** A panel of this content. `read` is called at once, and whenever the user asks for it. */
export function readPanel(title: string, read: () => Promise<void>, ...content: readonly Child[]): HTMLElement {
  read().catch(tellError)
  return make('div', {}, make('div', { class: 'head' }, make('h2', {}, title), button('Read again', read)), ...content)
}

/** Puts the rows into the card, or in words that there are none. */
export function fillList(
  card: HTMLElement,
  none: string,
  caption: string,
  columns: readonly string[],
  rows: readonly HTMLTableRowElement[],
): void {
  fill(card, rows.length === 0 ? make('p', { class: 'pad soft' }, none) : table(caption, columns, rows))
}
