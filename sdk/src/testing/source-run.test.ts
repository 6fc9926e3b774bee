import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { defineConfig } from '../config.ts'
import { defineSource, type SourceBatch } from '../connector.ts'
import type { SourceRecord } from '../record.ts'
import { runSource } from './source-run.ts'

const told: string[] = []

const record = (n: number): SourceRecord => ({ topic: 't', value: n, sourcePartition: { p: 1 }, sourceOffset: { n } })

function source(batches: () => AsyncGenerator<SourceBatch | SourceRecord[]>) {
  return defineSource({ name: 'source', doc: 'x', config: defineConfig({}), read: batches })
}

/** Batches of the given sizes, counting records from 1, each of which says when it is durable. */
const sized = (...sizes: number[]) =>
  source(async function* () {
    let n = 0
    for (const size of sizes) {
      const records = Array.from({ length: size }, () => record(++n))
      const end = n
      yield {
        records,
        offsets: [{ partition: { batch: 1 }, offset: { end } }],
        durable: () => void told.push(`to ${end}`),
      }
    }
  })

const values = (records: SourceRecord[]) => records.map(({ value }) => value)

describe('a run of a source', () => {
  test('gives records by number, by batch, or all', async () => {
    const run = runSource(sized(2, 3, 0, 2), {})
    expect(values(await run.take(3))).toEqual([1, 2, 3])
    expect(values(await run.take())).toEqual([4, 5])
    expect(values(await run.take())).toEqual([])
    expect(values(await run.takeAll())).toEqual([6, 7])
    await expect(run.take(1)).rejects.toThrow('ended after 0 of 1 records')
    await expect(run.take()).rejects.toThrow('has ended')
  })

  test('stores offsets record by record, those of a batch at its end, then says that it is durable', async () => {
    told.length = 0
    const run = runSource(sized(2, 0, 2), {})
    await run.take(3)
    await run.acknowledge(1)
    expect([...run.offsets]).toEqual([{ partition: { p: 1 }, offset: { n: 1 } }])
    expect(told).toEqual([])
    await run.acknowledge()
    expect(told).toEqual(['to 2', 'to 2'])
    expect(run.offsets.get({ p: 1 })).toEqual({ n: 3 })
    expect(run.offsets.get({ batch: 1 })).toEqual({ end: 2 })
    await expect(run.acknowledge(1)).rejects.toThrow(RangeError)
    await run.stop()
  })

  test('does not lose what comes after a wait that was too long', async () => {
    let go: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const late = source(async function* () {
      await gate
      yield [record(1)]
    })
    const run = runSource(late, {}, { timeoutMs: 10 })
    await expect(run.take(1)).rejects.toThrow('waited 10 ms: source gave 0 of 1 records')
    go()
    expect(values(await run.take(1))).toEqual([1])
    await run.stop()
  })

  test('passes on what the task throws, save an AbortError after a stop', async () => {
    const failing = source(async function* () {
      yield [record(1)]
      throw new Error('gone')
    })
    await expect(runSource(failing, {}).take(2)).rejects.toThrow('gone')
    const aborting = defineSource({
      name: 'source',
      doc: 'x',
      config: defineConfig({}),
      async *read({ signal }) {
        yield [record(1)]
        await sleep(60_000, undefined, { signal })
      },
    })
    const run = runSource(aborting, {})
    await run.take(1)
    const taken = run.take(1)
    await Promise.all([run.stop(), expect(taken).rejects.toThrow()])
    await run.stop()
  })

  test('returns the generator, so that it gives up what it holds', async () => {
    let released = false
    const holding = source(async function* () {
      try {
        for (;;) yield [record(1)]
      } finally {
        released = true
      }
    })
    const run = runSource(holding, {})
    await run.take(5)
    await run.stop()
    expect(released).toBe(true)
  })

  test('stops before it was started', async () => {
    await runSource(sized(1), {}).stop()
  })

  test('finds a partition whatever the order of its keys', () => {
    const { offsets } = runSource(sized(), {}, { offsets: [{ partition: { a: 1, b: 2 }, offset: { n: 1 } }] })
    expect(offsets.get({ b: 2, a: 1 })).toEqual({ n: 1 })
    offsets.delete({ b: 2, a: 1 })
    expect([...offsets]).toEqual([])
  })
})

describe('a source that follows a topic', () => {
  const following = defineSource({
    name: 'source',
    doc: 'x',
    config: defineConfig({}),
    async *read(context) {
      const texts: string[] = []
      const from = (await context.offsets.get({ signals: 1 }))?.['next']
      await context.followTopic('signals', from as number | undefined, ({ offset, value }) => {
        texts.push(`${offset}: ${new TextDecoder().decode(value!)}`)
      })
      for (let n = 1; !context.signal.aborted; n++) {
        context.progress({ text: `${n} batches`, figures: { batches: n } })
        yield [{ ...record(n), value: texts.splice(0).join(', ') }]
      }
    },
  })

  test('is told what is written, from its offset on or from the end, and says how it gets on', async () => {
    const topics = { signals: [{ value: 'a' }, { value: 'b' }] }
    const run = runSource(following, {}, { topics })
    expect(values(await run.take(1))).toEqual([''])
    await run.write('signals', { value: 'c' })
    expect(values(await run.take(1))).toEqual(['2: c'])
    expect(run.progress).toEqual({ text: '2 batches', figures: { batches: 2 } })
    await run.stop()
    const offsets = [{ partition: { signals: 1 }, offset: { next: 1 } }]
    const again = runSource(following, {}, { topics, offsets })
    expect(values(await again.take(1))).toEqual(['1: b'])
    await again.stop()
    const preview = runSource(following, {}, { topics, offsets, preview: true })
    expect(values(await preview.take(1))).toEqual([''])
    await preview.stop()
  })
})
