/** DeleteRecords, v0–2: moves the start of a partition up. v2 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import { deleteRecords } from '../../protocol/messages/delete-records.ts'
import { defineHandler } from '../handler.ts'
import { kafkaErrorOf, RequestError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'

export const deleteRecordsHandler = defineHandler({
  api: deleteRecords,
  versions: [0, 2],
  async handle(services, request) {
    const topics = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(({ partitionIndex, offset }) => remove(services, name, partitionIndex, offset)),
      ),
    }))
    return { topics: await Promise.all(topics) }
  },
})

async function remove(services: BrokerServices, topic: string, partitionIndex: number, offset: number) {
  try {
    const partition = services.topics.partition(topic, partitionIndex)
    if (isInternalTopic(topic)) throw new RequestError('INVALID_TOPIC_EXCEPTION', 'state of the broker')
    return {
      partitionIndex,
      lowWatermark: await partition.deleteRecordsBefore(offset),
      errorCode: errorCodes.NONE,
    }
  } catch (error) {
    return { partitionIndex, lowWatermark: -1, errorCode: errorCodes[kafkaErrorOf(error, services.logger)] }
  }
}
