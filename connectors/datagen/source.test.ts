import { runSource } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { hashed } from './random.ts'
import { Device, type Reading } from './readings.ts'
import { datagenSource } from './source.ts'

const config = { 'kafka.topic': 'sensors', rate: '0', iterations: '25', devices: '4', 'start.time': '1700000000000' }

test('gives each device its readings in turn, keyed by device, and ends', async () => {
  const records = await runSource(datagenSource, config).takeAll()
  expect(records).toHaveLength(25)
  expect(records[5]).toMatchObject({
    topic: 'sensors',
    key: 'sensor-2',
    value: { deviceId: 'sensor-2', seq: 1, ts: 1700000001000 },
    sourceOffset: { count: 6 },
  })
})

test('goes on after a restart with the very records that were still to come', async () => {
  const whole = await runSource(datagenSource, config).takeAll()
  const run = runSource(datagenSource, config)
  await run.take(25)
  await run.acknowledge(11)
  await run.stop()
  const rest = await runSource(datagenSource, config, { offsets: run.offsets }).takeAll()
  expect(rest).toEqual(whole.slice(11))
})

test('another seed gives other readings', async () => {
  const [one, other] = await Promise.all(
    ['1', '2'].map((seed) => runSource(datagenSource, { ...config, 'random.seed': seed }).takeAll()),
  )
  expect(one![0]!.value).not.toEqual(other![0]!.value)
})

test('keeps to the rate, and stops while it waits', async () => {
  const run = runSource(datagenSource, { 'kafka.topic': 'sensors', rate: '1000' })
  const start = performance.now()
  await run.take(200)
  expect(performance.now() - start).toBeGreaterThanOrEqual(195)
  await run.stop()
  const slow = runSource(datagenSource, { 'kafka.topic': 'sensors', rate: '0.001' })
  await slow.take(1)
  const taken = slow.take(1)
  await Promise.all([slow.stop(), expect(taken).rejects.toThrow('ended after 0 of 1')])
})

test('pauses at random with max.interval, as the connector it stands in for', async () => {
  const run = runSource(datagenSource, { 'kafka.topic': 'sensors', 'max.interval': '2' })
  expect(await run.take()).toHaveLength(1)
  expect(await run.take()).toHaveLength(1)
  await run.stop()
})

test('refuses what the connector it stands in for has and it lacks', () => {
  expect(() => runSource(datagenSource, { ...config, quickstart: 'users' })).toThrow("quickstart: 'users' is none of")
  expect(() => runSource(datagenSource, { ...config, 'schema.keyfield': 'id' })).toThrow('schema.keyfield')
})

test('readings look like those of sensors', () => {
  const day = Array.from({ length: 20_000 }, (_, n) => new Device(7, 0).reading(n, 1700000000000 + n * 4320))
  const spread = (metric: 'temperature' | 'humidity' | 'pressure' | 'battery') => {
    const sorted = day.map((reading) => reading[metric]).sort((a, b) => a - b)
    return { low: sorted[200]!, high: sorted[19_800]!, all: sorted }
  }
  const temperature = spread('temperature')
  expect(temperature.low).toBeGreaterThan(-5)
  expect(temperature.high).toBeLessThan(40)
  expect(temperature.high - temperature.low).toBeGreaterThan(4) // the day is warmer than the night
  const outliers = day.filter((reading) => reading.temperature > 50 || reading.temperature < -10)
  expect(outliers.length).toBeGreaterThan(10)
  expect(outliers.length).toBeLessThan(100)
  for (const metric of ['humidity', 'battery'] as const) {
    expect(spread(metric).all[0]).toBeGreaterThanOrEqual(0)
    expect(spread(metric).all.at(-1)).toBeLessThanOrEqual(100)
  }
  const unlike = new Set(Array.from({ length: 50 }, (_, index) => Math.round(meanTemperature(new Device(7, index)))))
  expect(unlike.size).toBeGreaterThan(5)
})

function meanTemperature(device: Device): number {
  const readings: Reading[] = Array.from({ length: 24 }, (_, hour) => device.reading(hour, hour * 3_600_000))
  return readings.reduce((sum, { temperature }) => sum + temperature, 0) / 24
}

test('hashed is uniform, and independent of its neighbours', () => {
  const draws = Array.from({ length: 100_000 }, (_, n) => hashed(42, 3, n))
  expect(draws.reduce((sum, x) => sum + x, 0) / draws.length).toBeCloseTo(0.5, 1.9)
  const buckets = new Array<number>(10).fill(0)
  for (const x of draws) buckets[Math.floor(x * 10)]!++
  expect(Math.min(...buckets)).toBeGreaterThan(9_500)
  const covariance = draws.slice(1).reduce((sum, x, n) => sum + (x - 0.5) * (draws[n]! - 0.5), 0) / draws.length
  expect(Math.abs(covariance)).toBeLessThan(0.002)
  expect(hashed(42, 3, 2 ** 33 + 5)).not.toBe(hashed(42, 3, 5))
})
