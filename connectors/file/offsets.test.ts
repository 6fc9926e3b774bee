import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, type SourceOffset } from '@tidewire/sdk'
import { parseConfig } from '@tidewire/sdk/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sinkConfig } from './config.ts'
import { alterOffsets } from './sink-offsets.ts'
import { checkOffsets, offsetsFrom } from './source-offsets.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-offsets-'))
  file = join(folder, 'lines.txt')
})
afterEach(() => rm(folder, { recursive: true }))

describe('offsets of the source', () => {
  const partition = { filename: 'lines.txt' }

  test.each<SourceOffset>([{}, { position: '12' }, { position: -1 }, { position: 0.5 }])(
    'refuses %j, from which no file can be read',
    (offset) => {
      expect(() => checkOffsets([{ partition, offset }])).toThrow(ConfigError)
    },
  )

  test('refuses a partition that is no file, unless it is to be forgotten', () => {
    expect(() => checkOffsets([{ partition: { table: 'a' }, offset: { position: 1 } }])).toThrow('"filename"')
    expect(checkOffsets([{ partition: { table: 'a' }, offset: null }])).toBe(true)
  })

  const from = (start: Parameters<typeof offsetsFrom>[1]) =>
    offsetsFrom({ file, topic: 't', 'batch.size': 1, 'poll.interval.ms': 1 }, start)

  test.each([
    ['', 0],
    ['half a line', 0],
    ['one\ntwo\nhalf', 8],
    [`${'x'.repeat(70_000)}\n${'y'.repeat(200_000)}`, 70_001],
  ])('the latest is behind the last complete line', async (text, position) => {
    await writeFile(file, text)
    expect(await from('latest')).toEqual([{ partition: { filename: file }, offset: { position } }])
  })

  test('starts at a byte, not at a time, and not at the end of a file that is not there', async () => {
    expect(await from({ offset: 7 })).toEqual([{ partition: { filename: file }, offset: { position: 7 } }])
    await expect(from({ timestamp: 0 })).rejects.toThrow(ConfigError)
    await expect(from('latest')).rejects.toThrow(ConfigError)
  })
})

describe('offsets of the sink', () => {
  const config = (exactlyOnce: boolean) => ({
    ...parseConfig({ name: 'file-sink', config: sinkConfig }, { file }),
    'exactly.once': exactlyOnce,
  })
  const positions = async (): Promise<unknown> => JSON.parse(await readFile(`${file}.offsets`, 'utf8'))

  test('are changed beside the file too, where they are kept there', async () => {
    const before = { version: 1, size: 4, offsets: { a: { 0: 5, 1: 6 }, b: { 0: 7 } } }
    await writeFile(`${file}.offsets`, JSON.stringify(before))
    const changes = [
      { topic: 'a', partition: 0, offset: 2 },
      { topic: 'a', partition: 1, offset: null },
      { topic: 'c', partition: 3, offset: 1 },
    ]
    expect(await alterOffsets(config(false), changes, { reset: false })).toBe(true)
    expect(await positions()).toEqual(before)
    expect(await alterOffsets(config(true), changes, { reset: false })).toBe(true)
    expect(await positions()).toEqual({ ...before, offsets: { a: { 0: 2 }, b: { 0: 7 }, c: { 3: 1 } } })
    expect(await alterOffsets(config(true), changes.slice(1, 2), { reset: true })).toBe(true)
    expect(await positions()).toEqual({ ...before, offsets: { a: {} } })
  })

  test('may be on another machine: then it says so', async () => {
    expect(await alterOffsets(config(true), [], { reset: false })).toBe(false)
  })
})
