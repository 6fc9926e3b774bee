/** EndTxn, v0–5. v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 a new epoch for the next transaction (KIP-890) */
import { errorCodes } from '../../protocol/errors.ts'
import { endTxn } from '../../protocol/messages/end-txn.ts'
import { defineHandler } from '../handler.ts'

/** First version whose clients go on with the epoch of the answer. */
const bumpsEpoch = 5

export const endTxnHandler = defineHandler({
  api: endTxn,
  versions: [0, 5],
  async handle({ transactions }, request, { version }) {
    const { transactionalId, committed } = request
    const { error, ...identity } = await transactions.end(transactionalId, request, committed, version >= bumpsEpoch)
    const isOld = error === 'PRODUCER_FENCED' && version < 2
    return { errorCode: errorCodes[isOld ? 'INVALID_PRODUCER_EPOCH' : error], ...identity }
  },
})
