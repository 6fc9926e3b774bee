import type { Header, SourceRecord } from '@tidewire/sdk'
import type { RowChange } from '../replication/wal-message.ts'
import { heartbeatSchemas, messageSchemas, transactionSchemas, type SnapshotMark } from './event-schemas.ts'
import { schemaNameAdjuster } from './name-adjuster.ts'
import type { EventConfig } from './settings.ts'
import type { Fields, Row, TableShape } from './table-shape.ts'
import type { TopicNames } from './topic-names.ts'
import { TransactionCounts } from './transaction-counts.ts'

/** Where in the database's history an event is. The task keeps one up to date; each event is given it. */
export interface SourceState {
  /** Position of the change. */
  readonly lsn: number | undefined
  /** Of the last transaction that was complete before. */
  readonly lastCommitLsn: number | undefined
  /** Undefined: none, as with a logical message outside of transactions. */
  readonly txId: number | undefined
  /** Microseconds since 1970: when the transaction was committed; of a snapshot's rows, when it was taken. */
  readonly commitTimeUs: number
  readonly snapshot: SnapshotMark
  /** The slot's, where `xmin.fetch.interval.ms` has it read. */
  readonly xmin?: number | undefined
  /** Of a transaction that came to the database by replication. */
  readonly origin?: string | undefined
  readonly originLsn?: number | undefined
}

export interface EventWriterOptions {
  readonly config: EventConfig
  /** `database.dbname`. */
  readonly database: string
  /** `binary.handling.mode`, for the contents of logical messages. */
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex'
  readonly topics: TopicNames
  /** Of the connector, in `source.version`. */
  readonly version: string
  readonly task: number
  /** Another one each time that the task starts. */
  readonly runId: string
  /** Milliseconds since 1970. Default Date.now. */
  readonly now?: () => number
}

type Operation = 'c' | 'r' | 'u' | 'd' | 't'

/** Each time that an event tells of an instant, in the three units it has. int64: nanoseconds are beyond 2^53. */
interface Instant {
  readonly ms: number
  readonly us: number
  readonly ns: bigint
}

/** In the counts of transactions, among the tables. */
const messagesName = 'LOGICAL_DECODING_MESSAGE'

/**
 * Makes the records of changes, as Debezium does. One for each task; what it is given in the order of the stream it counts
 * for the metadata of transactions, so a task that passes over what was delivered before gives it that too, and drops the
 * records. Positions are the task's: the records have none. Records have no position of their own, since the task gives one with each batch.
 */
export class EventWriter {
  readonly #options: EventWriterOptions
  readonly #skipped: ReadonlySet<string>
  readonly #tombstones: boolean
  readonly #skipsUnchanged: boolean
  readonly #countsTransactions: boolean
  readonly #contextHeaders: readonly Header[] | undefined
  readonly #now: () => number
  readonly #transactionSchemas
  readonly #heartbeatSchemas
  readonly #messageSchemas
  #transaction: TransactionCounts | undefined
  #lastSource: { readonly shape: TableShape; readonly state: SourceState; readonly block: Fields } | undefined
  #processed: Instant = instantOf(0)
  #committed: Instant = instantOf(0)

  constructor(options: EventWriterOptions) {
    const { config } = options
    this.#options = options
    this.#skipped = new Set(config['skipped.operations'])
    this.#tombstones = config['tombstones.on.delete']
    this.#skipsUnchanged = config['skip.messages.without.change']
    this.#countsTransactions = config['provide.transaction.metadata']
    this.#contextHeaders = config['extended.headers.enabled'] ? contextHeaders(options) : undefined
    this.#now = options.now ?? Date.now
    const adjustName = schemaNameAdjuster(config['schema.name.adjustment.mode'])
    this.#transactionSchemas = transactionSchemas(adjustName)
    this.#heartbeatSchemas = heartbeatSchemas(adjustName)
    this.#messageSchemas = messageSchemas(adjustName, options.binary === 'bytes')
  }

