/** Who can log in with SCRAM (KIP-554). mechanism: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. users: null or none for all. */
import { array, defineApi, int16, int32, int8, string } from '../message.ts'

export const describeUserScramCredentials = defineApi({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: [0, 0],
  flexible: 0,
  request: {
    users: array({ name: string() }, { nullable: 0 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: 0, default: null }),
      credentialInfos: array({ mechanism: int8(), iterations: int32() }),
    }),
  },
})
