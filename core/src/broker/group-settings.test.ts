import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { brokerConfig } from './config.ts'
import { GroupSettings } from './group-settings.ts'

let dir: string
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = () => new GroupSettings(brokerConfig(), dir)

test('what is set for a group holds for it alone, after a restart too', () => {
  const settings = open()
  settings.replace('g', { 'consumer.session.timeout.ms': '7000' })
  for (const each of [settings, open()]) {
    expect([each.sessionTimeoutMs('g'), each.heartbeatIntervalMs('g')]).toEqual([7000, 1000])
    expect(each.sessionTimeoutMs('other')).toBe(45_000)
    expect(each.ids()).toEqual(['g'])
  }
  settings.replace('g', {})
  expect([settings.ids(), open().ids(), open().sessionTimeoutMs('g')]).toEqual([[], [], 45_000])
})

test.for([
  ['consumer.session.timeout.ms', 'long'],
  ['consumer.session.timeout.ms', '0'],
  ['consumer.session.timeout.ms', '1000'],
  ['consumer.heartbeat.interval.ms', '45000'],
  ['share.session.timeout.ms', '45000'],
] as const)('%s=%s is refused', ([name, value]) => {
  const settings = open()
  expect(() => settings.replace('g', { [name]: value })).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  expect(settings.ids()).toEqual([])
})

test('a damaged file stops the start', async () => {
  await writeFile(join(dir, 'group-settings.json'), '{')
  expect(open).toThrow(/group-settings\.json cannot be read/)
})
