import { createHmac, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import {
  parseBase64,
  parseIterations,
  scramCredential,
  scramIterations,
  scramKeyBytes,
  scramMechanisms,
  verifyPassword,
  type ScramCredential,
  type ScramMechanism,
} from '../../protocol/scram.ts'

type UserCredentials = Partial<Record<ScramMechanism, ScramCredential>>

/** A credentials file that cannot be read. Its text names the file and the line, never what is in it. */
class CredentialsError extends Error {
  override readonly name = 'CredentialsError'
}

/**
 * The users of the file `sasl.users.file`: a line for each user and mechanism, with salted keys and no passwords, in
 * Kafka's own notation of a SCRAM credential:
 *
 *     alice SCRAM-SHA-256 salt=…,stored_key=…,server_key=…,iterations=16384
 *
 * The file is looked at for each new authentication, so that users come and go with no restart.
 */
export class Credentials {
  readonly #path: string
  /** Gives users that do not exist a salt that stays the same, so that nobody learns who exists. */
  readonly #secret = randomBytes(32)
  #users = new Map<string, UserCredentials>()
  #version = ''
  #verifying: Promise<unknown> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  /**
   * The user's credential; for one that has none, an invented one that no password fits, and that costs as much to try.
   * @throws CredentialsError where the file is not there or not in form
   */
  async of(user: string, mechanism: ScramMechanism): Promise<{ credential: ScramCredential; known: boolean }> {
    await this.refresh()
    const credential = this.#users.get(user)?.[mechanism]
    return credential === undefined
      ? { credential: this.#invented(user, mechanism), known: false }
      : { credential, known: true }
  }

  /**
   * Whether this is the user's password. One at a time: deriving keys takes long, in the threads that write to disk too,
   * and anyone may ask.
   * @throws CredentialsError
   */
  async verify(user: string, password: string): Promise<boolean> {
    const verified = this.#verifying.then(async () => {
      await this.refresh()
      const credentials = this.#users.get(user) ?? {}
      const mechanism = scramMechanisms.findLast((each) => credentials[each] !== undefined)
      const tried = mechanism ?? 'SCRAM-SHA-512'
      const fits = await verifyPassword(tried, credentials[tried] ?? this.#invented(user, tried), password)
      return fits && mechanism !== undefined
    })
    this.#verifying = verified.catch(() => undefined)
    return verified
  }

  /** Reads the file where it is not as it was. @throws CredentialsError */
  async refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version === this.#version) return
      this.#users = parseCredentials(await readFile(this.#path, 'utf8'), this.#path)
      this.#version = version
    } catch (error) {
      if (error instanceof CredentialsError) throw error
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      throw new CredentialsError(`sasl.users.file ${this.#path} cannot be read: ${code}`, { cause: error })
    }
  }

  #invented(user: string, mechanism: ScramMechanism): ScramCredential {
    const bytes = (what: string): Buffer => createHmac('sha512', this.#secret).update(`${what} ${user}`).digest()
    const length = scramKeyBytes(mechanism)
    return {
      salt: bytes('salt').subarray(0, saltBytes),
      iterations: scramIterations.default,
      storedKey: bytes('stored').subarray(0, length),
      serverKey: bytes('server').subarray(0, length),
    }
  }
}

const saltBytes = 16

/** @throws CredentialsError */
export function parseCredentials(text: string, path: string): Map<string, UserCredentials> {
  const users = new Map<string, UserCredentials>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    try {
      const { user, mechanism, credential } = parseLine(line)
      users.set(user, { ...users.get(user), [mechanism]: credential })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CredentialsError(`sasl.users.file ${path}, line ${index + 1}: ${reason}`, { cause: error })
    }
  }
  return users
}

function parseLine(line: string): { user: string; mechanism: ScramMechanism; credential: ScramCredential } {
  const [user = '', name, text = '', ...rest] = line.split(/\s+/)
  const mechanism = scramMechanisms.find((each) => each === name)
  if (mechanism === undefined || rest.length > 0) {
    throw new Error(`expected: user, one of ${scramMechanisms.join(', ')}, and the credential`)
  }
  const keys = new Map(text.split(',').map((part) => [part.split('=', 1)[0]!, part.slice(part.indexOf('=') + 1)]))
  const field = (key: string): string => keys.get(key) ?? ''
  const bytes = scramKeyBytes(mechanism)
  return {
    user: decodeURIComponent(user),
    mechanism,
    credential: {
      salt: parseBase64(field('salt')),
      iterations: parseIterations(field('iterations')),
      storedKey: parseBase64(field('stored_key'), bytes),
      serverKey: parseBase64(field('server_key'), bytes),
    },
  }
}

/** The lines of a user with this password, one for each mechanism. White space and `%` in the name are URL-encoded. */
export async function credentialLines(user: string, password: string): Promise<string[]> {
  return Promise.all(
    scramMechanisms.map(async (mechanism) => {
      const { salt, storedKey, serverKey, iterations } = await scramCredential(
        mechanism,
        password,
        randomBytes(saltBytes),
      )
      const keys = Object.entries({ salt, stored_key: storedKey, server_key: serverKey })
      const text = keys.map(([key, value]) => `${key}=${value.toString('base64')}`).join(',')
      return `${fileName(user)} ${mechanism} ${text},iterations=${iterations}`
    }),
  )
}

/** The file's text without the user. */
export function withoutUser(text: string, user: string): string {
  const lines = text.split('\n').filter((line) => line.trim().split(/\s+/, 1)[0] !== fileName(user))
  return lines.join('\n')
}

const fileName = (user: string): string => user.replaceAll(/[\s%#]/g, (sign) => encodeURIComponent(sign))
