import { styleText } from 'node:util'
import { formatTable, harmless } from './table.ts'

export type Format = 'table' | 'json'

/** A standard stream, or what stands in for one. */
export interface OutputStream {
  write(text: string): boolean
  once(event: 'drain', listener: () => void): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export interface OutputOptions {
  readonly format: Format
  readonly stdout?: OutputStream
  readonly stderr?: OutputStream
  readonly env?: Readonly<Record<string, string | undefined>>
}

type Style = Parameters<typeof styleText>[0]

/**
 * What a command prints: results on standard output, as tables for people or as JSON for programs; warnings and progress
 * on standard error. Colours and progress are for terminals alone.
 */
export class Output {
  readonly json: boolean
  readonly #stdout: OutputStream
  readonly #stderr: OutputStream
  readonly #colours: boolean
  readonly #animates: boolean
  #progress = ''

  constructor({ format, stdout = process.stdout, stderr = process.stderr, env = process.env }: OutputOptions) {
    this.json = format === 'json'
    this.#stdout = stdout
    this.#stderr = stderr
    const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
    this.#colours = stdout.isTTY === true && !plain && !this.json
    this.#animates = stderr.isTTY === true && env['TERM'] !== 'dumb'
  }

  /** Whether someone reads the results on a terminal. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true
  }

  /** A whole result: the value as JSON, or what people are to read. */
  async show(value: unknown, human: () => string): Promise<void> {
    await this.line(this.json ? JSON.stringify(value, undefined, 2) : human())
  }

  /** One of many results: each a line of JSON. */
  async item(value: unknown, human: () => string): Promise<void> {
    await this.line(this.json ? JSON.stringify(value) : human())
  }

  /** Waits where the reader is slow. */
  async line(text: string): Promise<void> {
    this.#clear()
    await this.raw(`${text}\n`)
    this.#draw()
  }

  async raw(bytes: string): Promise<void> {
    if (this.#stdout.write(bytes)) return
    await new Promise<void>((resolve) => this.#stdout.once('drain', resolve))
  }

  /** @param rows cells come from elsewhere, and are made harmless; `styles` says how to paint a cell */
  table(
    headings: readonly string[],
    rows: readonly (readonly (string | number | null | undefined)[])[],
    styles: Readonly<Record<string, (cell: string) => Style | undefined>> = {},
  ): string {
    const painters = headings.map((heading) => styles[heading])
    const cells = rows.map((row) =>
      row.map((cell, column) => {
        if (typeof cell !== 'string') return cell
        const style = painters[column]?.(cell)
        return style === undefined ? harmless(cell) : this.paint(style, harmless(cell))
      }),
    )
    const titles = headings.map((heading) => this.paint('bold', heading))
    return formatTable(titles, cells, this.isTerminal ? this.#stdout.columns : undefined)
  }

  /** The text in a colour, on a terminal that wants any. */
  paint(style: Style, text: string): string {
    return this.#colours ? styleText(style, text, { validateStream: false }) : text
  }

  /** Something that the user should know, beside the result. */
  warn(text: string): void {
    this.#clear()
    this.#stderr.write(`tidewire: ${harmless(text)}\n`)
    this.#draw()
  }

  /** How far a long operation is; replaces what it said before. Seen on a terminal alone. */
  progress(text: string): void {
    if (!this.#animates) return
    this.#clear()
    this.#progress = harmless(text).slice(0, Math.max(0, (this.#stderr.columns ?? 80) - 1))
    this.#draw()
  }

  /** Takes away what {@link progress} showed. */
  settle(): void {
    this.#clear()
    this.#progress = ''
  }

  #clear(): void {
    if (this.#progress !== '') this.#stderr.write('\r\u001b[2K')
  }

  #draw(): void {
    if (this.#progress !== '') this.#stderr.write(this.#progress)
  }
}

/** How states of connectors, tasks and groups look. */
export function stateStyle(state: string): Style | undefined {
  switch (state.toUpperCase()) {
    case 'RUNNING':
    case 'STABLE':
      return 'green'
    case 'FAILED':
    case 'DEAD':
      return 'red'
    case 'PAUSED':
    case 'STALLED':
    case 'RESTARTING':
    case 'UNASSIGNED':
      return 'yellow'
    default:
      return undefined
  }
}
