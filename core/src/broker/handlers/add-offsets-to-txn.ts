/** AddOffsetsToTxn, v0–4. v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE */
import { errorCodes } from '../../protocol/errors.ts'
import { addOffsetsToTxn } from '../../protocol/messages/add-offsets-to-txn.ts'
import { defineHandler } from '../handler.ts'

export const addOffsetsToTxnHandler = defineHandler({
  api: addOffsetsToTxn,
  versions: [0, 4],
  async handle({ transactions }, request, { version }) {
    const error = await transactions.addOffsets(request.transactionalId, request, request.groupId)
    const isOld = error === 'PRODUCER_FENCED' && version < 2
    return { errorCode: errorCodes[isOld ? 'INVALID_PRODUCER_EPOCH' : error] }
  },
})
