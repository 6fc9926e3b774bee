/** Server-sent events and the set of configs over the bundled log, by the client that the command line uses. */
import { connect } from 'node:net'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { OutRecord } from '../../core/src/client/client.ts'
import { RestClient } from '../../core/src/rest-client/rest-client.ts'
import type { ServerEvent } from '../../core/src/rest-client/server-events.ts'
import { freePorts, startTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import type { TestWorker } from '../support/worker.ts'
import { workerSet } from '../support/worker-set.ts'

const quick = { 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '500', 'scheduled.rebalance.max.delay.ms': '0' }
const set = workerSet({ defaults: quick })

const clientOf = ({ url }: TestWorker): RestClient => new RestClient({ url })

/** Events as they come. */
function collect(events: AsyncIterable<ServerEvent>) {
  const seen: ServerEvent[] = []
  const ended = (async () => {
    for await (const event of events) seen.push(event)
  })()
  ended.catch(() => undefined)
  return { seen, ended }
}

async function takeFirst(count: number, events: AsyncIterable<ServerEvent>): Promise<ServerEvent[]> {
  const seen: ServerEvent[] = []
  for await (const event of events) if (seen.push(event) === count) break
  return seen
}

async function topic(name: string, partitions: number, records: Omit<OutRecord, 'topic'>[]): Promise<void> {
  await set.client.admin.createTopics([{ topic: name, partitions, replicationFactor: 1 }])
  await produce(name, records)
}

async function produce(name: string, records: Omit<OutRecord, 'topic'>[]): Promise<void> {
  const producer = set.client.producer()
  const { failures } = await producer.produce(records.map((record) => ({ topic: name, ...record })))
  expect(failures).toEqual([])
  await producer.close()
}

/** Keys of what is in a topic of one partition now. */
async function keysOf(name: string): Promise<string[]> {
  const [end] = await set.client.admin.offsets([{ topic: name, partition: 0 }], 'latest')
  const reader = set.client.reader()
  reader.assign([{ topic: name, partition: 0, offset: 'earliest' }])
  const keys: string[] = []
  for (let at = 0; at < end!.offset;) {
    for (const { records, nextOffset } of await reader.poll({ maxWaitMs: 1000 })) {
      keys.push(...records.map(({ key }) => String(key)))
      at = nextOffset
    }
  }
  await reader.close()
  return keys
}

const value = (text: string, partition = 0) => ({ partition, key: null, value: text })
const valuesOf = (events: readonly ServerEvent[]): unknown[] =>
  events
    .filter(({ event }) => event === 'record')
    .map(({ data }) => (JSON.parse(data) as { value: { data: unknown } }).value.data)

describe('the tail of a topic', () => {
  test('begins where it is told to, and goes on as records come', async () => {
    await topic('t', 1, [value('a'), value('b'), value('c')])
    const client = clientOf(await set.start())
    const tail = (from: string, more: { partition?: number } = {}, signal?: AbortSignal) =>
      client.events('GET /topics/{topic}/tail', {
        path: { topic: 't' },
        query: { from, ...more },
        ...(signal === undefined ? {} : { signal }),
      })
    const stop = new AbortController()
    const [all, newest] = [collect(tail('earliest', {}, stop.signal)), collect(tail('latest', {}, stop.signal))]
    await until('the old records, and the place of the new', () => all.seen.length === 4 && newest.seen.length === 1)
    await produce('t', [value('d')])
    await until('the new record', () => valuesOf(all.seen).length === 4 && valuesOf(newest.seen).length === 1)
    expect(valuesOf(all.seen)).toEqual(['a', 'b', 'c', 'd'])
    expect(valuesOf(newest.seen)).toEqual(['d'])
    expect(valuesOf(await takeFirst(3, tail('2', { partition: 0 })))).toEqual(['c', 'd'])
    stop.abort()
    await expect(takeFirst(1, tail('7', { partition: 0 }))).rejects.toMatchObject({
      status: 400,
      message: 'Partition 0 of t has the offsets 0 to 4, and no offset 7',
    })
  })

  test('goes on after the event seen last, in each partition', async () => {
    const first = Array.from({ length: 6 }, (_, i) => value(`first ${i}`, i % 3))
    await topic('t', 3, first)
    const client = clientOf(await set.start())
    const tail = (lastEventId?: string) =>
      client.events('GET /topics/{topic}/tail', {
        path: { topic: 't' },
        query: { from: 'earliest', limit: 6 },
        ...(lastEventId === undefined ? {} : { lastEventId }),
      })
    const before = await takeFirst(8, tail())
    expect(before.map(({ event }) => event)).toEqual(['ready', ...Array<string>(6).fill('record'), 'end'])
    await produce(
      't',
      Array.from({ length: 6 }, (_, i) => value(`second ${i}`, i % 3)),
    )
    const after = await takeFirst(8, tail(before.at(-1)!.id))
    expect(valuesOf(before).sort()).toEqual(first.map((record) => record.value))
    expect(valuesOf(after).sort()).toEqual(Array.from({ length: 6 }, (_, i) => `second ${i}`))
  })

  test('shows what records hold, in the form asked for, cut where it is long', async () => {
    const long = 'x'.repeat(100_000)
    const headers = [{ key: 'h', value: Buffer.from([0xff]) }]
    await topic('t', 1, [
      { partition: 0, key: 'k', value: '{"id":\n12345678901234567890}', headers, timestamp: 1000 },
      { partition: 0, key: null, value: null },
      { partition: 0, key: null, value: long },
    ])
    const client = clientOf(await set.start())
    const records = async (format: 'json' | 'text' | 'base64'): Promise<string[]> => {
      const query = { from: 'earliest', limit: 3, format }
      const events = await takeFirst(4, client.events('GET /topics/{topic}/tail', { path: { topic: 't' }, query }))
      return events.slice(1).map(({ data }) => data)
    }
    const [first, second, third] = await records('json')
    expect(first).toBe(
      '{"topic":"t","partition":0,"offset":0,"timestamp":1000,"key":{"encoding":"utf-8","data":"k","size":1},' +
        '"value":{"encoding":"json","data":{"id":\n12345678901234567890},"size":28},' +
        '"headers":[{"key":"h","value":{"encoding":"base64","data":"/w==","size":1}}]}',
    )
    expect(JSON.parse(second!)).toMatchObject({ offset: 1, key: null, value: null, headers: [] })
    expect(JSON.parse(third!)).toMatchObject({
      value: { encoding: 'utf-8', data: long.slice(0, 65_536), size: 100_000, truncated: true },
    })
    expect(JSON.parse((await records('text'))[0]!)).toMatchObject({ value: { encoding: 'utf-8' } })
    expect(JSON.parse((await records('base64'))[0]!)).toMatchObject({ key: { encoding: 'base64', data: 'aw==' } })
  })

  test('waits for a client that reads slowly, and loses nothing', async () => {
    const values = Array.from({ length: 600 }, (_, i) => String(i).padEnd(50_000, '.'))
    await topic('t', 1, [])
    for (let i = 0; i < values.length; i += 20)
      await produce(
        't',
        values.slice(i, i + 20).map((text) => value(text)),
      )
    const { url } = await set.start()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    socket.write('GET /topics/t/tail?from=earliest&limit=600 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    await once(socket, 'readable')
    // Another tail of the same worker gets all of it meanwhile: the first had all the time there was.
    const query = { from: 'earliest', limit: 600 }
    const other = new RestClient({ url }).events('GET /topics/{topic}/tail', { path: { topic: 't' }, query })
    expect(valuesOf(await takeFirst(602, other))).toEqual(values)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    const seen = [...text.matchAll(/"data":"(\d+)\./g)].map(([, number]) => Number(number))
    expect(seen).toEqual(values.map((_, i) => i))
    expect(text).toContain('event: end')
  })

  test('is refused for what nobody is to see, what is not there, and what is asked wrongly', async () => {
    await topic('t', 2, [])
    const running = await set.start()
    const refusals = {
      'connect-configs/tail': [403, 'Topic connect-configs holds what nobody is to see: it cannot be read by this API'],
      '__consumer_offsets/tail': [403, expect.any(String)],
      'nowhere/tail': [404, 'Topic nowhere not found'],
      'a%2Fb/tail': [404, 'Topic a/b not found'],
      't/tail?partition=2': [404, 'Topic t has the partitions 0 to 1, and no partition 2'],
      't/tail?from=1': [400, 'An offset is one of a partition: give partition as well'],
      't/tail?from=now': [400, 'from must be an offset, latest or earliest'],
      't/tail?limit=0': [400, 'limit must be a whole number of at least 1'],
      't/tail?format=xml': [400, 'format must be text, json or base64'],
    }
    for (const [path, [status, message]] of Object.entries(refusals)) {
      const answer = await running.ask('GET', `/topics/${path}`)
      expect([path, answer.status, answer.body]).toEqual([path, status, { error_code: status, message }])
    }
  })

  test('is one of a few at a time on a worker, and gives its place back', async () => {
    await topic('t', 1, [])
    const client = clientOf(await set.start())
    const stop = new AbortController()
    const tail = (signal: AbortSignal) => client.events('GET /topics/{topic}/tail', { path: { topic: 't' }, signal })
    const open = Array.from({ length: 8 }, () => collect(tail(stop.signal)))
    await until('eight tails', () => open.every(({ seen }) => seen.length === 1))
    const never = new AbortController().signal
    await expect(takeFirst(1, tail(never))).rejects.toMatchObject({ status: 503, retryAfter: 1 })
    stop.abort()
    await until('a free place', async () => (await takeFirst(1, tail(never)).catch(() => [])).length === 1)
  })

  test('ends with its worker', async () => {
    await topic('t', 1, [value('a')])
    const running = await set.start()
    const path = { topic: 't' }
    const { seen, ended } = collect(clientOf(running).events('GET /topics/{topic}/tail', { path }))
    await until('the tail', () => seen.length === 1)
    await set.stop(running)
    await ended
  })
})

describe('a cluster', () => {
  const lines = (name: string) => ({ 'connector.class': 'file-source', file: join(set.folder, name), topic: name })

  test('applies a set of configs at any worker, and tells of it at every worker', async () => {
    const [first, second] = [await set.start(), await set.start()]
    const told = [first, second].map((each) => {
      const stop = new AbortController()
      onTestFinished(() => stop.abort())
      return collect(clientOf(each).events('GET /events', { signal: stop.signal })).seen
    })
    await until('both listening', () => told.every((events) => events.length > 0))
    const apply = async (at: TestWorker, body: Record<string, Record<string, string>>) => {
      const { connectors } = await clientOf(at).call('PUT /connectors', { query: { delete: true }, body })
      return Object.fromEntries(Object.entries(connectors).map(([name, { action }]) => [name, action]))
    }
    // One of the two does not lead.
    expect(await apply(second, { a: lines('a'), b: lines('b') })).toEqual({ a: 'create', b: 'create' })
    await Promise.all(['a', 'b'].map((name) => first.reaches(name, 'RUNNING', 1)))
    expect(await apply(first, { b: lines('b'), c: lines('c') })).toEqual({ a: 'delete', b: 'unchanged', c: 'create' })
    expect(await apply(second, { b: lines('b'), c: lines('c') })).toEqual({ b: 'unchanged', c: 'unchanged' })
    await until('the other to know it', async () => {
      const names = (await clientOf(second).call('GET /connectors')) as string[]
      return names.toSorted().join() === 'b,c'
    })
    await first.reaches('c', 'RUNNING', 1)
    for (const events of told) {
      await until('the changes', () => {
        const texts = events.map(({ event, data }) => `${event} ${data}`)
        return (
          texts.includes('config {"connector":"a","change":"deleted"}') &&
          ['a', 'b', 'c'].every((name) =>
            texts.some((text) => text.startsWith(`status {"connector":"${name}","task":0,"state":"RUNNING"`)),
          )
        )
      })
    }
  })

  test('applies each config once, also where its leader is killed halfway', async () => {
    const [port] = await freePorts(1)
    const settings = join(set.folder, 'leader.properties')
    await writeFile(
      settings,
      Object.entries({ ...quick, 'bootstrap.servers': set.broker.address, listeners: `http://127.0.0.1:${port}` })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const leader = await startTidewire(['worker', settings])
    onTestFinished(async () => {
      await leader.stop('SIGKILL')
    })
    const other = clientOf(await set.start())
    const names = Array.from({ length: 400 }, (_, i) => `c${i}`)
    const sink = (name: string) => ({ 'connector.class': 'file-sink', file: join(set.folder, name), topics: 'none' })
    const body = Object.fromEntries(names.map((name) => [name, sink(name)]))
    const seen = async () => ((await other.call('GET /connectors')) as string[]).length
    const applying = other.call('PUT /connectors', { body })
    await until('the first of them', async () => (await seen()) > 0)
    await leader.stop('SIGKILL')
    // Those that the leader wrote before it died, and the rest by the next.
    expect(await seen()).toBeLessThan(names.length)
    const { connectors } = await applying
    expect(Object.entries(connectors).map(([name, { action }]) => `${action} ${name}`)).toEqual(
      names.map((name) => `create ${name}`),
    )
    const written = (await keysOf('connect-configs')).filter((key) => key.startsWith('connector-'))
    expect(written.sort()).toEqual(names.map((name) => `connector-${name}`).sort())
  })

  test('names every wrong config of a set, and writes none', async () => {
    const client = clientOf(await set.start())
    const body = { good: lines('good'), bad: { 'connector.class': 'file-source' }, odd: { 'connector.class': 'nope' } }
    const applying = client.call('PUT /connectors', { body })
    await expect(applying).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/^2 of 3 .*\nbad: .*\nodd: /s),
    })
    expect(await client.call('GET /connectors')).toEqual([])
    const none = client.call('PUT /connectors', { body: {}, query: { delete: true } })
    await expect(none).rejects.toMatchObject({ status: 400 })
    const named = client.call('PUT /connectors', { body: { a: { ...lines('a'), name: 'b' } } })
    await expect(named).rejects.toMatchObject({ status: 400, message: expect.stringMatching(/^a: .*doesn't match/) })
  })
})
