/** One step of the SASL exchange. v1 tells how long the session lasts. */
import { bytes, defineApi, int16, int64, string } from '../message.ts'

export const saslAuthenticate = defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexible: 2,
  request: {
    authBytes: bytes(),
  },
  response: {
    errorCode: int16(),
    errorMessage: string({ nullable: 0 }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ from: 1, default: 0 }),
  },
})
