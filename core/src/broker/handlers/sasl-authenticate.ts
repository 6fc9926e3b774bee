/**
 * SaslAuthenticate, v0–2.
 * v1 tells how long the session lasts (KIP-368) · v2 flexible
 */
import { errorCodes } from '../../protocol/errors.ts'
import { saslAuthenticate } from '../../protocol/messages/sasl-authenticate.ts'
import { defineHandler } from '../handler.ts'
import type { Authentication } from '../sasl/session.ts'

const nothing = Buffer.alloc(0)
const noSasl: Authentication = { error: 'ILLEGAL_SASL_STATE', message: 'this listener authenticates nobody' }

export const saslAuthenticateHandler = defineHandler({
  api: saslAuthenticate,
  versions: [0, 2],
  async handle(_services, { authBytes }, { sasl, endAfterAnswer }) {
    const outcome = sasl === null ? noSasl : await sasl.step(authBytes)
    if (outcome.error === 'NONE') {
      const { token, sessionLifetimeMs } = outcome
      return { errorCode: errorCodes.NONE, errorMessage: null, authBytes: token, sessionLifetimeMs }
    }
    endAfterAnswer()
    return { errorCode: errorCodes[outcome.error], errorMessage: outcome.message, authBytes: nothing }
  },
})
