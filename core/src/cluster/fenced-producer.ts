/**
 * What a leader writes with: a producer whose transactional id is that of all who may lead, so that each one fences the
 * leader before it and is fenced by the next.
 */
import { LogError, type LogClient, type OutRecord, type Producer, type ProducerOptions } from '../client/client.ts'

export interface FencedProducerOptions extends Pick<ProducerOptions, 'compression'> {
  readonly client: LogClient
  readonly transactionalId: string
  /** Of the group that chooses the leader. */
  readonly sessionTimeoutMs: number
  /** @throws LogError where the group has had another round since the one that chose this leader */
  readonly checkRound: () => Promise<void>
  /** Resolves when all that earlier leaders have written has been read. */
  readonly readToEnd: () => Promise<void>
  /** Closes the producer, however far it has come; whoever opens it looks at it again before the first write. */
  readonly signal: AbortSignal
}

/** Larger than anything that leaders mean to write; what a record may have at most is for the log to say. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

export class FencedProducer {
  readonly #producer: Producer
  readonly #signal: AbortSignal
  readonly #close = (): void => this.close()
  #isClosed = false

  private constructor(producer: Producer, signal: AbortSignal) {
    this.#producer = producer
    this.#signal = signal
    signal.addEventListener('abort', this.#close)
  }

  /**
   * Fences whoever led before. The order matters: that the round still is the last one after the fencing means that any
   * later leader's fencing comes after this one's, and that what is read then is all.
   * @throws LogError of the log or of `checkRound`: {@link isDeposed} tells them apart; the signal's reason
   */
  static async open(options: FencedProducerOptions): Promise<FencedProducer> {
    const { client, transactionalId, sessionTimeoutMs, compression, checkRound, readToEnd, signal } = options
    const producer = client.producer({
      transactionalId,
      transactionTimeoutMs: Math.max(sessionTimeoutMs, 10_000),
      ...(compression === undefined ? {} : { compression }),
      maxRequestBytes: MAX_REQUEST_BYTES,
    })
    const fenced = new FencedProducer(producer, signal)
    try {
      await producer.initTransactions()
      await checkRound()
      await readToEnd()
      signal.throwIfAborted()
      return fenced
    } catch (error) {
      fenced.close()
      throw error
    }
  }

  /**
   * One transaction, of batches for a topic each.
   * @returns the offset of each batch's first record; undefined where the log did not say
   * @throws RefusedError nothing has been written
   * @throws Error it may have been written all the same: what comes after it in the topic tells
   */
  async write(batches: readonly (readonly OutRecord[])[]): Promise<(number | undefined)[]> {
    const producer = this.#producer
    producer.begin()
    const results = await Promise.all(batches.map((records) => producer.produce(records)))
    const refused = results.flatMap(({ failures }) => failures)[0]
    if (refused !== undefined) {
      await producer.abort()
      throw new RefusedError(refused.error)
    }
    await producer.commit()
    return results.map(({ offsets }) => offsets[0]?.offset)
  }

  /** Waited for by nobody: fenced, or with a log that is away, what is open is ended by the next leader's fencing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#signal.removeEventListener('abort', this.#close)
    void this.#producer.close().catch(() => undefined)
  }
}

/** The log does not take a record; the transaction was aborted. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  override readonly cause: LogError

  constructor(cause: LogError) {
    super(cause.message)
    this.cause = cause
  }
}

/** The group has had a later round, or a later leader has fenced this one. */
export function isDeposed(error: unknown): boolean {
  return error instanceof LogError && deposed.has(error.code)
}

const deposed: ReadonlySet<string> = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'FENCED_INSTANCE_ID',
])
