import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { nameReader, sharesOf, type NamedObject } from './object-names.ts'
import { s3Source } from './source.ts'

function read(config: Readonly<Record<string, string>>, key: string, modified = 0): NamedObject | undefined {
  const parsed = parseConfig(s3Source, { 's3.bucket.name': 'b', ...config })
  return nameReader(parsed)({ key, etag: '"e"', size: 1, modified })
}

describe('names of what a sink wrote', () => {
  test.each([
    ['topics/orders/partition=3/orders+3+0000000120.json', 'orders', 3, 120, 'value', 'json'],
    ['topics/orders/partition=3/orders+3+0000000120.json.gz', 'orders', 3, 120, 'value', 'json'],
    ['topics/a.b-c/year=2026/month=01/a.b-c+0+0000000000.snappy.parquet', 'a.b-c', 0, 0, 'value', 'parquet'],
    ['topics/orders/region=eu/orders+12+99999999999.avro', 'orders', 12, 99_999_999_999, 'value', 'avro'],
    ['topics/orders/partition=0/orders+0+0000000000.bin', 'orders', 0, 0, 'value', 'lines'],
  ])('%s', (key, topic, partition, offset, part, format) => {
    const named = read({}, key)
    expect(named).toMatchObject({ topic, partition, part, format, tombstones: false })
    expect(named?.stream.name).toBe(`${topic}/${partition}`)
    expect(Number(named?.rank.slice(0, 20))).toBe(offset)
  })

  test('what lies beside the values belongs to them', () => {
    const value = read({}, 'topics/t/partition=0/t+0+0000000000.json')
    const keys = read({}, 'topics/t/partition=0/t+0+0000000000.keys.avro')
    const headers = read({}, 'topics/t/partition=0/t+0+0000000000.headers.json.gz')
    expect([value, keys, headers].map((named) => named?.part)).toEqual(['value', 'keys', 'headers'])
    expect([value, keys, headers].map((named) => named?.format)).toEqual(['json', 'avro', 'json'])
    expect(new Set([value, keys, headers].map((named) => named?.family)).size).toBe(1)
    expect(read({}, 'topics/t/tombstone/t+0+0000000007.keys.avro')?.tombstones).toBe(true)
  })

  test('in order of offsets, whatever the folder', () => {
    const ranks = ['b/t+0+0000000002.json', 'a/t+0+0000000010.json', 'c/t+0+0000000001.json'].map(
      (name) => read({}, `topics/t/${name}`)!.rank,
    )
    expect(ranks.toSorted()).toEqual([ranks[2], ranks[0], ranks[1]])
  })

  test('of records that a transform gave another topic, and of dead letters put again', () => {
    const key = 'topics/by-day/partition=0/by-day+orders+2+0000000003'
    expect(read({}, `${key}.json`)).toMatchObject({
      topic: 'by-day',
      partition: 2,
      stream: { name: 'by-day+orders/2' },
    })
    const [once, again] = [read({}, `${key}.json`), read({}, `${key}+redrive-1a-2b.json`)]
    expect(again).toMatchObject({ topic: 'by-day', partition: 2 })
    expect(again!.family).not.toBe(once!.family)
    expect(again!.rank > once!.rank).toBe(true)
  })

  test('other delimiters, other folders, chosen topics and new names', () => {
    const config = { 'topics.dir': 'backup/kafka', 'file.delim': '-', 'directory.delim': '_' }
    expect(read(config, 'backup/kafka_my-topic_p=1_my-topic-1-0000000005.json')).toMatchObject({
      topic: 'my-topic',
      partition: 1,
    })
    expect(read({ topics: 'a' }, 'topics/b/partition=0/b+0+0.json')).toBeUndefined()
    const renamed = { 'topic.regex.list': 'restored-$1:prod-(.*),same:other' }
    expect(read(renamed, 'topics/prod-x/partition=0/prod-x+0+0.json')?.topic).toBe('restored-x')
    expect(read(renamed, 'topics/other/partition=0/other+0+0.json')?.topic).toBe('same')
    expect(read(renamed, 'topics/others/partition=0/others+0+0.json')).toBeUndefined()
  })

  test.each(['elsewhere/t/t+0+0.json', 'topics/t/readme.txt', 'topics/t/t+0.json', 'topics/t/t+0+0.exe'])(
    '%s is none',
    (key) => {
      expect(read({}, key)).toBeUndefined()
    },
  )
})

