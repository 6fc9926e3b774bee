/** EndTxn, v0–4. v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE */
import { errorCodes } from '../../protocol/errors.ts'
import { endTxn } from '../../protocol/messages/end-txn.ts'
import { defineHandler } from '../handler.ts'

export const endTxnHandler = defineHandler({
  api: endTxn,
  versions: [0, 4],
  async handle({ transactions }, request, { version }) {
    const error = await transactions.end(request.transactionalId, request, request.committed)
    const isOld = error === 'PRODUCER_FENCED' && version < 2
    return { errorCode: errorCodes[isOld ? 'INVALID_PRODUCER_EPOCH' : error] }
  },
})
