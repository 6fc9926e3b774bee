/** DescribeProducers, v0: the idempotent and transactional producers that a partition knows (KIP-664). */
import type { ProducerDescription } from '../../log/partition-log.ts'
import { errorCodes } from '../../protocol/errors.ts'
import { describeProducers } from '../../protocol/messages/describe-producers.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf } from '../kafka-error.ts'

export const describeProducersHandler = defineHandler({
  api: describeProducers,
  versions: [0, 0],
  handle(services, request) {
    const topics = request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => {
        try {
          const producers = services.topics.partition(name, partitionIndex).producers()
          return { partitionIndex, errorCode: errorCodes.NONE, activeProducers: producers.map(describe) }
        } catch (error) {
          const errorCode = errorCodes[kafkaErrorOf(error, services.logger)]
          return { partitionIndex, errorCode, errorMessage: errorMessageOf(error), activeProducers: [] }
        }
      }),
    }))
    return { topics }
  },
})

function describe(producer: ProducerDescription) {
  return {
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: producer.lastTimestamp,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnStartOffset: producer.currentTransactionStartOffset,
  }
}
