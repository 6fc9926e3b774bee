import { RetriableError, type Logger, type SourceBatch, type SourceRecord } from '@tidewire/sdk'
import type { ElasticsearchLink } from '../link/link.ts'
import type { Server } from '../link/server.ts'
import { intervalMs, type Index } from './indices.ts'
import { offsetOf, partitionOf, type Position, type SortValue } from './offset.ts'
import { PointInTime, PointInTimeGone, type Hit, type Page, type Search } from './point-in-time.ts'
import { fieldOf, modeOf, queryOf, type ReadConfig } from './settings.ts'
import { exactOf, greatestValue, rangeOf, sortableType, timeOf, valueOfTime, type SortField } from './sort-field.ts'
import { RecordMaker } from './source-record.ts'

/** What all readers of a task share. */
export interface Session {
  readonly link: ElasticsearchLink
  readonly server: Server
  readonly config: ReadConfig
  readonly log: Logger
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Greater than any sequence number: what comes after it has a greater value of the field. */
const afterAll = 2n ** 63n - 1n
/** How often in a row a point in time may be gone before anything is read from it. */
const mostLost = 5
/** How many documents to ask for before their size is known. */
const firstSize = 100

/** Reads one index, each poll from a point in time of its own. */
export class IndexReader {
  readonly index: Index
  /** Of {@link Session.now}: when it is to be polled next. */
  dueAt: number
  documents = 0
  /** How far behind the time of the last document is, in milliseconds; undefined where documents have none. */
  lagMs: number | undefined
  readonly #session: Session
  readonly #records: RecordMaker
  readonly #fieldName: string | undefined
  /** Not known until a document has it. */
  #field: SortField | undefined
  #position: Position
  /** Mode `incrementing`: greatest values and when they were seen, the oldest first. */
  #greatest: { readonly at: number; readonly value: SortValue }[] = []
  #documentLength = 0
  readonly #foundAt: number

  constructor(session: Session, index: Index, position: Position) {
    const { config, log } = session
    this.index = index
    this.#session = session
    this.#foundAt = session.now()
    this.#records = new RecordMaker(config, index.name, partitionOf(index.name))
    this.#fieldName = fieldOf(config)
    const isSame = position.uuid === undefined || position.uuid === index.uuid
    if (!isSame) log.warn(`${index.name} was made anew, and is read from its beginning`)
    this.#position = { ids: [], ...(isSame && position), uuid: index.uuid }
    this.dueAt = this.#firstDue()
    this.#warnOfRefresh()
  }

