import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { kafkajs } from '../support/read-topic.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'

let place: Place & { remove: () => Promise<void> }
let platform: Platform | undefined
beforeEach(async () => {
  place = await newPlace()
  platform = undefined
})
afterEach(async () => {
  await platform?.stop()
  await place.remove()
})

test('--empty starts without the quickstart, with the gateway; SIGTERM ends it with exit code 0', async () => {
  platform = await startPlatform(place, { args: ['--empty'] })
  expect(await (await fetch(`${platform.rest}/connectors`)).json()).toEqual(['mqtt-gateway'])
  expect(await platform.stop('SIGTERM')).toBe(0)
})

test('flags win over the environment, that over the file', async () => {
  const other = await newPlace()
  const file = join(place.dataDir, 'settings.properties')
  await writeFile(
    file,
    [
      '# ports of this test',
      'log.port=1',
      'rest.port=1',
      `mqtt.port=${place.mqttPort}`,
      `data.dir=${other.dataDir}`,
      'quickstart=false',
    ].join('\n'),
  )
  platform = await startPlatform(place, {
    args: ['--config', file],
    env: { TIDEWIRE_LOG_PORT: '2', TIDEWIRE_REST_PORT: '3', TIDEWIRE_NUM_PARTITIONS: '4' },
  })
  await access(join(place.dataDir, 'log'))
  const admin = kafkajs(place.logPort).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'four' }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: ['four'] })
  await admin.disconnect()
  expect(topics[0]!.partitions).toHaveLength(4)
  expect(await (await fetch(`${platform.rest}/connectors`)).json()).toEqual(['mqtt-gateway'])
  await other.remove()
})
