import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogManager } from '../../log/log-manager.ts'
import { silentLogger } from '../../logging/logger.ts'
import { ManualClock } from '../clock.ts'
import { brokerConfig } from '../config.ts'
import { GroupCoordinator } from '../group-coordinator.ts'
import { GroupSettings } from '../group-settings.ts'
import { TopicCatalog } from '../topic-catalog.ts'
import type { HeartbeatResult } from './consumer-groups.ts'
import type { HeartbeatRequest } from './heartbeat.ts'
import { topicPartitions } from './partition-set.ts'

let dir: string
let clock: ManualClock
let log: LogManager
let topics: TopicCatalog
let groups: GroupCoordinator

const config = brokerConfig({ 'group.consumer.max.size': 3 })
const sessionMs = config['group.consumer.session.timeout.ms']

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  clock = new ManualClock()
  await start()
  await create('t', 4)
})
afterEach(async () => {
  await stop()
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  log = await LogManager.open({ dir, logger: silentLogger, clock: () => clock.now() })
  topics = new TopicCatalog(log, config)
  const groupSettings = new GroupSettings(config, dir)
  groups = new GroupCoordinator({ config, clock, log, logger: silentLogger, topics, groupSettings })
  await groups.load()
}

async function stop(): Promise<void> {
  groups.close()
  await log.close()
}

const create = (name: string, partitions: number) =>
  topics.create({ name, partitions, replicationFactor: -1, config: {} })

const request = (memberId: string, memberEpoch: number, changes: Partial<HeartbeatRequest> = {}): HeartbeatRequest => ({
  groupId: 'g',
  memberId,
  memberEpoch,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  subscribedTopicNames: null,
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: null,
  clientId: 'c',
  clientHost: '/h',
  requireMemberId: true,
  ...changes,
})

const beat = (memberId: string, memberEpoch: number, changes: Partial<HeartbeatRequest> = {}) =>
  groups.consumerHeartbeat(request(memberId, memberEpoch, changes))
const joinGroup = (memberId: string, changes: Partial<HeartbeatRequest> = {}) =>
  beat(memberId, 0, { rebalanceTimeoutMs: 10_000, subscribedTopicNames: ['t'], topicPartitions: [], ...changes })

const topicId = (name = 't') => topics.get(name)!.id
const owning = (...partitions: number[]) => ({ topicPartitions: [{ topicId: topicId(), partitions }] })
/** Partitions by topic; null: no news. */
const assigned = ({ assignment }: HeartbeatResult): Record<string, readonly number[]> | null =>
  assignment === null
    ? null
    : Object.fromEntries(
        topicPartitions(assignment).map((each) => [topics.byId(each.topicId)?.name ?? 'gone', each.partitions]),
      )
const state = () => groups.consumerGroup('g')?.state

/** Two members with two partitions each, both in the same epoch. */
async function pair(changes: Partial<HeartbeatRequest>[] = [{}, {}]): Promise<number> {
  const first = await joinGroup('a', changes[0])
  await joinGroup('b', changes[1])
  const { assignment } = await beat('a', first.memberEpoch, owning(0, 1, 2, 3))
  const kept = topicPartitions(assignment!)
  const { memberEpoch } = await beat('a', first.memberEpoch, { topicPartitions: kept })
  await beat('b', memberEpoch)
  expect(state()).toBe('Stable')
  return memberEpoch
}

describe('joining', () => {
  test('a first member gets all at once, a second what the first has given up', async () => {
    const first = await joinGroup('a')
    expect(first).toMatchObject({ error: 'NONE', memberId: 'a', memberEpoch: 1, heartbeatIntervalMs: 1000 })
    expect(assigned(first)).toEqual({ t: [0, 1, 2, 3] })
    expect(assigned(await beat('a', 1))).toBeNull()

    const second = await joinGroup('b')
    expect(second.memberEpoch).toBe(2)
    expect(assigned(second)).toEqual({})
    const revoking = await beat('a', 1, owning(0, 1, 2, 3))
    expect(revoking.memberEpoch).toBe(1)
    expect(assigned(revoking)!['t']).toHaveLength(2)
    expect(assigned(await beat('b', 2))).toBeNull()
    expect(state()).toBe('Reconciling')
    const done = await beat('a', 1, owning(...assigned(revoking)!['t']!))
    expect(done.memberEpoch).toBe(2)
    const received = await beat('b', 2)
    expect([...assigned(received)!['t']!, ...assigned(revoking)!['t']!].sort()).toEqual([0, 1, 2, 3])
    expect(state()).toBe('Stable')
  })

  test('a repeated join changes nothing, and is answered in full', async () => {
    await joinGroup('a')
    const again = await joinGroup('a')
    expect(again.memberEpoch).toBe(1)
    expect(assigned(again)).toEqual({ t: [0, 1, 2, 3] })
  })

  test('a client of v0 is given its id', async () => {
    const { memberId } = await joinGroup('', { requireMemberId: false })
    expect(memberId).toMatch(/^[\w-]{22}$/)
    expect((await joinGroup('')).error).toBe('INVALID_REQUEST')
  })

  test.for<[why: string, changes: Partial<HeartbeatRequest>, error: string]>([
    ['no group id', { groupId: '' }, 'INVALID_REQUEST'],
    ['an empty instance id', { instanceId: '' }, 'INVALID_REQUEST'],
    ['no rebalance timeout', { rebalanceTimeoutMs: -1 }, 'INVALID_REQUEST'],
    ['no subscription', { subscribedTopicNames: null }, 'INVALID_REQUEST'],
    ['partitions', { topicPartitions: [{ topicId: 'x', partitions: [0] }] }, 'INVALID_REQUEST'],
    ['an epoch that means nothing', { memberEpoch: -3 }, 'INVALID_REQUEST'],
    ['an unknown assignor', { serverAssignor: 'sticky' }, 'UNSUPPORTED_ASSIGNOR'],
    ['a bad pattern', { subscribedTopicRegex: '(' }, 'INVALID_REGULAR_EXPRESSION'],
  ])('is refused with %s', async ([, changes, error]) => {
    expect((await joinGroup('a', changes)).error).toBe(error)
    expect(groups.list()).toEqual([])
  })

  test('a full group refuses', async () => {
    for (const id of ['a', 'b', 'c']) await joinGroup(id)
    expect((await joinGroup('d')).error).toBe('GROUP_MAX_SIZE_REACHED')
    expect((await joinGroup('a')).error).toBe('NONE')
  })
})

describe('epochs', () => {
  test('who does not know its own is fenced, save who only missed the last answer', async () => {
    const epoch = await pair()
    expect((await beat('a', epoch + 1)).error).toBe('FENCED_MEMBER_EPOCH')
    expect((await beat('a', epoch - 1)).error).toBe('FENCED_MEMBER_EPOCH')
    expect((await beat('a', epoch - 1, owning(0, 1, 2, 3))).error).toBe('FENCED_MEMBER_EPOCH')
    expect((await beat('a', epoch - 1, { topicPartitions: [] })).memberEpoch).toBe(epoch)
    expect((await beat('x', epoch)).error).toBe('UNKNOWN_MEMBER_ID')
    expect((await beat('a', epoch, { groupId: 'none' })).error).toBe('GROUP_ID_NOT_FOUND')
  })

  test('offsets are stored and fetched with the epoch that is in force', async () => {
    const epoch = await pair()
    const offsets = [{ topic: 't', partition: 0, value: { offset: 5, leaderEpoch: 0, metadata: '' } }]
    const commit = (memberId: string, generationId: number, hasMemberEpoch = true, owner: Identity | null = null) =>
      groups.commit('g', { memberId, generationId, groupInstanceId: null, hasMemberEpoch }, offsets, owner)
    expect(await commit('a', epoch)).toEqual(['NONE'])
    expect(await commit('a', epoch - 1)).toBe('STALE_MEMBER_EPOCH')
    expect(await commit('x', epoch)).toBe('UNKNOWN_MEMBER_ID')
    expect(await commit('a', epoch, false)).toBe('UNSUPPORTED_VERSION')
    expect(await commit('', -1)).toBe('UNKNOWN_MEMBER_ID')
    const owner = { producerId: 1, producerEpoch: 0 }
    expect(await commit('a', epoch - 1, false, owner)).toBe('ILLEGAL_GENERATION')
    expect(await commit('a', epoch, false, owner)).toEqual(['NONE'])
    expect(groups.checkFetch('g', 'a', epoch)).toBe('NONE')
    expect(groups.checkFetch('g', 'a', epoch - 1)).toBe('STALE_MEMBER_EPOCH')
    expect(groups.checkFetch('g', 'x', epoch)).toBe('UNKNOWN_MEMBER_ID')
    expect(groups.checkFetch('g', null, -1)).toBe('NONE')
    const none = { memberId: 'a', generationId: 1, groupInstanceId: null }
    expect(await groups.commit('none', { ...none, hasMemberEpoch: true }, offsets, null)).toBe('GROUP_ID_NOT_FOUND')
    expect(await groups.commit('none', none, offsets, null)).toBe('ILLEGAL_GENERATION')
  })

  interface Identity {
    readonly producerId: number
    readonly producerEpoch: number
  }
})

describe('members that go', () => {
  test('leave their partitions to the others', async () => {
    const epoch = await pair()
    expect(await beat('b', -1)).toMatchObject({ error: 'NONE', memberEpoch: -1 })
    expect(assigned(await beat('a', epoch))).toEqual({ t: [0, 1, 2, 3] })
    expect((await beat('b', -1)).error).toBe('UNKNOWN_MEMBER_ID')
    await beat('a', -1)
    expect(state()).toBe('Empty')
  })

  test('are put out when nothing is heard of them', async () => {
    const epoch = await pair()
    clock.advance(sessionMs - 1)
    expect((await beat('a', epoch)).error).toBe('NONE')
    clock.advance(1)
    await expect.poll(() => groups.consumerGroup('g')!.members.size).toBe(1)
    expect(assigned(await beat('a', epoch))).toEqual({ t: [0, 1, 2, 3] })
    expect((await beat('b', epoch)).error).toBe('UNKNOWN_MEMBER_ID')
  })

  test('are put out when they do not give up what they should within their rebalance timeout', async () => {
    await joinGroup('a')
    const { memberEpoch } = await joinGroup('b')
    await beat('a', 1, owning(0, 1, 2, 3))
    clock.advance(9_999)
    expect((await beat('a', 1, owning(0, 1, 2, 3))).error).toBe('NONE')
    clock.advance(1)
    await expect.poll(() => groups.consumerGroup('g')!.members.size).toBe(1)
    expect((await beat('a', 1)).error).toBe('UNKNOWN_MEMBER_ID')
    expect(assigned(await beat('b', memberEpoch))).toEqual({ t: [0, 1, 2, 3] })
  })
})

describe('static members', () => {
  const one = { instanceId: 'one' }

  test('that leave for now have their partitions back under another member id', async () => {
    const epoch = await pair([one, { instanceId: 'two' }])
    const before = [...groups.consumerGroup('g')!.members.get('a')!.assigned.get(topicId())!]
    expect((await joinGroup('a2', one)).error).toBe('UNRELEASED_INSTANCE_ID')
    expect(await beat('a', -2, one)).toMatchObject({ error: 'NONE', memberEpoch: -2 })
    const back = await joinGroup('a2', one)
    expect(back).toMatchObject({ error: 'NONE', memberEpoch: epoch })
    expect(assigned(back)).toEqual({ t: before.sort() })
    expect((await beat('a', epoch, one)).error).toBe('FENCED_INSTANCE_ID')
    expect((await beat('x', epoch, { instanceId: 'nobody' })).error).toBe('UNKNOWN_MEMBER_ID')
    // Nothing changed for the other.
    expect(await beat('b', epoch)).toMatchObject({ error: 'NONE', memberEpoch: epoch, assignment: null })
    expect(state()).toBe('Stable')
  })

  test('that do not come back within the session are out', async () => {
    const epoch = await pair([one, { instanceId: 'two' }])
    await beat('a', -2, one)
    clock.advance(sessionMs - 1)
    await beat('b', epoch, { instanceId: 'two' })
    clock.advance(1)
    await expect.poll(() => groups.consumerGroup('g')!.members.size).toBe(1)
    expect(assigned(await beat('b', epoch))).toEqual({ t: [0, 1, 2, 3] })
  })

  test('leave for good at once', async () => {
    await joinGroup('a', one)
    await beat('a', -1, one)
    expect(state()).toBe('Empty')
    expect((await joinGroup('b', one)).error).toBe('NONE')
  })
})

describe('topics', () => {
  test('that grow, come and go make a new assignment', async () => {
    await joinGroup('a', { subscribedTopicNames: ['t', 'later'] })
    await topics.grow('t', 5)
    const grown = await beat('a', 1)
    expect(grown.memberEpoch).toBe(2)
    expect(assigned(grown)).toEqual({ t: [0, 1, 2, 3, 4] })
    await create('unrelated', 1)
    expect((await beat('a', 2)).memberEpoch).toBe(2)
    await create('later', 1)
    expect(assigned(await beat('a', 2))).toEqual({ t: [0, 1, 2, 3, 4], later: [0] })
    const kept = { topicPartitions: [{ topicId: topicId('later'), partitions: [0] }] }
    await topics.delete('t')
    expect(assigned(await beat('a', 3))).toEqual({ later: [0] })
    expect(await beat('a', 3, kept)).toMatchObject({ memberEpoch: 4, assignment: null })
  })

  test('of a pattern, and a changed subscription; internal ones never', async () => {
    await create('tt', 1)
    const joined = await joinGroup('a', { subscribedTopicNames: [], subscribedTopicRegex: '.*' })
    expect(assigned(joined)).toEqual({ t: [0, 1, 2, 3], tt: [0] })
    const full = { rebalanceTimeoutMs: 10_000, topicPartitions: [] }
    const changed = await beat('a', 1, { subscribedTopicNames: [], subscribedTopicRegex: 'tt+', ...full })
    expect(assigned(changed)).toEqual({ tt: [0] })
    const named = await beat('a', 2, { subscribedTopicNames: ['t'], subscribedTopicRegex: '', ...full })
    expect(assigned(named)).toEqual({ t: [0, 1, 2, 3] })
  })

  test('that a member reads keep their offsets', async () => {
    await create('u', 1)
    const epoch = await pair()
    const value = { offset: 5, leaderEpoch: 0, metadata: '' }
    const claim = { memberId: 'a', generationId: epoch, groupInstanceId: null, hasMemberEpoch: true }
    const both = ['t', 'u'].map((topic) => ({ topic, partition: 0, value }))
    await groups.commit('g', claim, both, null)
    const keys = ['t', 'u'].map((topic) => ({ group: 'g', topic, partition: 0 }))
    expect(await groups.deleteOffsets('g', keys)).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE'])
  })
})

test('the assignor that most members ask for is taken', async () => {
  await create('u', 4)
  const both = { subscribedTopicNames: ['t', 'u'], serverAssignor: 'range' }
  await joinGroup('a', both)
  await joinGroup('b', both)
  const group = groups.consumerGroup('g')!
  expect(groups.assignorOf(group)).toBe('range')
  expect(topicPartitions(group.targetOf('a')).map((each) => each.partitions)).toEqual([
    [0, 1],
    [0, 1],
  ])
})

describe('what is in the log', () => {
  test('brings all back after a restart, with one session for the members', async () => {
    const epoch = await pair([{ instanceId: 'one' }, { instanceId: 'two' }])
    const before = [...groups.consumerGroup('g')!.members.values()]
    await stop()
    await start()
    const group = groups.consumerGroup('g')!
    expect([...group.members.values()]).toEqual(before)
    expect(group).toMatchObject({ epoch, assignmentEpoch: epoch, state: 'Stable' })
    expect(await beat('a', epoch)).toMatchObject({ error: 'NONE', memberEpoch: epoch, assignment: null })
    expect(group.epoch).toBe(epoch)
    clock.advance(sessionMs - 1)
    await beat('a', epoch)
    clock.advance(1)
    await expect.poll(() => groups.consumerGroup('g')!.members.size).toBe(1)
  })

  test('also in the middle of a rebalance, the time that is left for it included', async () => {
    await joinGroup('a')
    await joinGroup('b')
    await beat('a', 1, owning(0, 1, 2, 3))
    await stop()
    await start()
    expect(groups.consumerGroup('g')!.members.get('a')!.state).toBe('unrevoked')
    expect((await beat('a', 1, owning(0, 1, 2, 3))).memberEpoch).toBe(1)
    clock.advance(10_000)
    await expect.poll(() => groups.consumerGroup('g')!.members.size).toBe(1)
  })

  test('tells of topics that changed while nobody looked', async () => {
    await joinGroup('a')
    await topics.grow('t', 6)
    await stop()
    await start()
    expect(assigned(await beat('a', 1))).toEqual({ t: [0, 1, 2, 3, 4, 5] })
  })

  test('a write that fails changes nothing', async () => {
    await joinGroup('a')
    await log.close()
    expect((await joinGroup('b')).error).toMatch(/COORDINATOR_NOT_AVAILABLE|UNKNOWN_SERVER_ERROR/)
    expect([...groups.consumerGroup('g')!.members.keys()]).toEqual(['a'])
    expect(groups.consumerGroup('g')!.epoch).toBe(1)
  })

  test('deleted groups stay deleted, and offsets of empty ones expire', async () => {
    await joinGroup('a')
    expect(await groups.delete('g')).toBe('NON_EMPTY_GROUP')
    await beat('a', -1)
    expect(await groups.delete('g')).toBe('NONE')
    await stop()
    await start()
    expect(groups.list()).toEqual([])

    const { memberEpoch } = await joinGroup('a')
    const claim = { memberId: 'a', generationId: memberEpoch, groupInstanceId: null, hasMemberEpoch: true }
    const value = { offset: 5, leaderEpoch: 0, metadata: '' }
    await groups.commit('g', claim, [{ topic: 't', partition: 0, value }], null)
    await beat('a', -1)
    clock.advance(6 * 86_400_000)
    expect(groups.committed({ group: 'g', topic: 't', partition: 0 })?.offset).toBe(5)
    clock.advance(1.1 * 86_400_000)
    await expect.poll(() => groups.list()).toEqual([])
  })
})

test('a group deleted twice at once, and made anew in between, is there', async () => {
  await joinGroup('a')
  await beat('a', -1)
  const [deleted, joined, again] = await Promise.all([groups.delete('g'), joinGroup('b'), groups.delete('g')])
  expect([deleted, joined.error, again]).toEqual(['NONE', 'NONE', 'NON_EMPTY_GROUP'])
  expect((await beat('b', joined.memberEpoch)).error).toBe('NONE')
})

describe('beside the classic protocol', () => {
  const classicJoin = (groupId = 'g') =>
    groups.join(groupId, {
      memberId: '',
      groupInstanceId: null,
      clientId: 'c',
      clientHost: '/h',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      requireKnownMemberId: false,
      canSkipAssignment: false,
    })

  test('a group with members is with one protocol; an empty one turns into the other, offsets and all', async () => {
    await joinGroup('a')
    expect((await classicJoin()).error).toBe('INCONSISTENT_GROUP_PROTOCOL')
    expect(groups.group('g')).toBeUndefined()
    await beat('a', -1)
    const claim = { memberId: '', generationId: -1, groupInstanceId: null }
    const value = { offset: 5, leaderEpoch: 0, metadata: '' }
    expect(await groups.commit('g', claim, [{ topic: 't', partition: 0, value }], null)).toEqual(['NONE'])

    const { memberId, generationId } = await classicJoin()
    expect(groups.list()).toMatchObject([{ groupId: 'g', type: 'classic' }])
    const sync = { memberId, generationId, groupInstanceId: null, protocolType: null, protocolName: null }
    await groups.sync('g', { ...sync, assignments: [] })
    expect((await joinGroup('a')).error).toBe('GROUP_ID_NOT_FOUND')
    await stop()
    await start()
    expect(groups.list()).toMatchObject([{ groupId: 'g', type: 'classic', state: 'Stable' }])

    groups.leave('g', memberId, null)
    expect((await joinGroup('a')).error).toBe('NONE')
    await stop()
    await start()
    expect(groups.list()).toMatchObject([{ groupId: 'g', type: 'consumer', state: 'Stable' }])
    expect(groups.committed({ group: 'g', topic: 't', partition: 0 })?.offset).toBe(5)
  })

  test('members of both that come at once: one protocol wins', async () => {
    const [newer, classic] = await Promise.all([joinGroup('a'), classicJoin()])
    expect([newer.error, classic.error]).toEqual(['NONE', 'INCONSISTENT_GROUP_PROTOCOL'])
  })
})
