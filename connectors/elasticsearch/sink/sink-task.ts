import {
  isErrorKind,
  isRetriable,
  originalPosition,
  RetriableError,
  type ConnectError,
  type PutResult,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import { codes } from '../link/errors.ts'
import { openLink, type ElasticsearchLink } from '../link/link.ts'
import { askServer, type Server } from '../link/server.ts'
import { ActionWriter, type Action } from './action.ts'
import { Assignments, settledOffsets } from './assignments.ts'
import { BulkWriter } from './bulk-writer.ts'
import { Indices } from './indices.ts'
import { optionsOf, type SinkOptions } from './options.ts'
import { ResourceNames } from './resource-names.ts'
import type { ElasticsearchSinkConfig } from './settings.ts'

type Context = SinkTaskContext<ElasticsearchSinkConfig>

/** How long a `put` waits for room before it gives the rest back, so that the group is heard. */
const putWaitMs = 5000
/** So many records are taken between two looks at whether there is room. */
const roomEvery = 100
/** After the task was told to stop, what is under way gets so long. */
const stopGraceMs = 3000

/** Partitions that go elsewhere wait so long for what is under way of them: no longer than the group waits for its members. */
const closeWaitMs = 20_000

interface Rejected {
  readonly record: SinkRecord
  readonly error: Error
}

/** Asks the server who it is, so that what cannot work is told at once. */
export async function openElasticsearchSink(context: Context): Promise<SinkTask> {
  const link = await openLink(context.config)
  try {
    const server = await askServer(link, context.signal)
    return new ElasticsearchSinkTask(context, link, server)
  } catch (error) {
    await link.close()
    throw error
  }
}

/**
 * `put` only gathers: bulks are sent beside it, and `flush` waits for them. Offsets are committed as far as all before them is
 * dealt with.
 */
class ElasticsearchSinkTask implements SinkTask {
  readonly #context: Context
  readonly #options: SinkOptions
  readonly #link: ElasticsearchLink
  readonly #server: Server
  readonly #names: ResourceNames
  readonly #indices: Indices
  readonly #assignments = new Assignments()
  readonly #writer: BulkWriter
  readonly #overtaken = new Set<string>()
  #refused = 0

  constructor(context: Context, link: ElasticsearchLink, server: Server) {
    const { config, connector, log, signal } = context
    this.#context = context
    this.#link = link
    this.#server = server
    this.#options = optionsOf(config)
    this.#names = new ResourceNames(config)
    this.#indices = new Indices(link, {
      ...{ connector, signal, log, dataStream: this.#options.dataStream, external: this.#names.isExternal },
      compactMaps: this.#options.compactMaps,
      templates: config['index.template'],
    })
    const readTimeoutMs = config['read.timeout.ms']
    this.#writer = new BulkWriter(
      link,
      new ActionWriter(this.#options),
      {
        batchSize: config['batch.size'],
        bulkBytes: this.#options.bulkBytes,
        lingerMs: config['linger.ms'],
        maxInFlight: config['max.in.flight.requests'],
        maxBuffered: config['max.buffered.records'],
        maxRetries: config['max.retries'],
        backoffMs: config['retry.backoff.ms'],
        // The server gives up before this side does, and says what of the bulk it has not written.
        serverTimeoutMs: readTimeoutMs === 0 ? 60_000 : Math.ceil(readTimeoutMs * 0.8),
      },
      {
        refused: (record, error) => this.#refuseDocument(record, error),
        overtaken: (action, current) => this.#tellOvertaken(action, current),
        makeReady: (action) => this.#makeReadyAgain(action),
        changed: () => this.#tell(),
        troubled: (problem) => this.#tellTrouble(problem),
      },
    )
  }

  async put(records: readonly SinkRecord[]): Promise<PutResult> {
    this.#writer.throwFailure()
    const rejected: Rejected[] = []
    for (let at = 0; at < records.length; at++) {
      const record = records[at]!
      if (at % roomEvery === 0 && !(await this.#room())) return this.#answer(rejected, records.slice(at))
      try {
        const resource = this.#names.of(record)
        const schema = this.#schemaOf(record)
        if (!this.#indices.isReady(resource, schema)) {
          await this.#indices.makeReady(resource, schema, this.#names.pattern(record.topic))
        }
        this.#writer.add(record, resource, this.#assignments.of(record))
      } catch (error) {
        if (isErrorKind(error, 'DataError')) this.#reject(record, error, rejected)
        // What was taken before must not be put again.
        else if (isRetriable(error) && at > 0)
          return this.#putRestAgain(rejected, records.slice(at), error as ConnectError)
        else throw error
      }
    }
    return this.#answer(rejected, [])
  }

  async flush(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    const { signal, config, redrive } = this.#context
    if (!signal.aborted) await this.#writer.drain(config['flush.timeout.ms'], signal)
    if (signal.aborted) await this.#writer.drain(stopGraceMs, undefined)
    const settled = settledOffsets(offsets, this.#writer.waiting())
    // Nothing comes after it that would commit the rest.
    if (redrive !== undefined && this.#writer.heldRecords > 0) throw this.#unfinished()
    return settled
  }

  async close(partitions: readonly TopicPartition[]): Promise<void> {
    this.#assignments.close(partitions)
    await this.#writer.landed(closeWaitMs)
  }

  async stop(): Promise<void> {
    this.#writer.stop()
    await this.#link.close()
  }

  /** The schema whose fields the index is to have. */
  #schemaOf({ topic, valueSchema, value }: SinkRecord): SinkRecord['valueSchema'] {
    return value == null || this.#options.ignoresSchema(topic) ? undefined : valueSchema
  }

  async #makeReadyAgain({ resource, record }: Action): Promise<void> {
    this.#indices.forget(resource)
    await this.#indices.makeReady(resource, this.#schemaOf(record), this.#names.pattern(record.topic))
  }

  async #room(): Promise<boolean> {
    const { maxBufferedBytes, signal } = this.#context
    return this.#writer.room(maxBufferedBytes, putWaitMs, signal)
  }

  #answer(rejected: readonly Rejected[], retry: readonly SinkRecord[]): PutResult {
    this.#context.holds(this.#writer.heldBytes)
    return { rejected, retry }
  }

  /** What was taken before must not be put again. */
  #putRestAgain(rejected: readonly Rejected[], rest: readonly SinkRecord[], problem: ConnectError): PutResult {
    this.#tellTrouble(problem)
    return this.#answer(rejected, rest)
  }

  /** A record that makes no document. */
  #reject(record: SinkRecord, error: Error, rejected: Rejected[]): void {
    if (!this.#options.dropsInvalid || this.#context.deadLetters) {
      rejected.push({ record, error })
      return
    }
    this.#refused++
    this.#context.log.warn('a record that makes no document is passed over (drop.invalid.message)', {
      ...originalPosition(record),
      error: error.message,
    })
  }

  /** A record whose document the server does not take. */
  #refuseDocument(record: SinkRecord, error: Error): void {
    this.#refused++
    const { onMalformed } = this.#options
    if (onMalformed === 'warn') {
      this.#context.log.warn('the server refuses a document, and its record is passed over', {
        ...originalPosition(record),
        error: error.message,
      })
    }
    // Where it fails the task, the runtime sees to that.
    if (onMalformed === 'fail' || this.#context.deadLetters) this.#context.report(record, error).catch(() => undefined)
  }

  /**
   * Offsets that are lower than what the index has seen: those of a topic that was deleted and made anew, in which case nothing
   * of it would ever be written, or of one that is read again from its beginning.
   */
  #tellOvertaken({ resource, record }: Action, current: number): void {
    if (this.#overtaken.has(resource)) return
    this.#overtaken.add(resource)
    this.#context.log.warn(
      'the documents of a whole bulk are in the index with higher versions, and were left as they are. If the topic was made ' +
        'anew, its offsets begin anew too, and no record is written until they are past those versions: write to another ' +
        'index, or delete this one, or give versions of your own (external.version.header)',
      { index: resource, ...originalPosition(record), version: current },
    )
  }

  #tellTrouble(problem: ConnectError): void {
    this.#context.log.warn('the server does not take records now, and is asked again', { error: problem.message })
  }

  #tell(): void {
    const { counts, trouble, heldRecords, heldBytes } = this.#writer
    this.#context.holds(heldBytes)
    const { product, version } = this.#server
    const server = version === undefined ? product : `${product} ${version}`
    const retries = trouble && `; ${trouble.records} wait to be tried again: ${trouble.problem.message}`
    this.#context.progress({
      text: `${server}: ${counts.stored.toLocaleString('en')} documents written${retries ?? ''}`,
      figures: {
        documents_written: counts.stored,
        version_conflicts: counts.conflicts,
        records_retried: counts.retried,
        records_refused: this.#refused,
        records_waiting: heldRecords,
      },
    })
  }

  #unfinished(): RetriableError {
    const { trouble, heldRecords } = this.#writer
    return new RetriableError(
      `${heldRecords} records are not written yet${trouble === undefined ? '' : `: ${trouble.problem.message}`}`,
      { code: trouble?.problem.code ?? codes.timeout },
    )
  }
}
