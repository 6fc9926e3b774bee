import { text } from 'node:stream/consumers'
import { credentialLines } from '../broker/sasl/credentials.ts'
import { changeUsersFile, parseUsers, withoutUser } from '../broker/sasl/users-file.ts'
import { messageOf } from '../logging/message-of.ts'
import { UserError } from './fatal.ts'

/** `tidewire user`: sets the password of a user in the file of salted keys, or removes the user. */
export async function changeUser(name: string, path: string, remove: boolean): Promise<void> {
  if (name === '') throw new UserError('the name of a user is not empty')
  const added = remove ? [] : await credentialLines(name, await readPassword())
  try {
    await changeUsersFile(path, (before) => {
      if (remove && !parseUsers(before, path).has(name)) throw new Error(`there is no user ${name} in ${path}`)
      return [withoutUser(before, name), ...added].join('\n')
    })
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error })
  }
  console.log(remove ? `User ${name} is removed.` : `User ${name} is set.`)
}

/** All of standard input, without the line's end. */
async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl-D (it is shown as it is typed): ')
  const password = (await text(process.stdin)).replace(/\r?\n$/, '')
  if (password === '') throw new UserError('the password, on standard input, is empty')
  return password
}