  /** A transaction begins. Makes a record only where metadata of transactions is asked for. */
  begin(into: SourceRecord[], state: SourceState): void {
    if (!this.#countsTransactions || state.txId === undefined) return
    this.#transaction = new TransactionCounts(state.txId)
    this.#tellTransaction(into, this.#transaction, 'BEGIN', state)
  }

  /** A transaction has ended. Makes a record only where metadata of transactions is asked for. */
  end(into: SourceRecord[], state: SourceState): void {
    if (this.#transaction === undefined) return
    this.#tellTransaction(into, this.#transaction, 'END', state)
    this.#transaction = undefined
  }

  /**
   * An insert, update or delete of the stream.
   * @returns false: the shape is out of date. It is to be renewed, and the change given again; no record was made
   * @throws ConnectError where the tuples are not of the shape
   */
  change(into: SourceRecord[], shape: TableShape, change: RowChange, state: SourceState): boolean {
    const { bytes, newAt, oldAt } = change
    if (change.kind === 'insert') {
      if (this.#skipped.has('c')) return true
      const row = shape.readTuple(bytes, newAt)
      if (row === undefined) return false
      this.#tell(into, shape, 'c', row.key, null, row.value, state, this.#contextHeaders)
      return true
    }
    // Of a table without a replica identity there is nothing to tell a deleted row by.
    const before = oldAt < 0 ? null : shape.readTuple(bytes, oldAt)
    if (before === undefined) return false
    if (change.kind === 'delete') {
      if (before !== null) this.#delete(into, shape, before, state, this.#contextHeaders)
      return true
    }
    const after = shape.readTuple(bytes, newAt, oldAt)
    if (after === undefined) return false
    this.#update(into, shape, change, before, after, state)
    return true
  }

  /** A row of a snapshot. */
  read(into: SourceRecord[], shape: TableShape, row: Row, state: SourceState): void {
    this.#tell(into, shape, 'r', row.key, null, row.value, state, this.#contextHeaders)
  }

  /** One table of a truncate. */
  truncate(into: SourceRecord[], shape: TableShape, state: SourceState): void {
    if (this.#skipped.has('t')) return
    this.#tell(into, shape, 't', null, null, null, state, this.#contextHeaders)
  }

  /** A logical message. */
  message(
    into: SourceRecord[],
    message: { readonly prefix: string; readonly content: Buffer },
    state: SourceState,
  ): void {
    const { prefix } = message
    into.push({
      topic: this.#options.topics.messages,
      key: { prefix },
      keySchema: this.#messageSchemas.key,
      value: {
        op: 'm',
        ts_ms: this.#now(),
        source: this.#source('', '', state),
        transaction: this.#transactionBlock(messagesName, state),
        message: { prefix, content: this.#content(message.content) },
      },
      valueSchema: this.#messageSchemas.value,
    })
  }

  heartbeat(into: SourceRecord[]): void {
    into.push({
      topic: this.#options.topics.heartbeats,
      partition: 0,
      key: { serverName: this.#options.config['topic.prefix'] },
      keySchema: this.#heartbeatSchemas.key,
      value: { ts_ms: this.#now() },
      valueSchema: this.#heartbeatSchemas.value,
    })
  }

  #update(
    into: SourceRecord[],
    shape: TableShape,
    { bytes, newAt, oldAt }: RowChange,
    before: Row | null,
    after: Row,
    state: SourceState,
  ): void {
    if (before !== null && this.#skipsUnchanged && shape.hasSameValues(bytes, oldAt, newAt, before, after)) return
    if (before === null || after.key === null || shape.hasSameKey(bytes, oldAt, newAt)) {
      if (this.#skipped.has('u')) return
      const old = before === null ? null : before.value
      this.#tell(into, shape, 'u', after.key, old, after.value, state, this.#contextHeaders)
      return
    }
    // To whoever goes by keys, another key is another row.
    const newKey: Header = { key: '__debezium.newkey', value: after.key, schema: shape.keySchema }
    const oldKey: Header = { key: '__debezium.oldkey', value: before.key, schema: shape.keySchema }
    this.#delete(into, shape, before, state, this.#withContext(newKey))
    if (this.#skipped.has('c')) return
    this.#tell(into, shape, 'c', after.key, null, after.value, state, this.#withContext(oldKey))
  }

  #delete(
    into: SourceRecord[],
    shape: TableShape,
    before: Row,
    state: SourceState,
    headers: readonly Header[] | undefined,
  ): void {
    if (this.#skipped.has('d')) return
    this.#tell(into, shape, 'd', before.key, before.value, null, state, headers)
    if (!this.#tombstones) return
    into.push({
      topic: shape.topic,
      key: before.key,
      keySchema: shape.keySchema,
      value: null,
      headers,
    })
  }

  #tell(
    into: SourceRecord[],
    shape: TableShape,
    op: Operation,
    key: Fields | null,
    before: Fields | null,
    after: Fields | null,
    state: SourceState,
    headers: readonly Header[] | undefined,
  ): void {
    const processed = this.#clock()
    into.push({
      topic: shape.topic,
      key,
      keySchema: op === 't' ? undefined : shape.keySchema,
      value: {
        before,
        after,
        source: this.#sourceOf(shape, state),
        transaction: this.#transactionBlock(shape.name, state),
        op,
        ts_ms: processed.ms,
        ts_us: processed.us,
        ts_ns: processed.ns,
      },
      valueSchema: shape.valueSchema,
      headers,
    })
  }

  /** All rows of a table that a snapshot reads with one mark have the same block. */
  #sourceOf(shape: TableShape, state: SourceState): Fields {
    const last = this.#lastSource
    if (last !== undefined && last.shape === shape && last.state === state) return last.block
    const block = this.#source(shape.id.schema, shape.id.table, state)
    this.#lastSource = { shape, state, block }
    return block
  }

  #source(schema: string, table: string, state: SourceState): Fields {
    const { lsn, lastCommitLsn, snapshot } = state
    if (this.#committed.us !== state.commitTimeUs) this.#committed = instantOf(state.commitTimeUs)
    // A row that an incremental snapshot has read is of no transaction.
    const isPlaced = snapshot !== 'incremental'
    return {
      version: this.#options.version,
      connector: 'postgresql',
      name: this.#options.config['topic.prefix'],
      ts_ms: this.#committed.ms,
      // null stands for the default, `false`.
      snapshot: snapshot === 'false' ? null : snapshot,
      db: this.#options.database,
      sequence: `[${lastCommitLsn === undefined ? 'null' : `"${lastCommitLsn}"`},${lsn === undefined ? 'null' : `"${lsn}"`}]`,
      ts_us: this.#committed.us,
      ts_ns: this.#committed.ns,
      schema,
      table,
      txId: isPlaced ? (state.txId ?? null) : null,
      lsn: isPlaced ? (lsn ?? null) : null,
      xmin: isPlaced ? (state.xmin ?? null) : null,
      origin: state.origin ?? null,
      origin_lsn: state.originLsn ?? null,
    }
  }

  #transactionBlock(table: string, { txId, lsn }: SourceState): Fields | null {
    if (this.#transaction === undefined || txId === undefined) return null
    const { total, ofTable } = this.#transaction.next(table)
    return { id: `${txId}:${lsn}`, total_order: total, data_collection_order: ofTable }
  }

  #tellTransaction(
    into: SourceRecord[],
    transaction: TransactionCounts,
    status: 'BEGIN' | 'END',
    { lsn, commitTimeUs }: SourceState,
  ): void {
    const id = `${transaction.xid}:${lsn}`
    const isEnd = status === 'END'
    const perTable = Array.from(transaction.byTable, ([table, count]) => ({
      data_collection: table,
      event_count: count,
    }))
    into.push({
      topic: this.#options.topics.transactions,
      key: { id },
      keySchema: this.#transactionSchemas.key,
      value: {
        status,
        id,
        event_count: isEnd ? transaction.total : null,
        data_collections: isEnd ? perTable : null,
        ts_ms: Math.floor(commitTimeUs / 1000),
      },
      valueSchema: this.#transactionSchemas.value,
    })
  }

  #content(content: Buffer): unknown {
    switch (this.#options.binary) {
      case 'bytes':
        // What came shares its memory with many others.
        return Buffer.from(content)
      case 'base64':
        return content.toString('base64')
      case 'base64-url-safe':
        // Java's encoder pads, and Node's does not.
        return content.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
      case 'hex':
        return content.toString('hex')
    }
  }

  #withContext(header: Header): readonly Header[] {
    return this.#contextHeaders === undefined ? [header] : [header, ...this.#contextHeaders]
  }

  /** When events are made, to the millisecond: microseconds and nanoseconds are worked out once for each. */
  #clock(): Instant {
    const ms = this.#now()
    if (ms !== this.#processed.ms) this.#processed = instantOf(ms * 1000)
    return this.#processed
  }
}

function instantOf(us: number): Instant {
  return { ms: Math.floor(us / 1000), us, ns: BigInt(us) * 1000n }
}

function contextHeaders({ config, task, runId }: EventWriterOptions): readonly Header[] {
  const header = (name: string, value: string): Header => ({
    key: `__debezium.context.${name}`,
    value,
    schema: { type: 'string' },
  })
  return [
    header('connectorLogicalName', config['topic.prefix']),
    header('taskId', String(task)),
    header('connectorName', 'postgresql'),
    header('runId', runId),
  ]
}
