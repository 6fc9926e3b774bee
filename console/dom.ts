/** Elements made by calls. Texts are set as text, never as markup, wherever they come from. */

export type Child = Node | string | number | undefined | false

export interface Attributes {
  readonly class?: string
  readonly id?: string
  readonly [name: string]: string | number | boolean | undefined
}

/** Attributes by their names; true is an attribute without a value, false and undefined are none. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...nodes(children))
  return element
}

/** Puts the children in place of what the element has. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...nodes(children))
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children
    .filter((child) => child !== undefined && child !== false)
    .map((child) => (typeof child === 'number' ? String(child) : child))
}

/** The element that the pages are written to have. @throws Error where there is none */
export function find(selector: string, within: ParentNode = document): HTMLElement {
  const found = within.querySelector<HTMLElement>(selector)
  if (found === null) throw new Error(`the page lacks ${selector}`)
  return found
}

export function listen<K extends keyof HTMLElementEventMap>(
  element: HTMLElement,
  type: K,
  listener: (event: HTMLElementEventMap[K]) => void,
): void {
  element.addEventListener(type, listener)
}

/** A table with a head; the rows are the caller's. */
export function table(caption: string, columns: readonly string[], rows: readonly HTMLTableRowElement[]) {
  const head = make('tr', {}, ...columns.map((column) => make('th', { scope: 'col' }, column)))
  return make(
    'table',
    {},
    make('caption', { class: 'unseen' }, caption),
    make('thead', {}, head),
    make('tbody', {}, ...rows),
  )
}

export function row(...cells: readonly (Child | readonly Child[])[]): HTMLTableRowElement {
  return make('tr', {}, ...cells.map((cell) => make('td', {}, ...[cell].flat())))
}

/** A link within the console. */
export function link(text: string, ...path: readonly string[]): HTMLAnchorElement {
  return make('a', { href: hrefOf(...path) }, text)
}

export function hrefOf(...path: readonly string[]): string {
  return `#/${path.map(encodeURIComponent).join('/')}`
}

/** A state in its colour, and in words. */
export function badge(state: string, count?: number): HTMLElement {
  const text = count === undefined ? state : `${count} ${state.toLowerCase()}`
  return make('span', { class: `state ${/^[A-Z]+$/.test(state) ? state : ''}` }, text)
}

/** A field with its label. */
export function labelled(label: string, field: HTMLElement): HTMLLabelElement {
  return make('label', {}, make('span', { class: 'label' }, label), field)
}

export function options(select: HTMLSelectElement, values: readonly (readonly [value: string, text: string])[]): void {
  fill(select, ...values.map(([value, text]) => make('option', { value }, text)))
}

/** Calls `work` when the signal is aborted. */
export function onceOver(signal: AbortSignal, work: () => void): void {
  signal.addEventListener('abort', work, { once: true })
}
