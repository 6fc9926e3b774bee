import { ConfigError } from '@tidewire/sdk'
import { parseConfig, type RawConfig } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { checkCounts, checkSequences, countFrom } from './offsets.ts'
import { datagenSource } from './source.ts'

const config = (raw: RawConfig) => parseConfig(datagenSource, { 'kafka.topic': 'readings', devices: 3, ...raw })
const partition = { generator: 'sensors' }

test('only offsets that readings can go on from are taken', () => {
  expect(checkCounts([{ partition, offset: { count: 5 } }])).toBe(true)
  expect(checkSequences([{ partition: { device: 'sensor-1' }, offset: { seq: 0 } }])).toBe(true)
  expect(() => checkCounts([{ partition, offset: { seq: 5 } }])).toThrow(ConfigError)
  expect(() => checkSequences([{ partition, offset: { seq: 5 } }])).toThrow(ConfigError)
  expect(checkCounts([{ partition: { device: 'x' }, offset: null }])).toBe(true)
})

test('a reading has a place in time where the times of all are known', () => {
  const count = (raw: RawConfig, from: Parameters<typeof countFrom>[1]) => countFrom(config(raw), from)[0]!.offset
  expect(count({}, { offset: 42 })).toEqual({ count: 42 })
  expect(count({ 'start.time': 10_000 }, { timestamp: 12_500 })).toEqual({ count: 9 })
  expect(count({ 'start.time': 10_000 }, { timestamp: 0 })).toEqual({ count: 0 })
  expect(() => count({}, { timestamp: 0 })).toThrow(ConfigError)
  expect(() => count({}, 'latest')).toThrow('"earliest"')
})
