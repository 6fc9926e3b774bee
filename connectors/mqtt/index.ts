import { definePlugin, defineSource } from '@tidewire/sdk'
import { refuseOffsets } from './no-offsets.ts'
import { checkGateway, gatewayConfig } from './gateway-config.ts'
import { checkSource, sourceConfig, splitSource, unsupportedSourceSettings } from './source-config.ts'

export default definePlugin({
  name: 'mqtt',
  version: '0.1.0',
  connectors: [
    defineSource({
      name: 'mqtt-source',
      aliases: ['io.confluent.connect.mqtt.MqttSourceConnector'],
      doc:
        'Subscribes to topics of an MQTT broker (3.1.1 or 5) and writes each message as a record. A QoS 1 or 2 message is ' +
        'acknowledged to the broker once it is in the log.',
      config: sourceConfig,
      unsupported: unsupportedSourceSettings,
      check: checkSource,
      tasks: splitSource,
      alterOffsets: (_, offsets) =>
        refuseOffsets(offsets, 'the MQTT broker', 'another mqtt.client.id.prefix begins a session anew'),
      tryOut: async (config, context) => (await import('./try-out.ts')).tryBroker(config, context),
      read: async (context) => (await import('./source-task.ts')).readSource(context),
    }),
    defineSource({
      name: 'mqtt-gateway',
      doc:
        'Devices connect to Tidewire itself over MQTT (3.1, 3.1.1 or 5) and what they publish becomes records, without a ' +
        'broker in between. A QoS 1 or 2 message is acknowledged once it is in the log.',
      config: gatewayConfig,
      check: checkGateway,
      alterOffsets: (_, offsets) => refuseOffsets(offsets, 'each device', 'the device has to send again'),
      read: async (context) => (await import('./gateway-task.ts')).readGateway(context),
    }),
  ],
})
