import { gzipSync } from 'node:zlib'
import {
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { Decimal, schema, type Logger, type SourceRecord } from '@tidewire/sdk'
import {
  OffsetStore,
  parseConfig,
  runSink,
  runSource,
  sinkRecord,
  sourceConformance,
  type SourceRun,
} from '@tidewire/sdk/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { breakingProxy, type BreakingProxy } from '../../../test/support/s3-proxy.ts'
import { s3Missing, startS3, type TestS3 } from '../../../test/support/s3.ts'
import { until } from '../../../test/support/until.ts'
import { s3Sink } from '../sink/sink.ts'
import { s3Source } from '../source/source.ts'

const missing = await s3Missing()
const nothing = (): void => undefined
const quiet: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

describe.skipIf(missing !== undefined)(`s3-source${missing === undefined ? '' : ` (${missing})`}`, () => {
  let s3: TestS3
  const runs: SourceRun[] = []
  const timeoutMs = 60_000

  beforeAll(async () => {
    s3 = await startS3()
  })
  afterAll(() => s3.close())
  afterEach(async () => {
    for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
  })

  type Config = Readonly<Record<string, string>>
  const start = (config: Config, options: Parameters<typeof runSource>[2] = {}): SourceRun => {
    const run = runSource(
      s3Source,
      { ...s3.settings, 's3.poll.interval.ms': '20', ...config },
      { timeoutMs, ...options },
    )
    runs.push(run)
    return run
  }
  const put = (Bucket: string, Key: string, Body: string | Uint8Array) =>
    s3.client.send(new PutObjectCommand({ Bucket, Key, Body }))
  const keys = async (Bucket: string): Promise<string[]> =>
    ((await s3.client.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key = '' }) => Key)
  const lines = (...values: unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')
  const numbered = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, at) => `${from + at}\n`).join('')
  const values = (records: readonly SourceRecord[]): unknown[] => records.map(({ value }) => value)
  const generic = (bucket: string, more: Config = {}): Config => ({
    ...{ 's3.bucket.name': bucket, mode: 'GENERIC', 'topics.dir': 'in', topics: 't', ...more },
  })
  /** All that comes until the source has nothing more, taken and acknowledged. */
  const drain = async (run: SourceRun): Promise<SourceRecord[]> => {
    const all: SourceRecord[] = []
    for (let idle = false; !idle;) {
      const taking = run.take(1).then((records) => all.push(...records))
      idle = await Promise.race([
        taking.then(() => false),
        until('records, or none', () => run.progress?.text.endsWith('waits for objects') === true).then(() => true),
      ])
      if (idle) taking.catch(() => undefined)
    }
    return all
  }

  describe('conformance', () => {
    const cases = sourceConformance({
      source: s3Source,
      timeoutMs,
      system: async () => {
        const bucket = await s3.bucket('conformance')
        let count = 0
        let objects = 0
        return {
          config: { ...s3.settings, ...generic(bucket), 's3.poll.interval.ms': '1', 'record.batch.max.size': '100' },
          add: async (more) => {
            // In objects of different sizes, in the order of their keys.
            const added = Array.from({ length: more }, () => `entry ${count++} é`)
            for (let at = 0, size = 1; at < more; at += size, size = size * 3 + 1) {
              await put(bucket, `in/${String(objects++).padStart(6, '0')}.json`, lines(...added.slice(at, at + size)))
            }
            return added
          },
        }
      },
    })
    for (const { name, run } of cases) test(name, run)
  })

  test('restores topics, partitions, order, keys, headers and tombstones', async () => {
    const bucket = await s3.bucket('restore')
    const object = async (name: string, first: number, count: number): Promise<void> => {
      const offsets = Array.from({ length: count }, (_, at) => first + at)
      const key = `topics/${name}+${String(first).padStart(10, '0')}`
      await put(bucket, `${key}.json.gz`, gzipSync(lines(...offsets.map((offset) => ({ offset })))))
      await put(bucket, `${key}.keys.json`, lines(...offsets.map((offset) => `key ${offset}`)))
      const headers = offsets.map((offset) => ({ headers: [{ key: 'h', value: `${offset}` }] }))
      await put(bucket, `${key}.headers.json`, lines(...headers))
    }
    // Folders whose order is not that of the offsets.
    await object('a/hour=2/a+0', 0, 3)
    await object('a/hour=1/a+0', 3, 2)
    await object('a/hour=2/a+1', 0, 1)
    await object('b/hour=1/b+0', 7, 1)
    await put(bucket, 'topics/a/tombstone/a+0+0000000005.keys.json', lines('key 5'))
    await put(bucket, 'topics/a/tombstone/a+0+0000000005.headers.json', lines({ headers: [] }))
    await put(bucket, 'topics/c/x/c+0+0000000000.json', lines(1))
    const config = { 's3.bucket.name': bucket, 'topic.regex.list': 'new-$1:([ab])' }
    const run = start({ ...config, 'store.kafka.keys': 'true', 'store.kafka.headers': 'true' })
    const records = await run.take(8)
    const told = records.map(({ topic, partition, key, value, headers }) => [
      ...[`${topic}/${partition}`, key, (value as { offset: number } | null)?.offset, headers?.[0]?.value],
    ])
    expect(told.filter(([partition]) => partition === 'new-a/0')).toEqual([
      ...[0, 1, 2, 3, 4].map((offset) => ['new-a/0', `key ${offset}`, offset, `${offset}`]),
      ['new-a/0', 'key 5', undefined, undefined],
    ])
    expect(told).toContainEqual(['new-a/1', 'key 0', 0, '0'])
    expect(told).toContainEqual(['new-b/0', 'key 7', 7, '7'])
    // What follows values that have no keys yet waits with them, and nothing else does.
    await put(bucket, 'topics/a/hour=3/a+0+0000000006.json', lines({ offset: 6 }))
    await object('a/hour=3/a+0', 7, 1)
    await object('a/hour=3/a+1', 1, 1)
    expect(values(await run.take(1))).toEqual([{ offset: 1 }])
    await until('the warning', () => run.logs.some(({ message }) => message.includes('waits for its keys')))
    await object('a/hour=3/a+0', 6, 1)
    expect(values(await run.take(2))).toEqual([{ offset: 6 }, { offset: 7 }])
  })

  test.each(['avro', 'parquet'])(
    'restores what s3-sink wrote as %s: values, keys and headers with their schemas',
    async (format) => {
      const bucket = await s3.bucket('formats')
      const store = {
        ...s3.settings,
        's3.bucket.name': bucket,
        'store.kafka.keys': 'true',
        'store.kafka.headers': 'true',
      }
      const sink = runSink(
        s3Sink,
        {
          ...store,
          'format.class': format,
          'keys.format.class': format,
          'headers.format.class': format,
          'flush.size': '50',
        },
        { timeoutMs },
      )
      const valueSchema = schema.struct(
        {
          id: schema.int64(),
          name: schema.string({ optional: true }),
          price: schema.decimal(2),
          at: schema.timestamp(),
          tags: schema.array(schema.string()),
        },
        { name: 'Order' },
      )
      const written = Array.from({ length: 100 }, (_, at) =>
        sinkRecord({
          ...{ topic: 'orders', partition: 2, offset: at, valueSchema },
          ...{ key: `key ${at}`, keySchema: schema.string(), headers: [{ key: 'h', value: `${at}` }] },
          value: {
            id: at === 7 ? 9_007_199_254_740_993n : at,
            name: at % 3 === 0 ? null : `name ${at}`,
            price: new Decimal(BigInt(at * 101), 2),
            at: 1_700_000_000_000 + at,
            tags: [`tag ${at}`, 'é'],
          },
        }),
      )
      await sink.put(written)
      await until('both objects', async () => {
        await sink.put([])
        await sink.flush()
        return sink.committed.get({ topic: 'orders', partition: 2 }) === 100
      })
      await sink.stop()
      const records = await start(store).take(100)
      expect(records.map(({ topic, partition }) => `${topic}/${partition}`)).toEqual(Array(100).fill('orders/2'))
      expect(values(records)).toEqual(values(written as unknown as SourceRecord[]))
      expect(records.map(({ key }) => key)).toEqual(written.map(({ key }) => key))
      expect(records.map(({ headers }) => headers?.map(({ key, value }) => ({ key, value })))).toEqual(
        written.map(({ headers }) => headers.map(({ key, value }) => ({ key, value }))),
      )
      expect(records[0]!.keySchema?.type).toBe('string')
      expect(
        records[0]!.valueSchema?.fields?.map((field) => [field.name, field.schema.type, field.schema.name]),
      ).toEqual(valueSchema.fields!.map((field) => [field.name, field.schema.type, field.schema.name]))
    },
  )

  test('tasks share the objects, and go on from each other’s positions when their number changes', async () => {
    const bucket = await s3.bucket('share')
    for (let at = 0; at < 40; at++) await put(bucket, `in/${at}.json`, lines(at, at + 100))
    const two = [0, 1].map((index) => start(generic(bucket, { 'task.share': `${index}/2` })))
    const both = [await drain(two[0]!), await drain(two[1]!)]
    expect(both.every((records) => records.length > 0)).toBe(true)
    expect(values(both.flat()).toSorted()).toEqual([...Array(40).keys()].flatMap((at) => [at, at + 100]).toSorted())
    for (const run of two) await run.acknowledge()
    const offsets = new OffsetStore(two.flatMap((run) => [...run.offsets]))
    await put(bucket, 'in/new.json', lines('new'))
    const three = [0, 1, 2].map((index) => start(generic(bucket, { 'task.share': `${index}/3` }), { offsets }))
    const rest: unknown[] = []
    for (const run of three) rest.push(...values(await drain(run)))
    expect(rest).toEqual(['new'])
  })

  test.each(['lexicographic', 'modified'])('finds keys that come in behind others, in order %s', async (order) => {
    const bucket = await s3.bucket('late')
    await put(bucket, 'in/b.json', lines('b'))
    await put(bucket, 'in/d.json', lines('d'))
    const config = generic(bucket, { 'listing.order': order })
    const run = start(config)
    expect(values(await run.take(2)).toSorted()).toEqual(['b', 'd'])
    await put(bucket, 'in/a.json', lines('a'))
    expect(values(await run.take(1))).toEqual(['a'])
    await run.acknowledge()
    await run.stop()
    await put(bucket, 'in/c.json', lines('c'))
    const next = start(config, { offsets: run.offsets })
    expect(values(await next.take(1))).toEqual(['c'])
    await put(bucket, 'in/e.json', lines('e'))
    expect(values(await next.take(1))).toEqual(['e'])
  })

  test('goes on in the middle of an object, and of one that was written anew as told', async () => {
    const bucket = await s3.bucket('middle')
    await put(bucket, 'in/a.json', numbered(0, 5_000))
    const run = start(generic(bucket))
    await run.take(3_456)
    await run.acknowledge()
    await run.stop()
    const rest = await start(generic(bucket), { offsets: run.offsets }).take(1_544)
    expect(values(rest)).toEqual(Array.from({ length: 1_544 }, (_, at) => 3_456 + at))
    await put(bucket, 'in/a.json', numbered(10_000, 15_000))
    const changed = (how: string) => start(generic(bucket, { 'object.changed': how }), { offsets: run.offsets }).take(1)
    expect(values(await changed('ignore'))).toEqual([13_456])
    expect(values(await changed('reread'))).toEqual([10_000])
    await expect(changed('fail')).rejects.toThrow('in/a.json was written anew')
  })

  test('an object that was written anew after it was read', async () => {
    const bucket = await s3.bucket('anew')
    await put(bucket, 'in/a.json', lines('old'))
    const run = start(generic(bucket))
    await run.take(1)
    await run.acknowledge()
    await run.stop()
    await put(bucket, 'in/a.json', lines('new'))
    await put(bucket, 'in/b.json', lines('b'))
    const after = (how: string) => start(generic(bucket, { 'object.changed': how }), { offsets: run.offsets })
    expect(values(await drain(after('ignore')))).toEqual(['b'])
    expect(values(await drain(after('reread')))).toEqual(['new', 'b'])
    await expect(after('fail').take(1)).rejects.toThrow('object.changed=reread')
  })

  describe('after reading', () => {
    const settings: Readonly<Record<string, Config>> = {
      delete: { 'after.reading': 'delete' },
      move: { 'after.reading': 'move', 'after.reading.move.prefix': 'done/' },
      tag: { 'after.reading': 'tag', 'after.reading.tag': 'state=read' },
    }
    const odd = 'in/a b+ü%.json'
    const isDone = async (how: string, bucket: string): Promise<boolean> => {
      if (how !== 'tag') return (await keys(bucket)).every((key) => key.startsWith('done/'))
      const { TagSet = [] } = await s3.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: odd }))
      expect(TagSet).toContainEqual({ Key: 'mine', Value: '1' })
      return TagSet.some(({ Key, Value }) => Key === 'state' && Value === 'read')
    }

    test.each(['delete', 'move', 'tag'])(
      '%s: once the records are in the log, and by the successor where that came not to it',
      async (how) => {
        const bucket = await s3.bucket('after')
        await put(bucket, odd, lines(1, 2))
        await s3.client.send(
          new PutObjectTaggingCommand({ Bucket: bucket, Key: odd, Tagging: { TagSet: [{ Key: 'mine', Value: '1' }] } }),
        )
        const config = generic(bucket, settings[how])
        const run = start(config)
        const [, last] = await run.take(2)
        // Another look at the bucket later it is still there.
        expect(await drain(run)).toEqual([])
        await run.acknowledge(1)
        expect(await isDone(how, bucket)).toBe(false)
        // The last record is in the log, and the process ends.
        await run.stop()
        const stored = new OffsetStore([{ partition: last!.sourcePartition!, offset: last!.sourceOffset! }])
        const next = start(config, { offsets: stored })
        const none = next.take(1).catch(() => [])
        await until('the successor to do it', () => isDone(how, bucket))
        await next.stop()
        expect(await none).toEqual([])
        if (how === 'move') expect(await keys(bucket)).toEqual([`done/${odd}`])
      },
    )

    test('by the same task, and not with what was written anew or could not be read', async () => {
      const bucket = await s3.bucket('after')
      for (const key of ['a', 'b', 'c']) await put(bucket, `in/${key}.json`, lines(key))
      await put(bucket, 'in/d.avro', 'no Avro')
      const run = start(generic(bucket, { 'after.reading': 'delete', 'behavior.on.error': 'log' }))
      expect(values(await run.take(3))).toEqual(['a', 'b', 'c'])
      await put(bucket, 'in/b.json', lines('new'))
      expect(await drain(run)).toEqual([])
      expect(run.logs.some(({ message }) => message.includes('in/d.avro cannot be read'))).toBe(true)
      await run.acknowledge()
      await until('two deleted', async () => (await keys(bucket)).join() === 'in/b.json,in/d.avro')
      await until('a warning', () => run.logs.some(({ message }) => message.includes('is not what was read')))
    })
  })

  test('bad records go on with their error; a bad object fails the task, or is left out from there', async () => {
    const bucket = await s3.bucket('bad')
    await put(bucket, 'in/a.json', `1\nnonsense{\n3\n`)
    await put(bucket, 'in/b.avro', 'Obj, or not')
    await put(bucket, 'in/c.csv', 'id,name\n1,"x, y"\n')
    const failing = start(generic(bucket))
    const records = await failing.take(3)
    expect(records.map(({ error }) => error === undefined)).toEqual([true, false, true])
    expect(Buffer.from(records[1]!.value as Uint8Array).toString()).toBe('nonsense{')
    await expect(failing.take(1)).rejects.toThrow(
      /in\/b\.avro cannot be read from record 0 on: .*behavior\.on\.error=log/,
    )
    const tolerant = start(generic(bucket, { 'behavior.on.error': 'ignore' }), { deadLetters: true })
    const all = await tolerant.take(5)
    expect(all[3]).toMatchObject({ topic: 't', key: 'in/b.avro', value: null })
    expect(all[3]!.error?.message).toContain('cannot be read')
    expect(all[4]!.value).toMatchObject({ id: '1', name: 'x, y' })
  })

  test('an object that is deleted before it is read is passed over', async () => {
    const bucket = await s3.bucket('gone')
    await put(bucket, 'in/a.json', lines('a'))
    await put(bucket, 'in/b.json', lines('b'))
    await put(bucket, 'in/c.json', lines('c'))
    const run = start(generic(bucket))
    expect(values(await run.take(1))).toEqual(['a'])
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'in/b.json' }))
    const rest = values(await run.take(1))
    // It may have been fetched already.
    expect(rest[0] === 'c' || values([...(await run.take(1))]).includes('c')).toBe(true)
  })

  describe('over a connection that breaks', () => {
    let proxy: BreakingProxy
    beforeAll(async () => {
      proxy = await breakingProxy(s3.endpoint)
    })
    afterAll(() => proxy.close())

    test('a large object is gone on with at the next byte', async () => {
      const bucket = await s3.bucket('broken')
      await put(bucket, 'in/a.json', numbered(0, 200_000))
      // Every answer ends after so many bytes of its body.
      proxy.breakAfter(300_000)
      const run = start({ ...generic(bucket), 'store.url': proxy.endpoint, 's3.retry.backoff.ms': '1' })
      const all = values(await run.take(200_000))
      expect(all.every((value, at) => value === at)).toBe(true)
      expect(proxy.broken).toBeGreaterThan(2)
      proxy.breakAfter(undefined)
    })

    test('a store that is slow for now is asked again', async () => {
      const bucket = await s3.bucket('slow')
      await put(bucket, 'in/a.json', lines('a'))
      proxy.refuseNext(3, 503, 'SlowDown')
      const run = start({ ...generic(bucket), 'store.url': proxy.endpoint, 's3.retry.backoff.ms': '1' })
      expect(values(await run.take(1))).toEqual(['a'])
      proxy.refuseNext(1_000_000, 503, 'SlowDown')
      await put(bucket, 'in/b.json', lines('b'))
      const error: unknown = await run.take(1).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ retriable: true, code: 'S3_SLOW_DOWN' })
      proxy.refuseNext(0)
    })
  })

  describe('offsets', () => {
    const context = { connector: 'c', signal: new AbortController().signal, log: quiet, stored: [] }
    const parsed = (config: Config) => parseConfig(s3Source, { ...s3.settings, ...config })

    test('from what is newest, and from a time', async () => {
      const bucket = await s3.bucket('from')
      await put(bucket, 'in/a.json', lines('a'))
      await put(bucket, 'in/b.json', lines('b'))
      const config = generic(bucket)
      const from = async (where: 'latest' | { timestamp: number }) => {
        const changes = await s3Source.offsetsFrom!(parsed(config), where, context)
        return new OffsetStore(changes.map(({ partition, offset }) => ({ partition, offset: offset! })))
      }
      const latest = await from('latest')
      const all = await from({ timestamp: 0 })
      await put(bucket, 'in/c.json', lines('c'))
      expect(values(await start(config, { offsets: latest }).take(1))).toEqual(['c'])
      expect(values(await start(config, { offsets: all }).take(3))).toEqual(['a', 'b', 'c'])
      await expect(async () => s3Source.offsetsFrom!(parsed(config), { offset: 1 }, context)).rejects.toThrow('PATCH')
    })

    test('that are none of this connector are refused', async () => {
      const config = parsed(generic('some-bucket'))
      const alter = async (partition: Config, offset: Config) =>
        s3Source.alterOffsets!(config, [{ partition, offset }], context)
      const partition = { bucket: 'some-bucket', dir: 'in', stream: 'lane-00' }
      await expect(alter({ ...partition, bucket: 'other' }, {})).rejects.toThrow('none of this connector')
      await expect(alter(partition, { floor: 'x' })).rejects.toThrow('set or delete it over REST')
      await expect(alter(partition, { order: 'lexicographic', floor: 'in/b', done: '' })).resolves.toBe(true)
    })
  })

  test('a look at what would come leaves no trace', async () => {
    const bucket = await s3.bucket('preview')
    await put(bucket, 'in/a.json', lines('a'))
    const run = start(generic(bucket, { 'after.reading': 'delete' }), { preview: true })
    expect(values(await run.take(1))).toEqual(['a'])
    await run.acknowledge()
    await run.stop()
    expect(await keys(bucket)).toEqual(['in/a.json'])
  })

  test('trying out tells what is wrong', async () => {
    const bucket = await s3.bucket('try-out')
    const context = { signal: new AbortController().signal, log: quiet }
    const tryOut = (config: Config) => s3Source.tryOut!(parseConfig(s3Source, { ...s3.settings, ...config }), context)
    expect(await tryOut(generic(bucket))).toEqual({})
    await put(bucket, 'in/a.exe', 'x')
    expect(Object.keys(await tryOut(generic(bucket)))).toEqual(['topics.dir'])
    await put(bucket, 'in/b.json', lines(1))
    expect(await tryOut(generic(bucket))).toEqual({})
    expect(Object.keys(await tryOut(generic('no-such-bucket')))).toEqual(['s3.bucket.name'])
    const wrong = await tryOut({ ...generic(bucket), 'aws.secret.access.key': 'wrong' })
    expect(Object.keys(wrong)).toEqual(['aws.secret.access.key'])
  })
})
