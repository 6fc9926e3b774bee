/** Transforms and predicates in a worker's tasks, over REST, with the bundled log and real connectors. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { OutRecord } from '../../core/src/client/client.ts'
import { readTopic } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import type { TestWorker } from '../support/worker.ts'
import { workerSet } from '../support/worker-set.ts'

const paths = ['countable', 'shaping'].map((name) => join(import.meta.dirname, '../fixtures/plugins', name))
const providers = { 'config.providers': 'file', 'config.providers.file.class': 'FileConfigProvider' }
const set = workerSet({ defaults: { 'plugin.path': paths.join(','), ...providers } })
let running: TestWorker

beforeEach(async () => {
  running = await set.start()
})

const port = (): number => Number(set.broker.address.split(':')[1])
const path = (name: string): string => join(set.folder, name)
const linesOf = async (name: string) => (await readFile(path(name), 'utf8').catch(() => '')).split('\n').slice(0, -1)
const valuesOf = async (topic: string, count: number): Promise<string[]> =>
  (await readTopic(port(), topic, (seen) => seen.length >= count)).map(({ value }) => value)

async function produce(topic: string, values: readonly string[], more: Partial<OutRecord> = {}): Promise<void> {
  await set.client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
  const producer = set.client.producer()
  const { failures } = await producer.produce(values.map((value) => ({ topic, key: null, value, ...more })))
  expect(failures).toEqual([])
  await producer.close()
}

/** `a` to `z` of transforms, each as its settings. */
function transforms(parts: Readonly<Record<string, Readonly<Record<string, string>>>>): Record<string, string> {
  const settings = Object.entries(parts).flatMap(([alias, own]) =>
    Object.entries(own).map(([name, value]) => [`transforms.${alias}.${name}`, value]),
  )
  return { transforms: Object.keys(parts).join(','), ...(Object.fromEntries(settings) as Record<string, string>) }
}
const strings = { 'key.converter': 'string', 'value.converter': 'string' }
const counting = (topic: string, end: number, more: Readonly<Record<string, string>> = {}) => ({
  'connector.class': 'counting',
  topic,
  end: String(end),
  ...strings,
  ...more,
})
const lines = (more: Readonly<Record<string, string>> = {}) => ({
  'connector.class': 'lines',
  file: path('out.txt'),
  topics: 'values',
  ...strings,
  ...more,
})
const letters = { 'errors.tolerance': 'all', 'errors.deadletterqueue.topic.name': 'letters' }
const committed = async (connector: string): Promise<number | undefined> =>
  (await set.client.admin.groupOffsets(`connect-${connector}`))[0]?.offset
const storedOffset = async (connector: string): Promise<unknown> =>
  ((await running.ask('GET', `/connectors/${connector}/offsets`)).body as { offsets: { offset: unknown }[] }).offsets[0]
    ?.offset

