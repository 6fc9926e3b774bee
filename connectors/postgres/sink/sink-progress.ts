import type { TaskProgress } from '@tidewire/sdk'
import type { Group } from './schedule.ts'

/** What a task has done since it began. */
export class SinkProgress {
  readonly #tell: (progress: TaskProgress) => void
  readonly #tables = new Set<string>()
  #rows = 0
  #refused = 0
  #batches = 0
  #retries = 0

  constructor(tell: (progress: TaskProgress) => void) {
    this.#tell = tell
  }

  /** A batch is written. @param refused records of it, of which none is among the rows written */
  wrote(groups: readonly Group[], rows: number, refused: number): void {
    for (const { set } of groups) this.#tables.add(set.table.name.sql)
    this.#rows += rows
    this.#refused += refused
    this.#batches++
    this.#show()
  }

  /** A batch has failed in passing. */
  failed(): void {
    this.#retries++
    this.#show()
  }

  #show(): void {
    const rows = this.#rows.toLocaleString('en')
    const refused = this.#refused === 0 ? '' : `, ${this.#refused.toLocaleString('en')} refused`
    this.#tell({
      text: `${rows} rows written to ${this.#tables.size} ${this.#tables.size === 1 ? 'table' : 'tables'}${refused}`,
      figures: {
        rows_written: this.#rows,
        rows_refused: this.#refused,
        batches: this.#batches,
        retries: this.#retries,
        tables: this.#tables.size,
      },
    })
  }
}
