import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectDevice } from '../support/devices.ts'
import { readTopic, type SeenRecord } from '../support/read-topic.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// The main job, as a newcomer meets it: npm start, sensors over MQTT, the topic, the file; a stop, and on it goes.

const devices = ['device-a', 'device-b', 'device-c', 'device-d', 'device-e']
const each = 200
let place: Place & { remove: () => Promise<void> }
let platform: Platform

beforeAll(async () => {
  place = await newPlace()
  platform = await startPlatform(place, { npm: true })
})

afterAll(async () => {
  await platform.stop()
  await place.remove()
})

interface Reading {
  readonly device?: string
  readonly deviceId?: string
  readonly seq: number
}

const deviceOf = (reading: Reading) => reading.device ?? reading.deviceId ?? ''

/** Sequence numbers by device, in the order met. */
function sequences(readings: readonly Reading[]): Map<string, number[]> {
  const byDevice = new Map<string, number[]>()
  for (const reading of readings) {
    const list = byDevice.get(deviceOf(reading)) ?? []
    list.push(reading.seq)
    byDevice.set(deviceOf(reading), list)
  }
  return byDevice
}

const upTo = (count: number) => Array.from({ length: count }, (_, seq) => seq)

async function publishFrom(ids: readonly string[], count: number): Promise<void> {
  const connected = await Promise.all(ids.map(async (id) => connectDevice(id, place.mqttPort)))
  await Promise.all(connected.map(async (device) => device.publish(count)))
  await Promise.all(connected.map(async (device) => device.stop()))
}

async function readFileUntil(enough: (readings: readonly Reading[]) => boolean): Promise<Reading[]> {
  return until('the file to hold all readings', async () => {
    const text = await readFile(join(place.dataDir, 'sensors.jsonl'), 'utf8')
    const lines = text.split('\n').slice(0, -1)
    const readings = lines.map((line) => JSON.parse(line) as Reading)
    return enough(readings) && readings
  })
}

const countOf = (records: readonly { readonly value: string }[], ids: readonly string[]) =>
  records.filter(({ value }) => ids.includes(deviceOf(JSON.parse(value) as Reading))).length

test('what devices publish is in the topic, keyed by device, once and in order', async () => {
  await publishFrom(devices, each)
  const records = await readTopic(place.logPort, 'sensors', (seen) => countOf(seen, devices) >= devices.length * each)
  for (const id of devices) {
    const own = records.filter((record: SeenRecord) => record.key === id)
    expect(own.map(({ value }) => (JSON.parse(value) as Reading).seq)).toEqual(upTo(each))
    expect(new Set(own.map(({ partition }) => partition)).size).toBe(1)
  }
})

test('the same is in the JSON-lines file', async () => {
  const total = devices.length * each
  const readings = await readFileUntil((all) => all.filter((r) => devices.includes(deviceOf(r))).length >= total)
  for (const id of devices) expect(sequences(readings).get(id)).toEqual(upTo(each))
})

test('the simulated sensors of the quickstart arrive too, without gaps', async () => {
  const readings = await readFileUntil((all) => all.filter((r) => !devices.includes(deviceOf(r))).length >= 10)
  const simulated = [...sequences(readings)].filter(([id]) => !devices.includes(id))
  expect(simulated.length).toBeGreaterThan(0)
  for (const [, seqs] of simulated) expect(seqs).toEqual(seqs.map((_, index) => seqs[0]! + index))
})

test('the REST API shows the quickstart running', async () => {
  await until('all to run', async () => {
    const answer = await fetch(`${platform.rest}/connectors?expand=status`)
    const connectors = (await answer.json()) as Record<
      string,
      { status: { connector: { state: string }; tasks: { state: string }[] } }
    >
    const states = Object.values(connectors).flatMap(({ status }) => [
      status.connector.state,
      ...status.tasks.map(({ state }) => state),
    ])
    return Object.keys(connectors).length === 3 && states.length === 6 && states.every((state) => state === 'RUNNING')
  })
})

test('Ctrl-C stops it cleanly, and a restart goes on where it was', async () => {
  await platform.stop('SIGINT')
  expect(platform.output().stdout.trimEnd().split('\n').at(-1)).toBe('Stopped.')
  expect(platform.output().stderr).toBe('')
  platform = await startPlatform(place, { npm: true })

  const late = devices.map((id) => `${id}-late`)
  await publishFrom(late, each)
  const total = 2 * devices.length * each
  const ours = (r: Reading) => deviceOf(r).startsWith('device-')
  const readings = await readFileUntil((all) => all.filter(ours).length >= total)
  for (const id of [...devices, ...late]) expect(sequences(readings).get(id)).toEqual(upTo(each))
  for (const [id, seqs] of sequences(readings)) expect(new Set(seqs).size, `doubles of ${id}`).toBe(seqs.length)
})
