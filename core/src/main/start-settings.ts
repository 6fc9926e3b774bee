import { defineConfig } from '@tidewire/sdk'

const logLevel = {
  type: 'string',
  enum: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  doc: 'Least severe lines to log, on standard error',
  importance: 'low',
} as const

const port = { type: 'int', minimum: 0, maximum: 65535, importance: 'high' } as const

/** Settings of `tidewire log` beside the broker's own. */
export const logCommandSettings = defineConfig({
  'data.dir': { type: 'string', default: './data', importance: 'high', doc: 'Where all data is kept' },
  'bind.address': {
    type: 'string',
    default: '127.0.0.1',
    importance: 'high',
    doc: 'Address that every listener binds to. Anything but loopback opens the platform to the network: see docs/security.md for users and TLS',
  },
  'log.port': { ...port, default: 9092, doc: 'Port of the log: the Kafka protocol. 0 takes a free one' },
  'log.level': { ...logLevel, default: 'info' },
})

/** Settings of `tidewire start` beside those of the worker and of the log, which it takes too. */
export const startSettings = defineConfig({
  ...logCommandSettings,
  'log.level': { ...logLevel, default: 'warn' },
  'rest.port': {
    ...port,
    default: 8083,
    doc: 'Port of the REST API and the console, unless listeners says where it listens. 0 takes a free one',
  },
  'mqtt.port': { ...port, minimum: 1, default: 1883, doc: 'Port of the MQTT gateway' },
  'registry.enabled': {
    type: 'boolean',
    default: true,
    importance: 'medium',
    doc: 'Whether there is a schema registry. It is loaded when it is first asked.',
  },
  'registry.port': { ...port, default: 8081, doc: 'Port of the schema registry. 0 takes a free one' },
  quickstart: {
    type: 'boolean',
    default: true,
    importance: 'medium',
    doc: 'Deploy the connectors of config/quickstart that are not there yet',
  },
})

/** Settings of `tidewire worker` beside the worker's own. */
export const workerCommandSettings = defineConfig({ 'log.level': { ...logLevel, default: 'info' } })
