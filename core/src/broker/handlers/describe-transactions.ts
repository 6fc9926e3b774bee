/** DescribeTransactions, v0 (KIP-664). */
import { errorCodes } from '../../protocol/errors.ts'
import { describeTransactions } from '../../protocol/messages/describe-transactions.ts'
import { defineHandler } from '../handler.ts'

export const describeTransactionsHandler = defineHandler({
  api: describeTransactions,
  versions: [0, 0],
  handle(services, request) {
    const transactionStates = request.transactionalIds.map((transactionalId) => {
      const state = services.transactions.get(transactionalId)
      if (state === undefined) {
        return {
          errorCode: errorCodes.TRANSACTIONAL_ID_NOT_FOUND,
          transactionalId,
          transactionState: '',
          transactionTimeoutMs: 0,
          transactionStartTimeMs: -1,
          producerId: -1,
          producerEpoch: -1,
          topics: [],
        }
      }
      return {
        errorCode: errorCodes.NONE,
        transactionalId,
        transactionState: state.status,
        transactionTimeoutMs: state.timeoutMs,
        transactionStartTimeMs: state.startedAt,
        producerId: state.producerId,
        producerEpoch: state.producerEpoch,
        topics: [...state.partitions].map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
      }
    })
    return { transactionStates }
  },
})
