/**
 * What a worker knows of its cluster: who leads, what of the work is its own, and whether it still counts as a member.
 * Membership is the group protocol's, the leader's decisions are records of the assignments topic; see
 * docs/decisions/2026-11-21-cluster.md.
 */

/** Something that one worker at a time runs: a connector (who plans its tasks), or one of its tasks. */
export interface Unit {
  readonly connector: string
  /** Left out: the connector itself. */
  readonly task?: number
  /** What it costs beside others, `task.weight`. A connector costs nothing beside tasks; connectors are spread by count. */
  readonly weight: number
}

/** A record for an internal topic with one partition. */
export interface StateRecord {
  readonly key: string
  readonly value: string | null
  /**
   * The request that it is written for, in a header: who reads the topic knows what has been carried out, so that a
   * request that is sent again is not carried out again.
   */
  readonly request?: string
}

/**
 * Writes for the leader alone: in one transaction a call, by a producer that the next leader fences. Whoever reads
 * committed records sees nothing of a leader that was deposed.
 */
export interface LeaderWriter {
  /**
   * Returns the offset of the first record.
   * @throws NotLeaderError where this worker does not lead, or not any more: nothing was written
   */
  write(topic: string, records: readonly StateRecord[]): Promise<number>
}

/** This worker does not lead (any more); `leaderUrl` is where the leader was last known to be. Retriable. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError'
  readonly retriable = true
  readonly leaderUrl: string | undefined

  constructor(message: string, leaderUrl: string | undefined) {
    super(message)
    this.leaderUrl = leaderUrl
  }
}

/** Who runs something, or did before it vanished. */
export interface ClusterOwner {
  /** `host:port` as statuses show it. */
  readonly workerId: string
  /** Of REST. */
  readonly url: string
  /** Gone without a word; its work waits for it until then, in ms since the epoch. */
  readonly awayUntil?: number
}

/** A worker as the newest assignment names it. */
export interface ClusterWorker extends ClusterOwner {
  readonly draining: boolean
  readonly connectors: number
  readonly tasks: number
}

export interface ClusterListener {
  /** These connectors' units may be others' now, or this worker's. Never called twice at a time. */
  assigned(connectors: ReadonlySet<string>): void
  /**
   * This worker has begun to lead, or has ceased to. A new leader decides nothing until the promise resolves: when the
   * config topic has been read to its end as it is now, with earlier leaders fenced.
   */
  leadershipChanged(leads: boolean): void | Promise<void>
  /** A new assignment has been read: {@link Cluster.workers} may be others. */
  assignmentRead(): void
  /** For the leader: all that has to run somewhere, as the config topic says now. */
  work(): Iterable<Unit>
}

export interface Cluster {
  /** Of the newest assignment read; statuses carry it. */
  readonly generation: number
  /**
   * The first of the generations since which nothing was taken from this worker without its word. What it began before may
   * have run elsewhere meanwhile, though it is its own again, and has to begin anew.
   */
  readonly presentSince: number
  /** This worker leads, and every earlier leader is fenced. */
  readonly leads: boolean
  /** Of REST; undefined while no leader is known. */
  readonly leaderUrl: string | undefined
  readonly workers: readonly ClusterWorker[]
  /** For what the leader alone may write: the config topic. */
  readonly writer: LeaderWriter
  /**
   * One Float64: until when this worker certainly counts as a member, in ms of `process.hrtime` (the machine's monotonic
   * clock, the same in every thread). A task that finds it passed writes nothing until it is moved on.
   */
  readonly lease: SharedArrayBuffer
  /** Joins, and resolves when the first assignment that knows this worker has been read. */
  start(listener: ClusterListener): Promise<void>
  ownsConnector(connector: string): boolean
  ownsTask(connector: string, task: number): boolean
  /** Whom the newest assignment gives it to. */
  owner(connector: string, task?: number): ClusterOwner | undefined
  /**
   * Whether the newest assignment gives one of the connector's tasks to a worker, or takes one from a worker that has not
   * said yet that it has stopped it.
   */
  runsTasks(connector: string): boolean
  /** The leader's config topic says something else about what has to run. */
  workChanged(): void
  /** Everything that the assignment of this generation took from this worker has stopped: it may start elsewhere. */
  released(generation: number): void
  /** Resolves when all that is in the assignments topic now has been read and told. */
  refresh(): Promise<void>
  /** Hands all work to the others before a planned stop; resolves when none is left here. Idempotent. */
  drain(signal?: AbortSignal): Promise<void>
  /** Leaves. What this worker ran has stopped by now: it is given to others at once. */
  close(): Promise<void>
}
