/**
 * Adds partitions to a transaction. From v4 on brokers ask for several transactions at once, in transactions; clients
 * use v3 and its fields.
 */
import { array, boolean, defineApi, int16, int32, int64, string } from '../message.ts'

export const addPartitionsToTxn = defineApi({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactions: array(
      {
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: boolean({ default: false }),
        topics: array({ name: string(), partitions: array(int32()) }),
      },
      { from: 4 },
    ),
    v3AndBelowTransactionalId: string({ to: 3 }),
    v3AndBelowProducerId: int64({ to: 3 }),
    v3AndBelowProducerEpoch: int16({ to: 3 }),
    v3AndBelowTopics: array({ name: string(), partitions: array(int32()) }, { to: 3 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ from: 4 }),
    resultsByTransaction: array(
      {
        transactionalId: string(),
        topicResults: array({
          name: string(),
          resultsByPartition: array({ partitionIndex: int32(), partitionErrorCode: int16() }),
        }),
      },
      { from: 4 },
    ),
    resultsByTopicV3AndBelow: array(
      { name: string(), resultsByPartition: array({ partitionIndex: int32(), partitionErrorCode: int16() }) },
      { to: 3 },
    ),
  },
})
