/**
 * Gives a producer its id and epoch, and fences older ones of its transactional id. v3 names the id and epoch it had
 * (KIP-360). v6, two-phase commit, is not stable yet.
 */
import { defineApi, int16, int32, int64, string } from '../message.ts'

export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexible: 2,
  request: {
    transactionalId: string({ nullable: 0 }),
    transactionTimeoutMs: int32(),
    producerId: int64({ from: 3, default: -1 }),
    producerEpoch: int16({ from: 3, default: -1 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
  },
})
