/** Counts the events of a transaction, for `provide.transaction.metadata`. */
export class TransactionCounts {
  readonly xid: number
  readonly #byTable = new Map<string, number>()
  #total = 0

  constructor(xid: number) {
    this.xid = xid
  }

  get total(): number {
    return this.#total
  }

  /** By table, `schema.table`, in the order of their first events. */
  get byTable(): ReadonlyMap<string, number> {
    return this.#byTable
  }

  /** Counts one event; says its place in the transaction, and among the table's in it, from 1. */
  next(table: string): { readonly total: number; readonly ofTable: number } {
    const ofTable = (this.#byTable.get(table) ?? 0) + 1
    this.#byTable.set(table, ofTable)
    return { total: ++this.#total, ofTable }
  }
}
