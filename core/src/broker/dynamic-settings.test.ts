import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger, silentLogger } from '../logging/logger.ts'
import { brokerConfig } from './config.ts'
import { describeBrokerSettings, describeClusterSettings, describeTopicSettings } from './described-settings.ts'
import { DynamicSettings } from './dynamic-settings.ts'

let dir: string
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = (): DynamicSettings => new DynamicSettings(brokerConfig({ 'log.retention.ms': 5000 }), dir, silentLogger)

test('a change is in force at once and after a restart, the one for the broker before the one for all', () => {
  const settings = open()
  const { config } = settings
  let told = 0
  settings.onChange(() => told++)
  settings.replace('cluster', { 'log.retention.ms': '1000', 'log.cleanup.policy': 'compact,delete' })
  expect([config['log.retention.ms'], config['log.cleanup.policy']]).toEqual([1000, ['compact', 'delete']])
  settings.replace('broker', { 'log.retention.ms': ' 2000 ' })
  expect(config['log.retention.ms']).toBe(2000)
  expect(open().config).toEqual(config)
  settings.replace('broker', {})
  expect(config['log.retention.ms']).toBe(1000)
  settings.replace('cluster', {})
  expect(config).toEqual(settings.atStart)
  expect(open().config).toEqual(settings.atStart)
  expect(told).toBe(4)
})

test.for([
  ['no.such', '1', 'INVALID_CONFIG', 'Unknown broker config name: no.such'],
  ['num.partitions', '3', 'INVALID_REQUEST', 'Cannot update these configs dynamically: [num.partitions]'],
  ['ssl.key.password', 'x', 'INVALID_REQUEST', 'Cannot update these configs dynamically: [ssl.key.password]'],
  ['log.retention.ms', 'long', 'INVALID_REQUEST', 'Invalid value long for configuration log.retention.ms'],
  ['log.cleanup.policy', 'keep', 'INVALID_REQUEST', 'Invalid value keep for configuration log.cleanup.policy'],
] as const)('%s=%s is refused, and nothing is changed', ([name, value, code, message]) => {
  const settings = open()
  expect(() => settings.replace('broker', { 'log.retention.ms': '1', [name]: value })).toThrow(message)
  try {
    settings.check({ [name]: value })
  } catch (error) {
    expect(error).toMatchObject({ code })
  }
  expect(settings.config).toEqual(settings.atStart)
})

test('what another version has left is passed over, and told; a damaged file stops the start', async () => {
  const file = join(dir, 'broker-settings.json')
  open().replace('broker', { 'max.connections': '7' })
  const stored = JSON.parse(await readFile(file, 'utf8')) as { broker: Record<string, string> }
  Object.assign(stored.broker, { 'gone.since': '1', 'log.roll.ms': 'never' })
  await writeFile(file, JSON.stringify(stored))
  const warned: unknown[] = []
  const logger = createLogger({ write: (level, _message, details) => warned.push([level, details]) })
  const settings = new DynamicSettings(brokerConfig(), dir, logger)
  expect(settings.config).toEqual(brokerConfig({ 'max.connections': 7 }))
  expect(warned).toEqual([
    ['warn', { setting: 'gone.since' }],
    ['warn', { setting: 'log.roll.ms' }],
  ])
  await writeFile(file, '{')
  expect(open).toThrow(/broker-settings\.json cannot be read/)
})

test('every place that gives a setting its value is described, the one in force first', () => {
  const settings = open()
  settings.replace('cluster', { 'log.retention.ms': '1000' })
  settings.replace('broker', { 'log.retention.ms': '2000' })
  const [retention] = describeBrokerSettings(settings, ['log.retention.ms'])
  const places = [
    { name: 'log.retention.ms', value: '2000', source: 2 },
    { name: 'log.retention.ms', value: '1000', source: 3 },
    { name: 'log.retention.ms', value: '5000', source: 4 },
    { name: 'log.retention.ms', value: '604800000', source: 5 },
  ]
  expect(retention).toMatchObject({ value: '2000', configSource: 2, readOnly: false, configType: 5, synonyms: places })
  expect(describeClusterSettings(settings, null)).toMatchObject([{ name: 'log.retention.ms', value: '1000' }])
  expect(describeTopicSettings(settings, {}, ['retention.ms'])).toMatchObject([{ value: '2000', synonyms: places }])
  expect(describeTopicSettings(settings, { 'retention.ms': '9' }, ['retention.ms'])).toMatchObject([
    { value: '9', configSource: 1, synonyms: [{ name: 'retention.ms', value: '9', source: 1 }, ...places] },
  ])
  const fixed = describeBrokerSettings(settings, ['num.partitions'])[0]
  expect(fixed).toMatchObject({ value: '1', configSource: 5, readOnly: true })
})
