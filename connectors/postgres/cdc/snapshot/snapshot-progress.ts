import type { TaskProgress } from '@tidewire/sdk'

interface Table {
  readonly name: string
  readonly rowEstimate: number
}

/** Counts what a snapshot has read, for the task's status. */
export class SnapshotProgress {
  readonly #tell: (progress: TaskProgress) => void
  readonly #tables: number
  readonly #estimate: number
  readonly #started = performance.now()
  #tablesDone: number
  #rowsDone = 0

  constructor(tables: readonly Table[], tablesDone: number, tell: (progress: TaskProgress) => void) {
    this.#tell = tell
    this.#tables = tables.length
    this.#tablesDone = tablesDone
    this.#estimate = tables.reduce((sum, { rowEstimate }) => sum + rowEstimate, 0)
  }

  read({ name }: Table, rows: number, isTableDone: boolean): void {
    this.#rowsDone += rows
    if (isTableDone) this.#tablesDone++
    this.#say(
      `snapshot: reading ${name}, ${grouped(this.#rowsDone)} of about ${grouped(this.#expected)} rows, ${this.#tablesDone} of ${this.#tables} tables done`,
    )
  }

  done(): void {
    this.#tablesDone = this.#tables
    this.#say(`snapshot: complete, ${grouped(this.#rowsDone)} rows of ${this.#tables} tables`)
  }

  get rowsDone(): number {
    return this.#rowsDone
  }

  /** An estimate that is passed was wrong. */
  get #expected(): number {
    return Math.max(this.#estimate, this.#rowsDone)
  }

  #say(text: string): void {
    this.#tell({
      text,
      figures: {
        snapshot_rows_done: this.#rowsDone,
        snapshot_rows_estimated: this.#expected,
        snapshot_tables: this.#tables,
        snapshot_tables_done: this.#tablesDone,
        snapshot_seconds: Math.round((performance.now() - this.#started) / 1000),
      },
    })
  }
}

const grouped = (count: number): string => count.toLocaleString('en')
