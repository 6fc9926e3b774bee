/** Records of the topic `__transaction_state`. A null value deletes the transactional id. */
import { array, defineMessage, int16, int32, int64, int8, string } from '../message.ts'

export const transactionLogKey = defineMessage({
  name: 'TransactionLogKey',
  versions: [0, 0],
  fields: { transactionalId: string() },
})

/** Kafka writes version 1 from transaction version 1 (KIP-915, KIP-890) on. */
export const transactionLogValue = defineMessage({
  name: 'TransactionLogValue',
  versions: [0, 1],
  flexible: 1,
  fields: {
    producerId: int64(),
    previousProducerId: int64({ from: 1, tag: 0, default: -1 }),
    nextProducerId: int64({ from: 1, tag: 1, default: -1 }),
    producerEpoch: int16(),
    nextProducerEpoch: int16({ from: 1, tag: 3, default: -1 }),
    transactionTimeoutMs: int32(),
    /** 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete abort, 6 dead, 7 prepare epoch fence. */
    transactionStatus: int8(),
    /** Null where the transaction is empty. */
    transactionPartitions: array({ topic: string(), partitionIds: array(int32()) }, { nullable: 0 }),
    transactionLastUpdateTimestampMs: int64(),
    transactionStartTimestampMs: int64(),
    clientTransactionVersion: int16({ from: 1, tag: 2, default: 0 }),
  },
})
