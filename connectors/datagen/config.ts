import { defineConfig, type ConfigOf } from '@tidewire/sdk'

const generated = defineConfig({
  devices: {
    type: 'int',
    minimum: 1,
    maximum: 100_000,
    default: 10,
    importance: 'high',
    doc: 'How many devices take readings: `sensor-1`, `sensor-2`, …',
  },
  'random.seed': {
    type: 'long',
    default: 1,
    importance: 'low',
    doc: 'What the readings are made from: the same seed gives the same devices, curves, noise and outliers.',
  },
})

export const datagenConfig = defineConfig({
  'kafka.topic': {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The topic to write the readings to.',
  },
  quickstart: {
    type: 'string',
    enum: ['sensors'],
    default: 'sensors',
    importance: 'medium',
    doc: 'What to generate: `sensors` are readings of temperature, humidity, pressure and battery.',
  },
  rate: {
    type: 'double',
    minimum: 0,
    importance: 'high',
    doc: 'Records a second, evenly spaced; 0 is as fast as possible. Left out, `max.interval` sets the pace.',
  },
  'max.interval': {
    type: 'long',
    minimum: 0,
    maximum: 86_400_000,
    default: 500,
    importance: 'medium',
    doc: 'Longest pause between two records in milliseconds; each pause is a random part of it. Unused with `rate`.',
  },
  iterations: {
    type: 'long',
    default: -1,
    importance: 'medium',
    doc: 'How many records to generate in all, restarts included; -1 is without end.',
  },
  ...generated,
  'start.time': {
    type: 'long',
    minimum: 0,
    importance: 'low',
    doc: 'Makes records reproducible to the byte: the time of the first reading, in milliseconds since 1970, each device having one a second from then on. Left out, readings have the time when they are generated.',
  },
})
export type DatagenConfig = ConfigOf<typeof datagenConfig>

export const mqttSensorsConfig = defineConfig({
  'mqtt.server.uri': {
    type: 'string',
    required: true,
    importance: 'high',
    pattern: '^(mqtts?|tcp|ssl|wss?)://',
    doc: 'The broker to publish to: `mqtt://127.0.0.1:1883`, or with TLS `mqtts://…`.',
  },
  'mqtt.topic': {
    type: 'string',
    default: 'sensors/{device}',
    importance: 'high',
    pattern: '\\{device\\}',
    doc: 'The MQTT topic. `{device}` stands for the device; with `{metric}` in it, each metric is a message of its own.',
  },
  'mqtt.qos': {
    type: 'int',
    minimum: 0,
    maximum: 2,
    default: 1,
    importance: 'medium',
    doc: 'Quality of service to publish with. With 0, readings may be lost, as the sensor is not told.',
  },
  'mqtt.username': { type: 'string', importance: 'medium', doc: 'User name of every device.' },
  'mqtt.password': { type: 'password', importance: 'medium', doc: 'Password of every device.' },
  'interval.ms': {
    type: 'int',
    minimum: 0,
    default: 1000,
    importance: 'high',
    doc: 'Time between two readings of one device, in milliseconds; 0 is as fast as the broker acknowledges.',
  },
  ...generated,
})
export type MqttSensorsConfig = ConfigOf<typeof mqttSensorsConfig>
