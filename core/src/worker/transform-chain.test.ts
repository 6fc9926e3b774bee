import {
  changed,
  ConnectError,
  DataError,
  originalPosition,
  RetriableError,
  type ConnectRecord,
  type Predicate,
  type SinkRecord,
  type SourceRecord,
  type Transform,
} from '@tidewire/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import type { InRecord } from '../client/client.ts'
import { parseTopicCreation } from '../config/topic-creation.ts'
import { stringConverter } from '../convert/string-converter.ts'
import { silentLogger } from '../logging/logger.ts'
import { ErrorPolicy, type FailedRecord } from './error-policy.ts'
import type { RecordConverters } from './record-converters.ts'
import { originalOf, SinkConversion } from './sink-conversion.ts'
import { SourceConversion } from './source-conversion.ts'
import { SourceTopics } from './source-topics.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'
import { TransformChain, type LoadedTransform } from './transform-chain.ts'

/** A transform by what it makes of a record's value. */
type Make = (record: ConnectRecord) => unknown

let failed: FailedRecord[]
const { signal } = new AbortController()

beforeEach(() => (failed = []))

function policy(options: { tolerance?: 'none' | 'all'; retryTimeoutMs?: number } = {}): ErrorPolicy {
  return new ErrorPolicy({
    tolerance: options.tolerance ?? 'all',
    retryTimeoutMs: options.retryTimeoutMs ?? 0,
    retryDelayMaxMs: 1,
    log: false,
    logMessages: false,
    logger: silentLogger,
    deadLetters: {
      send: async (record) => Promise.resolve(void failed.push(record)),
      close: async () => Promise.resolve(),
    },
  })
}

function part(
  alias: string,
  make: Make,
  condition: { when?: Predicate['test']; negate?: boolean } = {},
): LoadedTransform {
  const apply = make as Transform['apply']
  return {
    alias,
    definition: { name: `do-${alias}`, doc: '', config: {}, create: () => ({ apply }) },
    config: {},
    predicate: condition.when === undefined ? undefined : { test: condition.when },
    negate: condition.negate ?? false,
  }
}

const context = {
  connector: 'c',
  task: 0,
  type: 'source',
  alias: 'a',
  log: silentLogger,
  signal,
  holds: () => undefined,
  followTopic: async () => Promise.resolve(),
} as const

async function chain(parts: readonly LoadedTransform[], errors = policy()): Promise<TransformChain> {
  const made = new TransformChain({
    transforms: parts,
    policy: errors,
    signal,
    logger: silentLogger,
    contextOf: () => context,
  })
  await made.open()
  return made
}

const definition = stringConverter
const converter = { name: 'string', converter: definition.create({ 'converter.encoding': 'UTF-8' }, 'value') }
const converters: RecordConverters = { key: converter, value: converter, header: converter }
const upper: Make = (record) => changed(record, { value: String(record.value).toUpperCase() })
const routed: Make = (record) => changed(record, { topic: `to-${String(record.value)}` })
const isB: Predicate['test'] = ({ value }) => value === 'b'
const source = (...values: string[]): SourceRecord[] => values.map((value) => ({ topic: 't', value }))

