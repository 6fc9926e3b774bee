/**
 * Hands out the leader's assignment in a classic group. v3 has static members, v5 names protocol type and protocol.
 */
import { array, bytes, defineApi, int16, int32, string } from '../message.ts'

export const syncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ from: 3, nullable: 3, default: null }),
    protocolType: string({ from: 5, nullable: 5, default: null }),
    protocolName: string({ from: 5, nullable: 5, default: null }),
    assignments: array({ memberId: string(), assignment: bytes() }),
  },
  response: {
    throttleTimeMs: int32({ from: 1 }),
    errorCode: int16(),
    protocolType: string({ from: 5, nullable: 5, default: null }),
    protocolName: string({ from: 5, nullable: 5, default: null }),
    assignment: bytes(),
  },
})
