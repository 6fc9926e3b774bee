/** Python's clients against the log in a process of its own: confluent-kafka, which is librdkafka, and kafka-python. */
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'

const missing = await pythonMissing()

describe.skipIf(missing !== undefined)(`clients of Python${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: BrokerProcess
  let dataDir: string
  let scenario: Scenario

  beforeAll(async () => {
    scenario = await pythonClients()
    dataDir = await temporaryFolder()
    // A member that is killed is to be missed soon.
    broker = await brokerProcess(dataDir, 0, undefined, { 'group.consumer.session.timeout.ms': 6000 })
  })
  afterAll(async () => {
    await broker.stop()
    await rm(dataDir, { recursive: true, force: true })
  })

  describe('confluent-kafka', () => {
    const run = (name: string) => scenario('confluent_scenarios.py', name, broker.address)

    test('produces idempotently with each compression, and consumes', async () => {
      expect(await run('compressions')).toEqual({
        none: true,
        gzip: true,
        snappy: true,
        lz4: true,
        zstd: true,
        record: [
          'k',
          null,
          [
            ['a', '1'],
            ['n', null],
          ],
          1234567890123,
        ],
      })
    })

    test('reads, writes and commits in transactions', async () => {
      expect(await run('transactions')).toEqual({
        committed: ['A', 'B'],
        all: ['A', 'B', 'C', 'open'],
        fenced: '_FENCED',
        offset: 2,
      })
    })

    test('shares a group between two members, cooperatively', async () => {
      expect(await run('groups')).toEqual({
        alone: true,
        shared: true,
        // What the second member took over, and nothing else.
        revoked: [3],
        failures: [],
        all: true,
        state: 'STABLE',
        assignor: 'cooperative-sticky',
        members: [3, 3],
        'alone again': true,
        listed: 'EMPTY',
        deleted: true,
      })
    })

    test('shares a group of the newer protocol; a member that is killed is missed', async () => {
      expect(await run('consumer_protocol')).toEqual({
        alone: true,
        shared: true,
        three: true,
        'without the killed': true,
        all: true,
        state: 'STABLE',
        type: 'CONSUMER',
        assignor: 'range',
        members: [3, 3],
        'alone again': true,
        transaction: 1000,
        listed: ['CONSUMER', 'EMPTY'],
      })
    })

    test('makes, describes, changes and deletes topics', async () => {
      expect(await run('administration')).toEqual({
        created: [2, '1000000'],
        altered: [4, '604800000', 'delete,compact'],
        'low watermark': [2],
        offsets: { earliest: 2, latest: 3, max: 2 },
        cluster: [1, 1],
        again: 'TOPIC_ALREADY_EXISTS',
        deleted: true,
      })
    })
  })

  describe('kafka-python', () => {
    const run = (name: string) => scenario('kafka_python_scenarios.py', name, broker.address)

    test('produces with each compression, and consumes with a group', async () => {
      expect(await run('produce_and_consume')).toEqual({
        none: true,
        gzip: true,
        snappy: true,
        lz4: true,
        zstd: true,
        read: 500,
        'read on': ['more'],
        offset: 500,
      })
    })

    test('commits and aborts transactions', async () => {
      expect(await run('transactions')).toEqual({ read_committed: ['a', 'c'], read_uncommitted: ['a', 'b', 'c'] })
    })

    test('makes, describes and deletes topics', async () => {
      expect(await run('administration')).toEqual({
        listed: true,
        partitions: [2],
        cluster: [['127.0.0.1', broker.port]],
        again: 'TopicAlreadyExistsError',
        deleted: true,
      })
    })
  })
})
