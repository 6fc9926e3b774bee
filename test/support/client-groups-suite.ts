/** What consumers of the client have to do in a group: part of the suite of the client. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { TopicPartition } from '@tidewire/sdk'
import { encodeAssignment, encodeCooperativeSubscription } from '../../core/src/client/assignors.ts'
import type { LogClient, LogError } from '../../core/src/client/client.ts'
import { flatten, newTopic, uniqueName, values, type SeenRecord } from './client-topics.ts'
import { PollingConsumer } from './polling-consumer.ts'
import { until } from './until.ts'

export function describeGroups(clientOf: () => LogClient): void {
  describe('groups', () => {
    let client: LogClient
    beforeAll(() => void (client = clientOf()))

    test.each([
      ['cooperative-sticky', ['assign 0,1,2,3', 'revoke \\d,\\d$', 'assign \\d,\\d$', 'revoke 0,1,2,3']],
      [
        'range',
        ['assign 0,1,2,3', 'revoke 0,1,2,3', 'assign \\d,\\d$', 'revoke \\d,\\d$', 'assign 0,1,2,3', 'revoke 0,1,2,3'],
      ],
    ] as const)(
      'a group shares the partitions out, and goes on where it was through joins and leaves (%s)',
      async (assignmentStrategy, events) => {
        const topic = await newTopic(client, 4)
        const groupId = uniqueName('group')
        const producer = client.producer()
        let next = 0
        const produce = async (count: number): Promise<void> => {
          await producer.produce(
            Array.from({ length: count }, () => ({ topic, partition: next % 4, key: null, value: `${next++}` })),
          )
        }
        await produce(100)
        const first = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy })
        await until('the first to read all', () => first.seen.length === 100)
        expect(first.consumer.assignment()).toHaveLength(4)
        const second = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy })
        await until(
          'two to share',
          () => first.consumer.assignment().length === 2 && second.consumer.assignment().length === 2,
        )
        await produce(100)
        await until('both to read', () => first.seen.length + second.seen.length === 200)
        expect(second.seen).toHaveLength(50)
        await second.close()
        await until('the first to have all', () => first.consumer.assignment().length === 4)
        await produce(100)
        await until('the first to read on', () => first.seen.length + second.seen.length === 300)
        await first.close()
        expect(new Set(values([...first.seen, ...second.seen])).size).toBe(300)
        expect(first.events).toEqual(events.map((event): unknown => expect.stringMatching(event)))
        const offsets = await client.admin.groupOffsets(groupId)
        expect(offsets.map((each) => each.offset)).toEqual([75, 75, 75, 75])
      },
    )

    test('what a member keeps is read on through a rebalance, and committed as soon as that is over', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const partition = { topic, partition: 0 }
      // A leader of the group that takes its time to assign.
      let leaderId = ''
      let mayAssign = Promise.resolve()
      let assigning = 0
      const leader = client.groupMember({
        groupId,
        protocolType: 'consumer',
        sessionTimeoutMs: 6_000,
        heartbeatIntervalMs: 100,
        rebalanceTimeoutMs: 20_000,
        protocols: () => [{ name: 'cooperative-sticky', metadata: encodeCooperativeSubscription([topic], [], -1) }],
        assign: async (_protocol, members) => {
          assigning = members.length
          await mayAssign
          return new Map(
            members.map(({ memberId }) => [memberId, encodeAssignment(memberId === leaderId ? [] : [partition])]),
          )
        },
        onChange: () => undefined,
      })
      const { memberId } = await leader.join()
      leaderId = memberId
      const member = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the next round', () => leader.mustRejoin)
      await leader.join()
      await until('the partition', () => member.consumer.assignment().length === 1)
      const go = Promise.withResolvers<undefined>()
      mayAssign = go.promise.then(() => undefined)
      assigning = 0
      leader.requestRejoin()
      const joining = leader.join()
      await until('the round to wait for its leader', () => assigning === 2)
      await client.producer().produce([{ ...partition, key: null, value: 'during' }])
      await until('the record', () => values(member.seen).includes('during'))
      let committed = false
      const commit = member.consumer.commit([{ ...partition, offset: 1 }]).then(() => (committed = true))
      await client.producer().produce([{ ...partition, key: null, value: 'still' }])
      await until('one more', () => values(member.seen).includes('still'))
      expect(committed).toBe(false)
      go.resolve(undefined)
      await Promise.all([joining, commit])
      expect(await member.consumer.committed([partition])).toEqual([{ ...partition, offset: 1 }])
      expect(member.events).toEqual(['assign 0'])
      await leader.leave()
      await member.close()
    })

    test('a member that knows range alone makes the group go by it, and by cooperation again when it leaves', async () => {
      const topic = await newTopic(client, 4)
      const groupId = uniqueName('group')
      const first = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the first to have all', () => first.consumer.assignment().length === 4)
      const range = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy: 'range' })
      await until('two to share', () => range.consumer.assignment().length === 2)
      await until('the first to have its half', () => first.consumer.assignment().length === 2)
      expect(first.events).toEqual(['assign 0,1,2,3', 'lost 0,1,2,3', expect.stringMatching(/^assign/)])
      await range.close()
      await until('the first to have all again', () => first.consumer.assignment().length === 4)
      const third = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the third to have its half', () => third.consumer.assignment().length === 2)
      expect(first.events.at(-1)).toMatch(/^revoke \d,\d$/)
      await Promise.all([first.close(), third.close()])
    })

    test('offsets in a transaction of a consumer that is no longer the one are refused', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const consumer = client.groupConsumer({
        groupId,
        topics: [topic],
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: () => undefined,
      })
      expect(() => consumer.groupMetadata()).toThrow(expect.objectContaining({ code: 'UNKNOWN_MEMBER_ID' }))
      await until('assignment', async () => {
        await consumer.poll({ maxWaitMs: 50 })
        return consumer.assignment().length === 1
      })
      const member = consumer.groupMetadata()
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      const offsets = [{ topic, partition: 0, offset: 3 }]
      for (const group of [
        { ...member, generation: member.generation - 1 },
        { ...member, memberId: 'somebody' },
      ]) {
        producer.begin()
        await expect(producer.sendOffsets(group, offsets)).rejects.toMatchObject({
          code: group.memberId === 'somebody' ? 'UNKNOWN_MEMBER_ID' : 'ILLEGAL_GENERATION',
        })
        await expect(producer.commit()).rejects.toThrow()
        await producer.abort()
      }
      producer.begin()
      await producer.sendOffsets(member, offsets)
      await producer.commit()
      expect(await consumer.committed(offsets)).toEqual(offsets)
      await Promise.all([producer.close(), consumer.close()])
    })

    test('a group by pattern takes in topics as they come', async () => {
      const prefix = uniqueName('pattern')
      const consumer = new PollingConsumer(client, {
        groupId: uniqueName('group'),
        topicsPattern: new RegExp(`^${prefix}-[ab]$`),
      })
      for (const suffix of ['a', 'b', 'other']) {
        const topic = `${prefix}-${suffix}`
        await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
        await client.producer().produce([{ topic, key: null, value: suffix }])
        if (suffix !== 'other') await until(`topic ${suffix}`, () => values(consumer.seen).includes(suffix))
      }
      expect(new Set(values(consumer.seen))).toEqual(new Set(['a', 'b']))
      await consumer.close()
    })

    test('a group tells its state, and which member has which partitions', async () => {
      const topic = await newTopic(client, 2)
      const groupId = uniqueName('group')
      const consumer = client.groupConsumer({
        groupId,
        topics: [topic],
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: () => undefined,
      })
      await until('an assignment', async () => {
        await consumer.poll({ maxWaitMs: 100 })
        return consumer.assignment().length === 2
      })
      const group = await client.admin.group(groupId)
      expect(group).toMatchObject({ state: 'Stable', protocolType: 'consumer', protocol: 'cooperative-sticky' })
      const [member] = group!.members
      expect(member!.assigned).toHaveLength(2)
      expect(member!.assigned).toEqual(expect.arrayContaining([...consumer.assignment()]))
      const [held] = consumer.assignment()
      const refusal = (work: Promise<void>): Promise<unknown> =>
        work.catch((error: unknown) => (error as LogError).code)
      expect(await refusal(client.admin.alterGroupOffsets(groupId, [{ ...held!, offset: 0 }]))).toBe(
        'UNKNOWN_MEMBER_ID',
      )
      expect(await refusal(client.admin.deleteGroupOffsets(groupId, [held!]))).toBe('GROUP_SUBSCRIBED_TO_TOPIC')
      expect(await refusal(client.admin.deleteGroup(groupId))).toBe('NON_EMPTY_GROUP')
      await consumer.close()
    })

    test('seek, pause, committed offsets', async () => {
      const topic = await newTopic(client, 1)
      await client.producer().produce([0, 1, 2, 3, 4].map((i) => ({ topic, key: null, value: `${i}` })))
      const groupId = uniqueName('group')
      await client.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 3 }])
      let seekTo: number | undefined = undefined
      const options = {
        groupId,
        topics: [topic],
        onRevoke: () => undefined,
        onLost: () => undefined,
        onAssign: () => {
          if (seekTo !== undefined) consumer.seek({ topic, partition: 0, offset: seekTo })
        },
      }
      let consumer = client.groupConsumer(options)
      const read = (): Promise<SeenRecord[]> =>
        until('records', async () => {
          const seen = flatten(await consumer.poll({ maxWaitMs: 500 }))
          return seen.length > 0 && seen
        })
      expect(values(await read())).toEqual(['3', '4'])
      consumer.seek({ topic, partition: 0, offset: 1 })
      expect(values(await read())).toEqual(['1', '2', '3', '4'])
      consumer.pause([{ topic, partition: 0 }])
      await client.producer().produce([{ topic, key: null, value: '5' }])
      expect(await consumer.poll({ maxWaitMs: 700 })).toEqual([])
      consumer.resume([{ topic, partition: 0 }])
      expect(values(await read())).toEqual(['5'])
      await consumer.commit([{ topic, partition: 0, offset: 6 }])
      expect(await consumer.committed([{ topic, partition: 0 }])).toEqual([{ topic, partition: 0, offset: 6 }])
      await consumer.close()
      seekTo = 4
      consumer = client.groupConsumer(options)
      expect(values(await read())).toEqual(['4', '5'])
      await consumer.close()
      expect(() => consumer.seek({ topic, partition: 0, offset: 0 })).toThrow(
        expect.objectContaining({ code: 'NOT_ASSIGNED' }),
      )
    })

    test('a consumer that no one polls leaves the group, and hears of it', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const lost: TopicPartition[] = []
      const idle = client.groupConsumer({
        groupId,
        topics: [topic],
        maxPollIntervalMs: 2_000,
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: (partitions) => void lost.push(...partitions),
      })
      await until('assignment', async () => {
        await idle.poll({ maxWaitMs: 100 })
        return idle.assignment().length === 1
      })
      const other = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the other to take over', () => other.consumer.assignment().length === 1)
      await expect(idle.commit([{ topic, partition: 0, offset: 1 }])).rejects.toMatchObject({ retriable: false })
      await idle.poll({ maxWaitMs: 0 })
      expect(lost).toEqual([{ topic, partition: 0 }])
      await Promise.all([idle.close(), other.close()])
    })
  })
}
