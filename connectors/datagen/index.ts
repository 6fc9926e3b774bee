import { definePlugin } from '@tidewire/sdk'
import { mqttSensors } from './sensors.ts'
import { datagenSource } from './source.ts'

export default definePlugin({ name: 'datagen', version: '0.1.0', connectors: [datagenSource, mqttSensors] })
