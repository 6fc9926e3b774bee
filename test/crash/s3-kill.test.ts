/**
 * A topic into an S3 store, while platform and store are killed amid uploads: at the end each record is in the objects once,
 * both where the settings alone decide what an object has and where the clock does, and no upload is left open. Short
 * here; TIDEWIRE_SOAK_SECONDS makes it longer.
 */
import { GetObjectCommand, ListMultipartUploadsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seedOfRun } from '../support/random.ts'
import type { SeenRecord } from '../support/read-topic.ts'
import { ownS3Missing, startS3, type TestS3 } from '../support/s3.ts'
import { killFor, storeKill, type Message, type StoreKill } from '../support/store-kill.ts'
import { until } from '../support/until.ts'

const seconds = Number(process.env['TIDEWIRE_SOAK_SECONDS'] ?? 0)
const seed = seedOfRun()
const missing = await ownS3Missing()
const partitions = 2
/** Of an object: more than a part is large. */
const flushSize = 1500
const textLength = 4096
const settleMs = 240_000

describe.skipIf(missing !== undefined)(
  `s3-sink, with seed ${seed}${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let s3: TestS3
    let bucket: string
    let kill: StoreKill

    beforeAll(async () => {
      s3 = await startS3()
      bucket = await s3.bucket('kills')
      kill = await storeKill({ kill: () => s3.kill!(), restart: () => s3.restart() }, seed)
    })
    afterAll(async () => {
      await kill.close()
      await s3.close()
    })

    /** The lines of all objects of a folder, by partition, in the order of the objects' first offsets. */
    async function linesOf(folder: string): Promise<{ lines: string[][]; objects: number }> {
      const found = Array.from({ length: partitions }, (): { first: number; lines: string[] }[] => [])
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client: s3.client },
        { Bucket: bucket, Prefix: `${folder}/` },
      )) {
        for (const { Key } of Contents) {
          const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key }))
          const [, partition, first] = /\+(\d+)\+(\d+)\.json$/.exec(Key!)!
          const lines = (await Body!.transformToString()).trimEnd().split('\n')
          found[Number(partition)]!.push({ first: Number(first), lines })
        }
      }
      return {
        lines: found.map((objects) => objects.toSorted((a, b) => a.first - b.first).flatMap(({ lines }) => lines)),
        objects: found.flat().length,
      }
    }

    test(
      'each record is in the objects once, and no upload stays open',
      { timeout: 600_000 + seconds * 1000 },
      async () => {
        await kill.topic('events', partitions)
        const common = {
          'connector.class': 's3-sink',
          topics: 'events',
          'tasks.max': '2',
          's3.bucket.name': bucket,
          ...s3.settings,
          'format.class': 'json',
          'key.converter': 'string',
          'value.converter': 'json',
          'value.converter.schemas.enable': 'false',
          'retry.backoff.ms': '500',
        }
        // Whose objects are uploads in parts.
        await kill.deploy('counted', {
          ...common,
          'topics.dir': 'counted',
          'flush.size': String(flushSize),
          's3.part.size': String(5 * 2 ** 20),
        })
        await kill.deploy('scheduled', {
          ...common,
          'topics.dir': 'scheduled',
          'flush.size': '1000000',
          'rotate.schedule.interval.ms': '1000',
          timezone: 'UTC',
        })
        const written = Array.from({ length: partitions }, () => 0)
        const messages = (partition: number, count: number): Message[] =>
          Array.from({ length: count }, () => {
            const n = written[partition]!++
            return { partition, key: null, value: JSON.stringify({ n, partition, text: textOf(n) }) }
          })
        await killFor(kill, seconds, async (whom) => {
          for (let partition = 0; partition < partitions; partition++) {
            await kill.write('events', messages(partition, kill.random.between(300, 1200)))
          }
          await kill.killOne(whom)
        })
        // So that the last object of each partition is full.
        for (const [partition, count] of written.entries()) {
          await kill.write('events', messages(partition, flushSize - (count % flushSize)))
        }
        const records = await kill.read(
          'events',
          written.reduce((a, b) => a + b),
        )
        const expected = written.map((_, partition) => valuesOf(records, partition))
        for (const folder of ['counted', 'scheduled']) {
          const isThere = async (): Promise<boolean> => {
            const { lines } = await linesOf(folder)
            return lines.every((found, partition) => found.length >= expected[partition]!.length)
          }
          await until(`all records to be in objects of ${folder}`, isThere, settleMs).catch(async (error: unknown) => {
            await kill.expectRunning(['counted', 'scheduled'])
            throw error
          })
          const { lines } = await linesOf(folder)
          for (const [partition, values] of expected.entries()) {
            const found = lines[partition]!.map((line): unknown => JSON.parse(line))
            expect(found.length, `${folder}, partition ${partition}`).toBe(values.length)
            expect(found, `${folder}, partition ${partition}`).toEqual(values)
          }
        }
        const { objects } = await linesOf('counted')
        expect(objects).toBe(written.reduce((sum, count) => sum + count / flushSize, 0))
        const noUploads = async (): Promise<boolean> => {
          const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
          return Uploads.length === 0
        }
        await until('no upload to be open', noUploads, settleMs)
        await kill.expectRunning(['counted', 'scheduled'])
      },
    )
  },
)

/** Long, and of each number another one. */
const textOf = (n: number): string => `${n} `.repeat(textLength / String(n).length).slice(0, textLength)

const valuesOf = (records: readonly SeenRecord[], partition: number): unknown[] =>
  records
    .filter((record) => record.partition === partition)
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ value }) => JSON.parse(value) as unknown)
