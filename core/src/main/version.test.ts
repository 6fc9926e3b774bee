import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commitId } from './version.ts'

const commit = '0123456789abcdef0123456789abcdef01234567'
let folder: string

beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'tidewire-version-'))))
afterEach(async () => rm(folder, { recursive: true }))

test.each<[string, Record<string, string>]>([
  ['of a branch', { HEAD: 'ref: refs/heads/main\n', 'refs/heads/main': `${commit}\n` }],
  ['of a packed branch', { HEAD: 'ref: refs/heads/main\n', 'packed-refs': `# pack-refs\n${commit} refs/heads/main\n` }],
  ['of no branch', { HEAD: `${commit}\n` }],
])('the commit %s', async (_, files) => {
  await mkdir(join(folder, '.git/refs/heads'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, '.git', name), text)
  expect(await commitId(folder)).toBe(commit)
})

test('no commit where there is no checkout, or an empty one', async () => {
  expect(await commitId(folder)).toBeUndefined()
  await mkdir(join(folder, '.git'))
  await writeFile(join(folder, '.git/HEAD'), 'ref: refs/heads/main\n')
  expect(await commitId(folder)).toBeUndefined()
})
