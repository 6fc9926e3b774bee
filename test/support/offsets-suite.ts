/** What holds of offsets read and changed over REST, on any log. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import type { Answer } from './ask-rest.ts'
import { uniqueName } from './client-topics.ts'
import type { KillableLog } from './killable-log.ts'
import { PollingConsumer } from './polling-consumer.ts'
import { until } from './until.ts'
import { testWorker, type TestWorker } from './worker.ts'

const altered = 'The offsets for this connector have been altered successfully'
const reset = 'The offsets for this connector have been reset successfully'

export function describeOffsets(name: string, startLog: () => Promise<Pick<KillableLog, 'address' | 'close'>>): void {
  describe(`offsets over REST on ${name}`, () => {
    let log: Pick<KillableLog, 'address' | 'close'>
    let client: LogClient
    let folder: string
    /** Of topics and connectors: each test has its own. */
    let own: string
    const workers: TestWorker[] = []

    beforeAll(async () => {
      log = await startLog()
      client = createClient({ bootstrapServers: [log.address], clientId: 'test' })
    })
    afterAll(async () => {
      await client.close()
      await log.close()
    })
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidewire-offsets-'))
      own = uniqueName('offsets')
    })
    afterEach(async () => {
      for (const worker of workers.splice(0)) await worker.close()
      await rm(folder, { recursive: true })
    })

    const path = (file: string): string => join(folder, file)
    const linesOf = async (file: string) =>
      (await readFile(path(file), 'utf8').catch(() => '')).split('\n').slice(0, -1)

    async function worker(settings: Readonly<Record<string, string>> = {}): Promise<TestWorker> {
      const internal = ['config', 'offset', 'status', 'assignment'].map((kind) => [
        `${kind}.storage.topic`,
        `${own}-${kind}`,
      ])
      const started = await testWorker(log.address, {
        'group.id': own,
        ...(Object.fromEntries(internal) as Record<string, string>),
        'plugin.path': join(import.meta.dirname, '../fixtures/plugins/lingering'),
        ...settings,
      })
      workers.push(started)
      return started
    }

    /** Groups have the connector's name, and are the log's. */
    const named = (connector: string): string => `${own}-${connector}`
    const at = (connector: string): string => `/connectors/${connector}/offsets`

    async function offsetsOf(running: TestWorker, connector: string): Promise<unknown> {
      const { status, body } = await running.ask('GET', at(connector))
      expect(status, JSON.stringify(body)).toBe(200)
      return (body as { offsets: unknown }).offsets
    }

    const message = ({ status, body }: Answer): string => {
      expect(status, JSON.stringify(body)).toBe(200)
      return (body as { message: string }).message
    }

    const stop = async (running: TestWorker, connector: string): Promise<void> => {
      expect((await running.ask('PUT', `/connectors/${connector}/stop`)).status).toBe(204)
    }
    const resume = async (running: TestWorker, connector: string): Promise<void> => {
      expect((await running.ask('PUT', `/connectors/${connector}/resume`)).status).toBe(202)
    }

    describe('of a source', () => {
      const source = (more: Readonly<Record<string, string>> = {}) => ({
        'connector.class': 'file-source',
        file: path('in.txt'),
        topic: own,
        'value.converter': 'string',
        ...more,
      })
      const entry = (position: unknown) => ({ partition: { filename: path('in.txt') }, offset: { position } })
      const end = async (): Promise<number> => {
        if ((await client.admin.topics([own])).length === 0) return 0
        return (await client.admin.offsets([{ topic: own, partition: 0 }], 'latest'))[0]!.offset
      }
      /** Deploys it, and waits until five lines of two characters each are in the log with their offset. */
      async function deployed(running: TestWorker, config = source()): Promise<void> {
        await client.admin.createTopics([{ topic: own, partitions: 1, replicationFactor: 1 }])
        await writeFile(path('in.txt'), 'a\nb\nc\nd\ne\n')
        await running.deploy(named('in'), config)
        await until('the lines with their offset', async () => {
          const found = (await offsetsOf(running, named('in'))) as readonly { offset: { position: number } }[]
          return found[0]?.offset.position === 10
        })
      }

      test.each([
        ['exactly once', {}],
        ['at least once', { 'exactly.once.source.support': 'disabled' }],
      ])('are shown, changed and forgotten: %s', async (_, settings) => {
        const running = await worker(settings)
        await deployed(running)
        expect(await offsetsOf(running, named('in'))).toEqual([entry(10)])
        for (const [method, body] of [['PATCH', { offsets: [entry(4)] }], ['DELETE']] as const) {
          expect(await running.ask(method, at(named('in')), body)).toEqual({
            status: 400,
            body: {
              error_code: 400,
              message: `Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/${named('in')}/stop' endpoint`,
            },
          })
        }
        await stop(running, named('in'))
        expect(message(await running.ask('PATCH', at(named('in')), { offsets: [entry(4)] }))).toBe(altered)
        expect(await offsetsOf(running, named('in'))).toEqual([entry(4)])
        const before = await end()
        await resume(running, named('in'))
        await appendFile(path('in.txt'), 'f\n')
        await until(
          'all lines from there',
          async () =>
            ((await offsetsOf(running, named('in'))) as [{ offset: { position: number } }])[0].offset.position === 12,
        )
        // Control records of transactions have offsets too.
        expect((await end()) - before).toBeGreaterThanOrEqual(4)

        await stop(running, named('in'))
        const refused = await running.ask('PATCH', at(named('in')), { offsets: [entry('4')] })
        expect(refused).toMatchObject({
          status: 400,
          body: { message: expect.stringContaining('"position"') as string },
        })
        expect(await offsetsOf(running, named('in'))).toEqual([entry(12)])
        expect(message(await running.ask('PATCH', at(named('in')), { offsets: [{ ...entry(0), offset: null }] }))).toBe(
          altered,
        )
        expect(await offsetsOf(running, named('in'))).toEqual([])
        expect(message(await running.ask('DELETE', at(named('in'))))).toBe(reset)
      })

      test('are forgotten in its own topic and in the worker’s', async () => {
        const running = await worker()
        await deployed(running, source({ 'offsets.storage.topic': `${own}-own` }))
        await stop(running, named('in'))
        const other = { partition: { filename: '~other' }, offset: { position: 1 } }
        expect(message(await running.ask('PATCH', at(named('in')), { offsets: [entry(2), other] }))).toBe(altered)
        expect(await offsetsOf(running, named('in'))).toEqual([entry(2), other])
        // Without its own topic it finds the copy.
        await running.ask('PATCH', `/connectors/${named('in')}/config`, { 'offsets.storage.topic': null })
        expect(await offsetsOf(running, named('in'))).toEqual([entry(2), other])
        await running.ask('PATCH', `/connectors/${named('in')}/config`, { 'offsets.storage.topic': `${own}-own` })
        expect(message(await running.ask('DELETE', at(named('in'))))).toBe(reset)
        expect(await offsetsOf(running, named('in'))).toEqual([])
        await running.ask('PATCH', `/connectors/${named('in')}/config`, { 'offsets.storage.topic': null })
        expect(await offsetsOf(running, named('in'))).toEqual([])
      })

      test('are those of a place to begin from, where the connector knows it', async () => {
        const running = await worker()
        await deployed(running)
        await stop(running, named('in'))
        const from = (place: unknown) => running.ask('PATCH', at(named('in')), { from: place })
        expect(await from({ offset: 6 })).toEqual({ status: 200, body: { message: altered, offsets: [entry(6)] } })
        await appendFile(path('in.txt'), 'half')
        expect(await from('latest')).toEqual({ status: 200, body: { message: altered, offsets: [entry(10)] } })
        expect(await from({ timestamp: 0 })).toMatchObject({ status: 400 })
        expect(await running.ask('PATCH', at(named('in')), { from: 'latest', topics: [own] })).toMatchObject({
          status: 400,
        })
        expect(await offsetsOf(running, named('in'))).toEqual([entry(10)])
        expect(await from('earliest')).toEqual({
          status: 200,
          body: { message: reset, offsets: [{ partition: { filename: path('in.txt') }, offset: null }] },
        })
        expect(await offsetsOf(running, named('in'))).toEqual([])
        await running.deploy(named('lingers'), {
          'connector.class': 'lingering',
          topic: own,
          'release.file': path('released'),
        })
        await writeFile(path('released'), '')
        await stop(running, named('lingers'))
        // It says nothing about its offsets.
        expect(await running.ask('PATCH', at(named('lingers')), { from: 'latest' })).toMatchObject({ status: 400 })
        const taken = await running.ask('PATCH', at(named('lingers')), {
          offsets: [{ partition: { a: 1 }, offset: { b: 'c' } }],
        })
        expect(message(taken)).toContain('will need to be manually altered in the system')
        expect(await offsetsOf(running, named('lingers'))).toEqual([{ partition: { a: 1 }, offset: { b: 'c' } }])
      })

      test('are changed on any worker, and not before the last task has stopped', async () => {
        // Its tasks store their offsets when they end, and no sooner.
        const settings = { 'offset.flush.interval.ms': '600000', 'task.shutdown.graceful.timeout.ms': '60000' }
        const both = [await worker(settings), await worker(settings)]
        await both[0]!.deploy(named('lingers'), {
          'connector.class': 'lingering',
          topic: own,
          'tasks.max': '4',
          'release.file': path('released'),
        })
        await both[0]!.reaches(named('lingers'), 'RUNNING', 4)
        await until('a record of each', async () => {
          const [{ partitions } = { partitions: 0 }] = await client.admin.topics([own])
          const all = Array.from({ length: partitions }, (_, partition) => ({ topic: own, partition }))
          return (await client.admin.offsets(all, 'latest')).reduce((sum, { offset }) => sum + offset, 0) === 4
        })
        await stop(both[0]!, named('lingers'))
        const change = { offsets: [{ partition: { task: 0 }, offset: { n: 1 } }] }
        const answers = both.map((running) => running.ask('PATCH', at(named('lingers')), change))
        // All workers know that it is stopped; its tasks are not yet.
        for (const running of both) {
          const tasks = `/connectors/${named('lingers')}/tasks`
          await until('no tasks', async () => ((await running.ask('GET', tasks)).body as unknown[]).length === 0)
        }
        const held = new Promise((resolve) => setTimeout(() => resolve('held'), 500))
        expect(await Promise.race([...answers, held])).toBe('held')
        await writeFile(path('released'), '')
        for (const answer of await Promise.all(answers)) expect(message(answer)).toContain('have been altered')
        for (const running of both) {
          const found = (await offsetsOf(running, named('lingers'))) as readonly { partition: { task: number } }[]
          const byTask = found.toSorted((a, b) => a.partition.task - b.partition.task)
          expect(byTask).toEqual([1, 0, 0, 0].map((n, task) => ({ partition: { task }, offset: { n } })))
        }
      })
    })

    describe('of a sink', () => {
      const sink = (more: Readonly<Record<string, string>> = {}) => ({
        'connector.class': 'file-sink',
        file: path('out.txt'),
        topics: `${own},${own}-b`,
        'value.converter': 'string',
        ...more,
      })
      const entry = (topic: string, partition: unknown, offset: unknown) => ({
        partition: { kafka_topic: topic, kafka_partition: partition },
        offset: { kafka_offset: offset },
      })
      /** The records are of 1970. */
      const forEver = { 'retention.ms': '-1' }
      /** Four records, a second from one to the next, in each partition of two topics. */
      async function filled(): Promise<void> {
        await client.admin.createTopics([
          { topic: own, partitions: 2, replicationFactor: 1, config: forEver },
          { topic: `${own}-b`, partitions: 1, replicationFactor: 1, config: forEver },
        ])
        const producer = client.producer()
        for (const [topic, partition] of [
          [own, 0],
          [own, 1],
          [`${own}-b`, 0],
        ] as const) {
          for (const n of [0, 1, 2, 3]) {
            const value = `${topic}-${partition}-${n}`
            await producer.produce([{ topic, partition, key: null, value, timestamp: 1_000_000 + n * 1000 }])
          }
        }
        await producer.close()
      }
      const offsets = (first: number, second: number, third: number) => [
        entry(own, 0, first),
        entry(own, 1, second),
        entry(`${own}-b`, 0, third),
      ]
      async function deployed(running: TestWorker, config = sink()): Promise<void> {
        await filled()
        await running.deploy(named('out'), config)
        await until('all committed', async () => {
          const found = (await offsetsOf(running, named('out'))) as ReturnType<typeof offsets>
          return found.length === 3 && found.every(({ offset }) => offset.kafka_offset === 4)
        })
        await stop(running, named('out'))
      }

      test('are shown, changed and forgotten', async () => {
        const running = await worker()
        await deployed(running)
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(4, 4, 4))
        const change = [entry(own, 0, 2), entry(own, '1', '3'), { ...entry(`${own}-b`, 0, 0), offset: null }]
        expect(message(await running.ask('PATCH', at(named('out')), { offsets: change }))).toBe(altered)
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(2, 3, 0).slice(0, 2))
        // Beyond the end it is taken, and said to be odd.
        const beyond = await fetch(running.url + at(named('out')), {
          method: 'PATCH',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ offsets: [entry(own, 0, 9)] }),
        })
        expect(beyond.status).toBe(200)
        expect(beyond.headers.get('warning')).toContain(`${own}-0 has offsets from 0 to 4`)
        expect(message(await running.ask('PATCH', at(named('out')), { offsets: [entry(own, 0, 2)] }))).toBe(altered)
        await rm(path('out.txt'))
        await resume(running, named('out'))
        await until('what comes again', async () => (await linesOf('out.txt')).length === 7)
        await stop(running, named('out'))
        expect(message(await running.ask('DELETE', at(named('out'))))).toBe(reset)
        expect(await offsetsOf(running, named('out'))).toEqual([])
        expect(message(await running.ask('DELETE', at(named('out'))))).toBe(reset)
        expect(await client.admin.group(`connect-${named('out')}`)).toBeUndefined()
      })

      test('are refused where they cannot be, with the words of Kafka Connect', async () => {
        const running = await worker()
        await deployed(running)
        const refused = async (body: unknown): Promise<string> => {
          const answer = await running.ask('PATCH', at(named('out')), body)
          expect(answer).toMatchObject({ status: 400, body: { error_code: 400 } })
          return (answer.body as { message: string }).message
        }
        const one = async (partition: unknown, offset: unknown): Promise<string> =>
          refused({ offsets: [{ partition, offset }] })
        const { partition } = entry(own, 0, 0)
        const missing = 'Partitions / offsets need to be provided for an alter offsets request'
        expect(await refused({ offsets: [] })).toBe(missing)
        expect(await refused({})).toBe(missing)
        expect(await refused(undefined)).toBe(missing)
        expect(await one(null, { kafka_offset: 1 })).toContain('cannot be null or missing')
        expect(await one({ kafka_topic: own }, null)).toContain("the keys 'kafka_topic' and 'kafka_partition'")
        expect(await one({ kafka_topic: null, kafka_partition: 0 }, null)).toContain('Kafka topic names must be')
        expect(await one({ ...partition, kafka_partition: null }, null)).toContain('Kafka partitions must be')
        expect(await one({ ...partition, kafka_partition: 'x' }, null)).toContain("'x'. Partition values for sink")
        expect(await one(partition, {})).toContain("contain the key 'kafka_offset'")
        expect(await one(partition, { kafka_offset: [1] })).toContain("'[1]'. Offset values for sink connectors")
        expect(await one(partition, { kafka_offset: -1 })).toContain('negative')
        expect(await one({ ...partition, kafka_partition: 2 }, { kafka_offset: 1 })).toContain('no partition 2')
        expect(await one({ ...partition, kafka_topic: 'nowhere' }, { kafka_offset: 1 })).toContain('does not exist')
        expect(await refused({ from: 'yesterday' })).toContain('"earliest", "latest"')
        expect(await refused({ from: { timestamp: 'yesterday' } })).toContain('ISO 8601')
        expect(await refused({ from: 'latest', offsets: [] })).toContain('either offsets, or from')
        expect(await refused({ from: 'latest', topics: ['nowhere'] })).toContain("does not read 'nowhere'")
        expect((await running.ask('GET', at('nobody'))).status).toBe(404)
        expect((await running.ask('DELETE', at('nobody'))).status).toBe(404)
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(4, 4, 4))
      })

      test('are those of a place to begin from, in all its topics or some', async () => {
        const running = await worker()
        await deployed(running, sink({ topics: '', 'topics.regex': `${own}(-b)?` }))
        const from = async (place: unknown, topics?: readonly string[]): Promise<unknown> => {
          const answer = await running.ask('PATCH', at(named('out')), { from: place, ...(topics && { topics }) })
          expect(message(answer)).toBe(altered)
          return (answer.body as { offsets: unknown }).offsets
        }
        expect(await from('earliest')).toEqual(offsets(0, 0, 0))
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(0, 0, 0))
        expect(await from('latest', [`${own}-b`])).toEqual(offsets(0, 0, 4).slice(2))
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(0, 0, 4))
        expect(await from({ timestamp: 1_001_500 })).toEqual(offsets(2, 2, 2))
        expect(await from({ timestamp: '1970-01-01T00:16:43Z' })).toEqual(offsets(3, 3, 3))
        // After the last record: at the end.
        expect(await from({ timestamp: 2_000_000 })).toEqual(offsets(4, 4, 4))
        expect(await from({ offset: 1 })).toEqual(offsets(1, 1, 1))
        expect(await from({ offset: 99 })).toEqual(offsets(4, 4, 4))
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(4, 4, 4))
      })

      test('of an exactly-once sink are changed in its file too', async () => {
        const running = await worker()
        await deployed(running, sink({ 'exactly.once': 'true' }))
        expect(await linesOf('out.txt')).toHaveLength(12)
        expect(message(await running.ask('PATCH', at(named('out')), { offsets: [entry(own, 0, 3)] }))).toBe(altered)
        await resume(running, named('out'))
        await until('one line again', async () => (await linesOf('out.txt')).length === 13)
        expect((await linesOf('out.txt')).at(-1)).toBe(`${own}-0-3`)
      })

      test('stay as they are while somebody is in its group; a group of its own is honoured', async () => {
        const running = await worker()
        const group = `${own}-group`
        const overrides = { 'consumer.override.group.id': group, 'consumer.override.session.timeout.ms': '1000' }
        const config = sink({ ...overrides, 'consumer.override.heartbeat.interval.ms': '200' })
        await deployed(running, config)
        expect(await client.admin.groupOffsets(group)).toHaveLength(3)
        const member = new PollingConsumer(client, { groupId: group, topics: [own], sessionTimeoutMs: 6000 })
        await until('a member', async () => (await client.admin.group(group))?.members.length === 1)
        const [change, whole] = await Promise.all([
          running.ask('PATCH', at(named('out')), { offsets: [entry(own, 0, 1)] }),
          running.ask('DELETE', at(named('out'))),
        ])
        for (const [answer, what] of [
          [change, 'alter'],
          [whole, 'reset'],
        ] as const) {
          expect(answer).toMatchObject({
            status: 500,
            body: { message: expect.stringContaining(`Failed to ${what} consumer group offsets`) as string },
          })
        }
        await member.close()
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(4, 4, 4))
        expect(message(await running.ask('PATCH', at(named('out')), { offsets: [entry(own, 0, 1)] }))).toBe(altered)
        expect(await offsetsOf(running, named('out'))).toEqual(offsets(1, 4, 4))
      })
    })
  })
}
