/**
 * The run loop of a source task: poll → transform → convert → produce → commit.
 *
 * The next batch is asked for while earlier ones are under way, up to so many bytes; acknowledgements come back to the
 * delivery tracker through the commit step, which is passed in: at least once and exactly once differ there only.
 */
import {
  isRetriable,
  type ConfigOf,
  type Settings,
  type SourceBatch,
  type SourceDefinition,
  type SourceRecord,
  type SourceTaskContext,
  type TaskProgress,
} from '@tidewire/sdk'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { ByteShare, ShareHolder } from './byte-budget.ts'
import type { CommitStep } from './commit-step.ts'
import type { DeliveryTracker } from './delivery.ts'
import type { ErrorPolicy } from './error-policy.ts'
import type { FollowFromOptions } from './follow-topic.ts'
import type { SourceOffsets } from './offset-store.ts'
import type { SourceConversion } from './source-conversion.ts'
import type { SourceTopics } from './source-topics.ts'
import type { TaskActivity } from './task-activity.ts'
import type { TaskRunner } from './task-runner.ts'
import type { TransformChain } from './transform-chain.ts'
import { backoffMs, pause, within } from './time-limit.ts'
import { FailingAttempts, longest, LogWaits, type Wait } from './waits.ts'

export interface SourceTaskOptions {
  readonly definition: Pick<SourceDefinition, 'read'>
  readonly connector: string
  readonly task: number
  /** The connector's parsed settings. */
  readonly config: ConfigOf<Settings>
  readonly offsets: SourceOffsets
  readonly tracker: DeliveryTracker
  readonly conversion: SourceConversion
  /** The transforms of that conversion: made before the source is read, and ended with the task. */
  readonly chain?: TransformChain | undefined
  readonly topics: SourceTopics
  readonly policy: ErrorPolicy
  readonly activity: TaskActivity
  readonly makeCommit: (callbacks: { onProgress: () => void; onFailure: (error: unknown) => void }) => CommitStep
  /** Aborted by the runner to end the task; the conversion waits on the same signal. */
  readonly abort: AbortController
  /** `source.max.buffered.bytes`. */
  readonly maxBufferedBytes: number
  /** What of the worker's memory the task may have; given back when it ends. */
  readonly share: ByteShare
  readonly logger: Logger
  readonly paused: boolean
  /** For topics that the source follows. */
  readonly follow: (following: Following) => Promise<void>
  /** Is told how the task gets on, by itself. */
  readonly progress: (progress: TaskProgress) => void
  /** Lets go of what was opened for this task alone, beyond what is closed with its parts. */
  readonly close: () => Promise<void>
}

/** What a source asked to follow, and when that is to end. */
export type Following = Pick<FollowFromOptions, 'topic' | 'from' | 'onRecord' | 'signal' | 'onFailure'>

type Polled = readonly SourceRecord[] | SourceBatch

/** Pauses before a source that failed in passing is opened again. */
const firstReopenMs = 300
const maxReopenMs = 60_000
const closeWaitMs = 1000
/** How long a source may take to find out that it cannot reach the other side. */
const openingMs = 30_000
/** Work without waiting, after which the other tasks of the thread get their turn. */
const maxTurnMs = 10
/** A task that failed gets so long to give back what it holds. */
const failureGraceMs = 5000

/** See the head of the file. */
export class SourceTaskRunner implements TaskRunner {
  readonly #options: SourceTaskOptions
  readonly #commit: CommitStep
  readonly #context: SourceTaskContext<ConfigOf<Settings>>
  readonly #underWay: ShareHolder
  /** What the source holds and has not yielded. */
  readonly #own: ShareHolder
  #ownBytes = 0
  readonly #log = new LogWaits()
  readonly #openings = new FailingAttempts('the source')
  /** When the source was asked for a batch; for ever in the future while it is not open. */
  #askedAt = Infinity
  #batches: AsyncIterator<Polled> | undefined
  /** Aborted when what `read` gave is done with, be it to call it again. */
  #reading = new AbortController()
  #paused: boolean
  #ended: Promise<void> | undefined
  /** Ends the wait that the loop is in, if it is in one. */
  #wake: (() => void) | undefined
  #interrupt: ((error: unknown) => void) | undefined
  #failed = false
  #failure: unknown

