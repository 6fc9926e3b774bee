/**
 * `kill -9` of the broker under a group of the newer protocol (KIP-848): members stay members, no partition is ever with two of
 * them, no acknowledged offset is lost, and every rebalance that was under way comes to its end. TIDEWIRE_SOAK=1 makes it
 * 50 kills instead of 5.
 */
import { describe, expect, test } from 'vitest'
import { consumerGroupDescribe } from '../../core/src/protocol/messages/consumer-group-describe.ts'
import { consumerGroupHeartbeat } from '../../core/src/protocol/messages/consumer-group-heartbeat.ts'
import { createTopics } from '../../core/src/protocol/messages/create-topics.ts'
import { offsetCommit } from '../../core/src/protocol/messages/offset-commit.ts'
import { offsetFetch } from '../../core/src/protocol/messages/offset-fetch.ts'
import { errorByCode } from '../../core/src/protocol/errors.ts'
import { pythonClients, pythonMissing } from '../support/python-clients.ts'
import { RawClient } from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import { killedBroker, kills, pause, random } from './killed-broker.ts'

const partitions = 6
const missingPython = await pythonMissing()
const broker = killedBroker()

const nameOf = (code: number) => errorByCode(code).name

/** Asks again over new connections until there is an answer. */
async function asked<T>(ask: (client: RawClient) => Promise<T>): Promise<T> {
  for (;;) {
    let client: RawClient | undefined
    try {
      client = await RawClient.connect(broker.port)
      return await ask(client)
    } catch (error) {
      const isGone = error instanceof Error && /closed|ECONNREFUSED|ECONNRESET/.test(error.message)
      if (!isGone) throw error
      await pause(20)
    } finally {
      client?.close()
    }
  }
}

/** What is known of the group from outside. */
class World {
  topicId = ''
  readonly owners = new Map<number, string>()
  /** Acknowledged. */
  readonly offsets = new Map<number, number>()
}

/** A client as simple as it can be: it says all that it knows in each heartbeat. */
class GroupMember {
  readonly id: string
  readonly #world: World
  #epoch = 0
  #owned: number[] = []

  constructor(id: string, world: World) {
    this.id = id
    this.#world = world
  }