describe('of a source', () => {
  test('drop, route and change records; offsets go past what was dropped, exactly once', async () => {
    await running.deploy('numbers', {
      ...counting('numbers', 1000, { 'exactly.once.support': 'required', 'batch.size': '7' }),
      ...transforms({
        some: { type: 'sieve', keep: '100' },
        away: { type: 'org.apache.kafka.connect.transforms.RegexRouter', regex: 'num(.*)', replacement: 'routed-$1' },
        last: { type: 'suffix', text: '!', predicate: 'big', negate: 'true' },
      }),
      predicates: 'big',
      'predicates.big.type': 'is-one-of',
      'predicates.big.values': '800,900',
    })
    const wanted = ['0!', '100!', '200!', '300!', '400!', '500!', '600!', '700!', '800', '900']
    expect(await valuesOf('routed-bers', wanted.length)).toEqual(wanted)
    // 999 was dropped, as were the 98 before it.
    await until(
      'offsets past what was dropped',
      async () => JSON.stringify(await storedOffset('numbers')) === '{"next":1000}',
    )
    const { body } = await running.ask('GET', '/connectors/numbers/topics')
    expect(body).toEqual({ numbers: { topics: ['routed-bers'] } })
    expect((await set.client.admin.topics()).map(({ topic }) => topic)).not.toContain('numbers')
  })

  test('that drop all it gives let its offsets go on', async () => {
    await running.deploy('none', { ...counting('none', 500), ...transforms({ no: { type: 'filter' } }) })
    await until('offsets at the end', async () => JSON.stringify(await storedOffset('none')) === '{"next":500}')
  })

  test('that fail over a record: it goes to the dead letters as it was before, and through them again when it is put back', async () => {
    await writeFile(path('secrets.properties'), 'key=S3CRET-KEY\n')
    const key = `\${file:${path('secrets.properties')}:key}`
    await running.deploy('numbers', {
      ...counting('numbers', 10),
      ...letters,
      'errors.deadletterqueue.context.headers.enable': 'true',
      ...transforms({
        mark: { type: 'suffix', text: '!' },
        picky: { type: 'picky', values: '3!,7!', 'unless.file': path('easy'), 'api.key': key },
      }),
    })
    expect(await valuesOf('numbers', 8)).toEqual(['0!', '1!', '2!', '4!', '5!', '6!', '8!', '9!'])
    const seen = await readTopic(port(), 'letters', (records) => records.length >= 2)
    expect(seen.map(({ value }) => value)).toEqual(['3', '7'])
    expect(seen[0]!.headers).toMatchObject({
      '__connect.errors.stage': 'TRANSFORMATION',
      '__connect.errors.class.name': 'picky',
      '__connect.errors.exception.message': 'I do not like 3! (********)',
    })
    await writeFile(path('easy'), '')
    const answer = await fetch(`${running.url}/connectors/numbers/dlq/redrive`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect((await answer.text()).match(/"outcome":"delivered"/g)).toHaveLength(2)
    expect((await valuesOf('numbers', 10)).slice(8)).toEqual(['3!', '7!'])
  })

  test('that fail in passing are tried again as long as errors.retry.timeout says', async () => {
    await writeFile(path('away'), '')
    await running.deploy('numbers', {
      ...counting('numbers', 3),
      'errors.retry.timeout': '-1',
      'errors.retry.delay.max.ms': '10',
      ...transforms({ flaky: { type: 'flaky', 'while.file': path('away') } }),
    })
    await running.reaches('numbers', 'RUNNING', 1)
    await rm(path('away'))
    expect(await valuesOf('numbers', 3)).toEqual(['0', '1', '2'])
  })

  test('that cannot be made fail the task with the reason', async () => {
    await running.deploy('numbers', {
      ...counting('numbers', 3),
      ...transforms({ join: { type: 'named', topic: 'nowhere' } }),
    })
    const reason = await until('the reason', async () => (await running.status('numbers')).tasks[0]?.trace)
    expect(reason).toContain('topic nowhere does not exist')
  })

  test('that follow a topic know all of it before the first record', async () => {
    await produce('names', ['two'], { key: '2' })
    await running.deploy('numbers', {
      ...counting('numbers', 4),
      ...transforms({ join: { type: 'named', topic: 'names' } }),
    })
    expect(await valuesOf('numbers', 4)).toEqual(['0', '1', 'two', '3'])
  })
})

describe('of a sink', () => {
  test('drop and route records; their offsets, dead letters and active topics are those of the log', async () => {
    await produce('values', ['1', '2', '3', '4', '5', '6'])
    await running.deploy('out', {
      ...lines({ reject: '4' }),
      ...letters,
      ...transforms({ even: { type: 'sieve', keep: '2' }, away: { type: 'route', topic: 'elsewhere' } }),
    })
    await until('what is kept', async () => (await linesOf('out.txt')).join() === '2,6')
    await until('offsets past all of them', async () => (await committed('out')) === 6)
    const [letter] = await readTopic(port(), 'letters', (seen) => seen.length >= 1)
    expect(letter!.value).toBe('4')
    const { body } = await running.ask('GET', '/connectors/out/topics')
    expect(body).toEqual({ out: { topics: ['values'] } })
  })

  test('that drop all there is let its offsets go on, and its topic counts', async () => {
    await produce('values', ['1', '3'])
    await running.deploy('out', { ...lines(), ...transforms({ even: { type: 'sieve', keep: '2' } }) })
    await until('offsets past all of them', async () => (await committed('out')) === 2)
    expect((await running.ask('GET', '/connectors/out/topics')).body).toEqual({ out: { topics: ['values'] } })
  })

  test('that fail over a record: its bytes go to the dead letters', async () => {
    await produce('values', ['1', '2', '3'])
    await running.deploy('out', { ...lines(), ...letters, ...transforms({ picky: { type: 'picky', values: '2' } }) })
    await until('the others', async () => (await linesOf('out.txt')).join() === '1,3')
    expect((await valuesOf('letters', 1)).join()).toBe('2')
    await until('offsets past it', async () => (await committed('out')) === 3)
  })

  test('that fail over a record fail the task where nothing is tolerated', async () => {
    await produce('values', ['1', '2'])
    await running.deploy('out', { ...lines(), ...transforms({ picky: { type: 'picky', values: '2' } }) })
    const trace = await until('the reason', async () => (await running.status('out')).tasks[0]?.trace)
    expect(trace).toContain('failed at TRANSFORMATION (picky, transforms.picky)')
  })

  test('records that are put again come as they were routed', async () => {
    await produce('values', ['1', '2', '3'])
    await writeFile(path('refuse'), '')
    await running.deploy('out', {
      ...lines({ 'refuse.file': path('refuse') }),
      ...transforms({ away: { type: 'route', topic: 'elsewhere' } }),
    })
    await running.reaches('out', 'RUNNING', 1)
    await until('nothing committed so far', async () => ((await committed('out')) ?? 0) === 0)
    await rm(path('refuse'))
    await until('all of them', async () => (await linesOf('out.txt')).join() === '1,2,3')
    await until('offsets past them', async () => (await committed('out')) === 3)
  })

  test('that take their time do not hold back what they have done', async () => {
    await produce(
      'values',
      Array.from({ length: 1000 }, (_, i) => String(i)),
    )
    await running.deploy('out', { ...lines(), ...transforms({ slow: { type: 'slow', ms: '100' } }) })
    await until('the first of them, and their offsets', async () => {
      const done = await linesOf('out.txt')
      return done.length > 0 && done.length < 500 && ((await committed('out')) ?? 0) > 0
    })
    const before = (await linesOf('out.txt')).length
    await until('more of them', async () => (await linesOf('out.txt')).length > before)
    const done = await linesOf('out.txt')
    expect(done).toEqual(done.map((_, i) => String(i)))
  })
})

describe('a preview', () => {
  interface Shown {
    readonly topic: string
    readonly dropped?: string
    readonly value: { readonly value?: unknown }
    readonly errors: readonly { readonly stage: string; readonly operation: string; readonly message: string }[]
  }
  const chain = transforms({
    some: { type: 'sieve', keep: '2' },
    picky: { type: 'picky', values: '2' },
    away: { type: 'route', topic: 'elsewhere' },
  })

  async function preview(config: Readonly<Record<string, string>>): Promise<readonly Shown[]> {
    const { status, body } = await running.ask('POST', '/connectors/preview', { name: 'p', config, limit: 5 })
    expect([status, body]).toEqual([200, expect.anything()])
    return (body as { records: Shown[] }).records
  }
  const seen = (shown: readonly Shown[]) =>
    shown.map(({ topic, value, dropped, errors }) => [topic, value.value, dropped ?? errors[0]?.operation])
  const wanted = (topic: string) => [
    ['elsewhere', '0', undefined],
    [topic, '1', 'some'],
    [topic, '2', 'picky'],
    [topic, '3', 'some'],
    ['elsewhere', '4', undefined],
  ]

  test('of a source shows what the transforms make, and names the one that drops or fails', async () => {
    expect(seen(await preview({ ...counting('numbers', 5), ...chain }))).toEqual(wanted('numbers'))
  })

  test('of a sink shows it too', async () => {
    await produce('values', ['0', '1', '2', '3', '4'])
    expect(seen(await preview({ ...lines(), ...chain }))).toEqual(wanted('values'))
  })
})

test('a config is checked with the rules of its transforms, in their own thread', async () => {
  const { body } = await running.ask('PUT', '/connector-plugins/lines/config/validate', {
    name: 'out',
    ...lines(),
    ...transforms({ picky: { type: 'picky', values: 'nothing' } }),
  })
  const { configs } = body as { configs: { value: { name: string; errors: string[] } }[] }
  const faults = configs.filter(({ value }) => value.errors.length > 0)
  expect(faults.map(({ value }) => [value.name, value.errors])).toEqual([
    ['transforms.picky.values', ['there is nothing to be picky about']],
  ])
})
