/** DescribeProducers, v0: the idempotent and transactional producers that a partition knows (KIP-664). */
import { errorCodes } from '../../protocol/errors.ts'
import { describeProducers } from '../../protocol/messages/describe-producers.ts'
import { defineHandler } from '../handler.ts'

export const describeProducersHandler = defineHandler({
  api: describeProducers,
  versions: [0, 0],
  handle(services, request) {
    const topics = request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => {
        const partition = services.topics.partition(name, partitionIndex)
        if (partition === undefined) {
          return { partitionIndex, errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION, activeProducers: [] }
        }
        const activeProducers = partition.producers().map((producer) => ({
          producerId: producer.producerId,
          producerEpoch: producer.producerEpoch,
          lastSequence: producer.lastSequence,
          lastTimestamp: producer.lastTimestamp,
          coordinatorEpoch: producer.coordinatorEpoch,
          currentTxnStartOffset: producer.currentTransactionStartOffset,
        }))
        return { partitionIndex, errorCode: errorCodes.NONE, activeProducers }
      }),
    }))
    return { topics }
  },
})