  async beat(): Promise<void> {
    const answer = await asked((client) =>
      client.request(consumerGroupHeartbeat, 1, {
        groupId: 'g',
        memberId: this.id,
        memberEpoch: this.#epoch,
        rebalanceTimeoutMs: 60_000,
        subscribedTopicNames: ['t'],
        topicPartitions: this.#owned.length === 0 ? [] : [{ topicId: this.#world.topicId, partitions: this.#owned }],
      }),
    )
    expect(nameOf(answer.errorCode), String(answer.errorMessage)).toBe('NONE')
    expect(answer.memberEpoch).toBeGreaterThanOrEqual(this.#epoch)
    this.#epoch = answer.memberEpoch
    const assigned = answer.assignment!.topicPartitions.flatMap((each) => each.partitions)
    for (const partition of this.#owned) if (!assigned.includes(partition)) this.#world.owners.delete(partition)
    for (const partition of assigned) {
      expect(this.#world.owners.get(partition) ?? this.id, `partition ${partition}`).toBe(this.id)
      this.#world.owners.set(partition, this.id)
    }
    this.#owned = assigned
  }

  /** Takes the offset of one partition on by one. */
  async commit(): Promise<void> {
    const partitionIndex = this.#owned[random(0, this.#owned.length - 1)]
    if (partitionIndex === undefined) return
    const committedOffset = (this.#world.offsets.get(partitionIndex) ?? 0) + 1
    const commit = { partitionIndex, committedOffset, committedMetadata: null }
    const answer = await asked((client) =>
      client.request(offsetCommit, 9, {
        groupId: 'g',
        memberId: this.id,
        generationIdOrMemberEpoch: this.#epoch,
        topics: [{ name: 't', partitions: [commit] }],
      }),
    )
    const error = nameOf(answer.topics[0]!.partitions[0]!.errorCode)
    // It may not have heard of its new epoch yet.
    expect(['NONE', 'STALE_MEMBER_EPOCH']).toContain(error)
    if (error === 'NONE') this.#world.offsets.set(partitionIndex, committedOffset)
  }

  async leave(): Promise<void> {
    // Once it is on its way: where the answer is lost in a kill, others have them long before this member knows.
    for (const partition of this.#owned) this.#world.owners.delete(partition)
    this.#owned = []
    const leaving = { groupId: 'g', memberId: this.id, memberEpoch: -1 }
    const answer = await asked((client) => client.request(consumerGroupHeartbeat, 1, leaving))
    // Unknown: it had left, and the answer was lost.
    expect(['NONE', 'UNKNOWN_MEMBER_ID']).toContain(nameOf(answer.errorCode))
  }
}

test(`${kills} kills under a group that rebalances all the time`, { timeout: kills * 20_000 }, async () => {
  const topic = { name: 't', numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }
  const world = new World()
  world.topicId = (await asked((client) => client.request(createTopics, 7, { topics: [topic] }))).topics[0]!.topicId
  let isOver = false
  const lasting = ['a', 'b'].map((id) => new GroupMember(id, world))
  const stay = async (member: GroupMember) => {
    while (!isOver) {
      await member.beat()
      await member.commit()
    }
  }
  const comeAndGo = async () => {
    for (let i = 0; !isOver; i++) {
      const member = new GroupMember(`guest-${i}`, world)
      for (let beats = random(1, 30); beats > 0; beats--) {
        await member.beat()
        await member.commit()
      }
      await member.leave()
    }
  }
  const load = Promise.all([...lasting.map(stay), comeAndGo()])
  for (let i = 0; i < kills; i++) {
    await Promise.race([pause(random(100, 1000)), load])
    await broker.killAndRestart()
  }
  await Promise.race([pause(300), load])
  isOver = true
  await load

  await until('the group to settle', async () => {
    for (const member of lasting) await member.beat()
    const { groups } = await asked((client) =>
      client.request(consumerGroupDescribe, 1, { groupIds: ['g'], includeAuthorizedOperations: false }),
    )
    return groups[0]!.groupState === 'Stable'
  })
  expect(world.owners.size).toBe(partitions)
  expect(new Set(world.owners.values())).toEqual(new Set(['a', 'b']))
  expect(world.offsets.size).toBe(partitions)
  const wanted = [{ name: 't', partitionIndexes: [...world.offsets.keys()] }]
  const { groups } = await asked((client) =>
    client.request(offsetFetch, 9, { groups: [{ groupId: 'g', topics: wanted }], requireStable: true }),
  )
  for (const { partitionIndex, committedOffset } of groups[0]!.topics[0]!.partitions) {
    expect(committedOffset).toBeGreaterThanOrEqual(world.offsets.get(partitionIndex)!)
  }
})

describe.skipIf(missingPython !== undefined)(
  `librdkafka${missingPython === undefined ? '' : ` (${missingPython})`}`,
  () => {
    test('a consumer goes on over kills, from where it committed', async () => {
      const scenario = await pythonClients()
      const running = scenario('confluent_scenarios.py', 'survive', broker.address)
      const progress = async () => {
        const { groups } = await asked((client) =>
          client.request(offsetFetch, 9, { groups: [{ groupId: 'survivor', topics: null }], requireStable: false }),
        )
        const partitions = groups[0]!.topics.flatMap((each) => each.partitions)
        return partitions.reduce((sum, { committedOffset }) => sum + committedOffset, 0)
      }
      for (const least of [100, 600]) {
        await until(`offsets beyond ${least}`, async () => (await progress()) > least, 60_000)
        await broker.killAndRestart()
      }
      // Each once: what was read and not committed may come again, what was committed may not.
      expect(await running).toEqual({ all: true, 'read again': 0, 'lost its place': 0 })
    })
  },
)
