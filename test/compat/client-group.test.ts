/** Our group consumer and librdkafka's in one group: what either writes as leader, the other has to read as a member. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GroupConsumer, LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { newTopic, uniqueName } from '../support/client-suite.ts'
import { until } from '../support/until.ts'

function hasKcat(): boolean {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

class KcatMember {
  readonly seen: string[] = []
  readonly #child: ChildProcess

  constructor(address: string, groupId: string, topic: string) {
    const settings = [
      '-X',
      'session.timeout.ms=6000',
      '-X',
      'heartbeat.interval.ms=200',
      '-X',
      'auto.offset.reset=earliest',
    ]
    this.#child = spawn('kcat', ['-q', '-u', '-b', address, ...settings, '-G', groupId, topic], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.seen.push(line))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

describe.skipIf(!hasKcat())('one group of our consumer and kcat', () => {
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

  test.each(['ours', 'kcat'])('shares the partitions out, %s coming first', async (first) => {
    const topic = await newTopic(client, 4)
    const groupId = uniqueName('group')
    const seen: string[] = []
    let kcat: KcatMember | undefined
    let consumer: GroupConsumer | undefined
    let polling: Promise<void> | undefined
    let stopping = false
    const startOurs = (): void => {
      const ours = client.groupConsumer({
        groupId,
        topics: [topic],
        heartbeatIntervalMs: 200,
        onAssign: () => undefined,
        onLost: () => undefined,
        onRevoke: () => undefined,
      })
      consumer = ours
      polling = (async () => {
        while (!stopping) {
          for (const { records } of await ours.poll({ maxWaitMs: 100 }))
            seen.push(...records.map((each) => String(each.value)))
        }
      })()
    }
    const produce = async (round: string): Promise<void> => {
      const records = [0, 1, 2, 3].map((partition) => ({ topic, partition, key: null, value: `${round} ${partition}` }))
      await client.producer().produce(records)
    }
    const ofRound = (round: string, values: readonly string[]): string[] =>
      values.filter((each) => each.startsWith(round)).sort()
    if (first === 'ours') startOurs()
    else kcat = new KcatMember(broker.address, groupId, topic)
    await produce('alone')
    await until('the first to read all', () => ofRound('alone', first === 'ours' ? seen : kcat!.seen).length === 4)
    if (first === 'ours') kcat = new KcatMember(broker.address, groupId, topic)
    else startOurs()
    await until('two to share', () => consumer?.assignment().length === 2)
    await produce('shared')
    await until('both to read', () => ofRound('shared', seen).length >= 2 && ofRound('shared', kcat!.seen).length >= 2)
    // Partitions in runs, as the range assignor gives them.
    const halves = [
      ['shared 0', 'shared 1'],
      ['shared 2', 'shared 3'],
    ]
    expect(halves).toContainEqual(ofRound('shared', seen))
    expect(halves).toContainEqual(ofRound('shared', kcat!.seen))
    await kcat!.stop()
    await until('ours to have all', () => consumer?.assignment().length === 4)
    stopping = true
    await polling
    await consumer?.close()
  })
})
