import { existsSync } from 'node:fs'
import { appendFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decimal } from '@tidewire/sdk'
import { runSink, sinkRecord, sinkRecords } from '@tidewire/sdk/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lineOf } from './line.ts'
import { fileSink } from './sink.ts'

let folder: string
let file: string
const content = () => readFile(file, 'utf8')

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-sink-'))
  file = join(folder, 'sub', 'out.txt')
})
afterEach(() => rm(folder, { recursive: true }))

test.each([
  ['text "as it is"', 'text "as it is"'],
  ['two\nlines', '"two\\nlines"'],
  ['old\rMac', '"old\\rMac"'],
  [null, 'null'],
  [undefined, 'null'],
  [1.5, '1.5'],
  [9007199254740993n, '9007199254740993'],
  [new Decimal(1250n, 2), '12.50'],
  [new Uint8Array([1, 2, 3]), '"AQID"'],
  [{ a: [1, { b: 2n ** 64n }], c: null }, '{"a":[1,{"b":18446744073709551616}],"c":null}'],
  [new Map([['k', new Uint8Array([0])]]), '{"k":"AA=="}'],
  [new Map([[1, 'x']]), '[[1,"x"]]'],
])('lineOf %o', (value, line) => {
  expect(lineOf(value)).toBe(line)
})

describe('file-sink', () => {
  test('appends a line for each record, in a folder that it makes', async () => {
    const run = runSink(fileSink, { file })
    await run.put(sinkRecords(['a', { b: 1 }]))
    await run.put([])
    await run.flush()
    expect(await content()).toBe('a\n{"b":1}\n')
    await run.stop()
    const next = runSink(fileSink, { file }, { committed: run.committed })
    await next.put(sinkRecords(['a', { b: 1 }, 'c']))
    await next.stop()
    expect(await content()).toBe('a\n{"b":1}\nc\n')
  })

  test.skipIf(process.platform !== 'linux')('fails where the folder cannot be made', async () => {
    const run = runSink(fileSink, { file: '/proc/no/such/out.txt' })
    await expect(run.put(sinkRecords(['a']))).rejects.toThrow(
      /^The folder of \/proc\/no\/such\/out\.txt cannot be made: .*'\/proc\/no'$/,
    )
  })

  test('writes with each put, so that a reader need not wait for a flush', async () => {
    const run = runSink(fileSink, { file })
    await run.put(sinkRecords(['a']))
    expect(await content()).toBe('a\n')
    await run.stop()
  })

  test('goes on at the new end of a file that was emptied', async () => {
    const run = runSink(fileSink, { file })
    await run.put(sinkRecords(['a']))
    await truncate(file)
    await run.put(sinkRecords(['b'], { offset: 1 }))
    expect(await content()).toBe('b\n')
    await run.stop()
  })
})

describe.each([false, true])('a file that goes away while it is written to, exactly.once %s', (once) => {
  const config = () => ({ file, 'exactly.once': once })

  test('renamed: the old one is complete, a new one takes its place', async () => {
    const run = runSink(fileSink, config())
    await run.put(sinkRecords(['a']))
    await rename(file, `${file}.1`)
    await run.put(sinkRecords(['b'], { offset: 1 }))
    await run.flush()
    await run.stop()
    expect(await readFile(`${file}.1`, 'utf8')).toBe('a\n')
    expect(await content()).toBe('b\n')
    expect(run.logs.map(({ level }) => level)).toEqual(['warn'])
    const next = runSink(fileSink, config(), { committed: run.committed })
    await next.put(sinkRecords(['a', 'b', 'c']))
    await next.stop()
    expect(await content()).toBe('b\nc\n')
  })

  test('removed: the task fails, and what was not flushed is written to a new one', async () => {
    const run = runSink(fileSink, config())
    await run.put(sinkRecords(['a']))
    await run.flush()
    await run.put(sinkRecords(['b'], { offset: 1 }))
    await rm(file)
    await expect(run.flush()).rejects.toThrow('was removed while it was written to')
    await expect(run.put(sinkRecords(['c'], { offset: 2 }))).rejects.toThrow('was removed while it was written to')
    await run.stop()
    const next = runSink(fileSink, config(), { committed: run.committed })
    await next.put(sinkRecords(['a', 'b', 'c']))
    await next.flush()
    await next.stop()
    expect(await content()).toBe('b\nc\n')
  })
})

describe('file-sink with exactly.once', () => {
  const exactlyOnce = () => ({ file, 'exactly.once': true })

  test('after a crash has each record once, whatever was committed', async () => {
    const run = runSink(fileSink, exactlyOnce())
    await run.put(sinkRecords(['a', 'b']))
    await run.put([sinkRecord({ partition: 1, value: 'x', offset: 5 })])
    await run.flush()
    await run.put(sinkRecords(['c'], { offset: 2 }))
    await run.stop()
    await appendFile(file, 'half a li') // what kill -9 in the middle of a write leaves

    const next = runSink(fileSink, exactlyOnce())
    await next.put(sinkRecords(['a', 'b', 'c', 'd']))
    await next.put([sinkRecord({ partition: 1, value: 'x', offset: 5 })])
    await next.flush()
    await next.stop()
    expect(await content()).toBe('a\nb\nx\nc\nd\n')
    expect(next.committed.get({ topic: 'topic', partition: 1 })).toBe(6)
  })

  test('cuts off what a crash before the first flush left, and nothing from before it', async () => {
    for (const [config, values] of [
      [{ file }, ['mine']],
      [exactlyOnce(), ['a', 'b']],
    ] as const) {
      const run = runSink(fileSink, config)
      await run.put(sinkRecords(values))
      await run.stop()
    }
    const next = runSink(fileSink, exactlyOnce())
    await next.put(sinkRecords(['a', 'b']))
    await next.stop()
    expect(await content()).toBe('mine\na\nb\n')
  })

  test('goes on after a file that somebody cut or removed, and says so', async () => {
    const run = runSink(fileSink, exactlyOnce())
    await run.put(sinkRecords(['a']))
    await run.flush()
    await run.stop()
    await rm(file)
    const next = runSink(fileSink, exactlyOnce())
    await next.put(sinkRecords(['a', 'b']))
    await next.flush()
    await next.stop()
    expect(next.logs).toMatchObject([{ level: 'warn', details: { written: 2 } }])
    expect(await content()).toBe('b\n')
  })

  test('refuses an offsets file that is none', async () => {
    const run = runSink(fileSink, { file })
    await run.put([])
    await writeFile(`${file}.offsets`, '{"version":2}')
    await expect(runSink(fileSink, exactlyOnce()).put([])).rejects.toThrow('does not hold the positions')
    await run.stop()
  })
})

test.skipIf(!existsSync('/dev/full'))('lines that a full disk did not take are told as held', async () => {
  const run = runSink(fileSink, { file: '/dev/full' })
  await run.put(sinkRecords(['a', 'bc']))
  expect(run.heldBytes).toBe('a\nbc\n'.length)
  await run.stop()
})
