import type { Capture } from '../capture.ts'
import { columnAt, columnCount, lengthAt, text } from '../events/tuple.ts'
import type { Relation, RowChange } from '../replication/wal-message.ts'
import { parseSignal, type Signal } from './signal.ts'

/** The signals of the table `signal.data.collection`: rows that are inserted there. Its columns are id, type and data, in this order. */
export class SignalTable {
  readonly #capture: Capture
  readonly #name: string | undefined
  #relationId: number | undefined

  constructor(capture: Capture) {
    const { config } = capture
    this.#capture = capture
    this.#name = config['signal.enabled.channels'].includes('source')
      ? config['signal.data.collection']?.trim()
      : undefined
  }

  /** The stream announces a table. */
  announced({ id, schema, table }: Relation): void {
    if (`${schema}.${table}` === this.#name) this.#relationId = id
    else if (id === this.#relationId) this.#relationId = undefined
  }

  /** What a change of the stream asks for; undefined: nothing. */
  signalOf({ kind, relationId, bytes, newAt }: RowChange): Signal | undefined {
    if (relationId !== this.#relationId || kind !== 'insert') return undefined
    const { log } = this.#capture.context
    if (columnCount(bytes, newAt) < 3) {
      log.warn(`a signal is passed over: table ${this.#name} has not the columns id, type and data`)
      return undefined
    }
    const [id, type, data] = [0, 1, 2].map((index) => textAt(bytes, columnAt(bytes, newAt, index)))
    try {
      log.info('a signal has come', { table: this.#name, id, type })
      return parseSignal(type ?? '', data)
    } catch (error) {
      log.warn(`the signal ${id} of table ${this.#name} is passed over: ${String(error)}`)
      return undefined
    }
  }
}

function textAt(bytes: Buffer, column: number): string | undefined {
  if (bytes[column] !== text) return undefined
  return bytes.toString('utf8', column + 5, column + 5 + lengthAt(bytes, column + 1))
}
