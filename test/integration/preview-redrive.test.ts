/** Previews, dead letters and re-drives, over REST, with the bundled log and real connectors. */
import { access, appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import type { LogClient, OutRecord } from '../../core/src/client/client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts'
import { readTopic } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

let broker: TestBroker
let folder: string
let running: TestWorker
let client: LogClient

beforeEach(async () => {
  broker = await testBroker()
  folder = await mkdtemp(join(tmpdir(), 'tidewire-errands-'))
  client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  running = await startWorker()
})
afterEach(async () => {
  await running.close()
  await client.close()
  await broker.close()
  await rm(folder, { recursive: true })
})

async function startWorker(): Promise<TestWorker> {
  const paths = ['countable', 'late'].map((name) => join(import.meta.dirname, '../fixtures/plugins', name))
  return testWorker(broker.address, { 'plugin.path': paths.join(',') })
}

interface Shown {
  readonly encoding: string
  readonly data: string
}
interface Preview {
  readonly ended: string
  readonly error?: string
  readonly records: readonly {
    readonly topic: string
    readonly offset?: number
    readonly key: { readonly value?: unknown; readonly bytes?: Shown | null }
    readonly value: { readonly value?: unknown; readonly schema?: unknown; readonly bytes?: Shown | null }
    readonly errors: readonly { readonly stage: string; readonly message: string }[]
  }[]
  readonly log: readonly { readonly message: string }[]
}

async function preview(path: string, body: unknown): Promise<Preview> {
  const answer = await running.ask('POST', path, body)
  expect(answer).toMatchObject({ status: 200 })
  return answer.body as Preview
}

interface Line {
  readonly done?: true
  readonly ended?: string
  readonly error?: string
  readonly offset?: number
  readonly outcome?: string
  readonly stage?: string
  readonly reason?: string
  readonly redriven?: unknown
}

async function redrive(connector: string, body: unknown = {}): Promise<{ letters: Line[]; end: Line }> {
  const response = await fetch(`${running.url}/connectors/${connector}/dlq/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  return { letters: lines.slice(0, -1), end: lines.at(-1)! }
}

async function produce(records: readonly OutRecord[]): Promise<void> {
  const producer = client.producer()
  expect((await producer.produce(records)).failures).toEqual([])
  await producer.close()
}

const topic = async (name: string): Promise<unknown> =>
  client.admin.createTopics([{ topic: name, partitions: 1, replicationFactor: 1 }])
const deadLetterSettings = { 'errors.tolerance': 'all', 'errors.deadletterqueue.topic.name': 'letters' }
const json = { 'value.converter': 'json', 'value.converter.schemas.enable': 'false' }
const strings = { 'key.converter': 'string', 'value.converter': 'string' }
const linesOf = async (path: string) => (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1)
const path = (name: string): string => join(folder, name)
/** A sink of the topic `values` into the file `out.txt`. */
const sink = (connector: 'file-sink' | 'lines' | 'late', more: Readonly<Record<string, string>> = {}) => ({
  'connector.class': connector,
  file: path('out.txt'),
  topics: 'values',
  ...more,
})

/** The ends of all partitions of all topics; a preview must not move one. */
async function ends(): Promise<unknown> {
  const topics = await client.admin.topics()
  const partitions = topics.flatMap(({ topic: name, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
  )
  const offsets = await client.admin.offsets(partitions, 'latest')
  return offsets.map(({ topic: name, partition, offset }) => `${name}-${partition}: ${offset}`).sort()
}

/** The worker's own doings have come to rest. */
async function settledEnds(): Promise<unknown> {
  let before: string | undefined
  return until('a log at rest', async () => {
    const now = await ends()
    const text = JSON.stringify(now)
    if (text === before) return now
    before = text
    await new Promise((resolve) => setTimeout(resolve, 300))
    return undefined
  })
}

async function letters(
  name: string,
  count: number,
): Promise<{ letters: { offset: number; redriven: boolean; stage: string }[] }> {
  await until(`${count} dead letters`, async () => {
    if ((await client.admin.topics(['letters'])).length === 0) return undefined
    const [end] = await client.admin.offsets([{ topic: 'letters', partition: 0 }], 'latest')
    return end!.offset >= count
  })
  const { status, body } = await running.ask('GET', `/connectors/${name}/dlq?limit=1000`)
  expect(status).toBe(200)
  return body as { letters: { offset: number; redriven: boolean; stage: string }[] }
}

describe('preview', () => {
  test('of sources: what they give, as values and as bytes; the log stays as it was', async () => {
    await writeFile(path('in.txt'), Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(''))
    const file = { 'connector.class': 'file-source', file: path('in.txt'), topic: 'lines', 'value.converter': 'string' }
    await running.deploy('in', file)
    await running.reaches('in', 'RUNNING', 1)
    await readTopic(broker.port, 'connect-offsets', (seen) => seen.some(({ value }) => value === '{"position":390}'))
    const before = await settledEnds()

    const unmade = await preview('/connectors/preview', { config: { ...file, topic: 'never-made' } })
    expect(unmade).toMatchObject({ ended: 'limit' })
    expect(unmade.records).toHaveLength(10)
    expect(unmade.records[9]).toMatchObject({
      topic: 'never-made',
      value: { value: 'line 9', schema: { type: 'string' }, bytes: { encoding: 'utf-8', data: 'line 9', size: 6 } },
      key: { value: null, bytes: null },
      sourceOffset: { position: 70 },
      errors: [],
    })
    const made = await preview('/connectors/in/preview', { limit: 50 })
    expect(made.records).toHaveLength(50)
    expect(made.ended).toBe('limit')
    expect(await preview('/connectors/in/preview', { from: 'committed', timeoutMs: 300 })).toMatchObject({
      records: [],
      ended: 'timeout',
    })
    const inJson = await preview('/connectors/in/preview', {
      limit: 1,
      config: { ...file, 'value.converter': 'json', 'value.converter.schemas.enable': 'true' },
    })
    expect(JSON.parse(inJson.records[0]!.value.bytes!.data)).toEqual({
      schema: { type: 'string', optional: false },
      payload: 'line 0',
    })
    const sensors = await preview('/connectors/preview', {
      config: { 'connector.class': 'datagen-source', 'kafka.topic': 'x' },
    })
    expect(sensors.records).toHaveLength(10)

    expect(await ends()).toEqual(before)
    expect(await client.admin.topics(['never-made', 'x'])).toEqual([])
  })

  test('of a sink: the records of its topics with what is wrong with them, from where one asks', async () => {
    await topic('values')
    await produce(
      ['{"n":9007199254740993}', 'nonsense', '{"n":3}'].map((value) => ({ topic: 'values', key: 'k', value })),
    )
    const config = sink('file-sink', { 'key.converter': 'string' })
    const before = await settledEnds()
    const response = await fetch(`${running.url}/connectors/preview`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ config }),
    })
    const text = await response.text()
    expect(text).toContain('"value":{"n":9007199254740993}')
    const all = JSON.parse(text) as Preview
    expect(all.ended).toBe('end')
    expect(all.records.map(({ offset, errors }) => [offset, errors.map(({ stage }) => stage)])).toEqual([
      [0, []],
      [1, ['VALUE_CONVERTER']],
      [2, []],
    ])
    const newest = await preview('/connectors/preview', { config, from: 'latest', limit: 1 })
    expect(newest.records.map(({ offset }) => offset)).toEqual([2])
    const chosen = await preview('/connectors/preview', { config, from: [{ topic: 'values', offset: 1 }], limit: 1 })
    expect(chosen.records.map(({ offset }) => offset)).toEqual([1])
    const beyond = { config, from: [{ topic: 'values', offset: 9 }] }
    expect(await running.ask('POST', '/connectors/preview', beyond)).toMatchObject({ status: 400 })
    expect(await linesOf(path('out.txt'))).toEqual([])
    expect(await ends()).toEqual(before)
    expect(await client.admin.groupOffsets('connect-preview')).toEqual([])
  })

  test('refuses what cannot be, as a POST does, and what would disturb others', async () => {
    const ask = (config: Record<string, string>) => running.ask('POST', '/connectors/preview', { config })
    expect(await ask({ 'connector.class': 'file-source' })).toMatchObject({ status: 400 })
    expect(await ask({ 'connector.class': 'none' })).toMatchObject({ status: 400 })
    const gateway = await ask({ 'connector.class': 'mqtt-gateway' })
    expect(gateway).toMatchObject({ status: 400 })
    expect(JSON.stringify(gateway.body)).toContain('cannot be previewed')
    expect(await running.ask('POST', '/connectors/none/preview', {})).toMatchObject({ status: 404 })
    expect(await running.ask('POST', '/connectors/preview', { config: {}, limit: 1001 })).toMatchObject({ status: 400 })
    // A connector of that name is one like any other.
    expect(await running.ask('GET', '/connectors/preview')).toMatchObject({ status: 404 })
  })

  test.each([
    ['fail', 'failed as told'],
    ['throw-in-timer', 'thrown in a timer'],
    ['exit', 'its thread ended by itself'],
  ])('of a source that ends badly (%s): what it gave is shown, with the reason', async (how, reason) => {
    const config = { 'connector.class': 'misbehaving', how, topic: 'given' }
    const shown = await preview('/connectors/preview', { config })
    expect(shown).toMatchObject({ ended: 'failed', records: [{ topic: 'given', value: { value: 'before' } }] })
    expect(shown.error).toContain(reason)
    expect(await running.ask('GET', '/connectors')).toMatchObject({ status: 200 })
  })

  test('of a source that blocks its thread: the worker and other previews go on, and it can be stopped', async () => {
    const begun = path('begun')
    const blocking = { 'connector.class': 'misbehaving', how: 'block', 'begun.file': begun }
    const looker = new AbortController()
    const looking = fetch(`${running.url}/connectors/preview`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ config: blocking }),
      signal: looker.signal,
    })
    const given = expect(looking).rejects.toThrow()
    await until('the source to block', () =>
      access(begun).then(
        () => true,
        () => false,
      ),
    )
    expect(await running.ask('GET', '/connectors')).toMatchObject({ status: 200 })
    const config = { 'connector.class': 'datagen-source', 'kafka.topic': 'x' }
    expect((await preview('/connectors/preview', { config })).records).toHaveLength(10)
    looker.abort()
    await given
  })
})

describe('re-drive', () => {
  test.each(['true', 'false'])(
    'of a sink, context headers %s: delivers exactly what is mended, once',
    async (context) => {
      await topic('values')
      const headers = { 'errors.deadletterqueue.context.headers.enable': context }
      const config = sink('file-sink', { ...json, ...deadLetterSettings, ...headers })
      await running.deploy('out', config)
      await produce(
        ['"a"', 'poison', '"b"'].map((value) => ({
          topic: 'values',
          key: null,
          value,
          headers: [{ key: 'h', value: 'x' }],
        })),
      )
      const listed = await letters('out', 1)
      expect(listed).toMatchObject({
        letters: [
          {
            offset: 0,
            redriven: false,
            connector: 'out',
            stage: 'VALUE_CONVERTER',
            origin: { topic: 'values', partition: 0, offset: 1 },
            value: { encoding: 'utf-8', data: 'poison' },
            headers: [{ key: 'h' }],
          },
        ],
      })
      await until('a and b', async () => (await linesOf(path('out.txt'))).length === 2)

      const again = await redrive('out', { dryRun: true })
      expect(again.letters).toMatchObject([{ offset: 0, outcome: 'rejected', stage: 'VALUE_CONVERTER' }])
      expect(again.end).toMatchObject({ done: true, ended: 'end', redriven: [] })

      await running.deploy('out', { ...config, 'value.converter': 'string' })
      const mended = await redrive('out')
      expect(mended.letters).toMatchObject([{ offset: 0, outcome: 'delivered' }])
      expect(await linesOf(path('out.txt'))).toEqual(['a', 'b', 'poison'])
      const nothing = await redrive('out')
      expect(nothing.letters).toEqual([])
      expect(await linesOf(path('out.txt'))).toHaveLength(3)
      expect(await letters('out', 1)).toMatchObject({ letters: [{ redriven: true }] })
      // Chosen by its offset, it goes again.
      const chosen = await redrive('out', { offsets: [{ offset: 0 }, { offset: 7 }] })
      expect(chosen.letters).toMatchObject([{ outcome: 'delivered' }, { offset: 7, outcome: 'skipped' }])
      expect(await linesOf(path('out.txt'))).toHaveLength(4)
    },
  )

  test('of an exactly-once file sink: beside its task refused, and once it is stopped, delivered with its positions kept', async () => {
    await topic('values')
    const config = sink('file-sink', { 'exactly.once': 'true', ...json, ...deadLetterSettings })
    await running.deploy('out', config)
    await produce(['"a"', 'poison', '"b"'].map((value) => ({ topic: 'values', key: null, value })))
    await letters('out', 1)
    await until('a and b', async () => (await linesOf(path('out.txt'))).length === 2)
    await running.deploy('out', { ...config, 'value.converter': 'string' })
    expect(await running.ask('POST', '/connectors/out/dlq/redrive', {})).toMatchObject({ status: 400 })
    await running.ask('PUT', '/connectors/out/stop')
    await running.reaches('out', 'STOPPED')
    expect((await redrive('out')).letters).toMatchObject([{ outcome: 'delivered' }])
    await running.ask('PUT', '/connectors/out/resume')
    await produce([{ topic: 'values', key: null, value: 'c' }])
    await until('c', async () => (await linesOf(path('out.txt'))).includes('c'))
    expect(await linesOf(path('out.txt'))).toEqual(['a', 'b', 'poison', 'c'])
  })

  test('of a sink that rejects: what it rejects again is no second letter', async () => {
    await topic('values')
    const config = sink('lines', { 'value.converter': 'string', ...deadLetterSettings })
    await running.deploy('out', { ...config, reject: 'x,y' })
    await produce(['a', 'x', 'y', 'b'].map((value) => ({ topic: 'values', key: null, value })))
    await letters('out', 2)
    await running.deploy('out', { ...config, reject: 'y' })
    const { letters: redriven, end } = await redrive('out')
    expect(redriven).toMatchObject([
      { offset: 0, outcome: 'delivered' },
      { offset: 1, outcome: 'rejected', stage: 'TASK_PUT', reason: 'no room for y' },
    ])
    expect(end).toMatchObject({ redriven: [{ partition: 0, offset: 2 }] })
    expect((await letters('out', 2)).letters).toHaveLength(2)
    expect((await linesOf(path('out.txt'))).filter((line) => line === 'x')).toHaveLength(1)
  })

  test('of a source: the record that could not be converted is produced, with all its digits', async () => {
    await writeFile(path('in.txt'), 'a\n')
    const config = {
      'connector.class': 'file-source',
      file: path('in.txt'),
      topic: 'lines',
      // Bytes it cannot make of text.
      'value.converter': 'bytes',
      ...deadLetterSettings,
    }
    await running.deploy('in', config)
    const listed = await letters('in', 1)
    expect(listed.letters[0]).toMatchObject({ connector: 'in', stage: 'VALUE_CONVERTER', value: { data: 'a' } })
    await running.deploy('in', { ...config, 'value.converter': 'string' })
    const { letters: redriven } = await redrive('in')
    expect(redriven).toMatchObject([{ outcome: 'delivered', to: { topic: 'lines', partition: 0, offset: 0 } }])
    expect((await redrive('in')).letters).toEqual([])
    await appendFile(path('in.txt'), 'b\n')
    const seen = await until('both', async () => {
      const shown = await preview('/connectors/preview', {
        config: { 'connector.class': 'file-sink', file: path('none'), topics: 'lines', 'value.converter': 'string' },
      })
      return shown.records.length >= 2 ? shown.records.map(({ value }) => value.value) : undefined
    })
    expect(seen).toEqual(['a', 'b'])
  })

  test('says what is missing', async () => {
    const config = sink('file-sink')
    await running.deploy('out', config)
    expect(await running.ask('GET', '/connectors/out/dlq')).toMatchObject({ status: 404 })
    expect(await running.ask('POST', '/connectors/none/dlq/redrive', {})).toMatchObject({ status: 404 })
    await running.deploy('out', { ...config, ...deadLetterSettings })
    expect(await running.ask('GET', '/connectors/out/dlq')).toMatchObject({
      status: 200,
      body: { letters: [], next: [] },
    })
    expect((await redrive('out')).end).toMatchObject({ done: true, ended: 'end' })
    expect(await running.ask('POST', '/connectors/out/dlq/redrive', { from: -1 })).toMatchObject({ status: 400 })
  })
})

describe('a sink that learns late that a record failed', () => {
  test('reports it: the letter has the bytes, and is there before the offset is committed', async () => {
    await topic('values')
    await running.deploy('late', sink('late', { ...strings, ...deadLetterSettings }))
    await produce(['a', 'x', 'b'].map((value) => ({ topic: 'values', key: 'k', value })))
    await until('the commit', async () => (await client.admin.groupOffsets('connect-late'))[0]?.offset === 3)
    // Committed after it: it is there already.
    const { letters: listed } = await letters('late', 1)
    expect(listed).toMatchObject([
      { stage: 'TASK_PUT', key: { data: 'k' }, value: { data: 'x' }, origin: { offset: 1 } },
    ])
  })

  test('where errors are not tolerated: the task fails, and the record is not passed', async () => {
    await topic('values')
    await running.deploy('late', sink('late', strings))
    await produce(['a', 'x', 'b'].map((value) => ({ topic: 'values', key: 'k', value })))
    await until('the failure', async () => {
      const { tasks } = await running.status('late')
      return tasks[0]?.state === 'FAILED' && tasks[0].trace?.includes('offset 1')
    })
    expect(await client.admin.groupOffsets('connect-late')).not.toMatchObject([{ offset: 3 }])
  })
})

test('a worker that ends in the middle of a re-drive: what was told is done, and the next one delivers the rest', async () => {
  await topic('values')
  const config = sink('late', { ...deadLetterSettings, 'hold.file': path('hold') })
  await running.deploy('late', { ...config, ...json })
  const values = Array.from({ length: 1200 }, (_, i) => `poison ${i}`)
  await produce(values.map((value) => ({ topic: 'values', key: null, value })))
  await letters('late', 1200)
  await running.deploy('late', { ...config, 'value.converter': 'string' })
  await writeFile(path('hold'), '')
  const response = await fetch(`${running.url}/connectors/late/dlq/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ limit: 10_000 }),
  })
  expect(response.status).toBe(200)
  // The first are told, and the next are held up. The thread ends at once, wherever it is.
  const reader = response.body!.getReader()
  await reader.read()
  const closing = running.close()
  await reader.cancel().catch(() => undefined)
  await closing
  await rm(path('hold'))
  const moved = (await client.admin.groupOffsets('tidewire-redrive-late'))[0]?.offset ?? 0
  expect(moved).toBeGreaterThan(0)
  expect(moved).toBeLessThan(1200)
  expect((await linesOf(path('out.txt'))).length).toBeGreaterThanOrEqual(moved)

  running = await startWorker()
  await running.reaches('late', 'RUNNING', 1)
  const { letters: rest, end } = await redrive('late', { limit: 10_000 })
  expect(end).toMatchObject({ ended: 'end', redriven: [{ offset: 1200 }] })
  expect(rest[0]).toMatchObject({ offset: moved, outcome: 'delivered' })
  expect(new Set(await linesOf(path('out.txt')))).toEqual(new Set(values))
})

