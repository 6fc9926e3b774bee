import { ConnectError, isErrorKind, type SourceBatch, type SourceRecord, type SourceTaskContext } from '@tidewire/sdk'
import { openS3 } from '../link/connect.ts'
import { AfterReading } from './after-reading.ts'
import { Bucket, ObjectGoneError } from './bucket.ts'
import { FetchAhead } from './fetch-ahead.ts'
import { changedError, Listing } from './listing.ts'
import { primaryOf, readRecords, type BareRecord, type PartObject } from './read-records.ts'
import type { S3SourceConfig } from './settings.ts'
import type { Found, Work } from './work.ts'

type Context = SourceTaskContext<S3SourceConfig>

/** The records of all objects that are this task's, and then of those that come. */
export async function* readObjects(context: Context): AsyncGenerator<SourceBatch> {
  const { config, signal, log } = context
  const link = openS3(config, signal, log)
  const bucket = new Bucket(link, signal, config)
  const after = new AfterReading(context, bucket)
  try {
    const reading = new Reading(context, bucket, after)
    for await (const found of await discovery(context, bucket)) {
      after.throwIfFailed()
      yield* reading.follow(found)
      if (signal.aborted) return
    }
  } finally {
    await after.end()
    link.close()
  }
}

async function discovery(context: Context, bucket: Bucket): Promise<AsyncIterable<Found>> {
  // Who only looks may not take messages from those who read.
  if (context.config['sqs.queue.url'] === undefined || context.preview) return new Listing(context, bucket).find()
  const { Notifications } = await import('./notifications.ts')
  return new Notifications(context, bucket).find()
}

/** Counts of what this run of the task has done. */
interface Figures {
  objects: number
  records: number
  bytes: number
}

class Reading {
  readonly #context: Context
  readonly #bucket: Bucket
  readonly #after: AfterReading
  readonly #ahead: FetchAhead
  readonly #figures: Figures = { objects: 0, records: 0, bytes: 0 }

  constructor(context: Context, bucket: Bucket, after: AfterReading) {
    this.#context = context
    this.#bucket = bucket
    this.#after = after
    this.#ahead = new FetchAhead(bucket)
  }

  async *follow(found: Found): AsyncGenerator<SourceBatch> {
    if ('idle' in found) this.#tell('waits for objects')
    else if ('offsets' in found) {
      const offsets = found.offsets.map(({ position, offset }) => ({ partition: position.partition, offset }))
      yield { records: [], offsets }
    } else if ('settle' in found) await this.#settle(found.settle)
    else {
      // Its own objects stay as they are asked for already.
      this.#ahead.begin([found.read, ...(found.next ?? [])])
      yield* this.#read(found.read)
    }
  }

