import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { schema, type Schema, type SinkRecord, type SinkTask } from '@tidewire/sdk'
import {
  parseConfig,
  runSink,
  sinkConformance,
  sinkRecord,
  sinkRecords,
  type SinkRun,
  type SinkRunOptions,
} from '@tidewire/sdk/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultyS3, type FaultyS3 } from '../../../test/support/s3-faults.ts'
import { s3Missing, startS3, type TestS3 } from '../../../test/support/s3.ts'
import { objectOf, read } from '../formats/testing/objects.ts'
import { s3Sink } from '../sink/sink.ts'
import { bytesOf, contentsOf, keysOf, linesOf, openUploadsOf } from './bucket-contents.ts'

const missing = await s3Missing()
const topic = { topic: 'topic', partition: 0 }
const nothing = (): void => undefined
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const hour = Date.UTC(2026, 10, 22, 13)

describe.skipIf(missing !== undefined)(`s3-sink${missing === undefined ? '' : ` (${missing})`}`, () => {
  let s3: TestS3
  let proxy: FaultyS3
  let bucket = ''

  beforeAll(async () => {
    s3 = await startS3()
    proxy = await faultyS3(s3.endpoint)
  })

  afterAll(async () => {
    await proxy.close()
    await s3.close()
  })

  const settings = (more: Record<string, string>): Record<string, string> => ({
    ...s3.settings,
    's3.bucket.name': bucket,
    'format.class': 'json',
    'flush.size': '3',
    ...more,
  })

  /** A run with a bucket of its own. */
  const begin = async (more: Record<string, string> = {}, options: SinkRunOptions = {}): Promise<SinkRun> => {
    bucket = await s3.bucket('sink')
    return again(more, options)
  }

  /** A run with the bucket of the one before it. */
  const again = (more: Record<string, string> = {}, options: SinkRunOptions = {}): SinkRun =>
    runSink(s3Sink, settings(more), { timeoutMs: 60_000, ...options })

  /** Has it told, as the worker does each second, until so much is committed. */
  const committed = async (run: SinkRun, offset: number, partition = topic): Promise<void> => {
    await expect
      .poll(async () => {
        await run.put([])
        await run.flush()
        return run.committed.get(partition)
      })
      .toBe(offset)
  }

  const contents = () => contentsOf(s3.client, bucket)
  const values = async (): Promise<unknown[]> => Object.values(await contents()).flat()

  /** About 1 MiB. */
  const large = (offset: number): SinkRecord => sinkRecord({ offset, value: randomBytes(512 * 1024).toString('hex') })

  describe('names and folders', () => {
    test('objects have the names of Confluent’s connector; what is open is not committed', async () => {
      const run = await begin()
      await run.put(sinkRecords(['a', 'b', 'c', 'd']))
      await run.put(sinkRecords(['e', 'f', 'g'], { partition: 12, offset: 1_234_567_890_123 }))
      await committed(run, 3)
      await committed(run, 1_234_567_890_126, { topic: 'topic', partition: 12 })
      expect(await contents()).toEqual({
        'topics/topic/partition=0/topic+0+0000000000.json': ['a', 'b', 'c'],
        'topics/topic/partition=12/topic+12+1234567890123.json': ['e', 'f', 'g'],
      })
      await run.stop()
    })

    test('by the hour of the records, with a rotation when the hour changes or the interval is over', async () => {
      const run = await begin({
        'partitioner.class': 'io.confluent.connect.storage.partitioner.HourlyPartitioner',
        'timestamp.extractor': 'Record',
        timezone: 'America/New_York',
        locale: 'en-US',
        'flush.size': '1000',
        'rotate.interval.ms': '600000',
        'topics.dir': '',
      })
      const times = [0, 1, 59, 60, 61, 70].map((minutes) => hour + minutes * 60_000)
      await run.put(times.map((timestamp, offset) => sinkRecord({ value: offset, offset, timestamp })))
      await committed(run, 5)
      expect(await contents()).toEqual({
        'topic/year=2026/month=11/day=22/hour=08/topic+0+0000000000.json': [0, 1],
        'topic/year=2026/month=11/day=22/hour=08/topic+0+0000000002.json': [2],
        'topic/year=2026/month=11/day=22/hour=09/topic+0+0000000003.json': [3, 4],
      })
      await run.stop()
    })

    test('by fields, several open at a time, completed together', async () => {
      const run = await begin({
        'partitioner.class': 'field',
        'partition.field.name': 'country,user.id',
        'flush.size': '4',
        'file.delim': '-',
        'filename.offset.zero.pad.width': '3',
      })
      const rows = [
        { country: 'de', user: { id: 1 } },
        { country: 'fr', user: { id: 2 } },
        { country: 'de', user: { id: 1 } },
        { country: null, user: null },
      ]
      await run.put(sinkRecords(rows, { offset: 7 }))
      await committed(run, 11)
      expect(await keysOf(s3.client, bucket)).toEqual([
        'topics/topic/country=de/user.id=1/topic-0-007.json',
        'topics/topic/country=fr/user.id=2/topic-0-008.json',
        'topics/topic/country=null/user.id=null/topic-0-010.json',
      ])
      await run.stop()
    })

    test('records that a transform has brought to one topic do not overwrite one another', async () => {
      const run = await begin({ 'flush.size': '1' })
      const routed = (originalTopic: string) =>
        sinkRecord({ topic: 'all', value: originalTopic, originalTopic, originalKafkaPartition: 0 })
      await run.put([routed('eu'), routed('us')])
      await committed(run, 1, { topic: 'eu', partition: 0 })
      await committed(run, 1, { topic: 'us', partition: 0 })
      expect(await contents()).toEqual({
        'topics/all/partition=0/all+eu+0+0000000000.json': ['eu'],
        'topics/all/partition=0/all+us+0+0000000000.json': ['us'],
      })
      await run.stop()
    })

    test('dead letters that are put again have names of their own, and are all there after a flush', async () => {
      const run = await begin()
      await run.put(sinkRecords(['a', 'b', 'c']))
      await committed(run, 3)
      await run.stop()
      const redrive = again({}, { redrive: 'beside' })
      await redrive.put([sinkRecord({ value: 'late', offset: 0 }), sinkRecord({ value: 'later', offset: 2 })])
      await redrive.flush()
      await redrive.stop()
      const all = await contents()
      const [plain, late] = Object.keys(all)
      expect(plain).toBe(
        'topics/topic/partition=0/topic+0+0000000000+redrive-' + plain!.slice(plain!.indexOf('redrive-') + 8),
      )
      expect([late, all[late!], all[plain!]]).toEqual([
        'topics/topic/partition=0/topic+0+0000000000.json',
        ['a', 'b', 'c'],
        ['late', 'later'],
      ])
    })
  })

  describe('records', () => {
    test('keys and headers go to objects of their own; tombstones to a folder of theirs', async () => {
      const run = await begin({
        'store.kafka.keys': 'true',
        'store.kafka.headers': 'true',
        'keys.format.class': 'json',
        'headers.format.class': 'json',
        'behavior.on.null.values': 'write',
      })
      const headers = [{ key: 'h', value: 'x' }]
      const { rejected = [] } = await run.put([
        sinkRecord({ key: 'k0', value: 'v0', headers }),
        sinkRecord({ key: 'k1', value: null, headers, offset: 1 }),
        sinkRecord({ key: null, value: 'v2', headers, offset: 2 }),
        sinkRecord({ key: 'k3', value: 'v3', offset: 3 }),
        sinkRecord({ key: 'k4', value: 'v4', headers, offset: 4 }),
      ])
      expect(rejected.map(({ record }) => record.offset)).toEqual([2, 3])
      await committed(run, 5)
      const all = await contents()
      expect(Object.keys(all)).toEqual([
        'topics/topic/partition=0/topic+0+0000000000.headers.json',
        'topics/topic/partition=0/topic+0+0000000000.json',
        'topics/topic/partition=0/topic+0+0000000000.keys.json',
        'topics/topic/tombstone/topic+0+0000000001.headers.json',
        'topics/topic/tombstone/topic+0+0000000001.keys.json',
      ])
      expect(all['topics/topic/partition=0/topic+0+0000000000.keys.json']).toEqual(['k0', 'k4'])
      expect(all['topics/topic/tombstone/topic+0+0000000001.keys.json']).toEqual(['k1'])
      await run.stop()
    })

    test('a bad record is rejected, and the others go on', async () => {
      const run = await begin({ 'partitioner.class': 'field', 'partition.field.name': 'id' })
      const rows = [{ id: 1 }, { id: 1.5 }, { other: 1 }, null, 'text', { id: 1 }, { id: 1 }]
      const { rejected = [] } = await run.put(sinkRecords(rows))
      expect(rejected.map(({ record }) => record.offset)).toEqual([1, 2, 3, 4])
      await committed(run, 7)
      expect(await values()).toEqual([{ id: 1 }, { id: 1 }, { id: 1 }])
      await run.stop()
    })

    test('tombstones that are passed over leave no lag, and go to the dead letter topic where there is one', async () => {
      const run = await begin({ 'behavior.on.null.values': 'ignore' })
      expect((await run.put(sinkRecords([null, null]))).rejected).toEqual([])
      await run.flush()
      expect(run.committed.get(topic)).toBe(2)
      await run.stop()
      const other = again({ 'behavior.on.null.values': 'ignore' }, { deadLetters: true })
      expect((await other.put(sinkRecords([null, null]))).rejected).toHaveLength(2)
      await other.stop()
    })

    test.each(['avro', 'parquet'] as const)(
      '%s: a new schema begins a new object; an old record goes into it',
      async (format) => {
        const run = await begin({ 'format.class': format, 'flush.size': '4', 'schema.compatibility': 'BACKWARD' })
        const first = schema.struct({ id: schema.int32() }, { name: 'Row', version: 1 })
        const second = schema.struct(
          { id: schema.int64(), tags: schema.array(schema.string(), { optional: true }) },
          { name: 'Row', version: 2 },
        )
        const row = (offset: number, valueSchema: Schema, more = {}) =>
          sinkRecord({ offset, valueSchema, value: { id: offset, ...more } })
        const bad = sinkRecord({ offset: 2, valueSchema: second, value: { id: 'none' } })
        const good = [
          row(0, first),
          row(1, first),
          row(3, second, { tags: ['a', 'b'] }),
          row(4, first),
          row(5, second),
          row(6, first),
        ]
        const { rejected = [] } = await run.put([...good.slice(0, 2), bad, ...good.slice(2)])
        expect(rejected.map(({ record }) => record.offset)).toEqual([2])
        await committed(run, 7)
        const extension = format === 'parquet' ? 'snappy.parquet' : 'avro'
        const name = (offset: number) => `topics/topic/partition=0/topic+0+000000000${offset}.${extension}`
        expect(await keysOf(s3.client, bucket)).toEqual([name(0), name(3)])
        const valuesOf = async (key: string): Promise<unknown[]> => {
          const records = await read(format, objectOf(key, await bytesOf(s3.client, bucket, key)))
          return records.map(({ value }) => value)
        }
        expect(await valuesOf(name(0))).toEqual([{ id: 0 }, { id: 1 }])
        expect(await valuesOf(name(3))).toEqual([
          { id: 3, tags: ['a', 'b'] },
          { id: 4, tags: null },
          { id: 5, tags: null },
          { id: 6, tags: null },
        ])
        await run.stop()
      },
    )

    test('compressed, tagged, with a content type', async () => {
      const run = await begin({
        's3.compression.type': 'gzip',
        's3.object.tagging': 'true',
        's3.object.tagging.key.value.pairs': 'team:data',
      })
      await run.put(sinkRecords(['a', 'b', 'c'], { offset: 5 }))
      await committed(run, 8)
      const [key = ''] = await keysOf(s3.client, bucket)
      expect([key, await linesOf(s3.client, bucket, key)]).toEqual([
        'topics/topic/partition=0/topic+0+0000000005.json.gz',
        ['a', 'b', 'c'],
      ])
      const { TagSet } = await s3.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key }))
      expect(Object.fromEntries(TagSet!.map(({ Key, Value }) => [Key, Value]))).toEqual({
        startOffset: '5',
        endOffset: '7',
        recordCount: '3',
        team: 'data',
      })
      await run.stop()
    })
  })

  describe('once each', () => {
    test('what is written again after a crash has the same names', async () => {
      const run = await begin()
      const records = sinkRecords(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
      await run.put(records)
      await expect.poll(() => keysOf(s3.client, bucket)).toHaveLength(2)
      await run.stop() // nothing was committed
      const next = again()
      await next.put(records)
      await next.put(sinkRecords(['h', 'i'], { offset: 7 }))
      await committed(next, 9)
      expect(await contents()).toEqual({
        'topics/topic/partition=0/topic+0+0000000000.json': ['a', 'b', 'c'],
        'topics/topic/partition=0/topic+0+0000000003.json': ['d', 'e', 'f'],
        'topics/topic/partition=0/topic+0+0000000006.json': ['g', 'h', 'i'],
      })
      await next.stop()
    })

    // The schedule: each 100 ms of the clock. Which records are in which object is not told beforehand.
    const scheduled = { 'rotate.schedule.interval.ms': '100', timezone: 'UTC', 'flush.size': '1000000' }
    const byColor = { ...scheduled, 'partitioner.class': 'field', 'partition.field.name': 'color' }
    const colored = (from: number, to: number): SinkRecord[] =>
      sinkRecords(
        Array.from({ length: to - from }, (_, i) => ({
          id: from + i,
          color: ['red', 'green', 'blue'][(from + i) % 3],
        })),
        { offset: from, timestamp: hour },
      )
    const ids = async (): Promise<number[]> => (await values()).map((value) => (value as { id: number }).id)
    const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i)

    test('with rotation by the clock: objects that are there already are not written again', async () => {
      const run = await begin(byColor)
      await run.put(colored(0, 10))
      await committed(run, 10)
      await run.put(colored(10, 20))
      await expect
        .poll(async () => {
          await run.put([])
          return keysOf(s3.client, bucket)
        })
        .toHaveLength(6)
      await run.stop()
      // The last commit is lost, and the next task puts more into its objects.
      const next = again(byColor, { committed: [{ ...topic, offset: 10 }] })
      const feed = async (end: number): Promise<void> => {
        await expect
          .poll(async () => {
            const from = next.position(topic) ?? 10
            await next.put(colored(from, Math.max(from, end)))
            await next.flush()
            return next.committed.get(topic)
          })
          .toBe(end)
      }
      await feed(33)
      await feed(40)
      expect((await ids()).toSorted((a, b) => a - b)).toEqual(upTo(40))
      await next.stop()
    })

    test('with rotation by the clock: a store that loses answers', async () => {
      const run = await begin({ ...byColor, 'store.url': proxy.endpoint, 's3.retry.backoff.ms': '1' })
      let requests = 0
      proxy.decide(({ method }) => (method === 'PUT' && requests++ % 2 === 0 ? 'lose-answer' : 'pass'))
      await run.put(colored(0, 30))
      await committed(run, 30)
      proxy.decide(() => 'pass')
      expect((await ids()).toSorted((a, b) => a - b)).toEqual(upTo(30))
      expect(run.logs.filter(({ message }) => message.includes('there already'))).toEqual([])
      await run.stop()
    })

    test('with rotation by the clock: what waits on disk is bounded, and more than a part of it', async () => {
      const limits = {
        's3.buffer.max.bytes': '1048576',
        's3.spill.max.bytes': '6291456',
        's3.part.size': '5242880',
        'rotate.schedule.interval.ms': '86400000',
      }
      const run = await begin({ ...scheduled, ...limits })
      const records = Array.from({ length: 9 }, (_, offset) => large(offset))
      for (const record of records) await run.put([record])
      await committed(run, 7)
      expect(await keysOf(s3.client, bucket)).toEqual(['topics/topic/partition=0/topic+0+0000000000.json'])
      expect(await values()).toEqual(records.slice(0, 7).map(({ value }) => value))
      expect(await openUploadsOf(s3.client, bucket)).toEqual([])
      await run.stop()
    })

    test('an object of somebody else is not overwritten, and fails the task', async () => {
      const run = await begin(scheduled)
      const key = 'topics/topic/partition=0/topic+0+0000000000.json'
      await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: '"old"\n' }))
      await run.put(sinkRecords(['new']))
      await expect
        .poll(() => run.put([]).catch((error: unknown) => (error as { code: string }).code))
        .toBe('S3_OBJECT_EXISTS')
      expect(await values()).toEqual(['old'])
      expect(run.committed.get(topic)).toBeUndefined()
      await run.stop()
    })
  })

  describe('large objects', () => {
    test('go in parts, with no more memory than there is, the rest on disk', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
      // As a task that was killed leaves it: no process has that number.
      const left = join(folder, `tidewire-s3-spill-${hostname()}-4194304999-1-abcdef`)
      await mkdir(left)
      const buffer = 4 * 2 ** 20
      const run = await begin({
        'flush.size': '16',
        's3.spill.dir': folder,
        's3.buffer.max.bytes': String(buffer),
        's3.part.size': '5242880',
        'partitioner.class': 'field',
        'partition.field.name': 'color',
        'format.class': 'json',
      })
      expect(await readdir(folder)).toHaveLength(1)
      let most = 0
      let spilled = 0
      const sent: string[] = []
      for (let offset = 0; offset < 16; offset++) {
        const value = { color: offset % 4 === 0 ? 'red' : 'blue', text: randomBytes(512 * 1024).toString('hex') }
        sent.push(value.text)
        await run.put([sinkRecord({ offset, value })])
        most = Math.max(most, run.heldBytes)
        spilled = Math.max(spilled, run.progress!.figures['spilled_bytes']!)
      }
      await committed(run, 16)
      expect(await readdir(folder)).toHaveLength(1)
      const texts = (await values()).map((value) => (value as { text: string }).text)
      expect(new Set(texts)).toEqual(new Set(sent))
      expect(texts).toHaveLength(16)
      expect(spilled).toBeGreaterThan(0)
      // A record and a part more than the buffer, at most.
      expect(most).toBeLessThan(buffer + 8 * 2 ** 20)
      expect(await openUploadsOf(s3.client, bucket)).toEqual([])
      await run.stop()
      expect(await readdir(folder)).toEqual([])
      await rm(folder, { recursive: true })
    })

    test('a disk that takes nothing: no more is taken until it does', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
      // A file where the folder would be.
      const spill = join(folder, 'spill')
      await writeFile(spill, '')
      const run = await begin({ 'flush.size': '4', 's3.spill.dir': spill, 's3.buffer.max.bytes': '1048576' })
      await run.put([large(0)])
      await expect(run.put([large(1)])).rejects.toMatchObject({
        retriable: true,
        message: expect.stringContaining('s3.spill.dir') as string,
      })
      await rm(spill)
      for (let offset = 1; offset < 4; offset++) await run.put([large(offset)])
      await committed(run, 4)
      expect(await values()).toHaveLength(4)
      await run.stop()
      await rm(folder, { recursive: true })
    })

    const inParts = { 'flush.size': '100', 's3.buffer.max.bytes': '16777216', 's3.part.size': '5242880' }

    test('uploads that are not completed are aborted when the partition goes', async () => {
      const run = await begin(inParts)
      for (let offset = 0; offset < 12; offset++) await run.put([large(offset)])
      await expect.poll(() => openUploadsOf(s3.client, bucket)).toHaveLength(1)
      await run.close()
      expect(await openUploadsOf(s3.client, bucket)).toEqual([])
      await run.stop()
    })

    test('uploads that a killed task left are aborted by who has the partition next, and no others', async () => {
      const run = await begin()
      const leave = (Key: string) => s3.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }))
      const own = 'topics/topic/partition=0/topic+0+0000000000.json'
      const others = [
        'topics/topic/partition=1/topic+1+0000000000.json',
        'topics/topic/partition=0/topic+0+0000000000.avro',
        'topics/somebody/else.json',
      ]
      for (const key of [own, ...others]) await leave(key)
      await run.open([topic])
      expect((await openUploadsOf(s3.client, bucket)).toSorted()).toEqual(others.toSorted())
      await run.stop()
    })

    test('an upload that somebody aborted is done again', async () => {
      const run = await begin({ ...inParts, 'flush.size': '12' })
      const records = Array.from({ length: 12 }, (_, offset) => large(offset))
      for (const record of records.slice(0, 8)) await run.put([record])
      await expect.poll(() => openUploadsOf(s3.client, bucket)).toHaveLength(1)
      const thief = again(inParts)
      await thief.open([topic])
      expect(await openUploadsOf(s3.client, bucket)).toEqual([])
      await thief.stop()
      await expect
        .poll(async () => {
          const next = run.position(topic)!
          await run.put(records.slice(next, next + 1))
          await run.flush()
          return run.committed.get(topic)
        })
        .toBe(12)
      expect(await values()).toEqual(records.map(({ value }) => value))
      await run.stop()
    })

    test('an answer to the completion that gets lost is made up for', async () => {
      const run = await begin({
        ...inParts,
        'store.url': proxy.endpoint,
        'flush.size': '6',
        's3.retry.backoff.ms': '1',
      })
      let lost = 0
      proxy.decide(({ method, url }) =>
        method === 'POST' && url.includes('uploadId=') && lost++ === 0 ? 'lose-answer' : 'pass',
      )
      const records = Array.from({ length: 6 }, (_, offset) => large(offset))
      await run.put(records)
      await committed(run, 6)
      proxy.decide(() => 'pass')
      expect(lost).toBe(2)
      expect(await values()).toEqual(records.map(({ value }) => value))
      await run.stop()
    })
  })

  describe('bad things', () => {
    test('a store that is slow or gone: nothing is taken, nothing lost, and it goes on', async () => {
      const run = await begin({
        'store.url': proxy.endpoint,
        's3.part.retries': '1',
        's3.retry.backoff.ms': '1',
        'retry.backoff.ms': '10',
      })
      proxy.decide(({ method }) => (method === 'PUT' ? 'slow-down' : 'pass'))
      const next = (): Promise<string> => {
        const offset = run.position(topic) ?? 0
        return run.put([sinkRecord({ offset, value: offset })]).then(
          () => '',
          (error: unknown) => (error as Error).message,
        )
      }
      await expect.poll(next).toContain('SlowDown')
      proxy.decide(({ method }) => (method === 'PUT' ? 'drop' : 'pass'))
      await expect.poll(next).toContain('cannot be reached')
      await run.flush()
      expect(run.committed.get(topic)).toBe(0)
      proxy.decide(() => 'pass')
      await expect.poll(next).toBe('')
      while (run.position(topic)! % 3 !== 0) await next()
      const end = run.position(topic)!
      await committed(run, end)
      expect(await values()).toEqual(Array.from({ length: end }, (_, i) => i))
      await run.stop()
    })

    const broken: [string, Record<string, string>, string, string][] = [
      ['no bucket', { 's3.bucket.name': 'there-is-none' }, 'S3_NO_SUCH_BUCKET', 's3.bucket.name'],
      ['a wrong key', { 'aws.access.key.id': 'nobody' }, 'S3_INVALID_ACCESS_KEY', 'aws.access.key.id'],
      ['a wrong secret', { 'aws.secret.access.key': 'wrong' }, 'S3_SIGNATURE_MISMATCH', 'aws.secret.access.key'],
      ['a wrong region', { 's3.region': 'eu-west-3' }, 'S3_WRONG_REGION', 's3.region'],
    ]
    test.each(broken)('%s fails the task at once, with a word on what to do', async (_name, more, code, setting) => {
      const run = await begin(more)
      await expect(run.put([])).rejects.toMatchObject({ name: 'ConfigError', code, setting })
      await run.stop()
    })

    // That one may not look does not say that one may not write: the first object tells.
    test('a user to whom the bucket is not open fails the task, and a deep validation', async () => {
      const user = await s3.stranger()
      if (user === undefined) return
      const run = await begin(user)
      const refused = { name: 'ConfigError', code: 'S3_ACCESS_DENIED' }
      await run.put(sinkRecords(['a', 'b', 'c']))
      await expect
        .poll(() =>
          run.put([]).then(
            () => undefined,
            (error: unknown) => error,
          ),
        )
        .toMatchObject(refused)
      expect(run.committed.get(topic)).toBe(undefined)
      await run.stop()
      const config = parseConfig(s3Sink, settings(user))
      const tried = s3Sink.tryOut!(config, { signal: AbortSignal.timeout(60_000), log: quiet })
      expect(await tried).toEqual({ 's3.bucket.name': expect.stringContaining('access denied') as unknown })
    })

    test('a bucket that goes away fails the task', async () => {
      const run = await begin()
      await run.put(sinkRecords(['a', 'b']))
      await s3.client.send(new DeleteBucketCommand({ Bucket: bucket }))
      await run.put([sinkRecord({ value: 'c', offset: 2 })])
      await expect
        .poll(() =>
          run.put([]).then(
            () => undefined,
            (error: unknown) => error,
          ),
        )
        .toMatchObject({ name: 'ConfigError', code: 'S3_NO_SUCH_BUCKET' })
      await expect(run.flush()).rejects.toMatchObject({ code: 'S3_NO_SUCH_BUCKET' })
      await run.stop()
    })

    test('a deep validation tells the same, and leaves nothing in the bucket', async () => {
      bucket = await s3.bucket('sink')
      const tried = async (more: Record<string, string>) =>
        s3Sink.tryOut!(parseConfig(s3Sink, settings(more)), {
          signal: AbortSignal.timeout(30_000),
          log: quiet,
        })
      expect(await tried({})).toEqual({})
      expect(Object.keys(await tried({ 's3.bucket.name': 'there-is-none' }))).toEqual(['s3.bucket.name'])
      expect(Object.keys(await tried({ 'aws.secret.access.key': 'wrong' }))).not.toEqual([])
      expect(Object.keys(await tried({ 'store.url': 'http://127.0.0.1:1' }))).not.toEqual([])
      expect([await keysOf(s3.client, bucket), await openUploadsOf(s3.client, bucket)]).toEqual([[], []])
    })
  })

  describe('conformance', () => {
    /** Completes each record at once, and its flush ends when all is in the store. */
    const patient: typeof s3Sink = {
      ...s3Sink,
      write: async (context) => {
        const task: SinkTask = await s3Sink.write(context)
        return {
          open: (partitions) => task.open?.(partitions),
          put: (records) => task.put(records),
          flush: async (offsets) => {
            for (;;) {
              const done = (await task.flush!(offsets)) ?? []
              if (done.every(({ offset }, i) => offset === offsets[i]!.offset)) return done
            }
          },
          close: (partitions) => task.close?.(partitions),
          stop: () => task.stop?.(),
        }
      },
    }
    const cases = sinkConformance({
      sink: patient,
      exactlyOnce: true,
      timeoutMs: 60_000,
      system: async () => {
        bucket = await s3.bucket('sink')
        const made = bucket
        return {
          config: settings({ 'flush.size': '1' }),
          read: async () => {
            const texts: string[] = []
            for (const lines of Object.values(await contentsOf(s3.client, made))) texts.push(...(lines as string[]))
            return texts
          },
        }
      },
    })
    for (const { name, run } of cases) test(name, run)
  })
})
