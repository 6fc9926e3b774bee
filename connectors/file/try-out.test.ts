import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tryReading, tryWriting } from './try-out.ts'

const folder = mkdtempSync(join(tmpdir(), 'file-try-'))
const plain = join(folder, 'plain.txt')
// Root may read and write anything.
const isRoot = process.getuid?.() === 0

beforeAll(() => {
  writeFileSync(plain, 'x\n')
  writeFileSync(join(folder, 'locked.txt'), 'x\n')
  chmodSync(join(folder, 'locked.txt'), 0)
  mkdirSync(join(folder, 'locked'), { mode: 0o500 })
})
afterAll(() => {
  chmodSync(join(folder, 'locked'), 0o700)
  rmSync(folder, { recursive: true })
})

test('a source’s file has to be one that can be read, if it is there', async () => {
  expect(await tryReading({ file: plain })).toEqual({})
  expect(await tryReading({ file: join(folder, 'later.txt') })).toEqual({})
  expect(await tryReading({ file: folder })).toEqual({ file: `${folder} is a directory` })
  expect(await tryReading({ file: join(plain, 'below') })).toEqual({
    file: expect.stringContaining('ENOTDIR') as string,
  })
})

test('a sink’s file has to be one that can be written or made, and is not made', async () => {
  const below = join(folder, 'a', 'b', 'c.txt')
  expect(await tryWriting({ file: plain })).toEqual({})
  expect(await tryWriting({ file: below })).toEqual({})
  expect(existsSync(join(folder, 'a'))).toBe(false)
  expect(await tryWriting({ file: folder })).toEqual({ file: `${folder} is a directory` })
  expect(await tryWriting({ file: join(plain, 'below') })).toEqual({
    file: expect.stringContaining('ENOTDIR') as string,
  })
})

test.skipIf(isRoot)('what the worker has no right to is said', async () => {
  const denied = { file: expect.stringContaining('EACCES') as string }
  expect(await tryReading({ file: join(folder, 'locked.txt') })).toEqual(denied)
  expect(await tryWriting({ file: join(folder, 'locked.txt') })).toEqual(denied)
  expect(await tryWriting({ file: join(folder, 'locked', 'new.txt') })).toEqual(denied)
})