test.skipIf(!hasMosquitto())('an MQTT payload that cannot be read: a letter, put back as bytes', async () => {
  const mosquitto = await startMosquitto()
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${mosquitto.port}`)
  try {
    const config = {
      'connector.class': 'mqtt-source',
      'mqtt.server.uri': `tcp://127.0.0.1:${mosquitto.port}`,
      'mqtt.topics': 'd/#',
      'mqtt.qos': '1',
      'mqtt.payload.format': 'json',
      'kafka.topic': 'readings',
      'value.converter': 'bytes',
      ...deadLetterSettings,
    }
    await running.deploy('m', { ...config, ...json })
    await running.reaches('m', 'RUNNING', 1)
    const looking = preview('/connectors/m/preview', { limit: 2, timeoutMs: 60_000 })
    let shown: Preview | undefined
    void looking.then((done) => (shown = done))
    // Whoever looks subscribes some time after the call: both see what comes from then on.
    await until('a look', async () => {
      await publisher.publishAsync('d/1', 'nonsense', { qos: 1 })
      return shown
    })
    expect(shown).toMatchObject({ ended: 'limit', records: [{ errors: [{ stage: 'TASK_POLL' }] }, {}] })
    const { letters: listed } = await letters('m', 2)
    expect(listed[0]).toMatchObject({ connector: 'm', stage: 'TASK_POLL', value: { data: 'nonsense' } })
    await running.deploy('m', config)
    const { letters: redriven } = await redrive('m', { offsets: [{ offset: 0 }] })
    expect(redriven).toMatchObject([{ outcome: 'delivered', to: { topic: 'readings' } }])
    const readings = sink('file-sink', { topics: 'readings', 'value.converter': 'bytes' })
    const delivered = await preview('/connectors/preview', { config: readings })
    expect(delivered.records.map(({ value }) => value.bytes!.data)).toEqual(['nonsense'])
  } finally {
    await publisher.endAsync(true)
    await mosquitto.stop()
  }
})
