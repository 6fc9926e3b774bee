/**
 * Produce, v3–13. Batches are stored as they come: only their headers are looked at.
 * v5 log start offset · v8 record errors · v9 flexible · v10 current leader · v11 TRANSACTION_ABORTABLE · v12 the partition joins the
 * transaction by itself (KIP-890) · v13 topic ids
 */
import type { Acks } from '../../log/partition-log.ts'
import { errorByCode, errorCodes } from '../../protocol/errors.ts'
import type { RequestOf, ResponseInput } from '../../protocol/message.ts'
import { produce } from '../../protocol/messages/produce.ts'
import { BATCH_PREFIX_BYTES, parseBatchHeader, type BatchHeader } from '../../protocol/record-batch.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError, type KafkaError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'
import { isInternalTopic } from '../topic-catalog.ts'
import type { ProducerIdentity, TopicPartitionName } from '../transaction-coordinator.ts'

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
    const joining = joinTransaction(services, request, context.version)
    const responses = request.topicData.map(async (topic): Promise<TopicAnswer> => {
      const name = topicNameOf(services, topic, context.version)
      const answers = topic.partitionData.map(({ index, records }) =>
        answerFor(services, index, async () => {
          if (request.acks < -1 || request.acks > 1) {
            throw new RequestError('INVALID_REQUIRED_ACKS', 'acks has to be -1, 0 or 1')
          }
          if (name === undefined) throw new RequestError('UNKNOWN_TOPIC_ID', 'There is no topic of this id')
          return append(services, request, context.version, joining, { topic: name, partition: index }, records)
        }),
      )
      return { name: topic.name, topicId: topic.topicId, partitionResponses: await Promise.all(answers) }
    })
    // The appends are queued, in order: what the client sent behind this request may follow.
    if (joining === null) context.allowNext()
    return Promise.all(responses).then((all) => (request.acks === 0 ? unanswered(all) : { responses: all }))
  },
})

/**
 * With acks=0 the only way to tell a client that its metadata may be wrong is to end the connection, as Kafka does.
 * @throws RequestError
 */
function unanswered(responses: readonly TopicAnswer[]): null {
  for (const { partitionResponses } of responses) {
    const failed = partitionResponses.find(({ errorCode }) => errorCode !== errorCodes.NONE)
    if (failed === undefined) continue
    const { name, message } = errorByCode(failed.errorCode)
    throw new RequestError(name, `a produce request with acks=0 failed: ${failed.errorMessage ?? message}`)
  }
  return null
}

function topicNameOf(
  services: BrokerServices,
  topic: Request['topicData'][number],
  version: number,
): string | undefined {
  return version < 13 ? topic.name : services.topics.byId(topic.topicId)?.name
}

/** Takes the partitions that are not in the transaction yet into it, all at once; null where there are none. */
function joinTransaction(services: BrokerServices, request: Request, version: number): Promise<KafkaError> | null {
  const { transactionalId } = request
  if (transactionalId === null || version < joinsTransaction) return null
  const missing: TopicPartitionName[] = []
  let producer: ProducerIdentity | undefined
  for (const topic of request.topicData) {
    const name = topicNameOf(services, topic, version)
    for (const { index, records } of topic.partitionData) {
      if (name === undefined || records === null || !services.topics.hasPartition(name, index)) continue
      const header = transactionalHeader(records)
      const place = { topic: name, partition: index }
      if (header === null || services.transactions.verify(transactionalId, header, place) !== 'INVALID_TXN_STATE')
        continue
      missing.push(place)
      producer = header
    }
  }
  return producer === undefined ? null : services.transactions.addPartitions(transactionalId, producer, missing)
}

/** Null for what is not transactional, or damaged: that is answered when it is its turn. */
function transactionalHeader(records: Buffer): BatchHeader | null {
  try {
    const header = parseBatchHeader(records)
    return header.isTransactional ? header : null
  } catch {
    return null
  }
}

async function append(
  services: BrokerServices,
  request: Request,
  version: number,
  joining: Promise<KafkaError> | null,
  place: TopicPartitionName,
  records: Buffer | null,
): Promise<PartitionAnswer> {
  const partition = services.topics.partition(place.topic, place.partition)
  if (isInternalTopic(place.topic)) {
    throw new RequestError('INVALID_TOPIC_EXCEPTION', `${place.topic} is written by the broker only`)
  }
  if (records === null || records.length === 0) throw new RequestError('INVALID_RECORD', 'There are no records')
  const header = parseBatchHeader(records)
  if (header.batchLength + BATCH_PREFIX_BYTES < records.length) {
    throw new RequestError('INVALID_RECORD', 'A produce request has one batch for each partition')
  }
  if (header.isTransactional) {
    const checked = checkTransaction(services, request.transactionalId, header, version, joining, place)
    // Waits only where it must, so that nothing behind it overtakes this batch.
    const error = checked instanceof Promise ? await checked : checked
    if (error !== 'NONE') throw new RequestError(error, 'The transaction does not allow writing to this partition')
  }
  const result = await partition.append(records, { acks: request.acks as Acks, origin: 'client' })
  return {
    index: place.partition,
    errorCode: errorCodes.NONE,
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTime,
    logStartOffset: partition.logStartOffset,
  }
}

function checkTransaction(
  { transactions }: BrokerServices,
  transactionalId: string | null,
  producer: ProducerIdentity,
  version: number,
  joining: Promise<KafkaError> | null,
  place: TopicPartitionName,
): KafkaError | Promise<KafkaError> {
  if (transactionalId === null) return 'INVALID_TXN_STATE'
  const error = transactions.verify(transactionalId, producer, place)
  if (error !== 'INVALID_TXN_STATE') return error
  return joining ?? (version < 11 ? 'INVALID_TXN_STATE' : 'TRANSACTION_ABORTABLE')
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
