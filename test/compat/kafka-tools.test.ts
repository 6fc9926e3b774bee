/** Kafka's own command-line tools, which are the Java client, against the log in a process of its own. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { javaMissing, javaTools, linesOf, tableOf, toolsOn, type JavaTools } from '../support/java-tools.ts'

const missing = await javaMissing()

describe.skipIf(missing !== undefined)(`tools of Kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: BrokerProcess
  let dataDir: string
  let tools: JavaTools

  beforeAll(async () => {
    dataDir = await temporaryFolder()
    ;[tools, broker] = await Promise.all([javaTools(), brokerProcess(dataDir)])
  })
  afterAll(async () => {
    await tools.close()
    await broker.stop()
    await rm(dataDir, { recursive: true, force: true })
  })

  const { ok, refused } = toolsOn(
    () => tools,
    () => broker.address,
  )
  const topics = (args: string) => ok('TopicCommand', args)
  const configs = (args: string) => ok('kafka.admin.ConfigCommand', args)
  const groups = (args: string) => ok('consumer.group.ConsumerGroupCommand', args)
  const produce = (topic: string, lines: readonly string[], args = '') =>
    ok('ConsoleProducer', `--topic ${topic}${args}`, lines.map((line) => `${line}\n`).join(''))
  const consume = async (topic: string, args: string) =>
    linesOf(await ok('consumer.ConsoleConsumer', `--topic ${topic} ${args}`))
  const offsets = async (topic: string, time: string) =>
    linesOf(await ok('GetOffsetShell', `--topic ${topic} --time ${time}`))
  const transactional = (topic: string, id: string, ...steps: string[]) =>
    tools.run('TransactionalWriter', [broker.address, topic, id, ...steps])

  test('kafka-topics: create, describe, add partitions, delete; what is wrong is said as Kafka says it', async () => {
    await topics('--create --topic made --partitions 2 --replication-factor 1 --config retention.ms=100000')
    const described = await topics('--describe --topic made')
    expect(described).toMatch(
      /^Topic: made\tTopicId: [\w-]{22}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=100000/,
    )
    expect(described).toContain('\tTopic: made\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\t')
    await topics('--alter --topic made --partitions 4')
    expect(await topics('--describe --topic made')).toContain('PartitionCount: 4')
    expect(await topics('--describe --under-replicated-partitions')).toBe('')
    expect(await refused('TopicCommand', '--alter --topic made --partitions 3')).toContain(
      'currently has 4 partition(s)',
    )
    expect(await refused('TopicCommand', '--create --topic made')).toContain("Topic 'made' already exists")
    expect(await refused('TopicCommand', '--create --topic other --replication-factor 3')).toContain(
      'Replication factor: 3',
    )
    expect(await refused('TopicCommand', '--create --topic other --config no.such=1')).toContain('no.such')
    expect(await refused('TopicCommand', '--create --topic bad!name')).toContain('Topic name is invalid')
    expect(await refused('TopicCommand', '--describe --topic other')).toContain("Topic 'other' does not exist")
    expect(linesOf(await topics('--list'))).toContain('made')
    await topics('--delete --topic made')
    expect(linesOf(await topics('--list'))).not.toContain('made')
    expect(await refused('TopicCommand', '--delete --topic made')).toContain("Topic 'made' does not exist")
  })

  test('console producer and consumer: keys, headers, null values, each compression, each acks', async () => {
    const parse =
      ' --reader-property parse.key=true --reader-property parse.headers=true --reader-property null.marker=NULL'
    await produce('console', ['a:1,b:2\tk1\tv1', 'c:3\tk2\tNULL'], parse)
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      await produce('console', [codec], ` --compression-codec ${codec}`)
    }
    await produce('console', ['acks'], ' --command-property acks=1 --command-property enable.idempotence=false')
    const print = ['key', 'headers', 'offset'].map((each) => `--formatter-property print.${each}=true`).join(' ')
    expect(await consume('console', `--from-beginning --max-messages 8 --timeout-ms 20000 ${print}`)).toEqual([
      'Offset:0\ta:1,b:2\tk1\tv1',
      'Offset:1\tc:3\tk2\tnull',
      ...['none', 'gzip', 'snappy', 'lz4', 'zstd', 'acks'].map(
        (value, i) => `Offset:${i + 2}\tNO_HEADERS\tnull\t${value}`,
      ),
    ])
    expect(await consume('console', '--partition 0 --offset 6 --max-messages 1 --timeout-ms 20000')).toEqual(['zstd'])
  })

  test('kafka-consumer-groups: an idle group', async () => {
    await topics('--create --topic grouped --partitions 2')
    const lines = Array.from({ length: 20 }, (_, i) => `k${i}\tv${i}`)
    await produce('grouped', lines, ' --reader-property parse.key=true')
    const group = '--group idle --timeout-ms 20000 --max-messages'
    expect(await consume('grouped', `--from-beginning ${group} 20`)).toHaveLength(20)
    await produce('grouped', ['more'])
    expect(await consume('grouped', `${group} 1`)).toEqual(['more'])

    expect(await groups('--list --state')).toMatch(/^idle +Empty/m)
    expect(await groups('--list --type classic')).toMatch(/^idle +Classic/m)
    expect(await groups('--describe --group idle --state')).toMatch(/^idle +127\.0\.0\.1:\d+ +\(1\) .* Empty +0/m)
    const rows = async () => tableOf(await groups('--describe --group idle'))
    const before = await rows()
    expect(before.map((row) => row['LAG'])).toEqual(['0', '0'])
    expect(before.reduce((sum, row) => sum + Number(row['CURRENT-OFFSET']), 0)).toBe(21)

    const reset = (to: string) => groups(`--reset-offsets --group idle --topic grouped ${to} --execute`)
    await reset('--to-earliest')
    expect((await rows()).map((row) => row['CURRENT-OFFSET'])).toEqual(['0', '0'])
    await reset('--shift-by 3')
    expect((await rows()).map((row) => row['CURRENT-OFFSET'])).toEqual(['3', '3'])
    await reset('--to-datetime 2020-01-01T00:00:00.000')
    expect((await rows()).map((row) => row['CURRENT-OFFSET'])).toEqual(['0', '0'])
    await reset('--to-latest')
    expect((await rows()).map((row) => row['LAG'])).toEqual(['0', '0'])
    expect(await groups('--delete-offsets --group idle --topic grouped:1')).toMatch(/^grouped +1 +Successful/m)
    expect((await rows()).map((row) => row['CURRENT-OFFSET'])).toEqual([before[0]!['CURRENT-OFFSET']])

    expect(await groups('--delete --group idle')).toContain('was successful')
    expect(await groups('--list')).not.toMatch(/^idle/m)
    expect(await groups('--describe --group idle')).toContain('GroupIdNotFoundException')
    expect(await groups('--delete --group idle')).toContain('GroupIdNotFoundException')
  })

  test.for(['CooperativeStickyAssignor', 'RangeAssignor'])('a group with members, %s', async (assignor) => {
    const topic = `members-${assignor}`
    const members = async (...args: string[]) => {
      const { code, out, err } = await tools.run('GroupMembers', args)
      expect(code, err).toBe(0)
      return out
    }
    const join = () => members('join', broker.address, topic, topic, assignor, '6')
    await topics(`--create --topic ${topic} --partitions 6`)
    await join()
    await join()
    await ok('ProducerPerformance', `--topic ${topic} --num-records 5000 --record-size 10 --throughput -1`)

    const rows = tableOf(await groups(`--describe --group ${topic}`))
    expect(rows.map((row) => row['HOST'])).toEqual(Array<string>(6).fill('/127.0.0.1'))
    expect(new Set(rows.map((row) => row['CONSUMER-ID'])).size).toBe(2)
    const verbose = tableOf(await groups(`--describe --group ${topic} --members --verbose`))
    expect(verbose.map((row) => [row['CLIENT-ID'], row['#PARTITIONS']])).toEqual([
      ['member', '3'],
      ['member', '3'],
    ])
    expect(await groups(`--describe --group ${topic} --state`)).toContain('Stable')
    expect(await groups(`--delete --group ${topic}`)).toContain('GroupNotEmptyException')
    expect(await groups(`--reset-offsets --group ${topic} --topic ${topic} --to-earliest --execute`)).toContain(
      'the current state is Stable',
    )

    await members('leave')
    const [, records, revoked] = /^records (\d+), revoked (\d+)$/m.exec(await members('end'))!
    expect(records).toBe('5000')
    // Cooperatively only what the second member took over was revoked; else all that there was when it came. What a member that
    // ends has to give up depends on whether a rebalance is on.
    if (assignor === 'CooperativeStickyAssignor') expect(revoked).toBe('3')
    else expect(Number(revoked)).toBeGreaterThanOrEqual(6)
    const committed = tableOf(await groups(`--describe --group ${topic}`)).map((row) => Number(row['CURRENT-OFFSET']))
    expect(committed.reduce((sum, offset) => sum + offset)).toBe(5000)
  })

  test('kafka-configs: the settings of topics can be changed, those of the broker be seen', async () => {
    await topics('--create --topic set')
    const of = '--entity-type topics --entity-name set'
    await configs(`${of} --alter --add-config cleanup.policy=[compact,delete],retention.ms=100000`)
    expect(await configs(`${of} --describe`)).toContain(
      'retention.ms=100000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=100000, DEFAULT_CONFIG:log.retention.ms=604800000}',
    )
    expect(await configs(`${of} --describe`)).toContain('cleanup.policy=compact,delete ')
    await configs(`${of} --alter --delete-config retention.ms`)
    expect(await configs(`${of} --describe`)).not.toContain('retention.ms')
    expect(await configs(`${of} --describe --all`)).toContain(
      'retention.ms=604800000 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.ms=604800000}',
    )
    const alter = `${of} --alter --add-config`
    expect(await refused('kafka.admin.ConfigCommand', `${alter} retention.ms=long`)).toContain(
      'InvalidConfigurationException',
    )
    expect(await refused('kafka.admin.ConfigCommand', `${alter} no.such=1`)).toContain('InvalidConfigurationException')
    expect(
      await refused(
        'kafka.admin.ConfigCommand',
        '--entity-type topics --entity-name nowhere --alter --add-config retention.ms=1',
      ),
    ).toContain('UnknownTopicOrPartitionException')
    const ofBroker = '--entity-type brokers --entity-name 1'
    expect(await configs(`${ofBroker} --describe --all`)).toContain('auto.create.topics.enable=true')
    expect(await refused('kafka.admin.ConfigCommand', `${ofBroker} --alter --add-config num.partitions=3`)).toContain(
      'InvalidRequestException',
    )
  })

  test('kafka-get-offsets, kafka-delete-records and kafka-log-dirs', async () => {
    await topics('--create --topic trimmed --partitions 2')
    await produce('trimmed', ['1', '2', '3', '4', '5'])
    const ends = (await offsets('trimmed', 'latest')).map((line) => Number(line.split(':')[2]))
    expect(ends.reduce((sum, end) => sum + end)).toBe(5)
    const partition = ends.findIndex((end) => end > 0)
    const end = ends[partition]!
    const file = join(dataDir, 'delete-records.json')
    await writeFile(
      file,
      JSON.stringify({ version: 1, partitions: [{ topic: 'trimmed', partition, offset: end - 1 }] }),
    )
    expect(await ok('DeleteRecordsCommand', `--offset-json-file ${file}`)).toContain(
      `partition: trimmed-${partition}\tlow_watermark: ${end - 1}`,
    )
    expect(await offsets('trimmed', 'earliest')).toContain(`trimmed:${partition}:${end - 1}`)
    expect(await offsets('trimmed', 'max-timestamp')).toEqual([`trimmed:${partition}:${end - 1}`])
    expect(await offsets('trimmed', '1000')).toContain(`trimmed:${partition}:${end - 1}`)
    expect(await consume('trimmed', '--from-beginning --max-messages 1 --timeout-ms 20000')).toEqual(['5'])

    const json = linesOf(await ok('LogDirsCommand', '--describe --topic-list trimmed')).at(-1)!
    const { brokers } = JSON.parse(json) as {
      brokers: { broker: number; logDirs: { error: null; logDir: string; partitions: { size: number }[] }[] }[]
    }
    expect(brokers).toMatchObject([{ broker: 1, logDirs: [{ error: null, logDir: dataDir }] }])
    expect(brokers[0]!.logDirs[0]!.partitions.map(({ size }) => size > 0).filter(Boolean)).toHaveLength(1)
  })

  test('kafka-transactions, and a transactional producer that dies in the middle', async () => {
    const steps = ['a', 'b', 'commit', 'c', 'abort', 'd', 'offset:tx-group:4', 'commit', 'open']
    expect(await transactional('tx', 'tx-id', ...steps)).toMatchObject({ code: 0, out: '0\n1\n3\n5\n7\n' })
    const isolated = (level: string, count: number) =>
      consume('tx', `--from-beginning --isolation-level ${level} --max-messages ${count} --timeout-ms 20000`)
    expect(await isolated('read_committed', 3)).toEqual(['a', 'b', 'd'])
    expect(await isolated('read_uncommitted', 5)).toEqual(['a', 'b', 'c', 'd', 'open'])
    expect(await groups('--describe --group tx-group --offsets')).toMatch(/^tx-group +tx +0 +4 +8 +4/m)

    const transactions = (args: string) => ok('TransactionsCommand', args)
    expect(await transactions('list')).toMatch(/^tx-id\s+1\s+\d+\s+Ongoing/m)
    expect(await transactions('describe --transactional-id tx-id')).toMatch(/tx-id.*Ongoing\s+60000.*tx-0/)
    expect(await refused('TransactionsCommand', 'describe --transactional-id nobody')).toContain('could not be found')
    expect(await transactions('describe-producers --topic tx --partition 0')).toMatch(
      /^\d+\s+\d+\s+0\s+0\s+\d+\s+7\s*$/m,
    )
    // The coordinator knows of it: it is open, and not one that hangs.
    expect(linesOf(await transactions('find-hanging --topic tx --max-transaction-timeout 0'))).toHaveLength(1)

    await transactions('forceTerminateTransaction --transactionalId tx-id')
    expect(await transactions('list')).toMatch(/^tx-id\s+1\s+\d+\s+Empty/m)
    expect(await transactional('tx', 'tx-id', 'e', 'commit')).toMatchObject({ code: 0 })
    expect(await isolated('read_committed', 4)).toEqual(['a', 'b', 'd', 'e'])
  })

  test('copies one topic to another exactly once', async () => {
    await ok('ProducerPerformance', '--topic copied --num-records 3000 --record-size 20 --throughput -1')
    const copy = await tools.run('org.apache.kafka.tools.TransactionalMessageCopier', [
      ...['--broker-list', broker.address, '--input-topic', 'copied', '--input-partition', '0'],
      ...['--output-topic', 'copy', '--max-messages', '3000', '--transaction-size', '500'],
      ...['--transactional-id', 'copier', '--consumer-group', 'copier'],
    ])
    expect(copy.code, copy.err).toBe(0)
    expect(
      await consume('copy', '--from-beginning --isolation-level read_committed --max-messages 3000 --timeout-ms 20000'),
    ).toHaveLength(3000)
    expect(await groups('--describe --group copier')).toMatch(/^copier +copied +0 +3000 +3000 +0/m)
  })

  test('the load generators', async () => {
    const produced = await ok(
      'ProducerPerformance',
      '--topic load --num-records 20000 --record-size 100 --throughput -1 --command-property compression.type=lz4 --transactional-id load --transaction-duration-ms 50',
    )
    expect(produced).toContain('20000 records sent')
    const consumed = linesOf(await ok('ConsumerPerformance', '--topic load --num-records 20000 --timeout 20000'))
    expect(Number(consumed[1]!.split(', ')[4])).toBe(20_000)
    await ok('EndToEndLatency', '--topic latency --num-records 20 --producer-acks all --record-size 20')
  })

  test('what the broker says of itself', async () => {
    const versions = await ok('BrokerApiVersionsCommand', '')
    // The newest version that this client knows is one that is served.
    for (const api of [
      'Produce(0): 0 to 13 [usable: 13]',
      'Fetch(1): 4 to 18 [usable: 18]',
      'EndTxn(26): 0 to 5 [usable: 5]',
      'ConsumerGroupHeartbeat(68): 0 to 1 [usable: 1]',
    ]) {
      expect(versions).toContain(api)
    }
    expect(
      (await tools.run('org.apache.kafka.tools.ClusterTool', ['cluster-id', '--bootstrap-server', broker.address])).out,
    ).toMatch(/^Cluster ID: [\w-]{22}/)
    const features = await ok('FeatureCommand', 'describe')
    expect(features).toMatch(/group\.version\s.*FinalizedVersionLevel: 1/)
    expect(features).toMatch(/transaction\.version\s.*FinalizedVersionLevel: 2/)
  })
})
