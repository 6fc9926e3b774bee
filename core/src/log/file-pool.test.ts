import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FilePool } from './file-pool.ts'
import { nodeFileSystem as fs } from './file-system.ts'
import { temporaryDirectory } from './testing/test-log.ts'

test('closes what was unused longest, and opens it again', () => {
  const dir = temporaryDirectory()
  const pool = new FilePool(fs, 3)
  const files = Array.from({ length: 10 }, (_, i) => pool.file(join(dir, `${i}`)))
  for (let round = 0; round < 2; round++) {
    for (const [i, file] of files.entries()) file.use((fd) => fs.writeSync(fd, `${i}`, round), true)
  }
  expect(pool.openFiles).toBe(3)
  expect(files.map((_, i) => readFileSync(join(dir, `${i}`), 'utf8'))).toEqual(files.map((_, i) => `${i}${i}`))
})

test('what is pinned stays open, beyond the bound too', () => {
  const dir = temporaryDirectory()
  const pool = new FilePool(fs, 2)
  const files = Array.from({ length: 4 }, (_, i) => pool.file(join(dir, `${i}`)))
  const descriptors = files.map((file) => file.pin(true))
  expect(new Set(descriptors).size).toBe(4)
  expect(pool.openFiles).toBe(4)
  for (const file of files) file.unpin()
  files[0]!.use(() => undefined)
  pool.file(join(dir, 'more')).use(() => undefined, true)
  expect(pool.openFiles).toBe(2)
})

test('close waits for the last user; a retired file is not opened again', () => {
  const pool = new FilePool(fs, 2)
  const path = join(temporaryDirectory(), 'f')
  const file = pool.file(path)
  const fd = file.pin(true)
  file.retire()
  fs.writeSync(fd, 'still open')
  file.unpin()
  expect(pool.openFiles).toBe(0)
  expect(() => file.pin()).toThrow('no longer part of the log')
  expect(readFileSync(path, 'utf8')).toBe('still open')
})

test('a file that cannot be opened counts as closed', () => {
  const pool = new FilePool(fs, 2)
  const file = pool.file(join(temporaryDirectory(), 'missing'))
  expect(() => file.pin()).toThrow('ENOENT')
  expect(pool.openFiles).toBe(0)
})
