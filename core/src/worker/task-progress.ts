import type { TaskProgress } from '@tidewire/sdk'

/** How a task gets on, in bounds: as it is told, stored and shown. */
export interface ShownProgress extends TaskProgress {
  /** When it was new; ISO 8601. */
  readonly at: string
}

const maxTextLength = 300
const maxFigures = 50
/** A part of a metric's name too. */
const figureName = /^[a-z][a-z0-9_]{0,63}$/

/** As it is stored; undefined where the value is none. */
export function parseProgress(value: unknown): ShownProgress | undefined {
  const { text, figures, at } = (value ?? {}) as Partial<Record<keyof ShownProgress, unknown>>
  if (typeof text !== 'string' || typeof at !== 'string' || typeof figures !== 'object' || figures === null)
    return undefined
  return { ...bounded({ text, figures }, (clean) => clean), at }
}

/** What a task says of how it gets on, any number of times, to be asked for what is new now and then. */
export class ProgressNews {
  #told: TaskProgress | undefined
  #shown: ShownProgress | undefined

  readonly tell = (progress: TaskProgress): void => {
    this.#told = progress
  }

  /**
   * What is not known yet, if there is anything.
   * @param scrub takes secrets out of the text
   */
  take(scrub: (text: string) => string): ShownProgress | undefined {
    if (this.#told === undefined) return undefined
    const { text, figures } = bounded(this.#told, scrub)
    this.#told = undefined
    if (this.#shown?.text === text && isSame(this.#shown.figures, figures)) return undefined
    this.#shown = { text, figures, at: new Date().toISOString() }
    return this.#shown
  }
}

/** Connectors may be of plain JavaScript: nothing is taken for granted. */
function bounded(given: Partial<Record<keyof TaskProgress, unknown>>, scrub: (text: string) => string): TaskProgress {
  const text = typeof given.text === 'string' ? scrub(given.text).replace(/\s+/g, ' ') : ''
  const figures: [string, number][] = []
  for (const [name, figure] of Object.entries(given.figures ?? {})) {
    if (figures.length < maxFigures && figureName.test(name) && Number.isFinite(figure))
      figures.push([name, figure as number])
  }
  return {
    text: text.length > maxTextLength ? `${text.slice(0, maxTextLength - 1)}…` : text,
    figures: Object.fromEntries(figures),
  }
}

function isSame(a: TaskProgress['figures'], b: TaskProgress['figures']): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.is(a[name], b[name]))
}
