/** Our group consumer and others' in one group: what either writes as leader, the other has to read as a member. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TopicPartition } from '@tidewire/sdk'
import type { GroupConsumer, LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { newTopic, uniqueName } from '../support/client-suite.ts'
import { javaMissing } from '../support/java-tools.ts'
import { kafkaToolLibs } from '../support/kafka.ts'
import { until } from '../support/until.ts'

function hasKcat(): boolean {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

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
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

/** Ours, polling by itself. */
class OurMember {
  readonly seen: string[] = []
  readonly events: string[] = []
  readonly consumer: GroupConsumer
  #stopping = false
  readonly #polling: Promise<void>

  constructor(client: LogClient, groupId: string, topic: string) {
    const note =
      (what: string) =>
      (partitions: readonly TopicPartition[]): void => {
        const numbers = partitions.map((each) => each.partition).sort()
        this.events.push(`${what} ${numbers.join()}`)
      }
    this.consumer = client.groupConsumer({
      groupId,
      topics: [topic],
      heartbeatIntervalMs: 200,
      onAssign: note('assign'),
      onLost: note('lost'),
      onRevoke: note('revoke'),
    })
    this.#polling = this.#poll()
  }

  async #poll(): Promise<void> {
    while (!this.#stopping) {
      for (const { records } of await this.consumer.poll({ maxWaitMs: 100 })) {
        this.seen.push(...records.map((each) => String(each.value)))
      }
    }
  }

  get count(): number {
    return this.consumer.assignment().length
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#polling
    await this.consumer.close()
  }
}

const javaReason = await javaMissing()

describe.each([
  ['kcat, range', 'range', kcat('range'), !hasKcat()],
  ['kcat, cooperative-sticky', 'cooperative-sticky', kcat('cooperative-sticky'), !hasKcat()],
  ['the Java consumer, cooperative-sticky', 'cooperative-sticky', java, javaReason !== undefined],
] as const)('one group of our consumer and %s', (_name, strategy, command, isMissing) => {
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

  const ofRound = (round: string, values: readonly string[]): string[] =>
    values.filter((each) => each.startsWith(round)).sort()

  test.skipIf(isMissing).each(['ours', 'theirs'] as const)(
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
      const members: { ours?: OurMember; theirs?: ForeignMember } = {}
      const start = async (which: 'ours' | 'theirs'): Promise<OurMember | ForeignMember> =>
        which === 'ours'
          ? (members.ours = new OurMember(client, groupId, topic))
          : (members.theirs = new ForeignMember(await command(broker.address, groupId, topic)))
      const leader = await start(first)
      await produce('alone')
      await until('the first to read all', () => ofRound('alone', leader.seen).length === 4)
      await start(first === 'ours' ? 'theirs' : 'ours')
      const { ours, theirs } = members as Required<typeof members>
      await until('two to share', () => ours.count === 2 && ours.events.length > (first === 'ours' ? 1 : 0))
      await produce('shared')
      await until(
        'both to read',
        () => ofRound('shared', ours.seen).length + ofRound('shared', theirs.seen).length >= 4,
      )
      const halves = [ofRound('shared', ours.seen), ofRound('shared', theirs.seen)].map((half) =>
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
      await until('ours to have all', () => ours.count === 4)
      if (strategy === 'cooperative-sticky') {
        expect(ours.events.slice(before)).toEqual([expect.stringMatching(/^assign \d,\d$/)])
      }
      await ours.stop()
    },
  )
})
