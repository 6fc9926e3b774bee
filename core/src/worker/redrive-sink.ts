import {
  isErrorKind,
  isRetriable,
  originalPosition,
  type Sink,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import type { InRecord } from '../client/client.ts'
import { messageOf } from '../logging/message-of.ts'
import { parseSink } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { RedriveErrand, RedrivenLetter } from './errand-messages.ts'
import { NotedErrors, openErrandChain, type ErrandSurroundings, type ErrandTask } from './errand-task.ts'
import { outcomeOf, type LetterPosition, type Redrive } from './redrive-outcome.ts'
import type { RedrivePosition } from './redrive-position.ts'
import { SinkConversion } from './sink-conversion.ts'
import { keyOf } from './sink-positions.ts'
import { backoffMs, pause, unlessAborted, within } from './time-limit.ts'
import type { TransformChain } from './transform-chain.ts'

const firstRetryMs = 300
const maxRetryMs = 5000
/** For the sink to give back what it holds. */
const closeWaitMs = 2000

/** Letters of a sink: converted, transformed, put to an instance of it apart from its tasks, and flushed. */
export async function openSinkRedrive(
  definition: Sink,
  task: ErrandTask,
  errand: RedriveErrand,
  around: ErrandSurroundings,
  position: RedrivePosition,
): Promise<Redrive> {
  const redrive = new SinkRedrive(task, errand, around, position)
  await redrive.openChain()
  if (!errand.dryRun) await redrive.start(definition)
  return redrive
}

class SinkRedrive implements Redrive {
  readonly #task: ErrandTask
  readonly #errand: RedriveErrand
  readonly #around: ErrandSurroundings
  readonly #position: RedrivePosition
  readonly #framework: NonNullable<ReturnType<typeof parseSink>['config']>
  readonly #noted: NotedErrors
  #conversion: SinkConversion
  #chain: TransformChain | undefined
  readonly #opened = new Map<string, TopicPartition>()
  #sink: SinkTask | undefined
  /** Of the letters under way. */
  #letters = new Map<SinkRecord, DeadLetter>()
  #outcomes = new Map<DeadLetter, RedrivenLetter>()

  constructor(task: ErrandTask, errand: RedriveErrand, around: ErrandSurroundings, position: RedrivePosition) {
    this.#task = task
    this.#errand = errand
    this.#around = around
    this.#position = position
    const { config, errors } = parseSink(errand.spec.config)
    requireValid(errors)
    this.#framework = config
    this.#noted = new NotedErrors(config, around.logger)
    this.#conversion = new SinkConversion(task.converters, this.#noted.policy, around.signal)
  }

  async openChain(): Promise<void> {
    const { policy } = this.#noted
    this.#chain = await openErrandChain(this.#errand.spec, this.#task, this.#around, policy)
    this.#conversion = new SinkConversion(this.#task.converters, policy, this.#around.signal, this.#chain)
  }

  async start(definition: Sink): Promise<void> {
    const { spec, alone } = this.#errand
    const { logger, signal } = this.#around
    const context: SinkTaskContext<ErrandTask['config']> = {
      config: this.#task.config,
      connector: spec.connector,
      task: spec.task,
      signal,
      log: logger,
      maxBufferedBytes: this.#framework['sink.max.buffered.bytes'],
      seek: () => undefined,
      progress: () => undefined,
      holds: () => undefined,
      requestCommit: () => undefined,
      report: async (record, error) => {
        this.#reject(record, error)
        return Promise.resolve()
      },
      deadLetters: true,
      redrive: alone ? 'alone' : 'beside',
    }
    this.#sink = await this.#untilDone(async () => definition.write(context))
  }

  async deliver(letters: readonly DeadLetter[], moveTo: LetterPosition | undefined): Promise<RedrivenLetter[]> {
    this.#letters = new Map()
    this.#outcomes = new Map()
    for (const letter of letters) await this.#convert(letter)
    const records = [...this.#letters.keys()]
    if (this.#errand.dryRun) {
      for (const letter of this.#letters.values()) this.#outcomes.set(letter, outcomeOf(letter, 'deliverable'))
    } else {
      if (records.length > 0) {
        await this.#open(records)
        await this.#put(records)
        await this.#flush(records)
      }
      await this.#position.write([], moveTo)
    }
    return letters.map((letter) => this.#outcomes.get(letter) ?? outcomeOf(letter, 'delivered'))
  }

  async close(): Promise<void> {
    await this.#closeSink()
    await this.#chain?.close()
  }

  async #closeSink(): Promise<void> {
    const sink = this.#sink
    if (sink === undefined) return
    const ending = (async () => {
      await sink.close?.([...this.#opened.values()])
      await sink.stop?.()
    })()
    try {
      if (!(await within(closeWaitMs, ending))) this.#around.logger.warn('the sink did not end after a re-drive')
    } catch (error) {
      this.#around.logger.warn('the sink failed while it was ended after a re-drive', { error: messageOf(error) })
    }
    ending.catch(() => undefined)
  }

  async #convert(letter: DeadLetter): Promise<void> {
    const { topics } = this.#framework
    // Without a word in the letter: a connector with one topic has no other that it could be of.
    const topic = letter.origin.topic ?? (topics.length === 1 ? topics[0] : undefined)
    if (topic === undefined) {
      this.#outcomes.set(
        letter,
        outcomeOf(letter, 'skipped', { reason: 'the letter does not say of which topic it is' }),
      )
      return
    }
    const partition = typeof letter.origin.partition === 'number' ? letter.origin.partition : 0
    const offset = typeof letter.origin.offset === 'number' ? letter.origin.offset : letter.offset
    const { timestamp, key, value, headers } = letter
    const record: InRecord = { offset, timestamp, key, value, headers }
    const converted: SinkRecord[] = []
    await this.#conversion.convert({ topic, partition, records: [record], from: 0, to: 1 }, converted)
    const [problem] = this.#noted.take()
    if (problem === undefined) {
      const [made] = converted
      const reason = `transform ${this.#chain?.alias} drops it`
      if (made === undefined) this.#outcomes.set(letter, outcomeOf(letter, 'skipped', { reason }))
      else this.#letters.set(made, letter)
    } else {
      const { stage, message } = problem
      this.#outcomes.set(letter, outcomeOf(letter, 'rejected', { stage, reason: message }))
    }
  }

  async #open(records: readonly SinkRecord[]): Promise<void> {
    const fresh = new Map<string, TopicPartition>()
    for (const { topic, partition } of records.map(originalPosition)) {
      const key = keyOf({ topic, partition })
      if (!this.#opened.has(key)) fresh.set(key, { topic, partition })
    }
    if (fresh.size === 0) return
    for (const [key, tp] of fresh) this.#opened.set(key, tp)
    await this.#untilDone(async () => this.#sink!.open?.([...fresh.values()]))
  }

  async #put(records: readonly SinkRecord[]): Promise<void> {
    try {
      let left = records
      for (let failures = 1; left.length > 0; failures++) {
        const result = await this.#untilDone(async () => this.#sink!.put(left))
        for (const { record, error } of result?.rejected ?? []) this.#reject(record, error)
        left = result?.retry ?? []
        if (left.length > 0) await this.#pause(failures)
      }
    } catch (error) {
      if (!isErrorKind(error, 'DataError')) throw error
      // A batch that failed over its contents shows, one by one, which record it is.
      if (records.length === 1) this.#reject(records[0]!, error)
      else for (const record of records) await this.#put([record])
    }
  }

  /** Until all that was put is durable. */
  async #flush(records: readonly SinkRecord[]): Promise<void> {
    const ends = new Map<string, TopicPartitionOffset>()
    for (const { topic, partition, offset } of records.map(originalPosition)) {
      const key = keyOf({ topic, partition })
      ends.set(key, { topic, partition, offset: Math.max(offset + 1, ends.get(key)?.offset ?? 0) })
    }
    const wanted = [...ends.values()]
    for (let failures = 1; ; failures++) {
      const durable = (await this.#untilDone(async () => this.#sink!.flush?.(wanted))) ?? wanted
      const isDurable = ({ topic, partition, offset }: TopicPartitionOffset): boolean =>
        durable.some((each) => each.topic === topic && each.partition === partition && each.offset >= offset)
      if (wanted.every(isDurable)) return
      await this.#pause(failures)
    }
  }

  /** By its own place: a sink may have made a copy of the record. */
  #reject(record: SinkRecord, error: unknown): void {
    const { topic, partition, offset } = originalPosition(record)
    const same = (each: SinkRecord): boolean => {
      const at = originalPosition(each)
      return at.topic === topic && at.partition === partition && at.offset === offset
    }
    const letter = this.#letters.get(record) ?? [...this.#letters].find(([each]) => same(each))?.[1]
    if (letter === undefined)
      throw new Error(
        `the sink rejected a record that it was not given: ${keyOf({ topic, partition })}, offset ${offset}`,
      )
    this.#outcomes.set(letter, outcomeOf(letter, 'rejected', { stage: 'TASK_PUT', reason: messageOf(error) }))
  }

  /** Again and again while it fails in passing. @throws Error when the time is over */
  async #untilDone<T>(call: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        const done = await unlessAborted(
          call().then((value) => ({ value })),
          this.#around.signal,
        )
        if (done === undefined) throw timeIsOver()
        return done.value
      } catch (error) {
        if (!isRetriable(error)) throw error
        this.#around.logger.warn('the sink failed in passing, and is called again', { error: messageOf(error) })
        await this.#pause(failures)
      }
    }
  }

  async #pause(failures: number): Promise<void> {
    const { signal } = this.#around
    await pause(backoffMs(failures, firstRetryMs, maxRetryMs), signal)
    if (signal.aborted) throw timeIsOver()
  }
}

function timeIsOver(): Error {
  return new Error('the time was over before the sink was done')
}
