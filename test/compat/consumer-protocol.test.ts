/** The newer group protocol (KIP-848) with the Java client and Kafka's tools, against the log in a process of its own. */
import { rm } from 'node:fs/promises'
import { join as pathOf } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { javaMissing, javaTools, tableOf, toolsOn, type JavaTools } from '../support/java-tools.ts'

const missing = await javaMissing()

describe.skipIf(missing !== undefined)(
  `the consumer group protocol${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let broker: BrokerProcess
    let dataDir: string
    let tools: JavaTools

    beforeAll(async () => {
      dataDir = await temporaryFolder()
      const config = { 'group.consumer.heartbeat.interval.ms': 200, 'group.consumer.session.timeout.ms': 6000 }
      ;[tools, broker] = await Promise.all([javaTools(), brokerProcess(dataDir, 0, undefined, config)])
    })
    afterEach(async () => {
      await tools.run('GroupMembers', ['end'])
    })
    afterAll(async () => {
      await tools.close()
      await broker.stop()
      await rm(dataDir, { recursive: true, force: true })
    })

    const { run, ok } = toolsOn(
      () => tools,
      () => broker.address,
    )
    const topics = (args: string) => ok('TopicCommand', args)
    const groups = (args: string) => ok('consumer.group.ConsumerGroupCommand', args)
    const perform = (topic: string, records: number) =>
      ok('ProducerPerformance', `--topic ${topic} --num-records ${records} --record-size 10 --throughput -1`)
    const members = async (...args: (string | number)[]) => {
      const { code, out, err } = await tools.run('GroupMembers', args.map(String))
      expect(code, err).toBe(0)
      return out
    }
    const join = (group: string, topic: string, partitions: number, assignor = 'uniform', ...instance: string[]) =>
      members('join', broker.address, group, topic, assignor, partitions, ...instance)

    test('the console consumer reads, commits, and goes on where it was', async () => {
      await topics('--create --topic console --partitions 2')
      const consumer = '--topic console --from-beginning --group console --command-property group.protocol=consumer'
      await ok('ConsoleProducer', '--topic console', 'a\nb\nc\n')
      const first = await ok('consumer.ConsoleConsumer', `${consumer} --max-messages 3 --timeout-ms 20000`)
      expect(first.trim().split('\n').sort()).toEqual(['a', 'b', 'c'])
      await ok('ConsoleProducer', '--topic console', 'd\n')
      expect(await ok('consumer.ConsoleConsumer', `${consumer} --max-messages 1 --timeout-ms 20000`)).toBe('d\n')
      expect(await groups('--list --state')).toMatch(/^console +Empty/m)
      const [row] = tableOf(await groups('--describe --group console')).filter((each) => each['CURRENT-OFFSET'] !== '0')
      expect(row).toMatchObject({ LAG: '0' })
      // An empty group may be taken over by members of the classic protocol, and back.
      const classic = consumer.replace('=consumer', '=classic')
      await ok('ConsoleProducer', '--topic console', 'e\n')
      expect(await ok('consumer.ConsoleConsumer', `${classic} --max-messages 1 --timeout-ms 20000`)).toBe('e\n')
      expect(await groups('--list --type classic')).toMatch(/^console +Classic/m)
      await ok('ConsoleProducer', '--topic console', 'f\n')
      expect(await ok('consumer.ConsoleConsumer', `${consumer} --max-messages 1 --timeout-ms 20000`)).toBe('f\n')
      expect(await groups('--list --type consumer')).toMatch(/^console +Consumer/m)
      expect(await groups('--delete --group console')).toContain('was successful')
      expect(await groups('--list')).not.toContain('console')
    })

    test.for(['uniform', 'range'])('two members share, one comes later and leaves first: %s', async (assignor) => {
      const group = `shared-${assignor}`
      await topics(`--create --topic ${group} --partitions 6`)
      await join(group, group, 6, assignor)
      await perform(group, 1000)
      await join(group, group, 6, assignor)
      await perform(group, 1000)

      expect(await groups(`--describe --group ${group} --state`)).toMatch(
        new RegExp(`^${group} +127\\.0\\.0\\.1:\\d+ +\\(1\\) +${assignor} +Stable +2`, 'm'),
      )
      const rows = tableOf(await groups(`--describe --group ${group}`))
      expect(rows.map((row) => row['HOST'])).toEqual(Array<string>(6).fill('/127.0.0.1'))
      expect(new Set(rows.map((row) => row['CONSUMER-ID'])).size).toBe(2)
      const verbose = tableOf(await groups(`--describe --group ${group} --members --verbose`))
      expect(verbose.map((row) => row['#PARTITIONS'])).toEqual(['3', '3'])
      // Our own client tells the same.
      const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
      const described = await client.admin.group(group)
      expect(described).toMatchObject({ state: 'Stable', type: 'consumer', protocol: assignor })
      expect(described!.members.map(({ assigned }) => assigned.length)).toEqual([3, 3])
      expect(await client.admin.groups()).toContainEqual(expect.objectContaining({ groupId: group, type: 'consumer' }))
      await client.close()
      expect(await ok('GroupsCommand', '--list --consumer')).toMatch(new RegExp(`^${group} +Consumer +consumer`, 'm'))
      expect(await groups('--list --state stable')).toContain(group)
      expect(await groups(`--delete --group ${group}`)).toContain('GroupNotEmptyException')
      expect(await groups(`--delete-offsets --group ${group} --topic ${group}`)).toContain('GroupSubscribedToTopic')

      await members('leave')
      await members('settle', 6)
      await perform(group, 1000)
      const settled = async () => tableOf(await groups(`--describe --group ${group}`)).map((row) => row['LAG'])
      await expect.poll(settled).toEqual(Array<string>(6).fill('0'))
      // Only what another member took over was revoked.
      expect(await members('end')).toBe('records 3000, revoked 3\n')
    })

    test('new partitions and new topics of a pattern are picked up', async () => {
      await topics('--create --topic pattern.one --partitions 2')
      await topics('--create --topic other --partitions 2')
      await join('patterns', '/pattern\\..*', 2)
      await topics('--alter --topic pattern.one --partitions 4')
      await members('settle', 4)
      await topics('--create --topic pattern.two --partitions 2')
      await members('settle', 6)
      const verbose = await groups('--describe --group patterns --members --verbose')
      expect(verbose).toContain('pattern.two:0,1')
      const { code, err } = await tools.run('GroupMembers', ['join', broker.address, 'refused', '/(', 'uniform', '1'])
      expect(code).toBe(1)
      expect(err).toContain('InvalidRegularExpression')
    })

    test('a static member has its partitions back after a restart; a second one of its name is refused', async () => {
      await topics('--create --topic static --partitions 4')
      await join('static', 'static', 4, 'uniform', 'one')
      await join('static', 'static', 4, 'uniform', 'two')
      const shares = async () =>
        tableOf(await groups('--describe --group static'))
          .map((row) => `${row['PARTITION']} ${row['CONSUMER-ID'] === '-' ? '-' : ''}`)
          .sort()
      const before = await shares()
      await members('leave')
      await join('static', 'static', 4, 'uniform', 'two')
      expect(await shares()).toEqual(before)
      const twice = ['join', broker.address, 'static', 'static', 'uniform', '4', 'one']
      const { code, err } = await tools.run('GroupMembers', twice)
      expect(code).toBe(1)
      expect(err).toContain('UnreleasedInstanceId')
    })

    test('what is kept of a group decodes as Kafka’s own', async () => {
      await topics('--create --topic kept --partitions 2')
      await join('kept', 'kept', 2, 'range', 'one')
      await members('end')
      const file = pathOf(dataDir, '__consumer_offsets-0', '00000000000000000000.log')
      const dump = ['--files', file, '--deep-iteration', '--offsets-decoder']
      const { out } = await tools.run('org.apache.kafka.tools.DumpLogSegments', dump)
      const payloads = new Map<string, unknown>()
      for (const [, key, payload] of out.matchAll(/ key: (\{.*\}) payload: (\{.*\})$/gm)) {
        const { type, data } = JSON.parse(key!) as { type: string; data: { groupId?: string } }
        if (data.groupId === 'kept') payloads.set(type, (JSON.parse(payload!) as { data: unknown }).data)
      }
      const partitions = [{ topicId: expect.any(String) as string, partitions: [0, 1] }]
      expect(Object.fromEntries(payloads)).toEqual({
        3: { epoch: 1, metadataHash: expect.any(Number) as number },
        5: {
          ...{ instanceId: 'one', rackId: null, clientId: 'member', clientHost: '/127.0.0.1' },
          ...{ subscribedTopicNames: ['kept'], subscribedTopicRegex: '' },
          ...{ rebalanceTimeoutMs: 300_000, serverAssignor: 'range' },
        },
        6: { assignmentEpoch: 1, assignmentTimestamp: expect.any(Number) as number },
        7: { topicPartitions: partitions },
        // A static member that has left for now.
        8: {
          ...{ memberEpoch: -2, previousMemberEpoch: 0, state: 0 },
          ...{ assignedPartitions: partitions, partitionsPendingRevocation: [] },
        },
      })
    })

    test('kafka-configs: settings of a single group', async () => {
      const configs = (args: string) => run('kafka.admin.ConfigCommand', args)
      const of = '--entity-type groups --entity-name set'
      const set = await configs(`${of} --alter --add-config consumer.session.timeout.ms=7000`)
      expect(set, set.err).toMatchObject({ code: 0 })
      expect((await configs(`${of} --describe`)).out).toContain(
        'consumer.session.timeout.ms=7000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=7000, STATIC_BROKER_CONFIG:group.consumer.session.timeout.ms=6000, DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}',
      )
      expect((await configs('--entity-type groups --describe')).out).toContain('set')
      const wrong = await configs(`${of} --alter --add-config consumer.heartbeat.interval.ms=8000`)
      expect(wrong.err).toContain('InvalidConfigurationException')
      await configs(`${of} --alter --delete-config consumer.session.timeout.ms`)
      expect((await configs(`${of} --describe`)).out).not.toContain('7000')
    })

    test('members of the other protocol are refused as long as there are members', async () => {
      await topics('--create --topic mixed --partitions 2')
      await join('mixed', 'mixed', 2)
      const classic = await tools.run('GroupMembers', ['join', broker.address, 'mixed', 'mixed', 'RangeAssignor', '2'])
      expect(classic.err).toContain('InconsistentGroupProtocol')
      await members('end')
      await join('mixed', 'mixed', 2, 'RangeAssignor')
      const newer = await tools.run('GroupMembers', ['join', broker.address, 'mixed', 'mixed', 'uniform', '2'])
      expect(newer.err).toContain('GroupIdNotFound')
    })
  },
)
