import { createHmac, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import {
  scramCredential,
  scramIterations,
  scramKeyBytes,
  scramMechanisms,
  verifyPassword,
  type ScramCredential,
  type ScramMechanism,
} from '../../protocol/scram.ts'
import {
  changeUsersFile,
  formatUser,
  parseUsers,
  UsersFileError,
  withoutUser,
  type UserCredentials,
} from './users-file.ts'

/** One change of one user; without a credential it is removed. */
export interface CredentialChange {
  readonly user: string
  readonly mechanism: ScramMechanism
  readonly credential?: ScramCredential
}

/**
 * The users of the file `sasl.users.file`. It is looked at for each new authentication, so that users come and go with
 * no restart.
 */
export class Credentials {
  readonly #path: string
  readonly #mayBeMissing: boolean
  /** Gives users that do not exist a salt that stays the same, so that nobody learns who exists. */
  readonly #secret = randomBytes(32)
  #users: ReadonlyMap<string, UserCredentials> = new Map()
  #version = ''
  #verifying: Promise<unknown> = Promise.resolve()
  #changing: Promise<unknown> = Promise.resolve()

  /** @param mayBeMissing whether no file stands for no users */
  constructor(path: string, mayBeMissing = false) {
    this.#path = path
    this.#mayBeMissing = mayBeMissing
  }

  /**
   * The user's credential; for one that has none, an invented one that no password fits, and that costs as much to try.
   * @throws UsersFileError where the file is not there or not in form
   */
  async of(user: string, mechanism: ScramMechanism): Promise<{ credential: ScramCredential; known: boolean }> {
    const credential = (await this.users()).get(user)?.[mechanism]
    return credential === undefined
      ? { credential: this.#invented(user, mechanism), known: false }
      : { credential, known: true }
  }

  /**
   * Whether this is the user's password. One at a time: deriving keys takes long, in the threads that write to disk too,
   * and anyone may ask.
   * @throws UsersFileError
   */
  async verify(user: string, password: string): Promise<boolean> {
    const verified = this.#verifying.then(async () => {
      const credentials = (await this.users()).get(user) ?? {}
      const mechanism = scramMechanisms.findLast((each) => credentials[each] !== undefined)
      const tried = mechanism ?? 'SCRAM-SHA-512'
      const fits = await verifyPassword(tried, credentials[tried] ?? this.#invented(user, tried), password)
      return fits && mechanism !== undefined
    })
    this.#verifying = verified.catch(() => undefined)
    return verified
  }

  /**
   * Makes all changes, or none; on disk when it resolves.
   * @throws UsersFileError
   */
  async change(changes: readonly CredentialChange[]): Promise<void> {
    const changed = this.#changing.then(() =>
      changeUsersFile(this.#path, (text) =>
        changes.reduce((before, { user, mechanism, credential }) => {
          const others = withoutUser(before, user, mechanism)
          return credential === undefined ? others : `${others}\n${formatUser(user, mechanism, credential)}`
        }, text),
      ),
    )
    this.#changing = changed.catch(() => undefined)
    await changed
  }

  /** All there are, as the file has them now. @throws UsersFileError */
  async users(): Promise<ReadonlyMap<string, UserCredentials>> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version !== this.#version) {
        this.#users = parseUsers(await readFile(this.#path, 'utf8'), this.#path)
        this.#version = version
      }
    } catch (error) {
      if (error instanceof UsersFileError) throw error
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      if (code !== 'ENOENT' || !this.#mayBeMissing) {
        throw new UsersFileError(`sasl.users.file ${this.#path} cannot be read: ${code}`, { cause: error })
      }
      this.#users = new Map()
      this.#version = ''
    }
    return this.#users
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

/** The lines of a user with this password, one for each mechanism. */
export async function credentialLines(user: string, password: string): Promise<string[]> {
  return Promise.all(
    scramMechanisms.map(async (mechanism) =>
      formatUser(user, mechanism, await scramCredential(mechanism, password, randomBytes(saltBytes))),
    ),
  )
}
