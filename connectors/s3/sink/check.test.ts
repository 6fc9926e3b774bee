import { parseConfig } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { checkSink } from './check.ts'
import { s3Sink } from './sink.ts'

const base = { 's3.bucket.name': 'b', 'format.class': 'json', 'flush.size': '1' }

/** Settings at fault, by the rules across settings alone. */
const faults = (more: Record<string, string>): string[] =>
  Object.keys(checkSink(parseConfig({ ...s3Sink, check: () => ({}) }, { ...base, ...more })))

test('a config of Confluent’s documentation is taken as it is', () => {
  expect(
    faults({
      'format.class': 'io.confluent.connect.s3.format.avro.AvroFormat',
      'storage.class': 'io.confluent.connect.s3.storage.S3Storage',
      'partitioner.class': 'io.confluent.connect.storage.partitioner.TimeBasedPartitioner',
      'partition.duration.ms': '3600000',
      'path.format': "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
      locale: 'en-US',
      timezone: 'UTC',
      'timestamp.extractor': 'RecordField',
      'timestamp.field': 'date',
      'schema.compatibility': 'NONE',
      's3.credentials.provider.class': 'com.amazonaws.auth.DefaultAWSCredentialsProviderChain',
      's3.proxy.url': '',
    }),
  ).toEqual([])
})

const wrong: [string[], Record<string, string>][] = [
  [['partition.field.name'], { 'partitioner.class': 'field' }],
  [['partition.duration.ms', 'path.format'], { 'partitioner.class': 'time' }],
  [['path.format'], { 'partitioner.class': 'time', 'partition.duration.ms': '1000', 'path.format': 'year' }],
  [['timezone'], { timezone: 'Mars/Olympus' }],
  [['store.kafka.keys'], { 'behavior.on.null.values': 'write' }],
  [['format.class'], { 's3.compression.type': 'gzip', 'format.class': 'parquet' }],
  [['keys.format.class'], { 's3.compression.type': 'gzip', 'store.kafka.keys': 'true' }],
  [['s3.wan.mode'], { 's3.wan.mode': 'true' }],
  [['aws.secret.access.key'], { 'aws.access.key.id': 'a' }],
  [['s3.sse.customer.key'], { 's3.sse.customer.key': 'short' }],
  [['s3.object.tagging.key.value.pairs'], { 's3.object.tagging.key.value.pairs': 'a:b,c' }],
]
test.each(wrong)('%j', (settings, more) => {
  expect(faults(more).toSorted()).toEqual(settings.toSorted())
})