describe('a chain', () => {
  test('goes through its transforms in order, each on what the one before made, and stops where one drops', async () => {
    const seen: unknown[] = []
    const noting = part('note', (record) => (seen.push(record.value), record))
    const made = await chain([
      part('up', upper),
      part('drop', (record) => (record.value === 'B' ? null : record)),
      noting,
    ])
    expect(source('a', 'b').map((record) => made.apply(record))).toEqual([{ topic: 't', value: 'A' }, null])
    expect(seen).toEqual(['A'])
  })

  test('asks the predicate, and with negate does what it does not hold for', async () => {
    const only = await chain([part('up', upper, { when: isB })])
    const others = await chain([part('up', upper, { when: isB, negate: true })])
    const [a, b] = source('a', 'b')
    expect([only.apply(a!), only.apply(b!)]).toEqual([a, { topic: 't', value: 'B' }])
    expect([others.apply(a!), others.apply(b!)]).toEqual([{ topic: 't', value: 'A' }, b])
  })

  test('waits for one that answers later, and asks those before it once', async () => {
    let asked = 0
    const once = part('once', (record) => (asked++, record))
    const later = part('later', async (record) => Promise.resolve(upper(record)))
    const made = await chain([once, later, part('route', routed)])
    expect(await made.apply(source('a')[0]!)).toEqual({ topic: 'to-A', value: 'A' })
    expect(asked).toBe(1)
  })

  test('tries again what fails in passing, and only that, as long as errors.retry.timeout allows', async () => {
    let asked = 0
    let failures = 0
    const parts = [
      part('once', (record) => (asked++, record)),
      part('flaky', (record) => {
        if (failures++ < 2) throw new RetriableError('not now')
        return record
      }),
    ]
    const patient = await chain(parts, policy({ retryTimeoutMs: -1 }))
    expect(await patient.apply(source('a')[0]!)).toEqual({ topic: 't', value: 'a' })
    expect([asked, failures]).toEqual([1, 3])
    failures = 0
    const impatient = await chain(parts)
    await expect(impatient.apply(source('a')[0]!)).rejects.toThrow('not now')
    expect(failures).toBe(1)
  })

  test('refuses what is neither a record nor null: to forget the answer must not drop records', async () => {
    const sync = await chain([part('forgetful', () => undefined)])
    expect(() => sync.apply(source('a')[0]!)).toThrow(
      'transform do-forgetful (transforms.forgetful) returned undefined',
    )
    const later = await chain([part('forgetful', async () => Promise.resolve())])
    await expect(later.apply(source('a')[0]!)).rejects.toThrow('null to drop it')
  })

  test('ends those that were made, though one could not be, and one fails in it', async () => {
    const ended: string[] = []
    const closing = (alias: string, close: () => void): LoadedTransform => ({
      ...part(alias, (record) => record),
      definition: { name: alias, doc: '', config: {}, create: () => ({ apply: (record) => record, close }) },
    })
    const failing: LoadedTransform = {
      ...closing('failing', () => ended.push('failing')),
      definition: {
        name: 'failing',
        doc: '',
        config: {},
        create: () => {
          throw new ConnectError('no table')
        },
      },
    }
    const throwing = closing('throwing', () => {
      throw new Error('cannot end')
    })
    const made = new TransformChain({
      transforms: [closing('first', () => ended.push('first')), throwing, failing],
      policy: policy(),
      signal,
      logger: silentLogger,
      contextOf: () => context,
      release: () => ended.push('released'),
    })
    await expect(made.open()).rejects.toMatchObject({
      name: 'ConnectError',
      message: 'transform failing (transforms.failing): no table',
    })
    await made.close()
    expect(ended).toEqual(['first', 'released'])
  })
})

test('a transform that is made only when the chain has been ended is ended too, and no other is made', async () => {
  const ended: string[] = []
  const making = Promise.withResolvers<Transform>()
  const late: LoadedTransform = {
    ...part('late', (record) => record),
    definition: { name: 'late', doc: '', config: {}, create: () => making.promise },
  }
  const never: LoadedTransform = {
    ...part('never', (record) => record),
    definition: {
      name: 'never',
      doc: '',
      config: {},
      create: () => {
        ended.push('was made')
        return { apply: (record) => record }
      },
    },
  }
  const made = new TransformChain({
    transforms: [late, never],
    policy: policy(),
    signal,
    logger: silentLogger,
    contextOf: () => context,
  })
  const opening = made.open()
  await made.close()
  making.resolve({ apply: (record) => record, close: () => void ended.push('late') })
  await opening
  expect(ended).toEqual(['late'])
})

