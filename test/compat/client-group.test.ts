/** Our group consumer and others' in one group: what either writes as leader, the other has to read as a member. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { newTopic, uniqueName, values } from '../support/client-topics.ts'
import { javaMissing } from '../support/java-tools.ts'
import { kafkaToolLibs } from '../support/kafka.ts'
import { PollingConsumer } from '../support/polling-consumer.ts'
import { missingProgram } from '../support/programs.ts'
import { until } from '../support/until.ts'

type Strategy = 'range' | 'cooperative-sticky'

/** A command that reads the topic as a member of the group, and writes each value as a line. */
type Command = (address: string, groupId: string, topic: string) => Promise<[program: string, args: string[]]>

const kcat =
  (strategy: Strategy): Command =>
  async (address, groupId, topic) => {
    const settings = [
      'session.timeout.ms=6000',
      'heartbeat.interval.ms=200',
      'auto.offset.reset=earliest',
      `partition.assignment.strategy=${strategy}`,
    ].flatMap((each) => ['-X', each])
    return Promise.resolve(['kcat', ['-q', '-u', '-b', address, ...settings, '-G', groupId, topic]])
  }

const java: Command = async (address, groupId, topic) => {
  const properties = [
    'session.timeout.ms=6000',
    'heartbeat.interval.ms=200',
    'partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
  ].flatMap((each) => ['--command-property', each])
  const consumer = ['--bootstrap-server', address, '--group', groupId, '--topic', topic, '--from-beginning']
  const jvm = ['-Xmx256M', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(await kafkaToolLibs(), '*')]
  return ['java', [...jvm, 'org.apache.kafka.tools.consumer.ConsoleConsumer', ...consumer, ...properties]]
}

class ForeignMember {
  readonly seen: string[] = []
  readonly #child: ChildProcess

  constructor([program, args]: readonly [string, readonly string[]]) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.seen.push(line))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

const kcatReason = await missingProgram(['kcat', '-V'])
const javaReason = await javaMissing()

describe.each([
  ['kcat, range', 'range', kcat('range'), kcatReason],
  ['kcat, cooperative-sticky', 'cooperative-sticky', kcat('cooperative-sticky'), kcatReason],
  ['the Java consumer, cooperative-sticky', 'cooperative-sticky', java, javaReason],
] as const)('one group of our consumer and %s', (_name, strategy, command, missing) => {
  let broker: TestBroker
  let client: LogClient
  beforeAll(async () => {
    broker = await testBroker()
    client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  })
  afterAll(async () => {
    await client.close()
    await broker.close()
  })

  const ofRound = (round: string, member: PollingConsumer | ForeignMember): string[] => {
    const seen = member instanceof PollingConsumer ? values(member.seen).map(String) : member.seen
    return seen.filter((each) => each.startsWith(round)).sort()
  }

  test.skipIf(missing !== undefined).each(['ours', 'theirs'] as const)(
    'shares the partitions out, %s coming first',
    async (first) => {
      const topic = await newTopic(client, 4)
      const groupId = uniqueName('group')
      const produce = async (round: string): Promise<void> => {
        const records = [0, 1, 2, 3].map((partition) => ({
          topic,
          partition,
          key: null,
          value: `${round} ${partition}`,
        }))
        await client.producer().produce(records)
      }
      const members: { ours?: PollingConsumer; theirs?: ForeignMember } = {}
      const start = async (which: 'ours' | 'theirs'): Promise<PollingConsumer | ForeignMember> =>
        which === 'ours'
          ? (members.ours = new PollingConsumer(client, { groupId, topics: [topic], heartbeatIntervalMs: 200 }))
          : (members.theirs = new ForeignMember(await command(broker.address, groupId, topic)))
      const leader = await start(first)
      await produce('alone')
      await until('the first to read all', () => ofRound('alone', leader).length === 4)
      await start(first === 'ours' ? 'theirs' : 'ours')
      const { ours, theirs } = members as Required<typeof members>
      await until(
        'two to share',
        () => ours.consumer.assignment().length === 2 && ours.events.length > (first === 'ours' ? 1 : 0),
      )
      await produce('shared')
      await until('both to read', () => ofRound('shared', ours).length + ofRound('shared', theirs).length >= 4)
      const halves = [ofRound('shared', ours), ofRound('shared', theirs)].map((half) =>
        half.map((each) => each.at(-1)).join(''),
      )
      if (strategy === 'range') {
        // In runs.
        expect(halves.sort()).toEqual(['01', '23'])
      } else {
        expect(halves.map((half) => half.length)).toEqual([2, 2])
        const events = first === 'ours' ? [/^assign 0,1,2,3$/, /^revoke \d,\d$/] : [/^assign \d,\d$/]
        expect(ours.events).toEqual(events.map((event): unknown => expect.stringMatching(event)))
      }
      const before = ours.events.length
      await theirs.stop()
      await until('ours to have all', () => ours.consumer.assignment().length === 4)
      if (strategy === 'cooperative-sticky') {
        expect(ours.events.slice(before)).toEqual([expect.stringMatching(/^assign \d,\d$/)])
      }
      await ours.close()
    },
  )
})
