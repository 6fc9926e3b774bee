/**
 * Tasks of s3-sink that are left where they are, amid uploads, as a killed or a cut-off one is; what they have under way goes on. The
 * store refuses, drops and forgets. Each record is in the objects once in the end, whatever the order of events was.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isRetriable } from '@tidewire/sdk'
import { runSink, sinkRecord, type SinkRun } from '@tidewire/sdk/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom, seedOfRun } from '../../../test/support/random.ts'
import { faultyS3, type FaultyS3 } from '../../../test/support/s3-faults.ts'
import { s3Missing, startS3, type TestS3 } from '../../../test/support/s3.ts'
import { s3Sink } from '../sink/sink.ts'
import { contentsOf, openUploadsOf } from './bucket-contents.ts'

const missing = await s3Missing()
const seed = seedOfRun()
const partitions = [0, 1].map((partition) => ({ topic: 'topic', partition }))
const end = 400
const hour = Date.UTC(2026, 10, 22, 13)
const faults = ['slow-down', 'drop', 'lose-answer', 'lose-answer'] as const

/** In two folders by turns. */
const record = (partition: number, offset: number) => {
  const timestamp = hour + (offset % 2) * 3_600_000 + offset
  return sinkRecord({ partition, offset, value: `${partition}-${offset}`, timestamp })
}

const name = `s3-sink, with seed ${seed}${missing === undefined ? '' : ` (${missing})`}`
describe.skipIf(missing !== undefined)(name, { timeout: 240_000 }, () => {
  let s3: TestS3
  let proxy: FaultyS3

  beforeAll(async () => {
    s3 = await startS3()
    proxy = await faultyS3(s3.endpoint)
  })
  afterAll(async () => {
    await proxy.close()
    await s3.close()
  })

  test.each([
    ['the records say when objects are completed', { 'flush.size': '17', 'rotate.interval.ms': '1800000' }],
    ['the clock says it', { 'flush.size': '1000', 'rotate.schedule.interval.ms': '40', timezone: 'UTC' }],
  ])('each record once, where %s', async (_name, rotation) => {
    const random = seededRandom(seed)
    const bucket = await s3.bucket('chaos')
    const config = {
      ...{ ...s3.settings, 'store.url': proxy.endpoint, 's3.bucket.name': bucket, 'format.class': 'json' },
      ...{ 'partitioner.class': 'hourly', 'timestamp.extractor': 'Record', 'rotate.file.on.partition.change': 'false' },
      ...{ 's3.part.retries': '1', 's3.retry.backoff.ms': '1', 'retry.backoff.ms': '5', ...rotation },
    }
    proxy.decide(() => (random.below(100) < 20 ? random.oneOf(faults) : 'pass'))
    const all: SinkRun[] = []
    /** One that goes on from what another has committed. */
    const begin = async (committed: SinkRun['committed'] | undefined): Promise<SinkRun> => {
      for (;;) {
        const run = runSink(s3Sink, config, { ...(committed === undefined ? {} : { committed }), timeoutMs: 60_000 })
        try {
          await run.open(partitions)
          all.push(run)
          return run
        } catch (error) {
          if (!isRetriable(error)) throw error
        }
      }
    }
    let run = await begin(undefined)
    const commits = (): number[] => partitions.map((one) => run.committed.get(one) ?? 0)
    // What is left at the end of the records would be completed by the next of them.
    while (commits().some((offset) => offset < end - 17)) {
      if (all.length < 8 && random.below(100) < 8) run = await begin(run.committed)
      const batch = partitions.flatMap((one) => {
        const from = run.position(one) ?? 0
        const to = Math.min(end, from + random.below(25))
        return Array.from({ length: Math.max(0, to - from) }, (_, at) => record(one.partition, from + at))
      })
      // What fails in passing is put again.
      await run.put(batch).catch((error: unknown) => {
        if (!isRetriable(error)) throw error
      })
      if (random.below(10) < 3) await run.flush()
      // Time for what is under way.
      await delay(5)
    }
    proxy.decide(() => 'pass')
    await run.put([])
    await run.flush()
    const ends = commits()
    await run.stop()
    const values = Object.values(await contentsOf(s3.client, bucket)).flat() as string[]
    for (const { partition } of partitions) {
      const times = new Map<number, number>()
      for (const value of values) {
        const [of, offset] = value.split('-').map(Number)
        if (of === partition) times.set(offset!, (times.get(offset!) ?? 0) + 1)
      }
      const committed = Array.from({ length: ends[partition]! }, (_, offset) => offset)
      expect(committed.filter((offset) => !times.has(offset))).toEqual([])
      expect([...times].filter(([, count]) => count > 1)).toEqual([])
    }
    await Promise.all(all.map((one) => one.stop()))
    expect(await openUploadsOf(s3.client, bucket)).toEqual([])
  })
})