describe('a source’s records', () => {
  async function convert(records: readonly SourceRecord[], parts: readonly LoadedTransform[], errors = policy()) {
    const log = new FakeLog()
    const { admin } = fakeLogClient(log)
    const topics = new SourceTopics({
      admin,
      internalTopics: ['connect-offsets'],
      create: true,
      creation: parseTopicCreation({}).creation,
    })
    const conversion = new SourceConversion(converters, errors, topics, signal, await chain(parts, errors))
    const batch = await conversion.convert(records)
    if (topics.hasNew) await topics.create()
    return { batch, topics: [...log.topics.keys()] }
  }

  test.each([
    ['at once', (make: Make): Make => make],
    [
      'later',
      (make: Make): Make =>
        async (record) =>
          Promise.resolve(make(record)),
    ],
  ])('are transformed before their topic is looked at and they are converted; answers %s', async (_, timed) => {
    const parts = [
      part(
        'drop',
        timed((record) => (record.value === 'b' ? null : record)),
      ),
      part('route', timed(routed)),
    ]
    const records = source('a', 'b', 'c')
    const { batch, topics } = await convert(records, parts)
    expect(batch.out.map(({ topic, value }) => [topic, value])).toEqual([
      ['to-a', 'a'],
      ['to-c', 'c'],
    ])
    expect(batch.origins).toEqual([records[0], records[2]])
    expect(topics).toEqual(['to-a', 'to-c'])
  })

  test('that fail go to the dead letters as they were before, with the transform’s name', async () => {
    const parts = [
      part('up', upper),
      part('picky', (record) => {
        if (record.value === 'B') throw new DataError('no B here')
        return record
      }),
    ]
    const { batch } = await convert(source('a', 'b', 'c'), parts)
    expect(batch.out.map(({ value }) => value)).toEqual(['A', 'C'])
    expect(failed).toMatchObject([{ stage: 'TRANSFORMATION', operation: 'do-picky', topic: 't' }])
    expect(failed[0]!.bytes()).toMatchObject({ value: 'b' })
    await expect(convert(source('b'), parts, policy({ tolerance: 'none' }))).rejects.toThrow(
      'failed at TRANSFORMATION (do-picky, transforms.picky), and errors.tolerance is none: no B here',
    )
  })

  test('of a predicate that throws, and those sent to an internal topic, fail so too', async () => {
    const when = (): boolean => {
      throw new DataError('cannot tell')
    }
    await convert(source('a'), [part('some', upper, { when })])
    await convert(source('a'), [part('away', (record) => changed(record, { topic: 'connect-offsets' }))])
    expect(failed.map(({ stage, operation, error }) => [stage, operation, (error as Error).message])).toEqual([
      ['TRANSFORMATION', 'do-some', 'cannot tell'],
      ['TRANSFORMATION', 'do-away', 'topic connect-offsets is internal: connectors cannot write to it'],
    ])
  })

  test('that the source could not read are not transformed', async () => {
    const error = new DataError('unreadable')
    await convert([{ topic: 't', value: 'raw', error }], [part('drop', () => null)])
    expect(failed).toMatchObject([{ stage: 'TASK_POLL', error }])
  })
})

