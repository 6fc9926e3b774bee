import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ManualClock } from './clock.ts'
import { Group, type GroupState } from './group.ts'
import type { JoinRequest, JoinResult, SyncResult } from './group-exchange.ts'
import type { GroupSnapshot } from './group-snapshot.ts'
import type { KafkaError } from './kafka-error.ts'

const sessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000

/** A group with a clock turned by hand and a disk that can fail. */
function setUp(options: { initialRebalanceDelayMs?: number; maxSize?: number } = {}) {
  const clock = new ManualClock()
  const stored: GroupSnapshot[] = []
  const disk = { fails: false }
  const group = new Group('g', {
    clock,
    persist: async (snapshot) => {
      if (disk.fails) throw new Error('no space')
      stored.push(snapshot)
    },
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0,
    maxSize: options.maxSize ?? 100,
    log: () => undefined,
  })
  return { group, clock, stored, disk }
}

type Setup = ReturnType<typeof setUp>

const request = (memberId: string, changes: Partial<JoinRequest> = {}): JoinRequest => ({
  memberId,
  groupInstanceId: null,
  clientId: 'client',
  clientHost: '/127.0.0.1',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
  sessionTimeoutMs,
  rebalanceTimeoutMs,
  requireKnownMemberId: false,
  canSkipAssignment: true,
  ...changes,
})

/** Lets everything that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** What a promise has come to by now. */
function watch<T>(promise: Promise<T>): { value: T | undefined } {
  const seen: { value: T | undefined } = { value: undefined }
  void promise.then((value) => (seen.value = value))
  return seen
}

const sync = (group: Group, { memberId, generationId }: JoinResult, assigned: Record<string, string> = {}) =>
  group.sync({
    memberId,
    groupInstanceId: null,
    generationId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: Object.entries(assigned).map(([id, text]) => ({ memberId: id, assignment: Buffer.from(text) })),
  })

/** One member, alone and stable. */
async function stableAlone({ group }: Setup, changes: Partial<JoinRequest> = {}): Promise<JoinResult> {
  const joined = await group.join(request('', changes))
  const { memberId, generationId } = joined
  const groupInstanceId = changes.groupInstanceId ?? null
  const assignments = [{ memberId, assignment: Buffer.from('all') }]
  await group.sync({ memberId, groupInstanceId, generationId, protocolType: null, protocolName: null, assignments })
  return joined
}

/** Two members, stable; the first one leads. */
async function stablePair(setup: Setup): Promise<[JoinResult, JoinResult]> {
  const { group } = setup
  const alone = await stableAlone(setup)
  const second = group.join(request(''))
  const first = await group.join(request(alone.memberId))
  const other = await second
  const assigned = { [first.memberId]: 'a', [other.memberId]: 'b' }
  await Promise.all([sync(group, first, assigned), sync(group, other)])
  return [first, other]
}

