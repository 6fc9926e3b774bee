/** CreatePartitions, v0–3. v2 flexible · v3 THROTTLING_QUOTA_EXCEEDED */
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/message.ts'
import { createPartitions } from '../../protocol/messages/create-partitions.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'
import { nodeId, type BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'

type TopicRequest = RequestOf<typeof createPartitions>['topics'][number]

export const createPartitionsHandler = defineHandler({
  api: createPartitions,
  versions: [0, 3],
  async handle(services, request) {
    const results = request.topics.map(async (topic) => {
      try {
        await grow(services, topic, request.validateOnly)
        return { name: topic.name, errorCode: errorCodes.NONE }
      } catch (error) {
        const errorMessage = errorMessageOf(error)
        return { name: topic.name, errorCode: errorCodes[kafkaErrorOf(error, services.logger)], errorMessage }
      }
    })
    return { results: await Promise.all(results) }
  },
})

async function grow(services: BrokerServices, request: TopicRequest, validateOnly: boolean): Promise<void> {
  const { name, count, assignments } = request
  const topic = services.topics.get(name)
  if (topic === undefined) {
    throw new RequestError('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
  }
  if (isInternalTopic(name)) {
    // Groups and transactions find their partition by the number there is.
    throw new RequestError('INVALID_TOPIC_EXCEPTION', `The partitions of ${name} cannot be changed.`)
  }
  if (count <= topic.partitions) {
    const reason = `The topic currently has ${topic.partitions} partition(s); ${count} would not be an increase.`
    throw new RequestError('INVALID_PARTITIONS', reason)
  }
  const most = services.config['max.partitions.per.topic']
  if (count > most) throw new RequestError('INVALID_PARTITIONS', `Number of partitions must be at most ${most}.`)
  const onlyHere = assignments?.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId)
  if (onlyHere === false || (assignments !== null && assignments.length !== count - topic.partitions)) {
    const reason = `Each new partition needs broker ${nodeId} as its only replica.`
    throw new RequestError('INVALID_REPLICA_ASSIGNMENT', reason)
  }
  if (!validateOnly) await services.topics.grow(name, count)
}
