/**
 * InitProducerId, v0–5.
 * v2 flexible · v3 a producer recovers with its id and epoch (KIP-360) · v4 PRODUCER_FENCED · v5 TRANSACTION_ABORTABLE
 */
import { errorCodes } from '../../protocol/errors.ts'
import { initProducerId } from '../../protocol/messages/init-producer-id.ts'
import { defineHandler } from '../handler.ts'

const nobody = { producerId: -1, producerEpoch: -1 }

export const initProducerIdHandler = defineHandler({
  api: initProducerId,
  versions: [0, 5],
  async handle({ transactions, producerIds, logger }, request, { version }) {
    const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
    if (transactionalId === '') return { errorCode: errorCodes.INVALID_REQUEST, ...nobody }
    if (transactionalId === null) {
      try {
        return { errorCode: errorCodes.NONE, producerId: await producerIds.next(), producerEpoch: 0 }
      } catch (error) {
        logger.error('No producer id could be given out', { error: String(error) })
        return { errorCode: errorCodes.COORDINATOR_NOT_AVAILABLE, ...nobody }
      }
    }
    const result = await transactions.init(transactionalId, transactionTimeoutMs, { producerId, producerEpoch })
    const { error, ...identity } = result
    const isOld = error === 'PRODUCER_FENCED' && version < 4
    return { errorCode: errorCodes[isOld ? 'INVALID_PRODUCER_EPOCH' : error], ...identity }
  },
})