describe('joining', () => {
  test('a first member leads at once, and is stable when it has synced', async () => {
    const setup = setUp()
    const joined = await setup.group.join(request(''))
    expect(joined).toMatchObject({ error: 'NONE', generationId: 1, protocolName: 'range', leader: joined.memberId })
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([joined.memberId])
    expect(setup.group.state).toBe('CompletingRebalance')
    const synced = await sync(setup.group, joined, { [joined.memberId]: 'mine' })
    expect(synced).toMatchObject({ error: 'NONE', assignment: Buffer.from('mine') })
    expect(setup.group.state).toBe('Stable')
    expect(setup.stored.at(-1)?.members[0]).toMatchObject({
      memberId: joined.memberId,
      assignment: Buffer.from('mine'),
      subscription: Buffer.from('topics'),
    })
  })

  test('is told its id first where that is wanted, and is forgotten when it does not come back', async () => {
    const { group, clock } = setUp()
    const refused = await group.join(request('', { requireKnownMemberId: true }))
    expect(refused.error).toBe('MEMBER_ID_REQUIRED')
    expect(refused.memberId).toMatch(/^client-/)
    expect(group.isVacant()).toBe(false)
    const joined = await group.join(request(refused.memberId, { requireKnownMemberId: true }))
    expect(joined.error).toBe('NONE')
    const ghost = await group.join(request('', { requireKnownMemberId: true }))
    clock.advance(sessionTimeoutMs)
    expect((await group.join(request(ghost.memberId))).error).toBe('UNKNOWN_MEMBER_ID')
  })

  test('the second member waits for the first to join again; only the leader sees the members', async () => {
    const setup = setUp()
    const { group } = setup
    const first = await stableAlone(setup)
    const second = watch(group.join(request('')))
    await settle()
    expect(second.value).toBeUndefined()
    expect(group.heartbeat({ ...first, groupInstanceId: null })).toBe('REBALANCE_IN_PROGRESS')
    const again = await group.join(request(first.memberId))
    await settle()
    expect(again).toMatchObject({ error: 'NONE', generationId: 2, leader: first.memberId })
    expect(again.members).toHaveLength(2)
    expect(second.value).toMatchObject({ error: 'NONE', generationId: 2, leader: first.memberId, members: [] })
  })

  test('members that stay away are out after the rebalance timeout, and another leads', async () => {
    const setup = setUp()
    const { group, clock } = setup
    const first = await stableAlone(setup)
    const second = watch(group.join(request('')))
    // It lives, but it does not join.
    for (let i = 0; i < 7; i++) {
      clock.advance(rebalanceTimeoutMs / 6 - 1)
      group.heartbeat({ ...first, groupInstanceId: null })
    }
    await settle()
    expect(second.value).toMatchObject({ error: 'NONE', leader: second.value?.memberId })
    expect(group.heartbeat({ ...first, groupInstanceId: null })).toBe('UNKNOWN_MEMBER_ID')
  })

  test('a follower that joins again unchanged gets the same generation; a leader starts a rebalance', async () => {
    const setup = setUp()
    const [leader, follower] = await stablePair(setup)
    expect(await setup.group.join(request(follower.memberId))).toMatchObject({ generationId: 2, error: 'NONE' })
    expect(setup.group.state).toBe('Stable')
    const again = setup.group.join(request(leader.memberId))
    expect(setup.group.state).toBe('PreparingRebalance')
    await setup.group.join(request(follower.memberId))
    expect((await again).generationId).toBe(3)
  })

  test('a follower that wants something else starts a rebalance', async () => {
    const setup = setUp()
    const [, follower] = await stablePair(setup)
    const protocols = [{ name: 'range', metadata: Buffer.from('other topics') }]
    void setup.group.join(request(follower.memberId, { protocols }))
    expect(setup.group.state).toBe('PreparingRebalance')
  })

  test('waits for more members at first, as long as they keep coming', async () => {
    const { group, clock } = setUp({ initialRebalanceDelayMs: 3000 })
    const first = watch(group.join(request('')))
    clock.advance(2000)
    const second = watch(group.join(request('')))
    clock.advance(1000)
    await settle()
    expect(first.value).toBeUndefined()
    clock.advance(3000)
    await settle()
    expect(first.value?.members).toHaveLength(2)
    expect(second.value?.generationId).toBe(1)
  })

  test('most votes choose among the protocols that all offer', async () => {
    const setup = setUp()
    const { group } = setup
    const protocol = (name: string) => ({ name, metadata: Buffer.from(name) })
    const first = await stableAlone(setup, { protocols: [protocol('a'), protocol('b')] })
    void group.join(request('', { protocols: [protocol('b'), protocol('a'), protocol('c')] }))
    void group.join(request('', { protocols: [protocol('c'), protocol('b')] }))
    const again = await group.join(request(first.memberId, { protocols: [protocol('a'), protocol('b')] }))
    expect(again.protocolName).toBe('b')
    expect(again.members.map(({ metadata }) => metadata.toString())).toEqual(['b', 'b', 'b'])
  })

  test.for<[string, Partial<JoinRequest>, KafkaError]>([
    ['of another type', { protocolType: 'connect' }, 'INCONSISTENT_GROUP_PROTOCOL'],
    [
      'with no common protocol',
      { protocols: [{ name: 'x', metadata: Buffer.alloc(0) }] },
      'INCONSISTENT_GROUP_PROTOCOL',
    ],
    ['with no protocol', { protocols: [] }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['with an id that nobody gave it', { memberId: 'made-up' }, 'UNKNOWN_MEMBER_ID'],
    ['with an unknown instance', { memberId: 'made-up', groupInstanceId: 'i' }, 'UNKNOWN_MEMBER_ID'],
  ])('refuses a member %s', async ([, changes, error]) => {
    const setup = setUp()
    await stableAlone(setup)
    expect((await setup.group.join(request('', changes))).error).toBe(error)
    expect(setup.group.state).toBe('Stable')
  })

  test('refuses more than group.max.size', async () => {
    const setup = setUp({ maxSize: 1 })
    const first = await stableAlone(setup)
    expect((await setup.group.join(request(''))).error).toBe('GROUP_MAX_SIZE_REACHED')
    expect((await setup.group.join(request(first.memberId))).error).toBe('NONE')
  })
})

describe('syncing', () => {
  test('all wait for the leader, and each gets its own part', async () => {
    const setup = setUp()
    const { group } = setup
    const alone = await stableAlone(setup)
    const pending = group.join(request(''))
    const leader = await group.join(request(alone.memberId))
    const follower = await pending
    const early = watch(sync(group, follower))
    await settle()
    expect(early.value).toBeUndefined()
    const own = await sync(group, leader, { [leader.memberId]: 'a', [follower.memberId]: 'b' })
    await settle()
    expect(own.assignment.toString()).toBe('a')
    expect(early.value?.assignment.toString()).toBe('b')
    // Who comes later gets it too.
    expect((await sync(group, follower)).assignment.toString()).toBe('b')
  })

  test('a decision that cannot be stored sends all back to join', async () => {
    const setup = setUp()
    setup.disk.fails = true
    const joined = await setup.group.join(request(''))
    expect((await sync(setup.group, joined)).error).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(setup.group.state).toBe('PreparingRebalance')
    setup.disk.fails = false
    const again = await setup.group.join(request(joined.memberId))
    expect((await sync(setup.group, again)).error).toBe('NONE')
  })

  test('a rebalance that begins while some wait sends them back', async () => {
    const setup = setUp()
    const { group } = setup
    const alone = await stableAlone(setup)
    const pending = group.join(request(''))
    await group.join(request(alone.memberId))
    const waiting = sync(group, await pending)
    void group.join(request(''))
    expect((await waiting).error).toBe('REBALANCE_IN_PROGRESS')
  })

  test('who never syncs is out after the rebalance timeout', async () => {
    const setup = setUp()
    const { group, clock } = setup
    const alone = await stableAlone(setup)
    const pending = group.join(request(''))
    const leader = await group.join(request(alone.memberId))
    const follower = await pending
    await sync(group, leader)
    for (let i = 0; i < 4; i++) {
      clock.advance(8000)
      for (const member of [leader, follower]) group.heartbeat({ ...member, groupInstanceId: null })
    }
    expect([...group.members.keys()]).toEqual([leader.memberId])
  })

  test.for<[string, Partial<Parameters<Group['sync']>[0]>, KafkaError]>([
    ['of an old generation', { generationId: 0 }, 'ILLEGAL_GENERATION'],
    ['of nobody', { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
    ['of another protocol type', { protocolType: 'connect' }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['of another protocol', { protocolName: 'sticky' }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ])('refuses one %s', async ([, changes, error]) => {
    const setup = setUp()
    const { memberId, generationId } = await setup.group.join(request(''))
    const whole = {
      memberId,
      generationId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    }
    expect((await setup.group.sync({ ...whole, ...changes })).error).toBe(error)
  })
})

describe('leaving and expiring', () => {
  test('a member that is silent for its session is out, and the rest rebalances', async () => {
    const setup = setUp()
    const { group, clock } = setup
    const [first, second] = await stablePair(setup)
    for (let i = 0; i < 3; i++) {
      clock.advance(sessionTimeoutMs / 2)
      group.heartbeat({ ...first, groupInstanceId: null })
    }
    expect([...group.members.keys()]).toEqual([first.memberId])
    expect(group.state).toBe('PreparingRebalance')
    expect(group.heartbeat({ ...second, groupInstanceId: null })).toBe('UNKNOWN_MEMBER_ID')
  })

  test('the last one to leave empties the group, which is noted', async () => {
    const setup = setUp()
    const { memberId } = await stableAlone(setup)
    expect(setup.group.leave(memberId, null)).toBe('NONE')
    expect(setup.group.state).toBe('Empty')
    expect(setup.group.leave(memberId, null)).toBe('UNKNOWN_MEMBER_ID')
    expect(setup.stored.at(-1)).toMatchObject({
      members: [],
      protocolName: null,
      leader: null,
      protocolType: 'consumer',
    })
    // Another kind of group may take the name.
    expect((await setup.group.join(request('', { protocolType: 'connect' }))).error).toBe('NONE')
  })

  test('one that leaves while it waits is told so', async () => {
    const setup = setUp()
    const alone = await stableAlone(setup)
    const pending = watch(setup.group.join(request('')))
    const newcomer = [...setup.group.members.keys()].find((id) => id !== alone.memberId)!
    setup.group.leave(newcomer, null)
    await settle()
    expect(pending.value?.error).toBe('UNKNOWN_MEMBER_ID')
  })

  test('kill answers all that wait', async () => {
    const setup = setUp()
    await stableAlone(setup)
    const pending = setup.group.join(request(''))
    setup.group.kill()
    expect((await pending).error).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(setup.group.state).toBe('Dead')
  })
})

describe('static members (KIP-345)', () => {
  const asStatic = { groupInstanceId: 'instance-1' }

  test('a restarted one takes its place without a rebalance, and the former self is fenced', async () => {
    const setup = setUp()
    const { group } = setup
    const former = await stableAlone(setup, asStatic)
    const again = await group.join(request('', asStatic))
    expect(again).toMatchObject({ error: 'NONE', generationId: 1, skipAssignment: true, leader: again.memberId })
    expect(again.memberId).not.toBe(former.memberId)
    expect(group.state).toBe('Stable')
    const claim = { ...asStatic, generationId: 1 }
    expect(group.heartbeat({ ...claim, memberId: former.memberId })).toBe('FENCED_INSTANCE_ID')
    expect(group.heartbeat({ ...claim, memberId: again.memberId })).toBe('NONE')
    const { assignment } = await group.sync({
      ...claim,
      memberId: again.memberId,
      protocolType: null,
      protocolName: null,
      assignments: [],
    })
    expect(assignment.toString()).toBe('all')
    expect(setup.stored.at(-1)?.members).toMatchObject([{ memberId: again.memberId, groupInstanceId: 'instance-1' }])
  })

  test('without KIP-814 a restarted leader is not told that it leads', async () => {
    const setup = setUp()
    const former = await stableAlone(setup, asStatic)
    const again = await setup.group.join(request('', { ...asStatic, canSkipAssignment: false }))
    expect(again).toMatchObject({ error: 'NONE', leader: former.memberId, members: [], skipAssignment: false })
  })

  test('stays through a rebalance it does not join, within its session', async () => {
    const setup = setUp()
    const { group, clock } = setup
    await stableAlone(setup, { ...asStatic, sessionTimeoutMs: 100_000 })
    const second = watch(group.join(request('')))
    clock.advance(rebalanceTimeoutMs)
    await settle()
    expect(second.value).toMatchObject({ error: 'NONE', leader: second.value?.memberId })
    expect(second.value?.members).toHaveLength(2)
    expect(group.members.size).toBe(2)
  })

  test('is taken out by its instance id alone', async () => {
    const setup = setUp()
    const { memberId } = await stableAlone(setup, asStatic)
    expect(setup.group.leave('someone-else', 'instance-1')).toBe('FENCED_INSTANCE_ID')
    expect(setup.group.leave(memberId, 'instance-2')).toBe('UNKNOWN_MEMBER_ID')
    expect(setup.group.leave('', 'instance-1')).toBe('NONE')
    expect(setup.group.state).toBe('Empty')
  })
})

describe('storing offsets', () => {
  const nobody = { memberId: '', groupInstanceId: null, generationId: -1 }

  test('is allowed to anyone while the group is empty, and to members otherwise', async () => {
    const setup = setUp()
    const { group } = setup
    expect(group.checkCommit(nobody, false)).toBe('NONE')
    const { memberId, generationId } = await stableAlone(setup)
    const claim = { memberId, generationId, groupInstanceId: null }
    expect(group.checkCommit(nobody, false)).toBe('UNKNOWN_MEMBER_ID')
    expect(group.checkCommit(nobody, true)).toBe('NONE')
    expect(group.checkCommit(claim, false)).toBe('NONE')
    expect(group.checkCommit({ ...claim, generationId: 7 }, false)).toBe('ILLEGAL_GENERATION')
    expect(group.checkCommit({ ...claim, memberId: 'x' }, true)).toBe('UNKNOWN_MEMBER_ID')
  })

  test('waits for the assignment, but not for the end of the rebalance before it', async () => {
    const setup = setUp()
    const { group } = setup
    const { memberId, generationId } = await stableAlone(setup)
    const claim = { memberId, generationId, groupInstanceId: null }
    void group.join(request(''))
    expect(group.state).toBe('PreparingRebalance')
    expect(group.checkCommit(claim, false)).toBe('NONE')
    await group.join(request(memberId))
    expect(group.checkCommit({ ...claim, generationId: 2 }, false)).toBe('REBALANCE_IN_PROGRESS')
  })
})

describe('restoring', () => {
  test('brings a stable group back; members that do not come are out after a session', async () => {
    const setup = setUp()
    const [first, second] = await stablePair(setup)
    const { clock } = setup
    const options = {
      clock,
      persist: async () => undefined,
      initialRebalanceDelayMs: 0,
      maxSize: 9,
      log: () => undefined,
    }
    const restored = Group.restore('g', setup.stored.at(-1)!, options)
    expect(restored).toMatchObject({
      state: 'Stable',
      generationId: 2,
      leaderId: first.memberId,
      protocolName: 'range',
    })
    expect(restored.heartbeat({ ...second, groupInstanceId: null })).toBe('NONE')
    expect((await sync(restored, second)).assignment.toString()).toBe('b')
    clock.advance(sessionTimeoutMs - 1)
    restored.heartbeat({ ...second, groupInstanceId: null })
    clock.advance(1)
    expect([...restored.members.keys()]).toEqual([second.memberId])
  })
})

/** One thing that may happen to a group in any state. */
type Event = 'join new' | 'join again' | 'sync' | 'heartbeat' | 'commit' | 'leave' | 'session ends'

/** What each event comes to in each state: the error answered (WAITS: no answer yet) and the state after it. */
const table: Record<GroupState, Record<Event, [KafkaError | 'WAITS' | '-', GroupState]>> = {
  Empty: {
    'join new': ['NONE', 'CompletingRebalance'],
    'join again': ['UNKNOWN_MEMBER_ID', 'Empty'],
    sync: ['UNKNOWN_MEMBER_ID', 'Empty'],
    heartbeat: ['UNKNOWN_MEMBER_ID', 'Empty'],
    commit: ['UNKNOWN_MEMBER_ID', 'Empty'],
    leave: ['UNKNOWN_MEMBER_ID', 'Empty'],
    'session ends': ['-', 'Empty'],
  },
  PreparingRebalance: {
    'join new': ['WAITS', 'PreparingRebalance'],
    'join again': ['NONE', 'CompletingRebalance'],
    sync: ['REBALANCE_IN_PROGRESS', 'PreparingRebalance'],
    heartbeat: ['REBALANCE_IN_PROGRESS', 'PreparingRebalance'],
    commit: ['NONE', 'PreparingRebalance'],
    leave: ['NONE', 'CompletingRebalance'],
    'session ends': ['-', 'CompletingRebalance'],
  },
  CompletingRebalance: {
    'join new': ['WAITS', 'PreparingRebalance'],
    'join again': ['NONE', 'CompletingRebalance'],
    sync: ['NONE', 'Stable'],
    heartbeat: ['NONE', 'CompletingRebalance'],
    commit: ['REBALANCE_IN_PROGRESS', 'CompletingRebalance'],
    leave: ['NONE', 'Empty'],
    'session ends': ['-', 'Empty'],
  },
  Stable: {
    'join new': ['WAITS', 'PreparingRebalance'],
    'join again': ['NONE', 'CompletingRebalance'],
    sync: ['NONE', 'Stable'],
    heartbeat: ['NONE', 'Stable'],
    commit: ['NONE', 'Stable'],
    leave: ['NONE', 'Empty'],
    'session ends': ['-', 'Empty'],
  },
  Dead: {
    'join new': ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    'join again': ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    sync: ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    heartbeat: ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    commit: ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    leave: ['COORDINATOR_NOT_AVAILABLE', 'Dead'],
    'session ends': ['-', 'Dead'],
  },
}

/** A group in the state, and a member that is (or was) in it. */
async function inState(state: GroupState): Promise<{ setup: Setup; member: JoinResult }> {
  const setup = setUp()
  const { group } = setup
  const member = await group.join(request(''))
  switch (state) {
    case 'Empty':
      group.leave(member.memberId, null)
      break
    case 'CompletingRebalance':
      break
    case 'Stable':
      await sync(group, member)
      break
    case 'PreparingRebalance':
      await sync(group, member)
      void group.join(request(''))
      break
    case 'Dead':
      group.kill()
  }
  expect(group.state).toBe(state)
  return { setup, member }
}

async function happen(event: Event, { group, clock }: Setup, member: JoinResult): Promise<KafkaError | 'WAITS' | '-'> {
  const claim = { memberId: member.memberId, generationId: member.generationId, groupInstanceId: null }
  const errorOf = async (promise: Promise<JoinResult | SyncResult>) => {
    const seen = watch(promise)
    await settle()
    return seen.value?.error ?? 'WAITS'
  }
  switch (event) {
    case 'join new':
      return errorOf(group.join(request('')))
    case 'join again':
      return errorOf(group.join(request(member.memberId)))
    case 'sync':
      return errorOf(sync(group, member))
    case 'heartbeat':
      return group.heartbeat(claim)
    case 'commit':
      return group.checkCommit(claim, false)
    case 'leave':
      return group.leave(member.memberId, null)
    case 'session ends':
      clock.advance(sessionTimeoutMs)
      return '-'
  }
}

describe('every event in every state', () => {
  for (const [state, row] of Object.entries(table) as [GroupState, (typeof table)[GroupState]][]) {
    test.for(Object.entries(row) as [Event, (typeof row)[Event]][])(`${state}: %s`, async ([event, expected]) => {
      const { setup, member } = await inState(state)
      const error = await happen(event, setup, member)
      expect([error, setup.group.state]).toEqual(expected)
    })
  }
})

test('whatever members do in whatever order, the group keeps its promises', async () => {
  const step = fc.record({
    who: fc.nat(3),
    what: fc.constantFrom('join', 'sync', 'heartbeat', 'leave', 'pass time', 'disk fails', 'disk works' as const),
    ms: fc.constantFrom(1000, 9000, 31_000),
    topics: fc.constantFrom('a', 'b'),
    isStatic: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const setup = setUp()
      const { group, clock, disk } = setup
      /** What each of four clients knows of itself. */
      const clients = [0, 1, 2, 3].map(() => ({ memberId: '', generationId: -1, leads: false }))
      const waiting = new Set<Promise<unknown>>()
      const track = <T>(promise: Promise<T>) => {
        waiting.add(promise)
        void promise.finally(() => waiting.delete(promise))
        return promise
      }
      let generation = 0
      for (const { who, what, ms, topics, isStatic } of steps) {
        const client = clients[who]!
        const groupInstanceId = isStatic && who === 3 ? 'static' : null
        switch (what) {
          case 'join': {
            const protocols = [{ name: 'range', metadata: Buffer.from(topics) }]
            void track(group.join(request(client.memberId, { protocols, groupInstanceId }))).then((result) => {
              if (result.error === 'UNKNOWN_MEMBER_ID' || result.error === 'FENCED_INSTANCE_ID') client.memberId = ''
              if (result.error !== 'NONE') return
              Object.assign(client, {
                memberId: result.memberId,
                generationId: result.generationId,
                leads: result.leader === result.memberId,
              })
            })
            break
          }
          case 'sync': {
            const assignments = client.leads ? [...group.members.keys()] : []
            const assigned = Object.fromEntries(assignments.map((id) => [id, `for ${id}`]))
            void track(sync(group, { ...joinedAs(client) }, assigned)).then((result) => {
              if (result.error !== 'NONE') return
              // Nobody ever gets what was meant for somebody else.
              const text = result.assignment.toString()
              expect(text === '' || text.startsWith('for ')).toBe(true)
            })
            break
          }
          case 'heartbeat':
            group.heartbeat({ ...client, groupInstanceId })
            break
          case 'leave':
            group.leave(client.memberId, null)
            break
          case 'pass time':
            clock.advance(ms)
            break
          case 'disk fails':
          case 'disk works':
            disk.fails = what === 'disk fails'
        }
        await settle()
        // Generations only grow; a leader is a member; members that wait are waiting for this state.
        expect(group.generationId).toBeGreaterThanOrEqual(generation)
        generation = group.generationId
        if (group.leaderId !== null) expect(group.members.has(group.leaderId)).toBe(true)
        if (group.state === 'Empty') expect(group.members.size).toBe(0)
        else expect(group.members.size).toBeGreaterThan(0)
        for (const member of group.members.values()) {
          if (member.awaitsJoin) expect(group.state).toBe('PreparingRebalance')
          if (member.awaitsSync) expect(group.state).toBe('CompletingRebalance')
        }
      }
      // With time, everyone gets an answer and everyone silent is gone.
      disk.fails = false
      for (let i = 0; i < 20; i++) {
        clock.advance(rebalanceTimeoutMs)
        await settle()
      }
      expect(waiting.size).toBe(0)
      expect(group.members.size).toBe(0)
    }),
    { numRuns: 150 },
  )
})

function joinedAs(client: { memberId: string; generationId: number }): JoinResult {
  return {
    ...client,
    error: 'NONE',
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}
