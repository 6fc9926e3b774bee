/**
 * The work of the leader: decides who runs what, and writes what the leader alone may write, through one transactional
 * producer that fences the leader before it and is fenced by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { decide } from './assignment.ts'
import { assignmentKey, encodeAssignment, workerKey, type Assignment, type WorkerRecord } from './assignment-records.ts'
import { NotLeaderError, type ClusterListener, type LeaderWriter, type StateRecord } from './cluster.ts'
import { FencedProducer, isDeposed, RefusedError } from './fenced-producer.ts'
import { outRecord } from './topic-log.ts'

/** A round of the group in which this worker was made the leader. */
export interface LeaderRound {
  readonly generation: number
  readonly members: ReadonlyMap<string, { readonly url: string }>
}

export interface LeaderOptions {
  readonly client: LogClient
  /** `assignment.storage.topic` */
  readonly topic: string
  readonly groupId: string
  readonly workerId: string
  readonly sessionTimeoutMs: number
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number
  readonly logger: Logger
  readonly leadershipChanged: ClusterListener['leadershipChanged']
  readonly work: ClusterListener['work']
  /** As of what has been read of the assignments topic. */
  readonly assignment: () => Assignment | undefined
  readonly records: ReadonlyMap<string, WorkerRecord>
  /** Reads the assignments topic to its end. */
  readonly readToEnd: () => Promise<void>
  /** @throws LogError where the group has had another round since the one this worker was made leader in */
  readonly checkRound: () => Promise<void>
  /** Another leads, and the group has not told yet. */
  readonly onDeposed: () => void
  readonly leaderUrl: () => string | undefined
}

interface Write {
  readonly topic: string
  readonly records: readonly StateRecord[]
  readonly resolve: (offset: number) => void
  readonly reject: (error: Error) => void
}

interface Decision extends Pick<Write, 'topic' | 'records'> {
  readonly assignment: Assignment
}

/** From one fencing to the next, of this worker or of another. */
interface Term {
  readonly producer: FencedProducer
  readonly ended: AbortController
  /** Whether the listener knows all that earlier leaders have written, or why it could not find out. */
  listener: 'asked' | 'ready' | Error
}

/**
 * A decision looks at all there is, and so does each worker that reads it. Of changes that come one after the other, such
 * as 1,000 connectors being made, only so many get one of their own that this takes no more than a fifth of the time.
 */
const REST_PER_DECISION = 4
/** Also where the process was held just while it decided. */
const MAX_REST_MS = 500

