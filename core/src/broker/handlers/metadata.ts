/**
 * Metadata, v0–13.
 * v1 controller, internal topics, null for all topics · v2 cluster id · v4 whether topics may be made · v7 leader epoch · v8 authorized operations
 * (none are computed) · v9 flexible · v10 topic ids · v12 asking by id · v13 top-level error
 */
import type { Topic } from '../../log/log-manager.ts'
import { errorCodes } from '../../protocol/errors.ts'
import { ZERO_UUID, type RequestOf, type ResponseInput } from '../../protocol/message.ts'
import { metadata } from '../../protocol/messages/metadata.ts'
import { defineHandler } from '../handler.ts'
import { kafkaErrorOf, type KafkaError } from '../kafka-error.ts'
import { nodeId, type BrokerServices } from '../services.ts'
import { isInternalTopic, offsetsTopic } from '../topic-catalog.ts'

type TopicRequest = NonNullable<RequestOf<typeof metadata>['topics']>[number]
type TopicAnswer = ResponseInput<typeof metadata>['topics'][number]

export const metadataHandler = defineHandler({
  api: metadata,
  versions: [0, 13],
  async handle(services, request, { version, advertised }) {
    const asked = version === 0 && request.topics?.length === 0 ? null : request.topics
    // Versions 10 and 11 have room for the id in the request, and none for a topic without a name in the answer.
    if (version < 12 && asked?.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID)) {
      return { brokers: [], topics: asked.map(({ name }) => missing(name ?? '', 'INVALID_REQUEST')) }
    }
    const mayCreate = request.allowAutoTopicCreation && services.config['auto.create.topics.enable']
    const topics =
      asked === null
        ? services.topics.all().map(describe)
        : await Promise.all(asked.map((topic) => describeOne(services, topic, mayCreate)))
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId, host: advertised.host, port: advertised.port }],
      clusterId: services.log.clusterId,
      controllerId: nodeId,
      topics,
      errorCode: errorCodes.NONE,
    }
  },
})

async function describeOne(services: BrokerServices, request: TopicRequest, mayCreate: boolean): Promise<TopicAnswer> {
  const { name, topicId } = request
  if (name === null || topicId !== ZERO_UUID) {
    const topic = services.topics.byId(topicId)
    return topic === undefined ? { ...missing(null, 'UNKNOWN_TOPIC_ID'), topicId } : describe(topic)
  }
  const known = services.topics.get(name)
  if (known !== undefined) return describe(known)
  if (isInternalTopic(name)) {
    // Made by their coordinators only, with settings of their own.
    if (!mayCreate) return missing(name, 'UNKNOWN_TOPIC_OR_PARTITION')
    await (name === offsetsTopic ? services.groups : services.transactions).prepare()
    const made = services.topics.get(name)
    return made === undefined ? missing(name, 'LEADER_NOT_AVAILABLE') : describe(made)
  }
  if (!mayCreate) return missing(name, 'UNKNOWN_TOPIC_OR_PARTITION')
  try {
    return describe(await services.topics.createImplicitly(name))
  } catch (error) {
    return missing(name, kafkaErrorOf(error, services.logger))
  }
}

function missing(name: string | null, error: KafkaError): TopicAnswer {
  return { errorCode: errorCodes[error], name, isInternal: name !== null && isInternalTopic(name), partitions: [] }
}

function describe(topic: Topic): TopicAnswer {
  const partitions = Array.from({ length: topic.partitions }, (_, partitionIndex) => ({
    errorCode: errorCodes.NONE,
    partitionIndex,
    leaderId: nodeId,
    leaderEpoch: 0,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    offlineReplicas: [],
  }))
  return {
    errorCode: errorCodes.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions,
  }
}