describe('a sink’s records', () => {
  const inRecord = (offset: number, value: string): InRecord => ({
    offset,
    timestamp: 5,
    key: null,
    value: Buffer.from(value),
    headers: [],
  })
  async function convert(values: readonly string[], parts: readonly LoadedTransform[], errors = policy()) {
    const conversion = new SinkConversion(converters, errors, signal, await chain(parts, errors))
    const records = values.map((value, i) => inRecord(i, value))
    const into: SinkRecord[] = []
    const slice = { topic: 't', partition: 3, records, from: 0, to: records.length }
    const end = await conversion.convert(slice, into)
    return { conversion, records, into, end }
  }

  test('are transformed after they are converted; a router leaves them where they are in the log', async () => {
    const { into, conversion } = await convert(
      ['a', 'b', 'c'],
      [
        part('drop', (record) => (record.value === 'b' ? null : record)),
        part('route', routed, { when: ({ value }) => value === 'c' }),
      ],
    )
    expect(into).toMatchObject([
      { topic: 't', partition: 3, offset: 0, value: 'a' },
      {
        topic: 'to-c',
        partition: 3,
        offset: 2,
        value: 'c',
        originalTopic: 't',
        originalKafkaPartition: 3,
        timestamp: 5,
      },
    ])
    expect(Object.hasOwn(into[0]!, 'originalTopic')).toBe(false)
    expect(into.map(originalPosition)).toEqual([
      { topic: 't', partition: 3, offset: 0 },
      { topic: 't', partition: 3, offset: 2 },
    ])
    expect(conversion.dropped).toBe(1)
  })

  test('keep the bytes that they were made from, for their dead letters', async () => {
    const { into, records } = await convert(['a'], [part('up', upper), part('route', routed)])
    expect(into[0]!.value).toBe('A')
    expect(originalOf(into[0]!)).toBe(records[0])
    const none = await convert(['a'], [part('up', upper)], policy({ tolerance: 'none' }))
    expect(originalOf(none.into[0]!)).toBeUndefined()
  })

  test.each([
    ['at once', (make: Make): Make => make],
    [
      'later',
      (make: Make): Make =>
        async (record) =>
          Promise.resolve(make(record)),
    ],
  ])('that fail go to the dead letters as they came from the log; answers %s', async (_, timed) => {
    const picky: Make = (record) => {
      if (record.value === 'B') throw new DataError('no B here')
      return record
    }
    const { into } = await convert(['a', 'b', 'c'], [part('up', timed(upper)), part('picky', timed(picky))])
    expect(into.map(({ value }) => value)).toEqual(['A', 'C'])
    expect(failed).toMatchObject([
      { stage: 'TRANSFORMATION', operation: 'do-picky', topic: 't', partition: 3, offset: 1 },
    ])
    expect(String(failed[0]!.bytes().value)).toBe('b')
  })

  test('that take their time are given in pieces: where to go on is told', async () => {
    let now = 0
    const slow = part('slow', async (record) => {
      while (performance.now() < now + 600) await new Promise((resolve) => setTimeout(resolve, 50))
      now = performance.now()
      return record
    })
    now = performance.now()
    const { into, end } = await convert(['a', 'b', 'c', 'd', 'e', 'f'], [slow])
    expect(end).toBeLessThan(6)
    expect(into).toHaveLength(end!)
  })
})

test('a record whose transform fails in passing to the last is not passed over, whatever is tolerated', async () => {
  const away = part('away', () => {
    throw new RetriableError('the registry is away')
  })
  const errors = policy({ tolerance: 'all' })
  const records = [{ offset: 0, timestamp: 0, key: null, value: Buffer.from('a'), headers: [] }]
  const ofSink = new SinkConversion(converters, errors, signal, await chain([away], errors))
  const slice = { topic: 't', partition: 0, records, from: 0, to: 1 }
  await expect(ofSink.convert(slice, [])).rejects.toThrow('the registry is away')
  expect(failed).toEqual([])
})

describe('the end of a task', () => {
  test.each(['source', 'sink'])(
    'cuts a %s’s batch off that waits: nothing of it fails, and it is read again',
    async (type) => {
      const ending = new AbortController()
      const waiting = part('away', () => {
        setTimeout(() => ending.abort(), 5)
        throw new RetriableError('not now')
      })
      const errors = policy({ retryTimeoutMs: -1 })
      const made = new TransformChain({
        transforms: [waiting],
        policy: errors,
        signal: ending.signal,
        logger: silentLogger,
        contextOf: () => context,
      })
      await made.open()
      if (type === 'source') {
        const { admin } = fakeLogClient(new FakeLog())
        const { creation } = parseTopicCreation({})
        const topics = new SourceTopics({ admin, internalTopics: [], create: true, creation })
        const conversion = new SourceConversion(converters, errors, topics, ending.signal, made)
        expect(await conversion.convert(source('a', 'b'))).toMatchObject({ out: [], cutOff: true })
      } else {
        const conversion = new SinkConversion(converters, errors, ending.signal, made)
        const records = [0, 1].map((offset) => ({
          offset,
          timestamp: 0,
          key: null,
          value: Buffer.from('a'),
          headers: [],
        }))
        const into: SinkRecord[] = []
        expect(await conversion.convert({ topic: 't', partition: 0, records, from: 0, to: 2 }, into)).toBe(0)
        expect(into).toEqual([])
      }
      expect(failed).toEqual([])
    },
  )
})
