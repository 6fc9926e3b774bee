import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newPlace, startTidewire, type Place, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// The parts apart, as `tidewire log` and `tidewire worker config/worker.properties` run them: two processes that know each
// other by bootstrap.servers alone. Each is killed once; the other waits, and nothing is lost or doubled.

const count = 20_000
let place: Place & { remove: () => Promise<void> }
let log: Running
let worker: Running

const startLog = async () =>
  startTidewire(['log', '--data-dir', place.dataDir, '--log-port', String(place.logPort), '--log-level', 'error'])

const startWorker = async () =>
  startTidewire([
    ...['worker', 'config/worker.properties', '--log-level', 'error'],
    ...['--set', `bootstrap.servers=127.0.0.1:${place.logPort}`, `listeners=http://127.0.0.1:${place.restPort}`],
    ...['offset.flush.interval.ms=200'],
  ])

beforeAll(async () => {
  place = await newPlace()
  log = await startLog()
  worker = await startWorker()
})

afterAll(async () => {
  await worker.stop()
  await log.stop()
  await place.remove()
})

async function put(name: string, config: Record<string, string>): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${place.restPort}/connectors/${name}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(config),
  })
  expect(answer.status, await answer.text()).toBe(201)
}

async function lines(): Promise<string[]> {
  const text = await readFile(join(place.dataDir, 'readings.jsonl'), 'utf8').catch(() => '')
  return text.split('\n').slice(0, -1)
}

test('a source and a sink go on through kill -9 of the worker and of the log, exactly once', async () => {
  await put('readings', {
    'connector.class': 'datagen-source',
    'kafka.topic': 'readings',
    rate: '4000',
    iterations: String(count),
    devices: '4',
  })
  await put('to-file', {
    'connector.class': 'file-sink',
    topics: 'readings',
    file: join(place.dataDir, 'readings.jsonl'),
    'exactly.once': 'true',
  })
  await until('records to flow', async () => (await lines()).length > count / 10)
  await worker.stop('SIGKILL')
  worker = await startWorker()
  const before = (await lines()).length
  await until('records to flow again', async () => (await lines()).length > before + count / 10)
  await log.stop('SIGKILL')
  log = await startLog()

  const all = await until('all records', async () => {
    const seen = await lines()
    return seen.length >= count && seen
  })
  expect(all).toHaveLength(count)
  expect(new Set(all).size).toBe(count)
})
