import { parseConfig, sinkRecord } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { ObjectNames } from './object-name.ts'
import { s3Sink } from './sink.ts'

const namesOf = (more: Record<string, string> = {}, redrive?: string): ObjectNames =>
  new ObjectNames(
    parseConfig(s3Sink, { 's3.bucket.name': 'b', 'format.class': 'json', 'flush.size': '1', ...more }),
    redrive,
  )

test('the names of Confluent’s connector', () => {
  const record = sinkRecord({ topic: 'orders', partition: 3, offset: 42 })
  expect(namesOf().of(record, 'partition=3')).toBe('topics/orders/partition=3/orders+3+0000000042')
  const other = { 'topics.dir': '', 'directory.delim': '_', 'file.delim': '.', 'filename.offset.zero.pad.width': '0' }
  expect(namesOf(other).of(record, 'x')).toBe('orders_x_orders.3.42')
})

test('what of the log an object is of, by its name', () => {
  const names = namesOf()
  const of = (name: string) => names.partitionOf(name)
  expect(of('topics/orders/a=b/orders+3+0000000042.keys.avro')).toEqual({
    topic: 'orders',
    partition: 3,
    isRedrive: false,
  })
  expect(of('topics/all/p/all+orders+3+0000000042.json')).toEqual({ topic: 'orders', partition: 3, isRedrive: false })
  expect(of('topics/orders/p/orders+3+0000000042+redrive-1.json')).toEqual({
    topic: 'orders',
    partition: 3,
    isRedrive: true,
  })
  for (const name of [
    'orders/orders+3+0000000042.json',
    'topics/x',
    'topics/a+b.json',
    'topics/a+b+c.json',
    'topics/',
  ]) {
    expect(of(name)).toBeUndefined()
  }
})

test('each name tells its partition', () => {
  for (const redrive of [undefined, 'x1']) {
    const names = namesOf({}, redrive)
    for (const record of [
      sinkRecord({ offset: 7 }),
      sinkRecord({ topic: 'b', originalTopic: 'a', originalKafkaPartition: 2 }),
    ]) {
      const { originalTopic = 'topic', originalKafkaPartition = 0 } = record
      expect(names.partitionOf(`${names.of(record, 'f=1')}.json`)).toEqual({
        topic: originalTopic,
        partition: originalKafkaPartition,
        isRedrive: redrive !== undefined,
      })
    }
  }
})

test('folders that lead elsewhere, or are too long, are refused', () => {
  expect(() => namesOf().of(sinkRecord(), 'a=../../x')).toThrow(/elsewhere/)
  expect(() => namesOf().of(sinkRecord(), 'é'.repeat(500))).toThrow(/too long/)
})
