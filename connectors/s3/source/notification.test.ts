import { expect, test } from 'vitest'
import { notifiedObjects } from './notification.ts'

const record = (eventName: string, key: string, more: object = {}): object => ({
  eventSource: 'aws:s3',
  eventName,
  s3: { bucket: { name: 'b' }, object: { key, size: 1, eTag: 'x', sequencer: '0055', ...more } },
})

test('notifications of S3: keys decoded, versions, what is no new object left out', () => {
  const body = JSON.stringify({
    Records: [
      record('ObjectCreated:Put', 'a+b/%C3%BC%2B1.json'),
      record('ObjectRemoved:Delete', 'gone'),
      record('ObjectCreated:CompleteMultipartUpload', 'large', { versionId: 'v1' }),
      record('ObjectCreated:Copy', '100%'),
    ],
  })
  expect(notifiedObjects(body)).toEqual([
    { bucket: 'b', key: 'a b/ü+1.json', version: undefined },
    { bucket: 'b', key: 'large', version: 'v1' },
    { bucket: 'b', key: '100%', version: undefined },
  ])
})

test('inside a message of SNS', () => {
  const inner = JSON.stringify({ Records: [record('ObjectCreated:Put', 'k')] })
  expect(notifiedObjects(JSON.stringify({ Type: 'Notification', Message: inner }))).toHaveLength(1)
})

test('of EventBridge, whose keys are not encoded', () => {
  const event = (type: string) =>
    JSON.stringify({
      'detail-type': type,
      detail: { bucket: { name: 'b' }, object: { key: 'a+b %', 'version-id': 'v2', size: 1 } },
    })
  expect(notifiedObjects(event('Object Created'))).toEqual([{ bucket: 'b', key: 'a+b %', version: 'v2' }])
  expect(notifiedObjects(event('Object Deleted'))).toEqual([])
})

test('a test of the notifications tells of none; what is no notification is told apart', () => {
  expect(notifiedObjects(JSON.stringify({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b' }))).toEqual([])
  for (const body of ['', 'hello', '{}', '[1]', 'null', '{"Records":1}']) expect(notifiedObjects(body)).toBeUndefined()
})
