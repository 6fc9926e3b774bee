/**
 * CreateTopics, v2–7.
 * v4 defaults by -1 · v5 flexible, answers with the settings that hold · v7 topic ids
 */
import type { Topic } from '../../log/log-manager.ts'
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/message.ts'
import { createTopics } from '../../protocol/messages/create-topics.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'
import { nodeId, type BrokerServices } from '../services.ts'
import { describeTopicSettings } from '../described-settings.ts'
import { isInternalTopic, type NewTopic } from '../topic-catalog.ts'

type TopicRequest = RequestOf<typeof createTopics>['topics'][number]
type TopicAnswer = ResponseInput<typeof createTopics>['topics'][number]

export const createTopicsHandler = defineHandler({
  api: createTopics,
  versions: [2, 7],
  async handle(services, request) {
    const names = request.topics.map(({ name }) => name)
    const repeated = new Set(names.filter((name, i) => names.indexOf(name) !== i))
    const topics = request.topics
      .filter(({ name }, i) => !repeated.has(name) || names.indexOf(name) === i)
      .map(async (topic) =>
        repeated.has(topic.name)
          ? failure(services, topic.name, new RequestError('INVALID_REQUEST', 'Duplicate topic name.'))
          : create(services, topic, request.validateOnly),
      )
    return { topics: await Promise.all(topics) }
  },
})

async function create(services: BrokerServices, request: TopicRequest, validateOnly: boolean): Promise<TopicAnswer> {
  try {
    const topic = newTopic(request)
    const { partitions } = services.topics.check(topic)
    if (!validateOnly) {
      const made = isInternalTopic(topic.name)
        ? await createInternal(services, topic.name)
        : await services.topics.create(topic)
      return success(services, made.name, made.partitions, made.config, made.id)
    }
    return success(services, topic.name, partitions, topic.config)
  } catch (error) {
    return failure(services, request.name, error)
  }
}

/** Tools may ask for it; its settings are the coordinator's business. */
async function createInternal(services: BrokerServices, name: string): Promise<Topic> {
  await (name.startsWith('__c') ? services.groups : services.transactions).prepare()
  const topic = services.topics.get(name)
  if (topic === undefined) throw new RequestError('COORDINATOR_NOT_AVAILABLE', `${name} could not be created`)
  return topic
}

/** @throws RequestError */
function newTopic({ name, numPartitions, replicationFactor, assignments, configs }: TopicRequest): NewTopic {
  const entries = configs.flatMap(({ name: key, value }) => (value === null ? [] : [[key, value] as const]))
  if (entries.length < configs.length) {
    throw new RequestError('INVALID_CONFIG', 'Null value not supported for topic configs.')
  }
  const config = Object.fromEntries(entries)
  if (assignments.length === 0) return { name, partitions: numPartitions, replicationFactor, config }
  if (numPartitions !== -1 || replicationFactor !== -1) {
    const reason = 'Both numPartitions or replicationFactor and replicasAssignments were set.'
    throw new RequestError('INVALID_REQUEST', reason)
  }
  const indexes = assignments.map(({ partitionIndex }) => partitionIndex).sort((a, b) => a - b)
  const onlyHere = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId)
  if (!onlyHere || indexes.some((index, i) => index !== i)) {
    const reason = `Partitions have to be numbered from 0, each with broker ${nodeId} as its only replica.`
    throw new RequestError('INVALID_REPLICA_ASSIGNMENT', reason)
  }
  return { name, partitions: assignments.length, replicationFactor: 1, config }
}

function success(
  services: BrokerServices,
  name: string,
  numPartitions: number,
  config: Readonly<Record<string, string>>,
  topicId?: string,
): TopicAnswer {
  const configs = describeTopicSettings(services.settings, config, null)
  return {
    name,
    topicId,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    numPartitions,
    replicationFactor: 1,
    configs: configs.map(({ name: key, value, readOnly, configSource, isSensitive }) => ({
      name: key,
      value,
      readOnly,
      configSource,
      isSensitive,
    })),
  }
}

function failure(services: BrokerServices, name: string, error: unknown): TopicAnswer {
  const errorMessage = errorMessageOf(error)
  return { name, errorCode: errorCodes[kafkaErrorOf(error, services.logger)], errorMessage, configs: null }
}