  constructor(options: SourceTaskOptions) {
    this.#options = options
    this.#paused = options.paused
    const { connector, task, config, logger, maxBufferedBytes, offsets } = options
    this.#underWay = options.share.holder()
    this.#own = options.share.holder()
    this.#commit = options.makeCommit({
      onProgress: () => {
        this.#underWay.holds(options.tracker.bytes)
        this.#wake?.()
      },
      onFailure: (error) => this.fail(error),
    })
    this.#context = {
      config,
      connector,
      task,
      signal: options.abort.signal,
      log: logger,
      maxBufferedBytes,
      holds: (bytes) => this.#holds(bytes),
      progress: options.progress,
      preview: false,
      deadLetters: options.policy.hasDeadLetters,
      offsets: {
        get: async (partition) => offsets.get(connector, partition),
        getAll: async (partitions) => partitions.map((partition) => offsets.get(connector, partition)),
      },
      followTopic: async (topic, from, onRecord) => {
        const signal = AbortSignal.any([options.abort.signal, this.#reading.signal])
        return options.follow({ topic, from, onRecord, signal, onFailure: (error) => this.fail(error) })
      },
    }
  }

  #isStopping(): boolean {
    return this.#options.abort.signal.aborted
  }

  /** @returns whether there is room for more */
  #holds(bytes: number): boolean {
    this.#ownBytes = bytes
    this.#own.holds(bytes)
    this.#wake?.()
    return bytes < this.#own.mostBytes
  }

  /**
   * Whether to wait for what is under way before the next batch. That comes out of what the source holds, if it holds
   * anything: as much may be under way too, or a queue that is full would be emptied by one batch at a time.
   */
  #isFull(): boolean {
    const { share, tracker } = this.#options
    return share.isFull && tracker.bytes >= this.#ownBytes
  }

  async run(onRunning: () => void): Promise<void> {
    this.#ended = this.#run(onRunning)
    return this.#ended
  }

  async #run(onRunning: () => void): Promise<void> {
    try {
      await this.#uninterrupted(this.#log.during('waits for the log to let the task begin', this.#commit.open()))
      await this.#openChain()
      await this.#readAll(onRunning)
      await this.#uninterrupted(this.#commit.flush('complete'))
      await this.#uninterrupted(this.#returnBatches())
    } catch (error) {
      await this.#giveBack()
      throw error
    } finally {
      await this.#close()
      this.#options.share.close()
    }
  }

  async #openChain(): Promise<void> {
    const { chain, activity } = this.#options
    if (chain === undefined) return
    const opening = activity.call('start', () => chain.open())
    await this.#uninterrupted(this.#log.during('waits for its transforms to be ready', opening))
  }

  /** While the log is away, its end is not waited for: whoever comes next has connections of its own. */
  async #close(): Promise<void> {
    await within(
      closeWaitMs,
      Promise.allSettled([
        this.#commit.close(),
        this.#options.policy.close(),
        this.#options.chain?.close(),
        this.#options.close(),
      ]),
    )
  }

  /** Reads until the task is stopped, opening the source again whenever it failed in passing. */
  async #readAll(onRunning: () => void): Promise<void> {
    const { abort, logger } = this.#options
    let failures = 0
    while (!this.#isStopping()) {
      try {
        await this.#read(onRunning, () => {
          failures = 0
          this.#openings.progressed()
        })
        // The source has no more to give: the task stays, with nothing to do.
        await this.#uninterrupted(this.#commit.flush('all'))
        await this.#waitUntil(() => this.#isStopping())
      } catch (error) {
        if (this.#failed || !isRetriable(error) || this.#isStopping()) throw error
        await this.#uninterrupted(this.#commit.flush('complete'))
        // What it left half done has to be aborted, and is read again by the next run of the task.
        if (this.#commit.isIncomplete) throw error
        this.#openings.failed(messageOf(error))
        this.#askedAt = Infinity
        const waitMs = backoffMs(++failures, firstReopenMs, maxReopenMs)
        logger.warn('the source failed in passing, and is opened again', { error: messageOf(error), waitMs })
        await pause(waitMs, abort.signal)
      }
    }
  }

  async #read(onRunning: () => void, onBatch: () => void): Promise<void> {
    const { definition, tracker, conversion, topics, offsets, activity } = this.#options
    // What an earlier one held is gone with it, and what it follows is nobody's.
    this.#holds(0)
    this.#reading.abort()
    this.#reading = new AbortController()
    await this.#uninterrupted(this.#log.during('waits for the log to give the stored offsets', offsets.refresh()))
    const opening = activity.call('start', () => definition.read(this.#context))
    const source = await this.#uninterrupted(Promise.resolve(opening))
    const batches = source[Symbol.asyncIterator]() as AsyncIterator<Polled>
    this.#batches = batches
    onRunning()
    let turnBegan = performance.now()
    while (!this.#isStopping()) {
      if (this.#paused && !(await this.#resumed())) return
      this.#askedAt = Date.now()
      const polled = await this.#uninterrupted(activity.call('next', () => batches.next()))
      if (polled.done === true) return
      // Given while a pause came in: it waits; if the task is stopped meanwhile, it counts as never given.
      if (this.#paused && !(await this.#resumed())) return
      onBatch()
      const tracked = tracker.track(polled.value)
      activity.counts.polled += tracked.records.length
      const converting = activity.call('convert', () => conversion.convert(tracked.records))
      const converted = converting instanceof Promise ? await this.#uninterrupted(converting) : converting
      if (converted.cutOff === true) return
      if (topics.hasNew)
        await this.#uninterrupted(this.#log.during('waits for the log to make topics', topics.create()))
      tracker.addBytes(tracked, converted.bytes)
      this.#underWay.holds(tracker.bytes)
      this.#commit.send(tracked, converted)
      if (performance.now() - turnBegan > maxTurnMs) {
        await new Promise((resolve) => setImmediate(resolve))
        turnBegan = performance.now()
      }
      if (this.#isFull()) await this.#waitUntil(() => !this.#isFull() || this.#isStopping())
    }
  }

  waitsFor(): Wait | undefined {
    if (this.#isStopping() || this.#failed) return undefined
    const { activity } = this.#options
    // Most sources connect when they are first asked: one that has not failed again for so long has come through.
    const opening = Date.now() - this.#askedAt < openingMs ? this.#openings.wait : undefined
    return longest([activity.slowest, this.#commit.waitsFor(), this.#log.longest, opening])
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#wake?.()
  }

  /** Waits for the end of the pause: true, or of the task: false. */
  async #resumed(): Promise<boolean> {
    await this.#uninterrupted(this.#commit.flush('all'))
    await this.#waitUntil(() => !this.#paused || this.#isStopping())
    return !this.#paused
  }

  async stop(graceMs: number): Promise<'ended' | 'cut off'> {
    this.#options.abort.abort()
    this.#wake?.()
    const ended = this.#ended?.catch(() => undefined) ?? Promise.resolve()
    if (await within(graceMs, ended)) return 'ended'
    // Whatever its code does from now on, nothing of it reaches the log.
    this.fail(new Error(`the task did not end within ${graceMs} ms`))
    await this.#close()
    return 'cut off'
  }

  /** After a failure: what is delivered is committed, and the source's own end is run; neither may hang. */
  async #giveBack(): Promise<void> {
    const { abort, logger } = this.#options
    abort.abort()
    const last = (async () => {
      if (!this.#failed) await this.#commit.flush('complete')
      await this.#returnBatches()
    })()
    try {
      if (!(await within(failureGraceMs, last))) logger.warn('the source did not end after a failure')
    } catch (error) {
      logger.warn('the source failed again while it was ended', { error: messageOf(error) })
    }
    last.catch(() => undefined)
  }

  async #returnBatches(): Promise<void> {
    await this.#options.activity.call('stop', () => this.#batches?.return?.())
  }

  fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#failure = error
    this.#interrupt?.(error)
    this.#wake?.()
  }

  /** Waits for a promise, or for the failure of the task, whichever comes first. One at a time. */
  async #uninterrupted<T>(promise: Promise<T>): Promise<T> {
    if (this.#failed) {
      promise.catch(() => undefined)
      throw this.#failure as Error
    }
    return new Promise<T>((resolve, reject) => {
      // Not Promise.race: a promise that outlives the loop would gather a reaction for each batch.
      this.#interrupt = reject
      promise.then(resolve, reject)
    })
  }

  async #waitUntil(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#failed) throw this.#failure as Error
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
    if (this.#failed) throw this.#failure as Error
  }
}
