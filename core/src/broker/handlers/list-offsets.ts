/**
 * ListOffsets, v1–11.
 * v2 isolation level · v4 leader epoch · v6 flexible · v7 largest timestamp · v8–11 tiered storage (there is none: the local log is all there is)
 */
import type { PartitionLog } from '../../log/partition-log.ts'
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/message.ts'
import { listOffsets } from '../../protocol/messages/list-offsets.ts'
import { defineHandler } from '../handler.ts'
import { kafkaErrorOf, RequestError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'
import { leaderEpochProblem } from './fetch.ts'

type PartitionRequest = RequestOf<typeof listOffsets>['topics'][number]['partitions'][number]
type PartitionAnswer = ResponseInput<typeof listOffsets>['topics'][number]['partitions'][number]

const latest = -1
const earliest = -2
const largestTimestamp = -3
const earliestLocal = -4
const latestTiered = -5
const earliestPendingUpload = -6

export const listOffsetsHandler = defineHandler({
  api: listOffsets,
  versions: [1, 11],
  async handle(services, request) {
    const committedOnly = request.isolationLevel === 1
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(partitions.map((partition) => answer(services, name, partition, committedOnly))),
    }))
    return { throttleTimeMs: 0, topics: await Promise.all(topics) }
  },
})

async function answer(
  services: BrokerServices,
  topic: string,
  request: PartitionRequest,
  committedOnly: boolean,
): Promise<PartitionAnswer> {
  const { partitionIndex, currentLeaderEpoch, timestamp } = request
  try {
    const log = services.topics.partition(topic, partitionIndex)
    const problem = leaderEpochProblem(currentLeaderEpoch, log)
    if (problem !== 'NONE') throw new RequestError(problem, 'leader epoch')
    const found = await find(log, timestamp, committedOnly)
    const leaderEpoch = found === null ? -1 : log.leaderEpoch
    return { partitionIndex, errorCode: errorCodes.NONE, ...(found ?? { offset: -1, timestamp: -1 }), leaderEpoch }
  } catch (error) {
    return { partitionIndex, errorCode: errorCodes[kafkaErrorOf(error, services.logger)], offset: -1, timestamp: -1 }
  }
}

async function find(
  log: PartitionLog,
  timestamp: number,
  committedOnly: boolean,
): Promise<{ offset: number; timestamp: number } | null> {
  const end = committedOnly ? log.lastStableOffset : log.highWatermark
  switch (timestamp) {
    case latest:
      return { offset: end, timestamp: -1 }
    case earliest:
    case earliestLocal:
      return { offset: log.logStartOffset, timestamp: -1 }
    case largestTimestamp: {
      const found = await log.maxTimestamp()
      return found !== null && found.offset < end ? found : null
    }
    case latestTiered:
    case earliestPendingUpload:
      return null
    default: {
      const found = timestamp < 0 ? null : await log.offsetForTimestamp(timestamp)
      return found !== null && found.offset < end ? found : null
    }
  }
}
