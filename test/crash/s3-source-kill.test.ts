/**
 * Objects of an S3 store into a topic, each deleted once its records are in the log, while platform and store are killed: at
 * the end each record is in the topic once, those of an object in order, and no object is left.
 */
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { readTopic } from '../support/read-topic.ts'
import { ownS3Missing, startS3, type TestS3 } from '../support/s3.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const kills = Number(process.env['TIDEWIRE_KILLS'] ?? 4)
const objects = 60
const recordsEach = 300
const missing = await ownS3Missing()

describe.skipIf(missing !== undefined)(`s3-source${missing === undefined ? '' : ` (${missing})`}`, () => {
  let s3: TestS3
  let place: Place & { remove: () => Promise<void> }
  let platform: Platform
  const env = { TIDEWIRE_OFFSET_FLUSH_INTERVAL_MS: '100' }

  beforeAll(async () => {
    s3 = await startS3()
    place = await newPlace()
    platform = await startPlatform(place, { args: ['--empty'], env })
  })
  afterAll(async () => {
    await platform.stop()
    await place.remove()
    await s3.close()
  })

  test(`after ${kills} kills each record is in the topic once, and no object is left`, async () => {
    const bucket = await s3.bucket('kills')
    for (let at = 0; at < objects; at++) {
      const lines = Array.from({ length: recordsEach }, (_, record) => `{"object":${at},"record":${record}}\n`)
      const Key = `in/${String(at).padStart(3, '0')}.json`
      await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: lines.join('') }))
    }
    const left = async (): Promise<number> =>
      (await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount ?? 0
    const { status, body } = await askRest(platform.rest, 'PUT', '/connectors/objects/config', {
      body: {
        ...{ ...s3.settings, 's3.bucket.name': bucket, mode: 'GENERIC', 'topics.dir': 'in', topics: 'objects' },
        ...{ 'connector.class': 's3-source', 'tasks.max': '2', 'after.reading': 'delete' },
        ...{ 's3.poll.interval.ms': '100', 'record.batch.max.size': '50', 'exactly.once.support': 'required' },
        ...{ 'value.converter': 'json', 'value.converter.schemas.enable': 'false' },
      },
    })
    expect([status, body]).toEqual([201, expect.anything()])
    for (let kill = 0; kill < kills; kill++) {
      const before = await left()
      await until('objects to go', async () => before === 0 || (await left()) < before, 90_000)
      if (kill % 2 === 0) {
        await platform.stop('SIGKILL')
        platform = await startPlatform(place, { args: ['--empty'], env })
      } else {
        await s3.kill!()
        await s3.restart()
      }
    }
    await until('no object to be left', async () => (await left()) === 0, 120_000)
    const records = await readTopic(place.logPort, 'objects', (seen) => seen.length >= objects * recordsEach, 60_000)
    const seen = records.map(({ value }) => JSON.parse(value) as { object: number; record: number })
    const whole = Array.from({ length: recordsEach }, (_, record) => record)
    for (let at = 0; at < objects; at++) {
      expect(seen.filter(({ object }) => object === at).map(({ record }) => record)).toEqual(whole)
    }
    expect(records).toHaveLength(objects * recordsEach)
  })
})