  async #settle(work: Omit<Work, 'from'>): Promise<void> {
    if (this.#after.isToDo) {
      await this.#after.act(work)
      return
    }
    work.position.settle(work.family.named.family)
    await work.settled?.()
  }

  /** An object to its end, whatever becomes of it meanwhile. */
  async *#read(work: Work): AsyncGenerator<SourceBatch> {
    const run = { next: work.from, current: work }
    for (;;) {
      try {
        yield* this.#readOn(run)
        return
      } catch (error) {
        if (error instanceof ObjectGoneError) {
          const current = await this.#renewed(run.current, error)
          if (current === undefined) {
            yield this.#finished(run.current, [], false)
            return
          }
          run.current = current
          if (this.#context.config['object.changed'] === 'reread') run.next = 0
        } else if (isErrorKind(error, 'DataError')) {
          yield this.#bad(run.current, run.next, error)
          return
        } else throw error
      }
    }
  }

  /** @param run is kept up to date, so that another try goes on where this one ended */
  async *#readOn(run: { next: number; readonly current: Work }): AsyncGenerator<SourceBatch> {
    const { family, position } = run.current
    const { config } = this.#context
    const { object } = primaryOf(family)
    const open = (one: PartObject['object']) => this.#ahead.open(one)
    // The last batch carries the position behind the object, so one is held back until it is known for the last.
    let held: SourceRecord[] | undefined
    for await (const bare of readRecords(family, run.next, open, config)) {
      if (held !== undefined) yield this.#batch(held, object.key)
      const first = run.next
      held = bare.map((record, index) => {
        const sourceOffset = position.reading(family.named.family, object.etag, first + index + 1)
        return { ...record, sourcePartition: position.partition, sourceOffset }
      })
      run.next += bare.length
    }
    yield this.#finished(run.current, held ?? [], true)
  }

  #batch(records: SourceRecord[], key: string): SourceBatch {
    this.#figures.records += records.length
    this.#tell(`reads ${key}, at record ${records.at(-1)?.sourceOffset?.['record'] ?? 0}`)
    return { records }
  }

  /** The end of an object. @param whole whether all its records could be read */
  #finished(work: Work, records: SourceRecord[], whole: boolean): SourceBatch {
    const { family, position } = work
    const { named } = family
    const { object } = primaryOf(family)
    const toDo = whole && this.#after.isToDo
    const offset = position.finished(named.family, object.etag, named.rank, !toDo)
    this.#figures.objects++
    this.#figures.bytes += object.size
    const { records: delivered } = this.#batch(records, object.key)
    const last = delivered.at(-1)
    if (last !== undefined) last.sourceOffset = offset
    const durable = async (): Promise<void> => {
      if (toDo) await this.#after.act(work)
      else await work.settled?.()
    }
    const batch = { records: delivered, ...(toDo || work.settled !== undefined ? { durable } : {}) }
    return last === undefined ? { ...batch, offsets: [{ partition: position.partition, offset }] } : batch
  }

  /** The same work with the object as it is now; undefined where there is none to go on with. */
  async #renewed(work: Work, gone: ObjectGoneError): Promise<Work | undefined> {
    const { config, log } = this.#context
    const { family } = work
    const look = async (part: PartObject | undefined) => {
      const object = part && (await this.#bucket.look(part.object.key))
      return part && object && { ...part, object }
    }
    const now = {
      ...family,
      value: await look(family.value),
      keys: await look(family.keys),
      headers: await look(family.headers),
    }
    const lost = (['value', 'keys', 'headers'] as const).some(
      (part) => family[part] !== undefined && now[part] === undefined,
    )
    log.warn(gone.message, { key: primaryOf(family).object.key })
    if (lost) return undefined
    if (config['object.changed'] === 'fail') throw changedError(primaryOf(family).object.key)
    return { ...work, family: now }
  }

  /** An object that is not what it should be, from some record on. @throws ConnectError where that is to fail the task */
  #bad(work: Work, record: number, error: ConnectError): SourceBatch {
    const { config, log, deadLetters } = this.#context
    const { key } = primaryOf(work.family).object
    const message = `s3://${config['s3.bucket.name']}/${key} cannot be read from record ${record} on: ${error.message}`
    if (config['behavior.on.error'] === 'fail') {
      throw new ConnectError(`${message}. behavior.on.error=log leaves the rest of such an object out`, {
        code: 'S3_BAD_OBJECT',
        cause: error,
      })
    }
    if (config['behavior.on.error'] === 'log') log.warn(`${message}; it is left out`, { key })
    if (!deadLetters) return this.#finished(work, [], false)
    const letter: BareRecord = {
      topic: work.family.named.topic,
      key,
      value: null,
      error: new Error(message, { cause: error }),
    }
    return this.#finished(work, [{ ...letter, sourcePartition: work.position.partition }], false)
  }

  #tell(text: string): void {
    const { objects, records, bytes } = this.#figures
    this.#context.progress({
      text: `${objects} objects read; ${text}`,
      figures: { objects_done: objects, records_done: records, bytes_done: bytes },
    })
  }
}