describe('names of any kind', () => {
  const generic = { mode: 'GENERIC', 'topics.dir': 'in' }

  test('one topic for all, the format by the end of the key', () => {
    const config = { ...generic, topics: 't' }
    expect(read(config, 'in/2026/a.csv.gz')).toMatchObject({ topic: 't', format: 'csv', rank: 'in/2026/a.csv.gz' })
    expect(read(config, 'in/a.unknown')).toBeUndefined()
    expect(read(config, 'in/folder/')).toBeUndefined()
    expect(read(config, 'inner/a.csv')).toBeUndefined()
    expect(read({ ...config, 'format.class': 'whole' }, 'in/a.unknown')?.format).toBe('whole')
    expect(read({ ...config, 'topics.dir': '' }, 'a.json')?.topic).toBe('t')
  })

  test('topics by regular expression, the first that matches', () => {
    const config = { ...generic, 'topic.regex.list': 'errors:error.*\\.json,logs-$1:logs/(\\w+)/' }
    expect(read(config, 'in/logs/web/error-1.json')?.topic).toBe('errors')
    expect(read(config, 'in/logs/web/1.json')?.topic).toBe('logs-web')
    expect(read(config, 'in/other.json')).toBeUndefined()
  })

  test('topic and partition by a template, and streams by partition', () => {
    const config = { ...generic, 'file.name.template': '{{topic}}/{{partition}}/{{start_offset}}' }
    const named = read(config, 'in/orders/7/00012.json')
    expect(named).toMatchObject({ topic: 'orders', partition: 7, stream: { name: 'orders/7' } })
    expect(read(config, 'in/orders.json')).toBeUndefined()
  })

  test('in order of time where that is wished', () => {
    const config = { ...generic, topics: 't', 'listing.order': 'modified' }
    const [later, earlier] = [read(config, 'in/a.json', 2_000), read(config, 'in/b.json', 1_000)]
    expect(earlier!.rank < later!.rank).toBe(true)
  })
})

test('tasks share streams out: all of them, none twice, neighbours apart', () => {
  const config = parseConfig(s3Source, { 's3.bucket.name': 'b', mode: 'GENERIC', topics: 't' })
  expect(sharesOf(config, 3)).toEqual([{ 'task.share': '0/3' }, { 'task.share': '1/3' }, { 'task.share': '2/3' }])
  expect(sharesOf(config, 100)).toHaveLength(32)
  const shares = [0, 1, 2, 3].map((partition) => read({}, `topics/t/x/t+${partition}+0.json`)!.stream.share % 4)
  expect(new Set(shares).size).toBe(4)
})

test('settings that contradict each other are told', () => {
  const problems = (config: Readonly<Record<string, string>>) => {
    const parsed = parseConfig({ ...s3Source, check: undefined } as unknown as typeof s3Source, {
      's3.bucket.name': 'b',
      ...config,
    })
    return Object.keys(s3Source.check!(parsed))
  }
  expect(problems({})).toEqual([])
  expect(problems({ mode: 'GENERIC' })).toEqual(['topics'])
  expect(problems({ mode: 'GENERIC', 'topic.regex.list': 'a:(' })).toEqual(['topic.regex.list'])
  expect(problems({ mode: 'GENERIC', topics: 't', 'file.name.template': '{{nothing}}' })).toEqual([
    'file.name.template',
  ])
  expect(problems({ mode: 'GENERIC', topics: 't', 'record.key': 'field' })).toEqual(['record.key.field'])
  expect(problems({ 'sqs.queue.url': 'http://q', 'listing.order': 'modified' })).toEqual([
    'sqs.queue.url',
    'listing.order',
  ])
  expect(problems({ 'after.reading': 'move' })).toEqual(['after.reading.move.prefix'])
  expect(problems({ 'after.reading': 'move', 'after.reading.move.prefix': 'topics/done/' })).toEqual([
    'after.reading.move.prefix',
  ])
  expect(problems({ 'after.reading': 'move', 'after.reading.move.bucket': 'other' })).toEqual([])
})
