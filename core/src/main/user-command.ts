import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { credentialLines, parseCredentials, withoutUser } from '../broker/sasl/credentials.ts'
import { UserError } from './fatal.ts'

/**
 * `tidewire user`: sets the password of a user in the file of salted keys, or removes the user. A broker that runs sees
 * the old file or the new one, never a part.
 */
export async function changeUser(name: string, path: string, remove: boolean): Promise<void> {
  if (name === '') throw new UserError('the name of a user is not empty')
  const before = await contentOf(path)
  try {
    parseCredentials(before.text, path)
  } catch (error) {
    throw new UserError(error instanceof Error ? error.message : String(error), { cause: error })
  }
  const others = withoutUser(before.text, name)
    .split('\n')
    .filter((line) => line !== '')
  if (remove && others.join('\n') === before.text.trim()) throw new UserError(`there is no user ${name} in ${path}`)
  const added = remove ? [] : await credentialLines(name, await readPassword())
  const temporary = `${path}.${process.pid}`
  try {
    await writeFile(temporary, [...others, ...added, ''].join('\n'), { mode: before.mode, flush: true })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw new UserError(`${path} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  console.log(remove ? `User ${name} is removed.` : `User ${name} is set.`)
}

async function contentOf(path: string): Promise<{ text: string; mode: number }> {
  try {
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { text: '', mode: 0o600 }
    throw new UserError(`${path} cannot be read: ${code ?? String(error)}`)
  }
}

/** All of standard input, without the line's end. */
async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password, then Enter and Ctrl-D (it is shown as it is typed): ')
  const password = (await text(process.stdin)).replace(/\r?\n$/, '')
  if (password === '') throw new UserError('the password, on standard input, is empty')
  return password
}