export class Leader implements LeaderWriter {
  readonly #options: LeaderOptions
  readonly #writes: Write[] = []
  readonly #settled: (() => void)[] = []
  #round: LeaderRound | undefined
  #term: Term | undefined
  #running: Promise<void> | undefined
  #stopped = new AbortController()
  #wake: (() => void) | undefined
  #mustDecide = false
  /** The round whose members' records have been read. */
  #knownRound: LeaderRound | undefined
  #current: Assignment | undefined
  /** In ms of `performance.now()`: before then there is no other decision. */
  #restsUntil = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: LeaderOptions) {
    this.#options = options
  }

  /** Every earlier leader is fenced. */
  get leads(): boolean {
    return this.#term !== undefined
  }

  lead(round: LeaderRound): void {
    this.#round = round
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController()
    this.#running ??= this.#run(this.#stopped.signal).finally(() => {
      this.#running = undefined
      // Made leader again while the last of it was ending.
      if (this.#round !== undefined) this.lead(this.#round)
    })
    this.decideAnew()
  }

  /** Another leads, or nobody does. */
  stepDown(): void {
    this.#round = undefined
    this.#stopped.abort()
    this.#endTerm()
    this.#wake?.()
  }

  /** Something that the decision depends on has changed. */
  decideAnew(): void {
    this.#mustDecide = true
    this.#wake?.()
  }

  /** Resolves when all there is to decide and to write now has been, or this worker does not lead any more. */
  async settle(): Promise<void> {
    if (this.#term === undefined) return
    this.decideAnew()
    await new Promise<void>((resolve) => this.#settled.push(resolve))
  }

  async write(topic: string, records: readonly StateRecord[]): Promise<number> {
    if (this.#term === undefined) throw this.#notLeader()
    return new Promise((resolve, reject) => {
      this.#writes.push({ topic, records, resolve, reject })
      this.#wake?.()
    })
  }

  async close(): Promise<void> {
    this.stepDown()
    await this.#running
  }

  #notLeader(): NotLeaderError {
    return new NotLeaderError('this worker does not lead the cluster', this.#options.leaderUrl())
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    const isOver = (): boolean => signal.aborted
    for (let failures = 0; !isOver();) {
      try {
        // What failed may have failed because another leads: to fence it would stop the right one.
        if (failures > 0) await this.#options.checkRound()
        const term = await this.#takeOver(signal)
        while (!term.ended.signal.aborted) {
          await this.#work(term)
          if (term.listener === 'ready') failures = 0
        }
      } catch (error) {
        this.#endTerm()
        if (isOver()) return
        if (isLedByAnother(error)) {
          logger.info('this worker does not lead the cluster any more', { group: this.#options.groupId })
          this.#round = undefined
          this.#options.onDeposed()
          return
        }
        failures++
        if (failures === 1) logger.warn('leading the cluster: trying again', { error: String(error) })
        await sleep(Math.min(50 * 2 ** failures, 2000), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  /** Fences whoever led before, and takes up what it has decided. */
  async #takeOver(signal: AbortSignal): Promise<Term> {
    const { client, groupId, sessionTimeoutMs, checkRound, logger } = this.#options
    const producer = await FencedProducer.open({
      client,
      transactionalId: `connect-cluster-${groupId}`,
      sessionTimeoutMs,
      // Known to every client that may look into the config topic.
      compression: 'gzip',
      checkRound,
      readToEnd: async () => this.#meetRound(),
      signal,
    })
    signal.throwIfAborted()
    this.#current = this.#options.assignment()
    const term: Term = { producer, ended: new AbortController(), listener: 'asked' }
    this.#term = term
    this.#mustDecide = true
    logger.info('this worker leads the cluster', { group: groupId, generation: this.#current?.generation ?? 0 })
    // Not waited for here: it may want to write meanwhile.
    void Promise.resolve(this.#options.leadershipChanged(true))
      .then(
        () => (term.listener = 'ready'),
        (error: unknown) => (term.listener = error instanceof Error ? error : new Error(String(error))),
      )
      .then(() => this.#wake?.())
    return term
  }

  #endTerm(): void {
    const term = this.#term
    if (term === undefined) return
    this.#term = undefined
    term.ended.abort()
    clearTimeout(this.#timer)
    term.producer.close()
    const error = this.#notLeader()
    for (const write of this.#writes.splice(0)) write.reject(error)
    this.#settle()
    void Promise.resolve(this.#options.leadershipChanged(false)).catch(() => undefined)
    this.#wake?.()
  }

  #settle(): void {
    for (const resolve of this.#settled.splice(0)) resolve()
  }

  async #work(term: Term): Promise<void> {
    if (term.listener instanceof Error) throw term.listener
    const isReady = term.listener === 'ready'
    const restMs = this.#mustDecide && isReady ? this.#restMs : 0
    const decides = this.#mustDecide && isReady && restMs === 0
    if (decides && this.#knownRound !== this.#round) return this.#meetRound()
    const decision = decides ? this.#decision() : undefined
    if (this.#writes.length > 0 || decision !== undefined) {
      return this.#writeAll(term, this.#writes.splice(0), decision)
    }
    if (isReady && restMs === 0) this.#settle()
    const rest = restMs === 0 ? undefined : setTimeout(() => this.#wake?.(), restMs)
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
    clearTimeout(rest)
  }

  /** How long the next decision has to wait; whoever is leaving waits for none. */
  get #restMs(): number {
    return this.#settled.length > 0 ? 0 : Math.max(0, this.#restsUntil - performance.now())
  }

  /** Reads what the members of a new round have said of themselves. */
  async #meetRound(): Promise<void> {
    const round = this.#round
    await this.#options.readToEnd()
    this.#knownRound = round
  }

  #decision(): Decision | undefined {
    const begun = performance.now()
    const decision = this.#decide()
    const tookMs = performance.now() - begun
    this.#restsUntil = begun + tookMs + Math.min(REST_PER_DECISION * tookMs, MAX_REST_MS)
    return decision
  }

  /** The next assignment with what it makes obsolete; undefined where the one in force is still right. */
  #decide(): Decision | undefined {
    const { groupId, workerId, topic, records, maxDelayMs } = this.#options
    this.#mustDecide = false
    const { generation, members } = this.#round!
    const work = this.#options.work()
    const inputs = { round: generation, leader: workerId, members, records, work, nowMs: Date.now(), maxDelayMs }
    const before = this.#current
    const next = decide(before, inputs)
    if (next === undefined) {
      // The timer may have fired a little before its time.
      if (before !== undefined) this.#setTimer(before)
      return undefined
    }
    const gone = [...records].filter(
      ([id, { left }]) => !members.has(id) && !next.workers.has(id) && (left || before?.workers.has(id) === true),
    )
    return {
      assignment: next,
      topic,
      records: [
        { key: assignmentKey(groupId), value: encodeAssignment(groupId, next) },
        ...gone.map(([id]) => ({ key: workerKey(groupId, id), value: null })),
      ],
    }
  }

  /** Who comes and who goes; in the leader's log alone, which decides what becomes of their work. */
  #logChanges(before: Assignment | undefined, { generation, workers }: Assignment): void {
    const { logger, groupId, records } = this.#options
    for (const [worker, { awayUntil, owns }] of workers) {
      const known = before?.workers.get(worker)
      const details = { group: groupId, worker, generation }
      if (awayUntil !== undefined && known?.awayUntil === undefined) {
        const until = new Date(awayUntil).toISOString()
        logger.warn('a worker has vanished; its work waits for it', { ...details, units: owns.size, until })
      } else if (awayUntil === undefined && known === undefined) {
        logger.info('a worker has joined the cluster', details)
      } else if (awayUntil === undefined && known?.awayUntil !== undefined) {
        logger.info('a worker that had vanished is back', details)
      }
    }
    for (const [worker, { owns }] of before?.workers ?? []) {
      if (workers.has(worker)) continue
      const details = { group: groupId, worker, generation }
      if (records.get(worker)?.left === true) logger.info('a worker has left the cluster', details)
      else logger.warn('a worker has vanished; others get its work', { ...details, units: owns.size })
    }
  }

  /** For the first of those who are waited for and do not come. */
  #setTimer({ workers }: Assignment): void {
    clearTimeout(this.#timer)
    const deadlines = [...workers.values()].flatMap(({ awayUntil }) => awayUntil ?? [])
    if (deadlines.length === 0) return
    const waitMs = Math.max(1, Math.min(...deadlines) - Date.now())
    this.#timer = setTimeout(() => this.decideAnew(), Math.min(waitMs, 0x7fffffff)).unref()
  }

  /** What has gathered goes in one transaction. */
  async #writeAll(term: Term, writes: readonly Write[], decision?: Decision): Promise<void> {
    try {
      const offsets = await this.#transaction(term, decision === undefined ? writes : [...writes, decision])
      writes.forEach(({ resolve }, i) => resolve(offsets[i]!))
      if (decision === undefined) return
      this.#logChanges(this.#current, decision.assignment)
      this.#current = decision.assignment
      this.#setTimer(decision.assignment)
    } catch (error) {
      if (error instanceof RefusedError && writes.length + (decision === undefined ? 0 : 1) > 1) {
        // One spoils it for all: each for itself.
        for (const write of writes) await this.#writeAll(term, [write])
        if (decision !== undefined) await this.#writeAll(term, [], decision)
        return
      }
      const reason = isLedByAnother(error) || term.ended.signal.aborted ? this.#notLeader() : (error as Error)
      for (const { reject } of writes) reject(reason instanceof RefusedError ? reason.cause : reason)
      if (!(error instanceof RefusedError) || decision !== undefined) throw error
    }
  }

  /** @returns the offset of each write's first record */
  async #transaction(
    { producer, ended }: Term,
    writes: readonly Pick<Write, 'topic' | 'records'>[],
  ): Promise<number[]> {
    if (ended.signal.aborted) throw this.#notLeader()
    const batches = writes.map(({ topic, records }) => records.map((record) => outRecord(topic, record)))
    const offsets = await producer.write(batches)
    return offsets.map((offset) => offset ?? -1)
  }
}

function isLedByAnother(error: unknown): boolean {
  return error instanceof NotLeaderError || isDeposed(error)
}
