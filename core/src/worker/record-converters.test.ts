import { ConfigError, DataError, RetriableError, type Converter } from '@tidewire/sdk'
import { expect, test } from 'vitest'
import { simpleHeaderConverter } from '../convert/simple-header-converter.ts'
import { silentLogger } from '../logging/logger.ts'
import { ErrorPolicy, type FailedRecord } from './error-policy.ts'
import { convertEach, type RecordConverters } from './record-converters.ts'
import { SinkConversion } from './sink-conversion.ts'
import { SourceConversion } from './source-conversion.ts'
import type { SourceTopics } from './source-topics.ts'

/** Answers late, and with an error. */
const late: Converter = {
  fromConnect: async () => Promise.reject(new DataError('no such schema')),
  toConnect: async () => Promise.reject(new DataError('no such schema')),
}
const atOnce: Converter = {
  fromConnect: () => {
    throw new DataError('not of its schema')
  },
  toConnect: () => {
    throw new DataError('not of its schema')
  },
}
const converters: RecordConverters = {
  key: { name: 'late', converter: late },
  value: { name: 'at once', converter: atOnce },
  header: { name: 'simple', converter: simpleHeaderConverter.create({}, 'header') },
}
const { signal } = new AbortController()

function noting(): { readonly policy: ErrorPolicy; readonly failed: FailedRecord[] } {
  const failed: FailedRecord[] = []
  const policy = new ErrorPolicy({
    tolerance: 'all',
    retryTimeoutMs: 0,
    retryDelayMaxMs: 1,
    log: false,
    logMessages: false,
    logger: silentLogger,
    deadLetters: {
      send: async (each) => Promise.resolve(void failed.push(each)),
      close: async () => Promise.resolve(),
    },
  })
  return { policy, failed }
}

// vitest fails a run in which a rejection was nobody's.
test('a record whose key fails late and whose value fails at once is one failed record, of a sink', async () => {
  const { policy, failed } = noting()
  const conversion = new SinkConversion(converters, policy, signal)
  const record = { offset: 7, timestamp: 0, key: null, value: null, headers: [] }
  await conversion.convert({ topic: 't', partition: 0, records: [record], from: 0, to: 1 }, [])
  expect(failed.map(({ stage, offset }) => [stage, offset])).toEqual([['KEY_CONVERTER', 7]])
})

test('and of a source', async () => {
  const { policy, failed } = noting()
  const topics = { check: () => undefined } as unknown as SourceTopics
  const conversion = new SourceConversion(converters, policy, topics, signal)
  const { out } = await conversion.convert([{ topic: 't', key: 'k', value: 'v' }])
  expect(out).toEqual([])
  expect(failed.map(({ stage }) => stage)).toEqual(['KEY_CONVERTER'])
})

// The registry of its converter is away, or does not let it in: every record would fail so.
test.each([new RetriableError('the registry is away'), new ConfigError('the registry does not know this user')])(
  'a record that is not to blame fails its task, whatever is tolerated, and is no dead letter: %s',
  async (error) => {
    const { policy, failed } = noting()
    const fails: Converter = {
      fromConnect: async () => Promise.reject(error),
      toConnect: async () => Promise.reject(error),
    }
    const failing = { ...converters, key: { name: 'away', converter: fails } }
    const record = { offset: 7, timestamp: 0, key: null, value: null, headers: [] }
    const slice = { topic: 't', partition: 0, records: [record], from: 0, to: 1 }
    await expect(async () => new SinkConversion(failing, policy, signal).convert(slice, [])).rejects.toThrow(
      /not to blame/,
    )
    const topics = { check: () => undefined } as unknown as SourceTopics
    const source = new SourceConversion(failing, policy, topics, signal)
    await expect(async () => source.convert([{ topic: 't', key: 'k', value: 'v' }])).rejects.toThrow(error.message)
    expect(failed).toEqual([])
  },
)

test('what is converted late keeps its order and its names', async () => {
  const convert = (n: number): number | Promise<number> => (n % 2 === 0 ? n * 10 : Promise.resolve(n * 10))
  const name = (converted: number, n: number): string => `${n}: ${converted}`
  expect(await convertEach([2, 1, 4], convert, name)).toEqual(['2: 20', '1: 10', '4: 40'])
  expect(convertEach([2, 4], convert, name)).toEqual(['2: 20', '4: 40'])
})
