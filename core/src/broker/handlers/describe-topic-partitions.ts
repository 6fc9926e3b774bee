/** DescribeTopicPartitions, v0 (KIP-966): metadata of topics in pages. */
import { errorCodes } from '../../protocol/errors.ts'
import { ZERO_UUID, type RequestOf, type ResponseInput } from '../../protocol/message.ts'
import { describeTopicPartitions } from '../../protocol/messages/describe-topic-partitions.ts'
import { defineHandler } from '../handler.ts'
import { nodeId, type BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'

type Cursor = RequestOf<typeof describeTopicPartitions>['cursor']
type TopicAnswer = ResponseInput<typeof describeTopicPartitions>['topics'][number]

const largestPage = 2000

export const describeTopicPartitionsHandler = defineHandler({
  api: describeTopicPartitions,
  versions: [0, 0],
  handle(services, request) {
    const { cursor } = request
    const asked = request.topics.length > 0 ? request.topics : services.topics.all()
    const names = [...new Set(asked.map(({ name }) => name))].sort()
    let left = Math.min(Math.max(request.responsePartitionLimit, 1), largestPage)
    const topics: TopicAnswer[] = []
    for (const name of names.filter((candidate) => cursor === null || candidate >= cursor.topicName)) {
      const from = name === cursor?.topicName ? cursor.partitionIndex : 0
      if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: from } }
      const { answer, next } = describe(services, name, from, left)
      topics.push(answer)
      left -= answer.partitions.length
      if (next !== null) return { topics, nextCursor: next }
    }
    return { topics }
  },
})

function describe(
  services: BrokerServices,
  name: string,
  from: number,
  most: number,
): { answer: TopicAnswer; next: Cursor } {
  const topic = services.topics.get(name)
  if (topic === undefined) {
    const errorCode = errorCodes.UNKNOWN_TOPIC_OR_PARTITION
    return { answer: { errorCode, name, topicId: ZERO_UUID, partitions: [] }, next: null }
  }
  const count = Math.max(0, Math.min(most, topic.partitions - from))
  const partitions = Array.from({ length: count }, (_, i) => ({
    errorCode: errorCodes.NONE,
    partitionIndex: from + i,
    leaderId: nodeId,
    leaderEpoch: 0,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: [],
  }))
  const answer: TopicAnswer = {
    errorCode: errorCodes.NONE,
    name,
    topicId: topic.id,
    isInternal: isInternalTopic(name),
    partitions,
  }
  const end = from + count
  return { answer, next: end < topic.partitions ? { topicName: name, partitionIndex: end } : null }
}
