import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { credentialLines, Credentials } from './credentials.ts'
import { parseUsers, withoutUser } from './users-file.ts'

test('lines that are written are read again', async () => {
  const names = ['alice', 'a b%c#d', 'ü']
  const lines = (await Promise.all(names.map((name) => credentialLines(name, 'secret')))).flat()
  const users = parseUsers(`# users\n\n${lines.join('\r\n')}\n`, 'users')
  expect([...users.keys()]).toEqual(names)
  for (const credentials of users.values()) expect(Object.keys(credentials)).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512'])
  expect([...parseUsers(withoutUser(lines.join('\n'), 'a b%c#d'), 'users').keys()]).toEqual(['alice', 'ü'])
})

test('a line at fault is named by its number, and not shown', async () => {
  const [good = ''] = await credentialLines('alice', 'secret')
  const wrong = [
    'alice',
    'alice:password',
    'alice PLAIN password',
    good.replace('SCRAM-SHA-256', 'SCRAM-SHA-512'),
    good.replace(/iterations=\d+/, 'iterations=1'),
    good.replace(/iterations=\d+/, 'iterations=99999999'),
    good.replace(/stored_key=[^,]+,/, ''),
    good.replace(/salt=[^,]+/, 'salt='),
    `${good} more`,
  ]
  for (const line of wrong) {
    expect(() => parseUsers(`${good}\n${line}`, 'users'), line).toThrow(/^sasl\.users\.file users, line 2: /)
    expect(() => parseUsers(line, 'users'), line).not.toThrow('password')
  }
})

test('one who does not exist has a credential that stays the same, and that nothing fits', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  const path = join(folder, 'users')
  await writeFile(path, (await credentialLines('alice', 'secret')).join('\n'))
  const credentials = new Credentials(path)
  const first = await credentials.of('nobody', 'SCRAM-SHA-256')
  expect(await credentials.of('nobody', 'SCRAM-SHA-256')).toEqual(first)
  expect((await credentials.of('somebody', 'SCRAM-SHA-256')).credential.salt).not.toEqual(first.credential.salt)
  const known = await credentials.of('alice', 'SCRAM-SHA-256')
  expect([first.known, known.known]).toEqual([false, true])
  // Nothing in the answer to a first message tells them apart.
  expect([first.credential.salt.length, first.credential.iterations]).toEqual([
    known.credential.salt.length,
    known.credential.iterations,
  ])
  expect(await Promise.all(['secret', '', 'x'].map((password) => credentials.verify('alice', password)))).toEqual([
    true,
    false,
    false,
  ])
  expect(await credentials.verify('nobody', '')).toBe(false)
  await rm(folder, { recursive: true })
  await expect(credentials.verify('alice', 'secret')).rejects.toThrow('cannot be read: ENOENT')
})
