/**
 * The file of users: a line for each user and mechanism, with salted keys and no passwords, in Kafka's own notation of a
 * SCRAM credential:
 *
 *     alice SCRAM-SHA-256 salt=…,stored_key=…,server_key=…,iterations=16384
 *
 * White space, `%` and `#` in a name are URL-encoded.
 */
import { readFile, stat } from 'node:fs/promises'
import {
  parseBase64,
  parseIterations,
  scramKeyBytes,
  scramMechanisms,
  type ScramCredential,
  type ScramMechanism,
} from '../../protocol/scram.ts'
import { replaceFile } from '../replace-file.ts'
import { messageOf } from '../../logging/message-of.ts'

export type UserCredentials = Partial<Record<ScramMechanism, ScramCredential>>

/** A users file that cannot be used. Its text names the file and the line, never what is in it. */
export class UsersFileError extends Error {
  override readonly name = 'UsersFileError'
}

/** @throws UsersFileError */
export function parseUsers(text: string, path: string): Map<string, UserCredentials> {
  const users = new Map<string, UserCredentials>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    try {
      const { user, mechanism, credential } = parseLine(line)
      users.set(user, { ...users.get(user), [mechanism]: credential })
    } catch (error) {
      const reason = messageOf(error)
      throw new UsersFileError(`sasl.users.file ${path}, line ${index + 1}: ${reason}`, { cause: error })
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

export function formatUser(user: string, mechanism: ScramMechanism, credential: ScramCredential): string {
  const { salt, storedKey, serverKey, iterations } = credential
  const keys = Object.entries({ salt, stored_key: storedKey, server_key: serverKey })
  const text = keys.map(([key, value]) => `${key}=${value.toString('base64')}`).join(',')
  return `${nameInFile(user)} ${mechanism} ${text},iterations=${iterations}`
}

/** The file's text without the user, or without one mechanism of the user. */
export function withoutUser(text: string, user: string, mechanism?: ScramMechanism): string {
  const lines = text.split('\n').filter((line) => {
    const [name, of] = line.trim().split(/\s+/, 2)
    return name !== nameInFile(user) || (mechanism !== undefined && of !== mechanism)
  })
  return lines.join('\n')
}

const nameInFile = (user: string): string => user.replaceAll(/[\s%#]/g, (sign) => encodeURIComponent(sign))

/**
 * Replaces the file, which need not be there yet: whoever reads it sees the old text or the new, and the new one is on
 * disk when this resolves. Two that change it at the same time in different processes may lose the change of one.
 * @param change gives the new text from the old one; what it throws is thrown on, and nothing is changed
 * @throws UsersFileError
 */
export async function changeUsersFile(path: string, change: (text: string) => string): Promise<void> {
  const { text, mode } = await contentOf(path)
  parseUsers(text, path)
  const changed = change(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
  try {
    await replaceFile(path, [...changed, ''].join('\n'), mode)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new UsersFileError(`${path} cannot be written: ${code}`, { cause: error })
  }
}

async function contentOf(path: string): Promise<{ text: string; mode: number }> {
  try {
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { text: '', mode: 0o600 }
    throw new UsersFileError(`${path} cannot be read: ${code ?? String(error)}`, { cause: error })
  }
}
