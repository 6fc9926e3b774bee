/**
 * Fetch, v4–18, for consumers. There are no fetch sessions: every answer says so with session id 0, and the client sends
 * all it wants each time (KIP-227 allows it).
 * v5 log start offset · v7 sessions · v9 leader epoch check · v11 rack · v12 flexible, truncation detection · v13 topic ids · v15 and later for
 * replicas only
 */
import { LogStorageError } from '../../log/errors.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/message.ts'
import { fetch } from '../../protocol/messages/fetch.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { kafkaErrorOf, type KafkaError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'

type Request = RequestOf<typeof fetch>
type TopicRequest = Request['topics'][number]
type PartitionRequest = TopicRequest['partitions'][number]
type TopicAnswer = NonNullable<ResponseInput<typeof fetch>['responses']>[number]
type PartitionAnswer = TopicAnswer['partitions'][number]

/** What is read in one round. */
interface Round {
  readonly responses: readonly TopicAnswer[]
  readonly bytes: number
  readonly failed: boolean
  readonly release: () => void
}

export const fetchHandler = defineHandler({
  api: fetch,
  versions: [4, 18],
  async handle(services, request, context) {
    // A session that nobody was given: the client starts over without one.
    if (request.sessionId !== 0 && request.sessionEpoch > 0) {
      return { errorCode: errorCodes.FETCH_SESSION_ID_NOT_FOUND, responses: [] }
    }
    const wanted = request.topics.map((topic) => resolve(services, topic, context.version))
    const deadline = services.clock.elapsed() + request.maxWaitMs
    const wake = new Wake(wanted, context)
    try {
      for (;;) {
        wake.reset()
        const round = await readWithin(services, request, wanted)
        const leftMs = deadline - services.clock.elapsed()
        const isEnough = round.failed || round.bytes >= request.minBytes || wanted.length === 0
        if (isEnough || leftMs <= 0) {
          context.onSent(round.release)
          return { errorCode: errorCodes.NONE, responses: round.responses }
        }
        round.release()
        if (!context.signal.closed) await wake.wait(services, leftMs)
        // Nobody waits for an answer: nothing is read for it, nor memory waited for.
        if (context.signal.closed) return null
      }
    } finally {
      wake.release()
    }
  },
})

interface Wanted {
  readonly topic: TopicRequest
  readonly partitions: readonly {
    readonly request: PartitionRequest
    readonly log: PartitionLog | undefined
    readonly error: KafkaError
  }[]
}

function resolve(services: BrokerServices, topic: TopicRequest, version: number): Wanted {
  const name = version < 13 ? topic.topic : services.topics.byId(topic.topicId)?.name
  const partitions = topic.partitions.map((request): Wanted['partitions'][number] => {
    if (name === undefined) return { request, log: undefined, error: 'UNKNOWN_TOPIC_ID' }
    try {
      const log = services.topics.partition(name, request.partition)
      return { request, log, error: leaderEpochProblem(request.currentLeaderEpoch, log) }
    } catch (error) {
      return { request, log: undefined, error: kafkaErrorOf(error, services.logger) }
    }
  })
  return { topic, partitions }
}

/** What the leader epoch that a client believes in comes to (KIP-320). */
export function leaderEpochProblem(claimed: number, { leaderEpoch }: PartitionLog): KafkaError {
  if (claimed < 0 || claimed === leaderEpoch) return 'NONE'
  return claimed < leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH'
}

/** Reads as much as the client wants and there is memory for. */
async function readWithin(services: BrokerServices, request: Request, wanted: readonly Wanted[]): Promise<Round> {
  const { answers, config } = services
  const reserved = answers.reserve(Math.max(Math.min(request.maxBytes, config['fetch.max.bytes']), 0))
  const maxBytes = typeof reserved === 'number' ? reserved : await reserved
  try {
    return await readRound(services, request, wanted, maxBytes)
  } finally {
    answers.release(maxBytes)
  }
}

async function readRound(
  services: BrokerServices,
  request: Request,
  wanted: readonly Wanted[],
  maxBytes: number,
): Promise<Round> {
  const isolation = request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted'
  let left = maxBytes
  let bytes = 0
  let failed = false
  const responses: TopicAnswer[] = []
  const releases: (() => void)[] = []
  for (const { topic, partitions } of wanted) {
    const answers: PartitionAnswer[] = []
    for (const { request: partition, log, error } of partitions) {
      if (log === undefined || error !== 'NONE') {
        failed = true
        answers.push(failure(partition.partition, error))
        continue
      }
      try {
        // The first batch of an answer is sent whatever its size, or a reader would never get past it (KIP-74).
        const most = Math.min(partition.partitionMaxBytes, left)
        const read = await log.read(partition.fetchOffset, Math.max(most, 0), isolation, bytes === 0)
        bytes += read.bytes
        if (read.release !== undefined) releases.push(read.release)
        left -= read.bytes
        answers.push({
          partitionIndex: partition.partition,
          errorCode: errorCodes.NONE,
          highWatermark: read.highWatermark,
          lastStableOffset: read.lastStableOffset,
          logStartOffset: read.logStartOffset,
          abortedTransactions: read.abortedTransactions,
          records: read.records,
        })
      } catch (problem) {
        failed = true
        answers.push(failure(partition.partition, kafkaErrorOf(problem, services.logger), problem, log))
      }
    }
    responses.push({ topic: topic.topic, topicId: topic.topicId, partitions: answers })
  }
  const release = () => {
    for (const each of releases) each()
  }
  return { responses, bytes, failed, release }
}

function failure(partitionIndex: number, error: KafkaError, cause?: unknown, log?: PartitionLog): PartitionAnswer {
  const known = cause instanceof LogStorageError ? log : undefined
  return {
    partitionIndex,
    errorCode: errorCodes[error],
    highWatermark: known?.highWatermark ?? -1,
    lastStableOffset: known?.lastStableOffset ?? -1,
    logStartOffset: known?.logStartOffset ?? -1,
    abortedTransactions: null,
    records: [],
  }
}

/** Ends a wait when one of the partitions has more to read, or the client is gone. */
class Wake {
  readonly #stops: (() => void)[]
  #rung = false
  #ring: (() => void) | undefined

  constructor(wanted: readonly Wanted[], context: RequestContext) {
    const ring = () => {
      this.#rung = true
      this.#ring?.()
    }
    // From before the first read, so that nothing appended in between is missed.
    this.#stops = wanted.flatMap(({ partitions }) => partitions.flatMap(({ log }) => log?.onAppend(ring) ?? []))
    this.#stops.push(context.signal.onClose(ring))
  }

  reset(): void {
    this.#rung = false
  }

  async wait({ clock }: BrokerServices, ms: number): Promise<void> {
    if (this.#rung) return
    await new Promise<void>((done) => {
      const timer = clock.after(ms, done)
      this.#ring = () => {
        timer.cancel()
        done()
      }
    })
    this.#ring = undefined
  }

  release(): void {
    for (const stop of this.#stops) stop()
  }
}
