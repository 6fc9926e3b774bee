/**
 * DeleteTopics, v1–6.
 * v4 flexible · v5 error messages · v6 by topic id
 */
import { errorCodes } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/message.ts'
import { deleteTopics } from '../../protocol/messages/delete-topics.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'

export const deleteTopicsHandler = defineHandler({
  api: deleteTopics,
  versions: [1, 6],
  async handle(services, request, { version }) {
    const wanted: { name: string | null; topicId: string }[] =
      version < 6 ? request.topicNames.map((name) => ({ name, topicId: ZERO_UUID })) : request.topics
    return { responses: await Promise.all(wanted.map(({ name, topicId }) => remove(services, name, topicId))) }
  },
})

async function remove(services: BrokerServices, name: string | null, topicId: string) {
  const topic = name === null ? services.topics.byId(topicId) : services.topics.get(name)
  const answer = { name: topic?.name ?? name, topicId: topic === undefined ? topicId : topic.id }
  try {
    if (topic === undefined) {
      const error = name === null ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
      throw new RequestError(error, 'This server does not host this topic.')
    }
    if (!services.config['delete.topic.enable']) {
      throw new RequestError('TOPIC_DELETION_DISABLED', 'Topic deletion is disabled (delete.topic.enable).')
    }
    if (isInternalTopic(topic.name)) {
      throw new RequestError('INVALID_TOPIC_EXCEPTION', `${topic.name} holds the state of the broker.`)
    }
    await services.topics.delete(topic.name)
    return { ...answer, errorCode: errorCodes.NONE }
  } catch (error) {
    const errorMessage = errorMessageOf(error)
    return { ...answer, errorCode: errorCodes[kafkaErrorOf(error, services.logger)], errorMessage }
  }
}
