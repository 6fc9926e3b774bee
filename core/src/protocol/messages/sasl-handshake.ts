/** Chooses a SASL mechanism. v0 goes on with raw tokens on the connection, v1 with SaslAuthenticate. */
import { array, defineApi, int16, string } from '../message.ts'

export const saslHandshake = defineApi({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  request: {
    mechanism: string(),
  },
  response: {
    errorCode: int16(),
    mechanisms: array(string()),
  },
})
