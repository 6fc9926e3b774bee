import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSource } from '@tidewire/sdk/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { completeLines } from './lines.ts'
import { fileSource } from './source.ts'

let folder: string
let file: string
let config: Record<string, string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-source-'))
  file = join(folder, 'in.txt')
  config = { file, topic: 'lines', 'poll.interval.ms': '1' }
})
afterEach(() => rm(folder, { recursive: true }))

const values = (records: readonly { value: unknown }[]) => records.map(({ value }) => value)

describe('completeLines', () => {
  test('cuts at \\n, \\r\\n and \\r and leaves what may go on', () => {
    const lines = [...completeLines(Buffer.from('a\nb\r\nc\r\rd\n\nrest\r'))]
    expect(lines.map(({ text }) => text)).toEqual(['a', 'b', 'c', '', 'd', ''])
    expect(lines.map(({ end }) => end)).toEqual([2, 5, 7, 8, 10, 11])
  })

  test('finds the same lines wherever the bytes are cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '😀', '\n', '\r'), maxLength: 40 })
    fc.assert(
      fc.property(text, fc.nat(), (written, at) => {
        const bytes = Buffer.from(written)
        const cut = at % (bytes.length + 1)
        const first = [...completeLines(bytes.subarray(0, cut))]
        const rest = first.at(-1)?.end ?? 0
        const second = [...completeLines(bytes.subarray(rest))].map(({ text, end }) => ({ text, end: end + rest }))
        expect([...first, ...second]).toEqual([...completeLines(bytes)])
      }),
    )
  })
})

describe('file-source', () => {
  test('makes a record of each line, as FileStreamSource does', async () => {
    await writeFile(file, 'ä\nb\r\npartial')
    const run = runSource(fileSource, config)
    const [first, second] = await run.take(2)
    await run.stop()
    expect(first).toMatchObject({
      topic: 'lines',
      value: 'ä',
      valueSchema: { type: 'string' },
      sourcePartition: { filename: file },
      sourceOffset: { position: 3 },
    })
    expect(second).toMatchObject({ value: 'b', sourceOffset: { position: 6 } })
  })

  test('waits for the file, and for the end of its last line', async () => {
    const run = runSource(fileSource, config)
    const taken = run.take(2)
    await expect.poll(() => run.logs.length).toBe(1)
    await writeFile(file, 'one\ntw')
    await appendFile(file, 'o\n')
    expect(values(await taken)).toEqual(['one', 'two'])
    await run.stop()
  })

  test('keeps to batch.size', async () => {
    await writeFile(file, 'x\n'.repeat(5))
    const run = runSource(fileSource, { ...config, 'batch.size': '2' })
    const sizes = [await run.take(), await run.take(), await run.take()].map((batch) => batch.length)
    await run.stop()
    expect(sizes).toEqual([2, 2, 1])
  })

  test('reads lines across chunks, and longer than one', async () => {
    const lines = [
      ...Array.from({ length: 30_000 }, (_, n) => `${n} ${'é'.repeat(n % 60)}`),
      'ü'.repeat(2 ** 20),
      'end',
    ]
    await writeFile(file, lines.map((line) => `${line}\n`).join(''))
    const run = runSource(fileSource, config)
    expect(values(await run.take(lines.length))).toEqual(lines)
    await run.stop()
  })

  test('refuses a line longer than may be buffered', async () => {
    await writeFile(file, 'x'.repeat(3 * 2 ** 20))
    const run = runSource(fileSource, config, { maxBufferedBytes: 2 ** 21 })
    await expect(run.take(1)).rejects.toThrow('the line at byte 0 is longer than the 2097152 bytes')
    await run.stop()
  })

  test('goes on where it was', async () => {
    await writeFile(file, 'a\nb\nc\n')
    const run = runSource(fileSource, config)
    await run.take(3)
    await run.acknowledge(2)
    await run.stop()
    const next = runSource(fileSource, config, { offsets: run.offsets })
    expect(values(await next.take(1))).toEqual(['c'])
    await next.stop()
  })

  test('starts over when the file was truncated, also while it was not looking', async () => {
    await writeFile(file, 'a\nb\n')
    const run = runSource(fileSource, config)
    await run.take(2)
    await run.acknowledge()
    await truncate(file)
    await run.take()
    await appendFile(file, 'new\n')
    expect(values(await run.take(1))).toEqual(['new'])
    await run.stop()
    const next = runSource(fileSource, config, {
      offsets: [{ partition: { filename: file }, offset: { position: 99 } }],
    })
    await next.take()
    await next.acknowledge()
    expect([...next.offsets]).toEqual([{ partition: { filename: file }, offset: { position: 0 } }])
    expect(values(await next.take(1))).toEqual(['new'])
    await next.stop()
  })

  test('reads a replaced file to its end, then the new one', async () => {
    await writeFile(file, 'a\n')
    const run = runSource(fileSource, config)
    await run.take(1)
    await rename(file, `${file}.1`)
    await appendFile(`${file}.1`, 'b\nunfinished')
    await writeFile(file, 'c\n')
    expect(values(await run.take(3))).toEqual(['b', 'unfinished', 'c'])
    await run.acknowledge()
    await run.stop()
    expect([...run.offsets]).toEqual([{ partition: { filename: file }, offset: { position: 2 } }])
  })

  test('refuses what is not a file, and an offset that is no position', async () => {
    const run = runSource(fileSource, { ...config, file: folder })
    await expect(run.take(1)).rejects.toThrow('is not a regular file')
    const offsets = [{ partition: { filename: file }, offset: { position: 'x' } }]
    await expect(runSource(fileSource, config, { offsets }).take(1)).rejects.toThrow('has no byte position')
  })
})
