import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectDevice, type Device } from '../support/devices.ts'
import { readTopic } from '../support/read-topic.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// A PUBACK is a promise: whatever device got one finds its reading in the topic, though the platform is killed under
// load again and again.

const kills = Number(process.env['TIDEWIRE_KILLS'] ?? 10)
let place: Place & { remove: () => Promise<void> }
let platform: Platform
let devices: Device[]

beforeAll(async () => {
  place = await newPlace()
  platform = await startPlatform(place, { args: ['--empty'] })
  devices = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => connectDevice(`device-${index}`, place.mqttPort)),
  )
})

afterAll(async () => {
  await platform.stop()
  await place.remove()
})

test(`after ${kills} kills under load every reading whose PUBACK came is in the topic, in order`, async () => {
  for (const device of devices) device.publishUntilStopped()
  for (let kill = 0; kill < kills; kill++) {
    const acknowledged = () => devices.reduce((sum, device) => sum + device.acknowledged.length, 0)
    const before = acknowledged()
    await until('readings to be acknowledged again', () => acknowledged() > before + 500)
    await platform.stop('SIGKILL')
    platform = await startPlatform(place, { args: ['--empty'] })
  }
  await Promise.all(devices.map(async (device) => device.stop()))

  const missing = () => new Map(devices.map(({ id, acknowledged }) => [id, new Set(acknowledged)]))
  const awaited = missing()
  const records = await readTopic(
    place.logPort,
    'sensors',
    (seen) => {
      for (const { key, value } of seen) awaited.get(key ?? '')?.delete((JSON.parse(value) as { seq: number }).seq)
      return [...awaited.values()].every((left) => left.size === 0)
    },
    60_000,
  )
  for (const { id } of devices) {
    const seqs = records.filter(({ key }) => key === id).map(({ value }) => (JSON.parse(value) as { seq: number }).seq)
    // A reading published again after a kill may be there twice; first appearances are in order.
    expect([...new Set(seqs)]).toEqual([...new Set(seqs)].sort((a, b) => a - b))
  }
})
