/**
 * Produce, v3–13. Batches are stored as they come: only their headers are looked at.
 * v5 log start offset · v8 record errors · v9 flexible · v10 current leader · v11 TRANSACTION_ABORTABLE · v12 the partition joins the
 * transaction by itself (KIP-890) · v13 topic ids
 */
import type { Acks } from '../../log/partition-log.ts'
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/message.ts'
import { produce } from '../../protocol/messages/produce.ts'
import { parseBatchHeader } from '../../protocol/record-batch.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError, type KafkaError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'

type Request = RequestOf<typeof produce>
type TopicAnswer = ResponseInput<typeof produce>['responses'][number]
type PartitionAnswer = TopicAnswer['partitionResponses'][number]

/** First version in which writing to a partition takes it into the transaction. */
const joinsTransaction = 12

export const produceHandler = defineHandler({
  api: produce,
  versions: [3, 13],
  // librdkafka before 2.8 takes a broker without v0 for one that cannot compress (KAFKA-18659). v0–2 are refused all the same.
  announcedFrom: 0,
  handle(services, request, context) {
    const answer = request.acks === 0 ? null : undefined
    const invalidAcks = request.acks < -1 || request.acks > 1
    const responses = request.topicData.map(async (topic): Promise<TopicAnswer> => {
      const name = topicNameOf(services, topic, context.version)
      const answers = topic.partitionData.map(({ index, records }) =>
        answerFor(services, index, async () => {
          if (invalidAcks) throw new RequestError('INVALID_REQUIRED_ACKS', 'acks has to be -1, 0 or 1')
          if (name === undefined) throw new RequestError('UNKNOWN_TOPIC_ID', 'There is no topic of this id')
          return append(services, request, context, name, index, records)
        }),
      )
      return { name: topic.name, topicId: topic.topicId, partitionResponses: await Promise.all(answers) }
    })
    // The appends are queued, in order: what the client sent behind this request may follow.
    if (request.transactionalId === null || context.version < joinsTransaction) context.allowNext()
    return Promise.all(responses).then((all) => (answer === null ? null : { responses: all }))
  },
})

function topicNameOf(
  services: BrokerServices,
  topic: Request['topicData'][number],
  version: number,
): string | undefined {
  return version < 13 ? topic.name : services.topics.byId(topic.topicId)?.name
}

async function append(
  services: BrokerServices,
  request: Request,
  context: RequestContext,
  topic: string,
  index: number,
  records: Buffer | null,
): Promise<PartitionAnswer> {
  const partition = services.topics.partition(topic, index)
  if (isInternalTopic(topic))
    throw new RequestError('INVALID_TOPIC_EXCEPTION', `${topic} is written by the broker only`)
  if (records === null || records.length === 0) throw new RequestError('INVALID_RECORD', 'There are no records')
  const header = parseBatchHeader(records)
  if (header.isTransactional) {
    const problem = checkTransaction(services, request.transactionalId, header, context.version, topic, index)
    const error = problem instanceof Promise ? await problem : problem
    if (error !== 'NONE') throw new RequestError(error, `The transaction does not allow writing to ${topic}-${index}`)
  }
  const acks = request.acks as Acks
  const result = await partition.append(records, { acks, origin: 'client' })
  return {
    index,
    errorCode: errorCodes.NONE,
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTime,
    logStartOffset: partition.logStartOffset,
  }
}

/** At once where the answer is in memory, so that nothing behind it overtakes this batch. */
function checkTransaction(
  { transactions }: BrokerServices,
  transactionalId: string | null,
  producer: { producerId: number; producerEpoch: number },
  version: number,
  topic: string,
  partition: number,
): KafkaError | Promise<KafkaError> {
  if (transactionalId === null) return 'INVALID_TXN_STATE'
  const error = transactions.verify(transactionalId, producer, { topic, partition })
  if (error !== 'INVALID_TXN_STATE') return error
  if (version < joinsTransaction) return version < 11 ? 'INVALID_TXN_STATE' : 'TRANSACTION_ABORTABLE'
  return transactions.addPartitions(transactionalId, producer, [{ topic, partition }])
}

async function answerFor(
  services: BrokerServices,
  index: number,
  run: () => Promise<PartitionAnswer>,
): Promise<PartitionAnswer> {
  try {
    return await run()
  } catch (error) {
    const errorCode = errorCodes[kafkaErrorOf(error, services.logger)]
    return { index, errorCode, baseOffset: -1, errorMessage: errorMessageOf(error) }
  }
}
