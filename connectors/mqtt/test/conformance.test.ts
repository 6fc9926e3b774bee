import type { Source } from '@tidewire/sdk'
import { sourceConformance } from '@tidewire/sdk/testing'
import mqtt from 'mqtt'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/support/mosquitto.ts'
import plugin from '../index.ts'

describe.skipIf(!hasMosquitto())('mqtt-source conforms', () => {
  let broker: Mosquitto
  let systems = 0
  beforeAll(async () => {
    // The suite takes thousands of records before it acknowledges any.
    broker = await startMosquitto({ maxInflight: 0 })
  })
  afterAll(() => broker.stop())

  const cases = sourceConformance({
    source: plugin.connectors!.find(({ name }) => name === 'mqtt-source') as Source,
    system: async () => {
      const prefix = `system${++systems}`
      const address = `mqtt://127.0.0.1:${broker.port}`
      // The session is there before the first start, as it is for any later one: what is added before is kept.
      const properties = { sessionExpiryInterval: 600 }
      const session = { clientId: `${prefix}-mqtt-source-0`, clean: false, protocolVersion: 5, properties } as const
      const subscriber = await mqtt.connectAsync(address, session)
      await subscriber.subscribeAsync(`${prefix}/#`, { qos: 1 })
      await subscriber.endAsync()
      const publisher = await mqtt.connectAsync(address)
      let entries = 0
      return {
        config: {
          'mqtt.server.uri': `tcp://127.0.0.1:${broker.port}`,
          'mqtt.client.id.prefix': prefix,
          'mqtt.topics': `${prefix}/#`,
          'kafka.topic': 'out',
          'mqtt.receive.maximum': 65_535,
        },
        add: async (count) => {
          const added = Array.from({ length: count }, () => `entry ${entries++}`)
          await Promise.all(added.map((entry) => publisher.publishAsync(`${prefix}/a`, entry, { qos: 1 })))
          return added
        },
        dispose: () => publisher.endAsync(),
      }
    },
  })
  for (const { name, run } of cases) test(name, run)
})
