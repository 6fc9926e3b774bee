/** Two workers that are asked to put back the dead letters of one connector at the same time. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { temporaryFolder, testBroker, type TestBroker } from '../support/broker.ts'
import { readTopic } from '../support/read-topic.ts'
import { freePorts, startTidewire, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { restClient, testWorker, type TestWorker } from '../support/worker.ts'

type Rest = Pick<TestWorker, 'url' | 'ask' | 'deploy' | 'reaches'>

const plugins = ['countable', 'shaping'].map((name) => join(import.meta.dirname, '../fixtures/plugins', name))
const quick = {
  'session.timeout.ms': '6000',
  'heartbeat.interval.ms': '500',
  'scheduled.rebalance.max.delay.ms': '0',
  'plugin.path': plugins.join(),
}
const deadLetters = { 'errors.tolerance': 'all', 'errors.deadletterqueue.topic.name': 'letters' }

let broker: TestBroker
let folder: string
let client: LogClient
const workers: TestWorker[] = []
const processes: Running[] = []

beforeEach(async () => {
  broker = await testBroker()
  folder = await temporaryFolder()
  client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
})
afterEach(async () => {
  await Promise.all(processes.splice(0).map(async (running) => running.stop('SIGKILL')))
  for (const worker of workers.splice(0)) await worker.close()
  await client.close()
  await broker.close()
  await rm(folder, { recursive: true })
})

const path = (name: string): string => join(folder, name)

async function worker(settings: Readonly<Record<string, string>> = {}): Promise<Rest> {
  const started = await testWorker(broker.address, { ...quick, ...settings })
  workers.push(started)
  return started
}

/** One that can be stopped where it is. */
async function workerProcess(): Promise<Rest & Running> {
  const [port] = await freePorts(1)
  const settings = { ...quick, 'bootstrap.servers': broker.address, listeners: `http://127.0.0.1:${port}` }
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(path('worker.properties'), text.join(''))
  const running = await startTidewire(['worker', path('worker.properties')])
  processes.push(running)
  const url = `http://127.0.0.1:${port}`
  return { ...running, ...restClient(url), url }
}

interface Line {
  readonly done?: true
  readonly ended?: string
  readonly error?: string
  readonly offset?: number
  readonly outcome?: string
}

