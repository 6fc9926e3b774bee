/**
 * TxnOffsetCommit, v0–5: offsets that count when the transaction is committed.
 * v2 leader epoch · v3 flexible, checks the group member (KIP-447) · v4 TRANSACTION_ABORTABLE · v5 the group joins the transaction by itself (KIP-890)
 */
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/message.ts'
import { txnOffsetCommit } from '../../protocol/messages/txn-offset-commit.ts'
import { commitOffsets } from '../commit-offsets.ts'
import { defineHandler } from '../handler.ts'
import type { KafkaError } from '../kafka-error.ts'
import type { BrokerServices } from '../services.ts'

/** First version in which the offsets take their group into the transaction. */
const joinsTransaction = 5

export const txnOffsetCommitHandler = defineHandler({
  api: txnOffsetCommit,
  versions: [0, 5],
  async handle(services, request, { version }) {
    const refusal = await check(services, request, version)
    const codes =
      refusal === 'NONE'
        ? await commitOffsets(services, request.groupId, request, request.topics, request)
        : request.topics.map(({ partitions }) => partitions.map(() => refusal))
    const topics = request.topics.map(({ name, partitions }, t) => ({
      name,
      partitions: partitions.map(({ partitionIndex }, p) => ({ partitionIndex, errorCode: errorCodes[codes[t]![p]!] })),
    }))
    return { topics }
  },
})

async function check(
  { transactions }: BrokerServices,
  request: RequestOf<typeof txnOffsetCommit>,
  version: number,
): Promise<KafkaError> {
  const { transactionalId, groupId } = request
  const error = await transactions.verifyOffsets(transactionalId, request, groupId)
  if (error !== 'INVALID_TXN_STATE' || version < joinsTransaction) return error
  return transactions.addOffsets(transactionalId, request, groupId)
}