  /** All that there is to read now. @throws ConnectError */
  async *poll(): AsyncGenerator<SourceBatch> {
    const { config, now } = this.#session
    const search = await this.#search()
    if (this.#begin()) yield this.#positionOnly()
    if (search !== undefined) yield* this.#scan(search)
    this.dueAt = now() + config['poll.interval.ms']
    const mode = modeOf(config)
    if (mode === 'incrementing' && this.#greatest.length > 0) {
      this.dueAt = Math.min(this.dueAt, this.#greatest[0]!.at + config['late.documents.delay.ms'])
    }
    if (mode !== 'bulk' && mode !== 'once') return
    this.#position = { uuid: this.index.uuid, ids: [], doneAt: now() }
    if (mode === 'once') this.dueAt = Infinity
    yield this.#positionOnly()
  }

  #positionOnly(): SourceBatch {
    return { records: [], offsets: [{ partition: partitionOf(this.index.name), offset: offsetOf(this.#position) }] }
  }

  /** `timestamp.initial`, once; stored, so that a restart does not begin later. */
  #begin(): boolean {
    const initial = this.#session.config['timestamp.initial']
    if (initial === undefined || this.#position.value !== undefined || this.#field === undefined) return false
    const from = initial === -1 ? this.#foundAt : initial
    this.#position = { uuid: this.index.uuid, value: valueOfTime(from, this.#field.type), ids: [] }
    return true
  }

  async *#scan(search: Search): AsyncGenerator<SourceBatch> {
    let pit = await this.#open()
    let lost = 0
    try {
      for (;;) {
        const size = this.#nextSize()
        let page: Page
        try {
          page = await pit.read(search, this.#after(), size, this.#session.signal)
        } catch (error) {
          if (!(error instanceof PointInTimeGone)) throw error
          if (++lost > mostLost)
            throw new RetriableError(`${this.index.name}: no point in time lasts`, { cause: error })
          pit = await this.#open()
          continue
        }
        lost = 0
        const records = this.#take(page)
        // A page that is not full need not be the last one: OpenSearch is known to give less than there is.
        if (records.length === 0) return
        yield { records }
      }
    } finally {
      await pit.close()
    }
  }

  #open(): Promise<PointInTime> {
    const { config, signal } = this.#session
    return PointInTime.open(this.#session, this.index.name, config['pit.keep.alive.ms'], signal)
  }

  /** The documents of a page that were not read yet, and the position after them. */
  #take({ hits, length }: Page): SourceRecord[] {
    if (hits.length > 0) this.#documentLength = length / hits.length
    const records: SourceRecord[] = []
    for (const hit of hits) {
      const isTied = this.#isHere(hit)
      if (isTied && this.#position.ids.includes(hit.id)) continue
      const { value } = hit
      this.#position = {
        uuid: this.index.uuid,
        ...(value !== undefined && { value }),
        seqNo: hit.seqNo,
        ids: isTied ? [...this.#position.ids, hit.id] : [hit.id],
      }
      const timestamp = value === undefined ? undefined : this.#timeOf(value)
      if (timestamp !== undefined) this.lagMs = Math.max(0, this.#session.now() - timestamp)
      records.push(this.#records.make(hit, offsetOf(this.#position), timestamp))
    }
    this.documents += records.length
    return records
  }

  #isHere({ value, seqNo }: Hit): boolean {
    const { value: here } = this.#position
    // An offset that was stored has long integers as texts.
    return seqNo === this.#position.seqNo && (value === here || String(value) === String(here))
  }

  #timeOf(value: SortValue): number | undefined {
    if (modeOf(this.#session.config) === 'timestamp' && this.#field?.type === 'long') return Number(value)
    return timeOf(value, this.#field?.type)
  }

  /** Where to go on: at the last document's place, since another shard may have one there too. */
  #after(): readonly SortValue[] | undefined {
    const { value, seqNo } = this.#position
    if (value === undefined) return seqNo === undefined ? undefined : [seqNo - 1]
    return [exactOf(value, this.#field!.type), seqNo === undefined ? afterAll : seqNo - 1]
  }

  /** As many as the bytes of a batch are likely to hold, and more than may have been read before. */
  #nextSize(): number {
    const { 'batch.max.rows': rows, 'batch.max.bytes': bytes } = this.#session.config
    const fitting = this.#documentLength === 0 ? firstSize : Math.floor(bytes / this.#documentLength)
    return Math.max(1, Math.min(rows, fitting)) + this.#position.ids.length
  }

  /** What is to be asked for now; undefined where there is nothing yet. @throws ConfigError, ConnectError */
  async #search(): Promise<Search | undefined> {
    const { config } = this.#session
    const filters: unknown[] = []
    const query = queryOf(config)
    if (query !== undefined) filters.push(query)
    if (this.#fieldName !== undefined) {
      this.#field ??= await this.#knownField(this.#fieldName)
      if (this.#field === undefined) return undefined
      const bound = await this.#bound(this.#field, filters)
      if (bound === undefined) return undefined
      filters.push(bound)
    }
    return { filters, field: this.#field, includes: config['source.includes'], excludes: config['source.excludes'] }
  }

  async #knownField(name: string): Promise<SortField | undefined> {
    const { config, link, signal } = this.#session
    const type = await sortableType(link, this.index.name, name, config, signal)
    return type === undefined ? undefined : { name, type }
  }

  /** A filter for the documents that those that come late cannot be before; undefined: none is old enough. */
  async #bound(field: SortField, filters: readonly unknown[]): Promise<unknown> {
    const { config, now } = this.#session
    const [delay, at] = [config['late.documents.delay.ms'], now()]
    if (modeOf(config) === 'timestamp') {
      // Given in milliseconds, of whatever precision the field is.
      return rangeOf(field.type === 'long' ? field : { ...field, type: 'date' }, { lte: at - delay })
    }
    if (delay === 0) return { exists: { field: field.name } }
    const value = await greatestValue(this.#session, this.index.name, field, filters)
    if (value !== undefined) this.#greatest.push({ at, value })
    const old = this.#greatest.findLastIndex((seen) => seen.at <= at - delay)
    if (old < 0) return undefined
    this.#greatest.splice(0, old)
    return rangeOf(field, { lte: this.#greatest[0]!.value })
  }

  #firstDue(): number {
    const { config, now } = this.#session
    const { doneAt } = this.#position
    if (doneAt === undefined) return now()
    return modeOf(config) === 'once' ? Infinity : doneAt + config['poll.interval.ms']
  }

  #warnOfRefresh(): void {
    const { config, log } = this.#session
    const { name, refreshInterval } = this.index
    if (refreshInterval === undefined || this.#fieldName === undefined) return
    const interval = intervalMs(refreshInterval)
    if (interval === undefined) {
      log.warn(`${name} has refresh_interval ${refreshInterval}: documents may come to be seen too late to be read`)
    } else if (interval > config['late.documents.delay.ms']) {
      log.warn(
        `${name} has refresh_interval ${refreshInterval}, longer than late.documents.delay.ms: documents may be missed`,
      )
    }
  }
}
