/** The client's side of SASL: PLAIN (RFC 4616) and SCRAM (RFC 5802), as Kafka carries them in SaslAuthenticate. */
import { randomBytes } from 'node:crypto'
import {
  clientProof,
  escapeName,
  isNonce,
  parseBase64,
  parseIterations,
  saltPassword,
  scramAttributes,
  scramKeyBytes,
  verifyServerSignature,
  type ScramMechanism,
} from '../protocol/scram.ts'
import type { SaslOptions } from './client.ts'

/** Sends a token of the client, resolves with the server's next one. */
type SendToken = (token: Buffer) => Promise<Buffer>

/**
 * Runs the exchange of the mechanism.
 * @throws Error where the server's tokens are not right, or it does not know the password either; and what `send` throws
 */
export async function runSasl(options: SaslOptions, send: SendToken): Promise<void> {
  const { mechanism, username, password } = options
  if (mechanism === 'PLAIN') await send(Buffer.from(`\0${username}\0${password}`))
  else await runScram(mechanism, username, password, send)
}

async function runScram(mechanism: ScramMechanism, username: string, password: string, send: SendToken): Promise<void> {
  const nonce = randomBytes(24).toString('base64')
  const clientFirst = `n=${escapeName(username)},r=${nonce}`
  const serverFirst = (await send(Buffer.from(`n,,${clientFirst}`))).toString()
  const { r, s, i } = scramAttributes(serverFirst, ['r', 's', 'i'])
  if (!r.startsWith(nonce) || r.length === nonce.length || !isNonce(r)) {
    throw new Error('the server did not add to the nonce')
  }
  const salted = await saltPassword(mechanism, password, { salt: parseBase64(s), iterations: parseIterations(i) })
  // biws: the GS2 header "n,,", no channel binding.
  const withoutProof = `c=biws,r=${r}`
  const authMessage = `${clientFirst},${serverFirst},${withoutProof}`
  const proof = clientProof(mechanism, salted, authMessage).toString('base64')
  const serverFinal = (await send(Buffer.from(`${withoutProof},p=${proof}`))).toString()
  const { v } = scramAttributes(serverFinal, ['v'])
  if (!verifyServerSignature(mechanism, salted, authMessage, parseBase64(v, scramKeyBytes(mechanism)))) {
    throw new Error('the server could not show that it knows the credential')
  }
}
