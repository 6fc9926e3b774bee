/**
 * A worker's place in its cluster, over the log: the group tells who is in it and who leads, the assignments topic what
 * the leader has decided. See docs/decisions/2026-11-21-cluster.md.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogError, type GroupMembership, type JoinedGeneration, type LogClient } from '../client/client.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import type { Assignment, WorkerPart, WorkerRecord } from './assignment-records.ts'
import { AssignmentsTopic } from './assignments-topic.ts'
import type { Cluster, ClusterListener, ClusterOwner, ClusterWorker, LeaderWriter } from './cluster.ts'
import { Leader, type LeaderRound } from './leader.ts'
import { Lease } from './lease.ts'
import { membershipError } from './membership-error.ts'
import { OwnRecord } from './own-record.ts'
import { connectorOf, taskOf, unitKey, type UnitKey } from './unit-key.ts'

export type ClusterConfig = Pick<
  WorkerConfig,
  | 'group.id'
  | 'assignment.storage.topic'
  | 'session.timeout.ms'
  | 'heartbeat.interval.ms'
  | 'rebalance.timeout.ms'
  | 'scheduled.rebalance.max.delay.ms'
>

export interface LogClusterOptions {
  readonly client: LogClient
  readonly config: ClusterConfig
  /** `host:port`, by which the others know this worker; no two may have the same. */
  readonly workerId: string
  /** Of REST. */
  readonly url: string
  readonly logger: Logger
  /**
   * This worker cannot be a member any more, nor become one again: another has taken its name, or the group belongs to
   * something else. Its tasks write nothing from now on. Where `start` has not resolved yet, it rejects instead.
   */
  readonly onFatal: (error: Error) => void
}

/** What members tell one another in a round. */
interface MemberMetadataJson {
  readonly workerId: string
  readonly url: string
}

/** How long a stop in order may wait for the log. */
const LEAVE_TIMEOUT_MS = 5000

export class LogCluster implements Cluster {
  readonly #options: LogClusterOptions
  readonly #groupId: string
  readonly #workerId: string
  readonly #closing = new AbortController()
  readonly #topic: AssignmentsTopic
  readonly #lease: Lease
  readonly #own: OwnRecord
  readonly #member: GroupMembership
  readonly #leader: Leader
  readonly #drainWaiters = new Set<() => void>()
  readonly #started = Promise.withResolvers<void>()
  #isStarted = false
  #isLeaving = false
  #hasFailed = false
  #listener: ClusterListener | undefined
  #membership: Promise<void> | undefined
  #wakeMembership: (() => void) | undefined
  #view: Assignment | undefined
  #round: JoinedGeneration | undefined
  /** As which the coordinator knows this worker: another id is another membership. */
  #memberId = ''
  /**
   * `out`: the leader is not known to count on this membership. `back`: it is, and what it has taken meanwhile has to
   * stop. `in`: all that runs here is this worker's.
   */
  #standing: 'out' | 'back' | 'in' = 'out'
  /** Generation of the assignment that brought this worker back. */
  #backSince = 0
  /** Connectors of what may still run here from before. */
  readonly #ran = new Set<string>()
  #askedToLead = false

