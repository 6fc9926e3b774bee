/** The server's side of the mechanisms: one exchange each, from the client's first token to who it is. */
import { randomBytes } from 'node:crypto'
import {
  isNonce,
  parseBase64,
  scramAttributes,
  ScramError,
  serverSignature,
  unescapeName,
  verifyProof,
  type ScramCredential,
  type ScramMechanism,
} from '../../protocol/scram.ts'
import type { SaslMechanism } from '../security-settings.ts'
import type { Credentials } from './credentials.ts'

/** The answer to a token; with `user` the exchange is complete, and that is who the client is. */
export interface SaslStep {
  readonly token: Buffer
  readonly user?: string
}

/** The client is not who it says, or does not keep to the mechanism. The text says nothing of which user exists. */
export class SaslRefusal extends Error {
  override readonly name = 'SaslRefusal'
}

export interface SaslExchange {
  readonly mechanism: SaslMechanism
  /**
   * Takes the next token of the client.
   * @throws SaslRefusal, ScramError, UsersFileError; the exchange is over then
   */
  step(token: Buffer): Promise<SaslStep>
}

export function saslExchange(mechanism: SaslMechanism, credentials: Credentials): SaslExchange {
  return mechanism === 'PLAIN' ? new PlainExchange(credentials) : new ScramExchange(mechanism, credentials)
}

const maxTokenBytes = 16 * 1024
export const maxUserNameLength = 1024

function tokenText(token: Buffer): string {
  if (token.length > maxTokenBytes) throw new SaslRefusal('a token too long')
  const text = token.toString()
  if (!Buffer.from(text).equals(token)) throw new SaslRefusal('a token that is not UTF-8')
  return text
}

function requireName(user: string, authorizationId: string): void {
  if (user === '' || user.length > maxUserNameLength) throw new SaslRefusal('a user name that is empty or too long')
  if (authorizationId !== '' && authorizationId !== user)
    throw new SaslRefusal('acting as another user is not possible')
}

/** RFC 4616. The password is verified against the user's SCRAM credential. */
class PlainExchange implements SaslExchange {
  readonly mechanism = 'PLAIN'
  readonly #credentials: Credentials

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  async step(token: Buffer): Promise<SaslStep> {
    const parts = tokenText(token).split('\0')
    const [authorizationId = '', user = '', password = ''] = parts
    if (parts.length !== 3) throw new SaslRefusal('not a token of PLAIN')
    requireName(user, authorizationId)
    if (!(await this.#credentials.verify(user, password))) throw new SaslRefusal('invalid credentials')
    return { token: Buffer.alloc(0), user }
  }
}

interface ScramState {
  readonly user: string
  readonly known: boolean
  readonly credential: ScramCredential
  /** Base64 of the GS2 header, which the client has to repeat. */
  readonly channelBinding: string
  readonly nonce: string
  readonly clientNonce: string
  readonly firstMessages: string
}

/** RFC 5802, without channel binding. */
class ScramExchange implements SaslExchange {
  readonly mechanism: ScramMechanism
  readonly #credentials: Credentials
  #state: ScramState | undefined

  constructor(mechanism: ScramMechanism, credentials: Credentials) {
    this.mechanism = mechanism
    this.#credentials = credentials
  }

  async step(token: Buffer): Promise<SaslStep> {
    const text = tokenText(token)
    return this.#state === undefined ? this.#first(text) : this.#final(text, this.#state)
  }

  async #first(text: string): Promise<SaslStep> {
    const header = /^[ny],(?:a=([^,]*))?,/.exec(text)
    if (header === null) throw new SaslRefusal(`not a first message of ${this.mechanism} without channel binding`)
    const bare = text.slice(header[0].length)
    const { n, r } = scramAttributes(bare, ['n', 'r'])
    // Kafka's delegation tokens come as an extension; there are none here, and they must not pass as users.
    if (/,tokenauth=/i.test(bare)) throw new SaslRefusal('delegation tokens are not supported')
    if (!isNonce(r)) throw new ScramError('a nonce of other than printable characters')
    const user = unescapeName(n)
    requireName(user, unescapeName(header[1] ?? ''))
    const { credential, known } = await this.#credentials.of(user, this.mechanism)
    const nonce = r + randomBytes(24).toString('base64')
    const answer = `r=${nonce},s=${credential.salt.toString('base64')},i=${credential.iterations}`
    const channelBinding = Buffer.from(header[0]).toString('base64')
    this.#state = { user, known, credential, channelBinding, nonce, clientNonce: r, firstMessages: `${bare},${answer}` }
    return { token: Buffer.from(answer) }
  }

  #final(text: string, state: ScramState): SaslStep {
    const { user, known, credential, channelBinding, nonce, clientNonce, firstMessages } = state
    const { c, r } = scramAttributes(text, ['c', 'r'])
    // librdkafka before 2.6.1 puts its own part in front once more. The proof is over the whole of ours all the same.
    const isOurNonce = r === nonce || r === clientNonce + nonce
    const end = text.lastIndexOf(',p=')
    if (c !== channelBinding || !isOurNonce || end < 0) throw new SaslRefusal('not the final message of this exchange')
    const authMessage = `${firstMessages},${text.slice(0, end)}`
    const fits = verifyProof(this.mechanism, credential, authMessage, parseBase64(text.slice(end + 3)))
    if (!fits || !known) throw new SaslRefusal('invalid credentials')
    const signature = serverSignature(this.mechanism, credential.serverKey, authMessage)
    return { token: Buffer.from(`v=${signature.toString('base64')}`), user }
  }
}
