/** Leaves a classic group. v3 removes several members, by member id or group instance id, v5 has a reason. */
import { array, defineApi, int16, int32, string } from '../message.ts'

export const leaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string(),
    memberId: string({ to: 2 }),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string({ nullable: 3, default: null }),
        reason: string({ from: 5, nullable: 5, default: null }),
      },
      { from: 3 },
    ),
  },
  response: {
    throttleTimeMs: int32({ from: 1 }),
    errorCode: int16(),
    members: array({ memberId: string(), groupInstanceId: string({ nullable: 3 }), errorCode: int16() }, { from: 3 }),
  },
})
