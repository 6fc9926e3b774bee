/**
 * The run loop of a sink task: consume → convert → transform → put → flush → commit.
 *
 * A batch that is to be put again is put again before anything newer; meanwhile its partitions are not fetched, and
 * membership of the group goes on. Offsets are committed only after the task's `flush` returned for them.
 */
import {
  isErrorKind,
  isRetriable,
  type AssignedPartition,
  type ConfigOf,
  type PutResult,
  type Settings,
  type SinkDefinition,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TaskProgress,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import type { GroupConsumer, GroupConsumerOptions } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { ByteShare, ShareHolder } from './byte-budget.ts'
import type { ErrorPolicy } from './error-policy.ts'
import { SinkBacklog } from './sink-backlog.ts'
import type { SinkConversion, Slice } from './sink-conversion.ts'
import { leasePollMs, type Lease } from './lease.ts'
import { SinkPositions } from './sink-positions.ts'
import { SinkRejections } from './sink-rejections.ts'
import type { ActiveTopics } from './active-topics.ts'
import type { TransformChain } from './transform-chain.ts'
import type { TaskActivity } from './task-activity.ts'
import type { TaskRunner } from './task-runner.ts'
import { backoffMs, pause, within } from './time-limit.ts'
import { SinkWaits } from './sink-waits.ts'
import { longest, type Wait } from './waits.ts'

type Rebalance = Pick<GroupConsumerOptions, 'onAssign' | 'onRevoke' | 'onLost'>

export interface SinkTaskOptions {
  readonly definition: Pick<SinkDefinition, 'write'>
  readonly connector: string
  readonly task: number
  /** The connector's parsed settings. */
  readonly config: ConfigOf<Settings>
  readonly makeConsumer: (rebalance: Rebalance) => GroupConsumer
  readonly conversion: SinkConversion
  /** The transforms of that conversion: made before the task begins, and ended with it. */
  readonly chain?: TransformChain | undefined
  readonly policy: ErrorPolicy
  readonly activity: TaskActivity
  /** Aborted by the runner to end the task; the conversion waits on the same signal. */
  readonly abort: AbortController
  /** Without it nothing is put, flushed or committed; what was fetched waits. */
  readonly lease: Lease
  /** Is told of the topics that records came from. Left out: nobody is. */
  readonly activeTopics?: ActiveTopics | undefined
  /** `max.poll.records`: most records in one `put`. Default 4000. */
  readonly maxPutRecords?: number | undefined
  /** What of the worker's memory the task may have; given back when it ends. */
  readonly share: ByteShare
  /** `offset.flush.interval.ms`. */
  readonly flushIntervalMs: number
  /** `errors.retry.delay.max.ms`. */
  readonly retryDelayMaxMs: number
  readonly logger: Logger
  /** Is told how the task gets on, by itself. */
  readonly progress: (progress: TaskProgress) => void
  readonly paused: boolean
}

/** Records in one `put`: enough to spread its cost, few enough that other tasks of the thread get their turn. */
const maxPutRecords = 4000
/** A consumer that is not asked for anything for long counts as gone, however much there is to put. */
const pollAtLeastMs = 5000
/** How often `put` is called when there is nothing to put. */
const idlePutMs = 1000
const firstRetryMs = 300
/** A commit that the group did not take is tried again so soon. */
const commitRetryMs = 1000
/** So often at most a task is asked for memory that it holds. */
const reliefPauseMs = 1000
/** While the log is away, the end of what is connected to it is not waited for. */
const closeWaitMs = 1000
/** A task that failed gets so long to give back what it holds. */
const failureGraceMs = 5000

/** See the head of the file. */
export class SinkTaskRunner implements TaskRunner {
  readonly #options: SinkTaskOptions
  readonly #consumer: GroupConsumer
  readonly #positions = new SinkPositions()
  readonly #waits = new SinkWaits()
  /** What has been taken from the consumer and not put. */
  readonly #taken: ShareHolder
  /** What the task says it holds. */
  readonly #held: ShareHolder
  #heldBytes = 0
  /** Not before this moment it is asked again to give memory back. */
  #nextRelief = 0
  #task: SinkTask | undefined
  readonly #backlog = new SinkBacklog()
  readonly #rejections: SinkRejections
  /** Where the slices end that were taken last; known to the positions once the task has been given them. */
  #takenTo: TopicPartitionOffset[] = []
  #failedPuts = 0
  #retryAt = 0
  #paused: boolean
  #fetching = true
  #nextCommit: number
  #commitRequested = false
  #lastPut = performance.now()
  #lastPoll = performance.now()
  #ended: Promise<void> | undefined
  #cutOff = false
  /** Its `flush` failed, or a record that it has let go of: nothing is flushed or committed any more. */
  #broken = false
  #rebalanceFailure: unknown
  readonly #failure = Promise.withResolvers<never>()
  #taskStopped = false

  constructor(options: SinkTaskOptions) {
    this.#options = options
    this.#paused = options.paused
    this.#nextCommit = performance.now() + options.flushIntervalMs
    this.#taken = options.share.holder()
    this.#held = options.share.holder()
    this.#rejections = new SinkRejections(options.conversion, options.policy)
    this.#consumer = options.makeConsumer({
      onAssign: async (partitions) => this.#rebalance(this.#onAssign(partitions)),
      onRevoke: async (partitions) => this.#rebalance(this.#onRevoke(partitions)),
      onLost: async (partitions) => this.#rebalance(this.#onLost(partitions)),
    })
  }

  get #stopping(): boolean {
    return this.#options.abort.signal.aborted
  }

  async run(onRunning: () => void): Promise<void> {
    this.#ended = this.#run(onRunning)
    return this.#ended
  }

  async #run(onRunning: () => void): Promise<void> {
    try {
      await Promise.race([this.#loop(onRunning), this.#failure.promise])
    } catch (error) {
      await this.#giveBack()
      throw error
    } finally {
      await within(closeWaitMs, Promise.allSettled([this.#options.policy.close(), this.#options.chain?.close()]))
      this.#options.share.close()
    }
  }

  fail(error: unknown): void {
    this.#failure.reject(error)
  }

  async #loop(onRunning: () => void): Promise<void> {
    await this.#openChain()
    await this.#start()
    onRunning()
    while (!this.#stopping) {
      const records = this.#refused() ?? (await this.#convertAndTransform(await this.#consume()))
      if (records !== undefined) await this.#put(records)
      if (this.#options.conversion.hasManyDeadLetters) await this.#settleDeadLetters()
      await this.#commitIfDue()
    }
    // Leaving the group revokes what is held: it is flushed, committed and closed.
    await this.#consumer.close()
    this.#throwRebalanceFailure()
    await this.#stopTask()
  }

  async #openChain(): Promise<void> {
    const { chain, activity } = this.#options
    if (chain === undefined) return
    await this.#waits.log.during(
      'waits for its transforms to be ready',
      activity.call('start', () => chain.open()),
    )
  }

  async #stopTask(): Promise<void> {
    if (this.#taskStopped) return
    this.#taskStopped = true
    await this.#options.activity.call('stop', () => this.#task?.stop?.())
  }

  async #start(): Promise<void> {
    const { definition, abort, logger, retryDelayMaxMs, activity } = this.#options
    for (let failures = 1; !this.#stopping; failures++) {
      try {
        this.#task = await activity.call('start', () => definition.write(this.#context()))
        this.#waits.starts.progressed()
        return
      } catch (error) {
        if (!isRetriable(error)) throw error
        this.#waits.starts.failed(messageOf(error))
        const waitMs = backoffMs(failures, firstRetryMs, retryDelayMaxMs)
        logger.warn('the sink could not start, and tries again', { error: messageOf(error), waitMs })
        await pause(waitMs, abort.signal)
      }
    }
  }

  #context(): SinkTaskContext<ConfigOf<Settings>> {
    const { connector, task, config, abort, logger } = this.#options
    const held = this.#held
    return {
      config,
      connector,
      task,
      signal: abort.signal,
      log: logger,
      get maxBufferedBytes() {
        return held.mostBytes
      },
      holds: (bytes) => {
        this.#heldBytes = bytes
        held.holds(bytes)
      },
      seek: (position) => {
        this.#backlog.drop([position])
        // They come again, after what is read before them now.
        this.#positions.dropUnaccepted(position)
        this.#consumer.seek(position)
        this.#positions.handOver(position, position.offset)
      },
      progress: this.#options.progress,
      requestCommit: () => (this.#commitRequested = true),
      report: (record, error) => {
        const reported = this.#report(record, error)
        // Whether or not the task waits for it: its failure is the task's.
        reported.catch(() => undefined)
        return reported
      },
      deadLetters: this.#options.policy.hasDeadLetters,
      redrive: undefined,
    }
  }

  /** The records to put again, once their pause is over; undefined when there are none, or not yet. */
  #refused(): readonly SinkRecord[] | undefined {
    const { unaccepted } = this.#positions
    return unaccepted.length > 0 && !this.#paused && performance.now() >= this.#retryAt ? unaccepted : undefined
  }

  /** The next slices to put; none when nothing came for so long that an empty put is due; undefined: nothing to do. */
  async #consume(): Promise<Slice[] | undefined> {
    const refusing = this.#positions.unaccepted.length > 0
    const isHeld = this.#options.lease.isHeld()
    const holding = this.#paused || refusing || !isHeld
    this.#waits.waitsForLease(!isHeld && (refusing || !this.#backlog.isEmpty))
    this.#fetch(!holding)
    const waitMs = holding || this.#backlog.isEmpty ? this.#waitMs(refusing) : 0
    if (holding || this.#backlog.isEmpty) await this.#poll(waitMs)
    else if (performance.now() - this.#lastPoll > pollAtLeastMs) await this.#pollForMembership()
    // Other tasks of this thread get their turn.
    if (waitMs === 0) await new Promise((resolve) => setImmediate(resolve))
    if (refusing) return undefined
    if (!holding && !this.#backlog.isEmpty) return this.#takeSlices()
    return performance.now() - this.#lastPut >= idlePutMs ? [] : undefined
  }

  /** How long to wait for records: until anything else is due. */
  #waitMs(refusing: boolean): number {
    if (!this.#options.lease.isHeld()) return leasePollMs
    if (this.#commitRequested) return 0
    const now = performance.now()
    const idle = !refusing ? this.#lastPut + idlePutMs : this.#paused ? now + idlePutMs : this.#retryAt
    return Math.max(0, Math.min(idle, this.#nextCommit) - now)
  }

  async #poll(maxWaitMs: number): Promise<void> {
    const fetched = await this.#consumer.poll({ maxWaitMs, signal: this.#options.abort.signal })
    this.#lastPoll = performance.now()
    this.#backlog.add(fetched)
    this.#accountTaken()
    this.#throwRebalanceFailure()
  }

  /** Takes no more records: there are enough. */
  async #pollForMembership(): Promise<void> {
    this.#fetch(false)
    await this.#poll(0)
    this.#fetch(true)
  }

  #fetch(wanted: boolean): void {
    if (this.#fetching === wanted) return
    this.#fetching = wanted
    if (wanted) this.#consumer.resume(this.#consumer.assignment())
    else this.#consumer.pause(this.#consumer.assignment())
  }

  #takeSlices(): Slice[] {
    const { slices, ends } = this.#backlog.take(this.#options.maxPutRecords ?? maxPutRecords)
    this.#takenTo = ends
    return slices
  }

  async #convertAndTransform(slices: Slice[] | undefined): Promise<readonly SinkRecord[] | undefined> {
    if (slices === undefined) return undefined
    this.#rejections.given(slices)
    const { activity, conversion, activeTopics } = this.#options
    const records: SinkRecord[] = []
    for (const [i, slice] of slices.entries()) {
      const before = records.length + conversion.dropped
      const converting = activity.call('convert', () => conversion.convert(slice, records))
      const end = converting === undefined ? slice.to : await converting
      activity.counts.read += end - slice.from
      if (records.length + conversion.dropped > before) activeTopics?.note(slice.topic)
      if (end === slice.to) continue
      // It takes its time: what there is so far is put, and the group is heard, before it goes on.
      this.#takenTo = this.#backlog.putBack(i, end)
      break
    }
    if (records.length > 0 || slices.length === 0) return records
    // All were poison or dropped, or only transaction markers: nothing to put, but dealt with.
    this.#handOver()
    return undefined
  }

  /** What is not accepted stays as unaccepted, to be put again; so do those whose turn comes `after` these. */
  async #put(records: readonly SinkRecord[], after: readonly SinkRecord[] = []): Promise<void> {
    if (records.length === 0 && this.#stopping) return
    this.#positions.unaccepted = after.length === 0 ? records : [...records, ...after]
    this.#handOver()
    // The process was held, perhaps for long, since they were fetched.
    if (!this.#options.lease.isHeld()) {
      this.#retryAt = performance.now() + leasePollMs
      return
    }
    try {
      const answer = this.#options.activity.call('put', () => this.#task!.put(records))
      const result = answer instanceof Promise ? await answer : answer
      this.#options.activity.counts.put += records.length - (result?.retry?.length ?? 0)
      this.#settle(result ?? undefined, after)
    } catch (error) {
      if (isRetriable(error) && records.length > 0) {
        this.#options.logger.warn('put failed in passing, and is repeated', { error: messageOf(error) })
        this.#retryLater(messageOf(error))
      } else if (!isRetriable(error)) {
        await this.#isolate(records, after, error)
      }
    }
    this.#lastPut = performance.now()
    this.#accountTaken()
  }

  /** From here on the slices taken count as given to the task; those of them that are unaccepted are held back. */
  #handOver(): void {
    for (const position of this.#takenTo) this.#positions.handOver(position, position.offset)
    this.#takenTo = []
  }

  #settle(result: PutResult | undefined, after: readonly SinkRecord[]): void {
    for (const { record, error } of result?.rejected ?? []) this.#reject(record, error)
    const again = result?.retry ?? []
    this.#positions.unaccepted = after.length === 0 ? again : [...again, ...after]
    if (again.length > 0) {
      this.#retryLater(`${again.length} records are to be put again`)
    } else {
      this.#failedPuts = 0
      this.#waits.putAnswered([], '')
    }
  }

  #retryLater(reason: string): void {
    this.#waits.putAnswered(this.#positions.unaccepted, reason)
    this.#retryAt = performance.now() + backoffMs(++this.#failedPuts, firstRetryMs, this.#options.retryDelayMaxMs)
  }

  /** A batch failed over its contents: put one by one, it shows which record it is. */
  async #isolate(records: readonly SinkRecord[], after: readonly SinkRecord[], error: unknown): Promise<void> {
    if (!isErrorKind(error, 'DataError') || !this.#options.policy.tolerant || records.length === 0) throw error
    if (records.length === 1) {
      this.#reject(records[0]!, error)
      this.#positions.unaccepted = after
      return
    }
    for (const [i, record] of records.entries()) {
      const rest = records.slice(i + 1)
      await this.#put([record], rest)
      if (this.#positions.unaccepted.length > rest.length) return
    }
  }

  /** @throws ConnectError where errors are not tolerated */
  #reject(record: SinkRecord, error: unknown): void {
    void this.#rejections.refuse(record, error)
  }

  /** What the task reports apart from its answers; where that fails the task, whatever it is doing is over. */
  async #report(record: SinkRecord, error: unknown): Promise<void> {
    try {
      await this.#rejections.refuse(record, error)
    } catch (failure) {
      this.#broken = true
      this.fail(failure)
      throw failure
    }
  }

  async #commitIfDue(): Promise<void> {
    if (!this.#options.lease.isHeld()) return
    if (!this.#commitRequested && performance.now() < this.#nextCommit && !this.#mustGiveBack()) return
    this.#commitRequested = false
    this.#nextCommit = performance.now() + this.#options.flushIntervalMs
    await this.#flushAndCommit(this.#positions.committable())
  }

  /** The worker has no memory left, and the task holds some that a flush gives back. */
  #mustGiveBack(): boolean {
    const now = performance.now()
    if (this.#heldBytes === 0 || !this.#options.share.isFull || now < this.#nextRelief) return false
    this.#nextRelief = now + reliefPauseMs
    return true
  }

  #accountTaken(): void {
    if (this.#positions.unaccepted.length > 0) return
    this.#taken.holds(this.#backlog.bytes)
  }

  /** Asks the task to make durable, then commits. Offsets that the group does not take are committed later. */
  async #flushAndCommit(allowed: readonly TopicPartitionOffset[]): Promise<void> {
    const { logger, lease } = this.#options
    if (!lease.isHeld()) return
    const claimed = await this.#flush(allowed)
    if (claimed === undefined) return
    this.#waits.flushed(this.#positions.behind(claimed, allowed))
    await this.#settleDeadLetters()
    const { offsets, refused } = this.#positions.acceptable(claimed, allowed)
    if (refused.length > 0) logger.warn('flush returned offsets that are not to be committed', { refused })
    if (offsets.length === 0 || this.#cutOff || this.#broken || !lease.isHeld()) return
    try {
      await this.#waits.log.during('waits for the log to take offsets', this.#consumer.commit(offsets))
      this.#positions.committed(offsets)
      this.#waits.commits.progressed()
    } catch (error) {
      logger.warn('offsets could not be committed, and will be later', { error: messageOf(error) })
      this.#waits.commits.failed(messageOf(error))
      this.#nextCommit = Math.min(this.#nextCommit, performance.now() + commitRetryMs)
    }
  }

  async #settleDeadLetters(): Promise<void> {
    await this.#waits.log.during('waits for the log to take dead letters', this.#options.conversion.settleDeadLetters())
  }

  /** What is durable now; undefined when the flush is to be tried again. */
  async #flush(allowed: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[] | undefined> {
    try {
      return (await this.#options.activity.call('flush', () => this.#task?.flush?.(allowed))) ?? allowed
    } catch (error) {
      if (!isRetriable(error)) {
        this.#broken = true
        throw error
      }
      this.#options.logger.warn('flush failed in passing, and is repeated', { error: messageOf(error) })
      this.#waits.flushes.failed(messageOf(error))
      this.#nextCommit = Math.min(this.#nextCommit, performance.now() + commitRetryMs)
      return undefined
    }
  }

  /** The task's own code failed in a rebalance: the group goes on, and the task fails after it. */
  async #rebalance(change: Promise<void>): Promise<void> {
    try {
      await change
    } catch (error) {
      this.#rebalanceFailure ??= error
    }
  }

  #throwRebalanceFailure(): void {
    if (this.#rebalanceFailure !== undefined) throw this.#rebalanceFailure as Error
  }

  async #onAssign(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.#cutOff) return
    await this.#options.activity.call('open', () => this.#task?.open?.(partitions))
    if (!this.#fetching) this.#consumer.pause(partitions)
  }

  async #onRevoke(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#cutOff) return
    if (!this.#broken) {
      const held = partitions.filter((tp) => this.#positions.has(tp))
      if (held.length > 0) await this.#flushAndCommit(this.#positions.committable(held))
    }
    await this.#release(partitions)
  }

  async #onLost(partitions: readonly TopicPartition[]): Promise<void> {
    if (!this.#cutOff) await this.#release(partitions)
  }

  async #release(partitions: readonly TopicPartition[]): Promise<void> {
    this.#backlog.drop(partitions)
    this.#positions.drop(partitions)
    await this.#options.activity.call('close', () => this.#task?.close?.(partitions))
  }

  waitsFor(): Wait | undefined {
    if (this.#stopping) return undefined
    const { slowest } = this.#options.activity
    return this.#paused ? slowest : longest([slowest, this.#waits.longest])
  }

  pause(): void {
    this.#paused = true
    this.#commitRequested = true
  }

  resume(): void {
    this.#paused = false
  }

  async stop(graceMs: number): Promise<'ended' | 'cut off'> {
    this.#options.abort.abort()
    const ended = this.#ended?.catch(() => undefined) ?? Promise.resolve()
    if (await within(graceMs, ended)) return 'ended'
    this.#cutOff = true
    await within(closeWaitMs, Promise.allSettled([this.#consumer.close(), this.#options.chain?.close()]))
    return 'cut off'
  }

  /** After a failure: what was accepted is flushed and committed, and the task ended; neither may hang. */
  async #giveBack(): Promise<void> {
    const { abort, logger } = this.#options
    abort.abort()
    const last = (async () => {
      try {
        await this.#consumer.close()
      } finally {
        await this.#stopTask()
      }
    })()
    try {
      if (!(await within(failureGraceMs, last))) {
        logger.warn('the sink did not end after a failure')
        this.#cutOff = true
      }
    } catch (error) {
      logger.warn('the sink failed again while it was ended', { error: messageOf(error) })
    }
    last.catch(() => undefined)
  }
}
