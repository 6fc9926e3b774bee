/**
 * SaslHandshake, v1.
 * v1 goes on with SaslAuthenticate; the raw tokens that follow v0 are not served (no client since Kafka 1.0 needs them)
 */
import { errorCodes } from '../../protocol/errors.ts'
import { saslHandshake } from '../../protocol/messages/sasl-handshake.ts'
import { defineHandler } from '../handler.ts'

export const saslHandshakeHandler = defineHandler({
  api: saslHandshake,
  versions: [1, 1],
  // librdkafka takes a broker that does not name v0 for one that has no SASL, and then uses v1.
  announcedFrom: 0,
  handle(_services, { mechanism }, { sasl, endAfterAnswer }) {
    const error = sasl?.begin(mechanism) ?? 'ILLEGAL_SASL_STATE'
    if (error !== 'NONE') endAfterAnswer()
    return { errorCode: errorCodes[error], mechanisms: [...(sasl?.mechanisms ?? [])] }
  },
})