  constructor(options: LogClusterOptions) {
    const { client, config, workerId, url, logger } = options
    const topic = config['assignment.storage.topic']
    const groupId = config['group.id']
    this.#options = options
    this.#groupId = groupId
    this.#workerId = workerId
    this.#started.promise.catch(() => undefined)
    this.#topic = new AssignmentsTopic({
      client,
      topic,
      groupId,
      logger,
      onWorker: (id, record, before) => this.#heard(id, record, before),
      onAssignment: (assignment) => this.#take(assignment),
      onWorkersTold: () => this.#leader.decideAnew(),
    })
    this.#own = new OwnRecord(
      { log: this.#topic.log, topic, groupId, workerId, logger, signal: this.#closing.signal },
      { url, session: randomUUID(), released: -1, draining: false, left: false },
    )
    const sessionTimeoutMs = config['session.timeout.ms']
    this.#lease = new Lease(sessionTimeoutMs)
    const metadata = Buffer.from(JSON.stringify({ workerId, url } satisfies MemberMetadataJson))
    this.#member = client.groupMember({
      groupId,
      // With a protocol of its own: a Kafka Connect worker with the same group.id is refused, not half understood.
      protocolType: 'connect',
      protocols: () => [{ name: 'tidewire', metadata }],
      sessionTimeoutMs,
      heartbeatIntervalMs: config['heartbeat.interval.ms'],
      rebalanceTimeoutMs: config['rebalance.timeout.ms'],
      groupInstanceId: workerId,
      leavesOnClose: true,
      // Who runs what is said in the assignments topic.
      assign: async () => Promise.resolve(new Map()),
      onAlive: (sentAtMs, memberId) => this.#alive(sentAtMs, memberId),
      onChange: () => this.#membershipChanged(),
    })
    this.#leader = new Leader({
      client,
      topic,
      groupId,
      workerId,
      sessionTimeoutMs,
      maxDelayMs: config['scheduled.rebalance.max.delay.ms'],
      logger,
      leadershipChanged: (leads) => this.#listener?.leadershipChanged(leads),
      work: () => this.#listener?.work() ?? [],
      assignment: () => this.#view,
      records: this.#topic.records,
      readToEnd: () => this.#topic.log.readToEnd(),
      checkRound: () => this.#member.check(),
      onDeposed: () => this.#member.requestRejoin(),
      leaderUrl: () => this.leaderUrl,
    })
  }

  get generation(): number {
    return this.#view?.generation ?? 0
  }

  get presentSince(): number {
    return this.#part?.since ?? this.generation
  }

  get leads(): boolean {
    return this.#leader.leads
  }

  get leaderUrl(): string | undefined {
    const leader = this.#view?.workers.get(this.#view.leader)
    return leader?.awayUntil === undefined ? leader?.url : undefined
  }

  get workers(): readonly ClusterWorker[] {
    return [...(this.#view?.workers ?? [])].map(([workerId, { url, awayUntil, draining, owns }]) => {
      const tasks = [...owns].filter((key) => taskOf(key) !== undefined).length
      const away = awayUntil === undefined ? {} : { awayUntil }
      return { workerId, url, ...away, draining, connectors: owns.size - tasks, tasks }
    })
  }

  get writer(): LeaderWriter {
    return this.#leader
  }

  get lease(): SharedArrayBuffer {
    return this.#lease.buffer
  }

  /**
   * What this worker owns when it resolves has not been told by `assigned`. The log may be away for a while.
   * @throws MembershipError where another group, or another worker of this name, stands in the way
   */
  async start(listener: ClusterListener): Promise<void> {
    this.#listener = listener
    // What it says of itself is in the topic before the group knows of it: the leader reads the one after the other.
    await Promise.all([this.#own.say(), this.#topic.start(this.#closing.signal)])
    if (!this.#closing.signal.aborted) this.#membership = this.#keepMembership()
    await this.#started.promise
  }

  ownsConnector(connector: string): boolean {
    return this.#owns(unitKey(connector))
  }

  ownsTask(connector: string, task: number): boolean {
    return this.#owns(unitKey(connector, task))
  }

  owner(connector: string, task?: number): ClusterOwner | undefined {
    const key = unitKey(connector, task)
    for (const [workerId, { owns, url, awayUntil }] of this.#view?.workers ?? []) {
      if (owns.has(key)) return { workerId, url, ...(awayUntil === undefined ? {} : { awayUntil }) }
    }
    return undefined
  }

  runsTasks(connector: string): boolean {
    const isOne = (key: UnitKey): boolean => taskOf(key) !== undefined && connectorOf(key) === connector
    return [...(this.#view?.workers.values() ?? [])].some(
      ({ owns, giving }) => owns.values().some(isOne) || giving.some(({ units }) => units.values().some(isOne)),
    )
  }

  workChanged(): void {
    this.#leader.decideAnew()
  }

  released(generation: number): void {
    const upTo = Math.min(generation, this.generation)
    if (this.#standing === 'back' && upTo >= this.#backSince) this.#settle()
    const { released } = this.#own.value
    const owes = this.#part?.giving.some((each) => each.generation <= upTo && each.generation > released)
    if (owes === true) void this.#own.say({ released: upTo })
  }

  refresh(): Promise<void> {
    return this.#topic.log.readToEnd()
  }

  async drain(signal?: AbortSignal): Promise<void> {
    if (!this.#own.value.draining) void this.#own.say({ draining: true })
    while (!this.#isDrained) {
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#drainWaiters.delete(done)
          signal?.removeEventListener('abort', done)
          resolve()
        }
        this.#drainWaiters.add(done)
        signal?.addEventListener('abort', done)
      })
    }
  }

  async close(): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#lease.freeze()
    // What it said after another took its name would be taken for the other's word.
    if (this.#membership !== undefined && !this.#hasFailed) await within(LEAVE_TIMEOUT_MS, this.#sayGoodbye())
    this.#closing.abort()
    this.#started.reject(new LogError('CLOSED', 'the worker is stopping', { retriable: false }))
    this.#wakeMembership?.()
    this.#wakeDrains()
    await within(LEAVE_TIMEOUT_MS, this.#leader.close())
    await this.#member.leave()
    await this.#membership
    await this.#topic.log.close()
  }

  /** Whoever leads gives to others what this worker had; if it is this worker that leads, it does so before it goes. */
  async #sayGoodbye(): Promise<void> {
    await this.#own.say({ left: true, released: this.generation })
    if (!this.leads) return
    await this.#topic.log.readToEnd()
    await this.#leader.settle()
  }

  get #part(): WorkerPart | undefined {
    return this.#view?.workers.get(this.#workerId)
  }

  #owns(key: UnitKey): boolean {
    return this.#part?.owns.has(key) ?? false
  }

  get #isDrained(): boolean {
    const part = this.#part
    if (part === undefined || this.#closing.signal.aborted) return true
    return part.draining && part.owns.size === 0 && part.giving.length === 0
  }

  #wakeDrains(): void {
    for (const wake of [...this.#drainWaiters]) wake()
  }

  async #keepMembership(): Promise<void> {
    try {
      while (!this.#closing.signal.aborted) {
        if (this.#member.mustRejoin) await this.#join()
        else await new Promise<void>((resolve) => (this.#wakeMembership = resolve))
        if (this.#member.lost?.code === 'FENCED_INSTANCE_ID') throw this.#member.lost
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#fail(error)
    }
  }

  #membershipChanged(): void {
    const { lost } = this.#member
    if (lost !== undefined) {
      this.#options.logger.warn('lost the membership of the cluster', { group: this.#groupId, reason: lost.message })
      this.#lose()
      this.#leader.stepDown()
    }
    this.#wakeMembership?.()
  }

  #alive(sentAtMs: number, memberId: string): void {
    // The coordinator had given up the membership before: others may have got what runs here.
    if (memberId !== this.#memberId) this.#lose()
    this.#memberId = memberId
    this.#lease.renew(sentAtMs)
  }

  /** Nothing is certain any more, until the leader is known to count on this worker again. */
  #lose(): void {
    this.#lease.freeze()
    this.#round = undefined
    if (this.#standing !== 'out') {
      for (const key of this.#part?.owns ?? []) this.#ran.add(connectorOf(key))
      for (const { units } of this.#part?.giving ?? []) for (const key of units) this.#ran.add(connectorOf(key))
    }
    this.#standing = 'out'
  }

  async #join(): Promise<void> {
    const joined = await this.#member.join()
    // Its record was taken for that of one that has gone for good, or another has spoken in this name.
    if (this.#topic.records.get(this.#workerId)?.session !== this.#own.value.session) void this.#own.say()
    this.#round = joined
    if (joined.isLeader) {
      this.#leader.lead(roundOf(joined))
    } else {
      this.#leader.stepDown()
      this.#askToLead(joined)
    }
    this.#comeBack()
  }

  /** Before KIP-814 a leader that was restarted in its place was not told that it still leads: another round tells. */
  #askToLead({ generation }: JoinedGeneration): void {
    const led = this.#view?.leader === this.#workerId && this.#view.round === generation
    if (!led || this.#isOwnLife || this.#askedToLead) return
    this.#askedToLead = true
    this.#member.requestRejoin()
  }

  /** The leader knows of this life of the worker, not only of one before it. */
  get #isOwnLife(): boolean {
    return this.#part?.session === this.#own.value.session
  }

  /**
   * Counts the worker in again once the leader of this very round is known to do so. Before that, an assignment that
   * gives its work to another may be on its way.
   */
  #comeBack(): void {
    if (this.#standing !== 'out' || this.#round === undefined || this.#view === undefined) return
    if (this.#view.round !== this.#round.generation || !this.#isOwnLife) return
    this.#standing = 'back'
    this.#backSince = this.#view.generation
    const { leader, generation } = this.#view
    this.#options.logger.info('this worker is in the cluster', { group: this.#groupId, leader, generation })
    for (const key of this.#part!.owns) this.#ran.add(connectorOf(key))
    const connectors = new Set(this.#ran)
    if (!this.#isStarted) {
      // Nothing runs yet.
      this.#isStarted = true
      this.released(this.#backSince)
      this.#started.resolve()
    } else if (connectors.size > 0) {
      this.#tell(connectors)
    } else {
      this.released(this.#backSince)
    }
  }

  #settle(): void {
    this.#standing = 'in'
    this.#ran.clear()
    this.#lease.release()
  }

  #fail(cause: unknown): void {
    this.#hasFailed = true
    this.#lease.freeze()
    this.#leader.stepDown()
    const error = membershipError(cause, this.#groupId, this.#workerId)
    if (this.#isStarted) this.#options.onFatal(error)
    else this.#started.reject(error)
  }

  #heard(workerId: string, record: WorkerRecord | undefined, before: WorkerRecord | undefined): void {
    if (workerId === this.#workerId) {
      // Of another that has taken this name, a late word of the one before this; or taken for one that has gone for good,
      // just when it came back.
      if (record?.session !== this.#own.value.session) this.#insist()
    } else if (record !== undefined && (before?.session !== record.session || before.left !== record.left)) {
      this.#member.lookForRound()
    }
  }

  /** Says again what is true of this worker, if it still is the one of this name. */
  #insist(): void {
    if (this.#round === undefined || this.#isLeaving || this.#hasFailed) return
    this.#member.lookForRound()
    this.#member.check().then(
      () => this.#own.say(),
      // Not a member at the moment, or not this one's name any more.
      () => undefined,
    )
  }

  #take(assignment: Assignment): void {
    const before = this.#part?.owns ?? new Set<UnitKey>()
    const { leader, generation } = assignment
    if (this.#standing !== 'out' && leader !== this.#view?.leader && leader !== this.#workerId) {
      this.#options.logger.info('another worker leads the cluster', { group: this.#groupId, leader, generation })
    }
    this.#view = assignment
    this.#listener?.assignmentRead()
    const after = this.#part?.owns ?? new Set<UnitKey>()
    const changed = new Set<string>()
    for (const key of before) if (!after.has(key)) changed.add(connectorOf(key))
    for (const key of after) if (!before.has(key)) changed.add(connectorOf(key))
    if (changed.size > 0) this.#tell(changed)
    this.#comeBack()
    this.#wakeDrains()
  }

  #tell(connectors: ReadonlySet<string>): void {
    if (this.#isStarted && !this.#isLeaving) this.#listener?.assigned(connectors)
  }
}

function roundOf({ generation, members }: JoinedGeneration): LeaderRound {
  const byId = members.flatMap(({ groupInstanceId, metadata }) => {
    if (groupInstanceId === null) return []
    const { url } = JSON.parse(metadata.toString()) as MemberMetadataJson
    return [[groupInstanceId, { url }] as const]
  })
  return { generation, members: new Map(byId) }
}

/** Waits for it no longer than that. What becomes of it later is nobody's concern any more. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const timeout = new AbortController()
  const settled = work.catch(() => undefined).finally(() => timeout.abort())
  await Promise.race([settled, sleep(ms, undefined, { signal: timeout.signal }).catch(() => undefined)])
}