async function post({ url }: Rest, connector: string, body: object): Promise<Response> {
  return fetch(`${url}/connectors/${connector}/dlq/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // Nothing here ends by the time that it takes.
    body: JSON.stringify({ limit: 10_000, timeoutMs: 900_000, ...body }),
  })
}

interface Redriven {
  readonly status: number
  readonly delivered: readonly number[]
  readonly text: string
  readonly end: Line | undefined
}

async function outcome(response: Response): Promise<Redriven> {
  const text = await response.text()
  const { status } = response
  if (status !== 200) return { status, delivered: [], text, end: undefined }
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const delivered = lines.flatMap((line) => (line.outcome === 'delivered' ? [line.offset!] : []))
  return { status, delivered, text, end: lines.at(-1) }
}

const redrive = async (at: Rest, connector: string, body: object = {}): Promise<Redriven> =>
  outcome(await post(at, connector, body))

/** How many letters count as put back. */
async function marked(): Promise<number> {
  const position = (await client.admin.groupOffsets('tidewire-redrive-c'))[0]
  return position?.offset ?? 0
}

/** Once it has its place, and works. */
async function begun(): Promise<void> {
  await until('a re-drive', async () => {
    const group = await client.admin.group('tidewire-redriving-c')
    return group?.state === 'Stable' && group.members.length === 1
  })
}

interface Pipeline {
  /** Makes so many dead letters, and mends the connector that they are of. */
  readonly break: (at: Rest, count: number) => Promise<readonly string[]>
  /** What was delivered. */
  readonly delivered: () => Promise<readonly string[]>
}

async function lettersOf(count: number): Promise<void> {
  await until(`${count} dead letters`, async () => {
    if ((await client.admin.topics(['letters'])).length === 0) return undefined
    return (await client.admin.offsets([{ topic: 'letters', partition: 0 }], 'latest'))[0]!.offset >= count
  })
}

const sink: Pipeline = {
  break: async (at, count) => {
    await client.admin.createTopics([{ topic: 'values', partitions: 1, replicationFactor: 1 }])
    const config = {
      'connector.class': 'lines',
      topics: 'values',
      file: path('out.txt'),
      'hold.file': path('hold'),
      ...deadLetters,
    }
    await at.deploy('c', { ...config, 'value.converter': 'json' })
    const values = Array.from({ length: count }, (_, i) => `poison ${i}`)
    const producer = client.producer()
    await producer.produce(values.map((value) => ({ topic: 'values', key: null, value })))
    await producer.close()
    await lettersOf(count)
    await at.deploy('c', { ...config, 'value.converter': 'string' })
    return values
  },
  delivered: async () => (await readFile(path('out.txt'), 'utf8')).split('\n').slice(0, -1),
}

const source: Pipeline = {
  break: async (at, count) => {
    const values = Array.from({ length: count }, (_, i) => `line ${i}`)
    await writeFile(path('in.txt'), values.map((value) => `${value}\n`).join(''))
    const config = {
      'connector.class': 'file-source',
      file: path('in.txt'),
      topic: 'lines',
      ...deadLetters,
      // Where there is this file, it does not come to its end.
      transforms: 'gate',
      'transforms.gate.type': 'gate',
      'transforms.gate.value': `line ${count - 1}`,
      'transforms.gate.while.file': path('gate'),
    }
    // Bytes it cannot make of text.
    await at.deploy('c', { ...config, 'value.converter': 'bytes' })
    await lettersOf(count)
    await at.deploy('c', { ...config, 'value.converter': 'string' })
    return values
  },
  delivered: async () => {
    // What comes after all else, so that whoever reads knows that it has seen all.
    const producer = client.producer()
    await producer.produce([{ topic: 'lines', key: null, value: 'the last' }])
    await producer.close()
    const seen = await readTopic(broker.port, 'lines', (records) => records.at(-1)?.value === 'the last')
    return seen.slice(0, -1).map(({ value }) => value)
  },
}

describe.each(['enabled', 'disabled'])('with exactly-once support %s', (support) => {
  const settings = { 'exactly.once.source.support': support }

  test('while a sink is held up in one, the other refuses; nothing is marked, and each letter is delivered once', async () => {
    const [first, second] = [await worker(settings), await worker(settings)]
    const values = await sink.break(first, 700)
    await writeFile(path('hold'), '')
    const running = redrive(first, 'c')
    await begun()
    const refused = await redrive(second, 'c')
    expect(refused.status).toBe(409)
    expect(refused.text).toContain(`by worker ${new URL(first.url).host} already`)
    expect(await marked()).toBe(0)
    await rm(path('hold'))
    const done = await running
    expect(done.end).toMatchObject({ done: true, ended: 'end' })
    expect(done.delivered).toHaveLength(700)
    expect(await sink.delivered()).toEqual(values)
    expect(await marked()).toBe(700)
    expect((await redrive(second, 'c')).delivered).toEqual([])
  })

  test.each(['sink', 'source'] as const)(
    'of a %s, asked of both at once again and again: each letter is delivered once',
    async (kind) => {
      const { break: fail, delivered } = { sink, source }[kind]
      const [first, second] = [await worker(settings), await worker(settings)]
      const values = await fail(first, 1000)
      const told: number[] = []
      while ((await marked()) < values.length) {
        const before = await marked()
        const both = await Promise.all([first, second].map(async (at) => redrive(at, 'c', { limit: 250 })))
        for (const { status, text, end } of both) {
          expect([200, 409], text).toContain(status)
          if (status === 200) expect(end).not.toHaveProperty('error')
        }
        told.push(...both.flatMap((each) => each.delivered))
        expect(await marked()).toBeGreaterThan(before)
        expect(await marked()).toBe(told.length)
      }
      expect(told.toSorted((a, b) => a - b)).toEqual(values.map((_, i) => i))
      expect((await delivered()).toSorted()).toEqual(values.toSorted())
    },
  )
})

test('a worker that is killed while its sink is held up: nothing is marked, and the other delivers', async () => {
  const [held, other] = [await workerProcess(), await worker()]
  const values = await sink.break(other, 20)
  await writeFile(path('hold'), '')
  const running = redrive(held, 'c').catch(() => undefined)
  await begun()
  await held.stop('SIGKILL')
  await running
  expect(await marked()).toBe(0)
  await rm(path('hold'))
  // It waits for the end of the other's session.
  expect((await redrive(other, 'c')).delivered).toHaveLength(20)
  expect(await sink.delivered()).toEqual(values)
})

test('a worker that is held for longer than its session, in the middle of a source: it writes nothing more', async () => {
  const [held, other] = [await workerProcess(), await worker()]
  const values = await source.break(other, 5000)
  await writeFile(path('gate'), '')
  const response = await post(held, 'c', {})
  // The first are told: more are under way.
  const reader = response.body!.getReader()
  await reader.read()
  process.kill(held.pid, 'SIGSTOP')
  expect(await marked()).toBeLessThan(5000)
  await rm(path('gate'))
  const rest = await redrive(other, 'c')
  expect(rest.end).toMatchObject({ ended: 'end', redriven: [{ offset: 5000 }] })
  process.kill(held.pid, 'SIGCONT')
  const chunks: Uint8Array[] = []
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value as Uint8Array)
  const end = JSON.parse(Buffer.concat(chunks).toString().trim().split('\n').at(-1)!) as Line
  // It wakes with its time over, or learns first that its place is another's.
  expect(end.done).toBe(true)
  expect(['failed', 'timeout']).toContain(end.ended)
  if (end.ended === 'failed') expect(end.error).toContain('out of touch')
  expect((await source.delivered()).toSorted()).toEqual(values.toSorted())
})
