import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogManager } from '../log/log-manager.ts'
import { silentLogger } from '../logging/logger.ts'
import { ManualClock } from './clock.ts'
import { brokerConfig } from './config.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { GroupSettings } from './group-settings.ts'
import { javaHash } from './internal-topic.ts'
import { TopicCatalog } from './topic-catalog.ts'

let dir: string
let clock: ManualClock
let log: LogManager
let groups: GroupCoordinator

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  clock = new ManualClock()
  await start()
  await log.createTopic('t', 2)
  await log.createTopic('u', 1)
})
afterEach(async () => {
  await stop()
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  log = await LogManager.open({ dir, logger: silentLogger, clock: () => clock.now() })
  const config = brokerConfig()
  const settings = { topics: new TopicCatalog(log, config), groupSettings: new GroupSettings(config, dir) }
  groups = new GroupCoordinator({ config, clock, log, logger: silentLogger, ...settings })
  await groups.load()
}

async function stop(): Promise<void> {
  groups.close()
  await log.close()
}

const sessionTimeoutMs = 1_800_000
const nobody = { memberId: '', groupInstanceId: null, generationId: -1 }
const offset = (topic: string, partition: number, value: number, metadata = '') => ({
  topic,
  partition,
  value: { offset: value, leaderEpoch: 0, metadata },
})
const committed = (group: string, topic: string, partition: number) =>
  groups.committed({ group, topic, partition })?.offset

/** A member of its own group, stable. */
async function member(groupId: string, topics: readonly string[]) {
  // Version 0 of the consumer protocol: topics, no user data.
  const names = topics.map((name) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name)]))
  const metadata = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, topics.length]), ...names, Buffer.alloc(4)])
  const joined = await groups.join(groupId, {
    memberId: '',
    groupInstanceId: null,
    clientId: 'c',
    clientHost: '/h',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
    sessionTimeoutMs,
    rebalanceTimeoutMs: 10_000,
    requireKnownMemberId: false,
    canSkipAssignment: false,
  })
  const { memberId, generationId } = joined
  const claim = { memberId, generationId, groupInstanceId: null }
  await groups.sync(groupId, { ...claim, protocolType: null, protocolName: null, assignments: [] })
  return claim
}

test('keeps offsets, metadata and members over a restart', async () => {
  const claim = await member('g', ['t'])
  expect(await groups.commit('g', claim, [offset('t', 0, 5, 'note'), offset('t', 1, 6)], null)).toEqual([
    'NONE',
    'NONE',
  ])
  expect(await groups.commit('g', claim, [offset('t', 0, 7)], null)).toEqual(['NONE'])
  await stop()
  await start()
  expect(committed('g', 't', 0)).toBe(7)
  expect(committed('g', 't', 1)).toBe(6)
  expect(groups.group('g')).toMatchObject({ state: 'Stable', generationId: 1, protocolType: 'consumer' })
  expect(groups.heartbeat('g', claim)).toBe('NONE')
})

test('refuses metadata that is too long, and stores the rest', async () => {
  const long = offset('t', 0, 5, 'x'.repeat(4097))
  expect(await groups.commit('g', nobody, [long, offset('t', 1, 6)], null)).toEqual([
    'OFFSET_METADATA_TOO_LARGE',
    'NONE',
  ])
  expect(committed('g', 't', 0)).toBeUndefined()
  expect(committed('g', 't', 1)).toBe(6)
})

test('deletes an empty group with its offsets, and no other', async () => {
  const claim = await member('g', ['t'])
  await groups.commit('g', claim, [offset('t', 0, 5)], null)
  expect(await groups.delete('g')).toBe('NON_EMPTY_GROUP')
  expect(await groups.delete('none')).toBe('GROUP_ID_NOT_FOUND')
  groups.leave('g', claim.memberId, null)
  expect(await groups.delete('g')).toBe('NONE')
  expect(groups.list()).toEqual([])
  await stop()
  await start()
  expect(groups.list()).toEqual([])
})

test('deletes offsets only of topics that nobody in the group reads', async () => {
  const claim = await member('g', ['t'])
  await groups.commit('g', claim, [offset('t', 0, 5), offset('u', 0, 6)], null)
  const keys = ['t', 'u'].map((topic) => ({ group: 'g', topic, partition: 0 }))
  expect(await groups.deleteOffsets('g', keys)).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE'])
  expect(committed('g', 't', 0)).toBe(5)
  expect(committed('g', 'u', 0)).toBeUndefined()
})

test('forgets the offsets of a deleted topic', async () => {
  await groups.commit('g', nobody, [offset('t', 0, 5), offset('u', 0, 6)], null)
  groups.onTopicDeleted('t')
  await expect.poll(() => committed('g', 't', 0)).toBeUndefined()
  expect(committed('g', 'u', 0)).toBe(6)
})

test('forgets offsets that nobody has used for offsets.retention.minutes, and the group with them', async () => {
  const claim = await member('lived', ['t'])
  await groups.commit('lived', claim, [offset('t', 0, 1)], null)
  await groups.commit('simple', nobody, [offset('t', 0, 2)], null)
  const day = 86_400_000
  const live = (ms: number) => {
    for (let passed = 0; passed < ms; passed += sessionTimeoutMs / 2) {
      clock.advance(sessionTimeoutMs / 2)
      groups.heartbeat('lived', claim)
    }
  }
  live(6 * day)
  await groups.commit('fresh', nobody, [offset('t', 0, 3)], null)
  live(1.2 * day)
  await expect.poll(() => groups.list().map(({ groupId }) => groupId)).toEqual(['lived', 'fresh'])
  // A group counts from when its last member left.
  groups.leave('lived', claim.memberId, null)
  clock.advance(6.5 * day)
  await expect.poll(() => groups.list().map(({ groupId }) => groupId)).toEqual(['lived'])
  clock.advance(day)
  await expect.poll(() => groups.list()).toEqual([])
})

test('finds the partition as Kafka does', () => {
  // "connect-cluster".hashCode() and others, as Java gives them.
  expect(javaHash('')).toBe(0)
  expect(javaHash('hello')).toBe(99162322)
  expect(javaHash('polygenelubricants')).toBe(-2147483648)
})

test('answers for what it does not know', async () => {
  expect(groups.heartbeat('none', { ...nobody, memberId: 'x' })).toBe('UNKNOWN_MEMBER_ID')
  expect(groups.heartbeat('', nobody)).toBe('INVALID_GROUP_ID')
  expect(groups.leave('none', 'x', null)).toBe('UNKNOWN_MEMBER_ID')
  expect(await groups.commit('none', { ...nobody, generationId: 3, memberId: 'x' }, [], null)).toBe(
    'ILLEGAL_GENERATION',
  )
  const joinIn = (sessionTimeoutMs: number) =>
    groups.join('g', {
      memberId: '',
      groupInstanceId: null,
      clientId: 'c',
      clientHost: '/h',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      sessionTimeoutMs,
      rebalanceTimeoutMs: 10_000,
      requireKnownMemberId: false,
      canSkipAssignment: false,
    })
  expect((await joinIn(5999)).error).toBe('INVALID_SESSION_TIMEOUT')
  expect((await joinIn(1_800_001)).error).toBe('INVALID_SESSION_TIMEOUT')
})
