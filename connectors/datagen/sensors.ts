import { defineSource } from '@tidewire/sdk'
import { mqttSensorsConfig } from './config.ts'

export const mqttSensors = defineSource({
  name: 'mqtt-sensors',
  doc: 'Simulates sensors that publish their readings over MQTT, each on a connection of its own. Writes nothing into the log itself: for that, run mqtt-gateway or mqtt-source.',
  config: mqttSensorsConfig,
  alterOffsets: async (_, offsets) => (await import('./offsets.ts')).checkSequences(offsets),
  read: async (context) => (await import('./sensors-task.ts')).simulate(context),
})
