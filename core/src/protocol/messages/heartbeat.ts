/** Keeps a member of a classic group alive. v3 has static members. */
import { defineApi, int16, int32, string } from '../message.ts'

export const heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexible: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ from: 3, nullable: 3, default: null }),
  },
  response: {
    throttleTimeMs: int32({ from: 1 }),
    errorCode: int16(),
  },
})
