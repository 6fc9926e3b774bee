/**
 * AddPartitionsToTxn, v0–3. v2 PRODUCER_FENCED · v3 flexible. The batched v4 and later are spoken between brokers only.
 */
import { errorCodes } from '../../protocol/errors.ts'
import { addPartitionsToTxn } from '../../protocol/messages/add-partitions-to-txn.ts'
import { defineHandler } from '../handler.ts'
import { isInternalTopic } from '../topic-catalog.ts'

export const addPartitionsToTxnHandler = defineHandler({
  api: addPartitionsToTxn,
  versions: [0, 3],
  async handle(services, request, { version }) {
    const topics = request.v3AndBelowTopics
    const isUnknown = (topic: string, partition: number) =>
      isInternalTopic(topic) || !services.topics.hasPartition(topic, partition)
    const wanted = topics.flatMap(({ name, partitions }) => partitions.map((partition) => ({ topic: name, partition })))
    // All or nothing, as in Kafka: the client would have to abort anyway.
    const hasUnknown = wanted.some(({ topic, partition }) => isUnknown(topic, partition))
    const producer = {
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
    }
    const result = hasUnknown
      ? 'OPERATION_NOT_ATTEMPTED'
      : await services.transactions.addPartitions(request.v3AndBelowTransactionalId, producer, wanted)
    const error = result === 'PRODUCER_FENCED' && version < 2 ? 'INVALID_PRODUCER_EPOCH' : result
    const resultsByTopicV3AndBelow = topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: errorCodes[isUnknown(name, partitionIndex) ? 'UNKNOWN_TOPIC_OR_PARTITION' : error],
      })),
    }))
    return { resultsByTopicV3AndBelow }
  },
})
