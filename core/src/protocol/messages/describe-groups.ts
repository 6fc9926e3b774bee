/** State and members of classic groups. v4 has static members, v5 is flexible, v6 has an error message. */
import { array, boolean, bytes, defineApi, int16, int32, string } from '../message.ts'

export const describeGroups = defineApi({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexible: 5,
  request: {
    groups: array(string()),
    includeAuthorizedOperations: boolean({ from: 3 }),
  },
  response: {
    throttleTimeMs: int32({ from: 1 }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ from: 6, nullable: 6, default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array({
        memberId: string(),
        groupInstanceId: string({ from: 4, nullable: 4, default: null }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ from: 3, default: -2147483648 }),
    }),
  },
})
