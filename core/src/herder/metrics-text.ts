/**
 * Metrics as Prometheus reads them (text exposition format 0.0.4). A few lines of our own: what is counted is counted in other
 * threads, so a library's registry would only be filled to be printed.
 */

type Labels = Readonly<Record<string, string | number>>

/** See the head of the file. */
export class MetricsText {
  readonly #families = new Map<string, string[]>()

  /** Of one metric, however it is labelled, type and help are those of the first. */
  add(type: 'counter' | 'gauge', name: string, help: string, value: number, labels: Labels = {}): void {
    let lines = this.#families.get(name)
    if (lines === undefined) {
      lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
      this.#families.set(name, lines)
    }
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`)
    lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`)
  }

  toString(): string {
    return [...this.#families.values(), []].map((lines) => lines.join('\n')).join('\n')
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
