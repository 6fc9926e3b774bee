/**
 * One re-drive of a connector at a time, on whichever workers: whoever does it holds a group that has no other purpose.
 * That is given up at the end; of a worker that dies, is held, or is cut off, the log takes it back after the session timeout.
 */
import { RetriableError } from '@tidewire/sdk'
import type { GroupMembership, JoinedGeneration, LogClient, MemberMetadata } from '../client/client.ts'
import { messageOf } from '../logging/message-of.ts'
import { redriveLockGroup } from './letter-reader.ts'
import { unlessAborted } from './time-limit.ts'

/** What a member says of itself. */
interface Standing {
  readonly worker: string
  readonly holds: boolean
}

/** What the leader says to all. */
interface Verdict {
  readonly holder: string
  readonly worker: string
}

export interface RedriveLockOptions {
  readonly connector: string
  readonly workerId: string
  /** Ends the wait for it. */
  readonly signal: AbortSignal
}

const sessionTimeoutMs = 10_000
/** Whoever asks for it meanwhile waits this long for the answer. */
const heartbeatIntervalMs = 1000

/** See the head of the file. */
export class RedriveLock {
  readonly #connector: string
  readonly #workerId: string
  readonly #member: GroupMembership
  readonly #lost = new AbortController()
  #holds = false
  /** Taking part in rounds that others have brought about. */
  #rejoining: Promise<void> | undefined

  private constructor(client: LogClient, { connector, workerId }: RedriveLockOptions) {
    this.#connector = connector
    this.#workerId = workerId
    this.#member = client.groupMember({
      groupId: redriveLockGroup(connector),
      clientId: `connector-redrive-${connector}`,
      protocolType: 'tidewire-redrive',
      sessionTimeoutMs,
      heartbeatIntervalMs,
      rebalanceTimeoutMs: sessionTimeoutMs,
      protocols: () => [
        { name: 'one', metadata: bytesOf({ worker: workerId, holds: this.#holds } satisfies Standing) },
      ],
      assign: async (_, members) => Promise.resolve(verdictFor(members)),
      onChange: () => this.#onChange(),
    })
  }

  /** @throws RetriableError where another worker holds it, or the wait was ended; LogError */
  static async take(client: LogClient, options: RedriveLockOptions): Promise<RedriveLock> {
    const lock = new RedriveLock(client, options)
    try {
      const joined = await unlessAborted(lock.#member.join(), options.signal)
      if (joined === undefined)
        throw new RetriableError(`another re-drive of ${options.connector} has not ended in time`)
      lock.#heed(joined)
      // Somebody may have come since.
      lock.#onChange()
      return lock
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Aborted when it may be another's; the reason is an Error that says so. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Asks the log. @throws Error where it is, or may be, another's: the reason of {@link lost} */
  async check(): Promise<void> {
    await this.#rejoining
    this.lost.throwIfAborted()
    try {
      await this.#member.check()
    } catch (error) {
      this.#lose(error)
      this.lost.throwIfAborted()
    }
  }

  async release(): Promise<void> {
    this.#holds = false
    this.#lost.abort(new Error('the re-drive has ended'))
    await this.#member.leave()
  }

  #onChange(): void {
    if (this.lost.aborted || !this.#holds) return
    const { lost, mustRejoin } = this.#member
    if (lost !== undefined) this.#lose(lost)
    else if (mustRejoin) this.#rejoining ??= this.#rejoin()
  }

  /** Another asks for it: it learns that it is held. */
  async #rejoin(): Promise<void> {
    try {
      do this.#heed(await this.#member.join())
      while (this.#member.mustRejoin)
    } catch (error) {
      this.#lose(error)
    } finally {
      this.#rejoining = undefined
    }
  }

  /** @throws RetriableError where it is another's */
  #heed({ memberId, assignment }: JoinedGeneration): void {
    const { holder, worker } = JSON.parse(assignment.toString()) as Verdict
    if (holder !== memberId) {
      throw new RetriableError(`dead letters of ${this.#connector} are being put back by worker ${worker} already`)
    }
    this.#holds = true
  }

  #lose(error: unknown): void {
    const why = `worker ${this.#workerId} was out of touch for too long: another may put back the same letters`
    this.#lost.abort(new Error(`${why} (${messageOf(error)})`))
  }
}

/** Who holds it keeps it. */
function verdictFor(members: readonly MemberMetadata[]): Map<string, Buffer> {
  const standings = members.map(({ memberId, metadata }) => ({
    memberId,
    ...(JSON.parse(metadata.toString()) as Standing),
  }))
  const { memberId: holder, worker } = standings.find(({ holds }) => holds) ?? standings[0]!
  return new Map(members.map(({ memberId }) => [memberId, bytesOf({ holder, worker } satisfies Verdict)]))
}

function bytesOf(value: Standing | Verdict): Buffer {
  return Buffer.from(JSON.stringify(value))
}
