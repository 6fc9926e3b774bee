import { type ConfigOf, type ConfigProblems, defineConfig } from '@tidewire/sdk'
import { Mapping, MappingError } from './mapping.ts'

export const gatewayConfig = defineConfig({
  'mqtt.host': {
    type: 'string',
    default: '127.0.0.1',
    importance: 'high',
    group: 'Listener',
    doc: 'Address to listen on. 0.0.0.0 or :: takes devices from the network; then set a password, and TLS.',
  },
  'mqtt.port': {
    type: 'int',
    default: 1883,
    minimum: 1,
    maximum: 65_535,
    importance: 'high',
    group: 'Listener',
    doc: 'TCP port to listen on.',
  },
  'mqtt.mappings': {
    type: 'list',
    default: ['sensors/{device}/# => sensors : {device}', '# => mqtt : {topic}'],
    importance: 'high',
    group: 'Records',
    doc:
      'Rules `filter => topic : key`; the first whose filter covers the MQTT topic decides. A level named `{device}` stands ' +
      'for `+`, and can be used in topic and key beside `{topic}` (the MQTT topic) and `{client}` (the client identifier). ' +
      'Without a key: the first named level, else the MQTT topic. A publish that no rule covers is refused.',
  },
  'mqtt.payload.format': {
    type: 'string',
    default: 'bytes',
    enum: ['bytes', 'string', 'json'],
    group: 'Records',
    doc:
      'What payloads are made into: bytes as they are (for value.converter `bytes`), text, or parsed JSON. A payload that is ' +
      'neither text nor JSON stays bytes and gets the header `mqtt.payload.error`; where the connector has a dead letter topic ' +
      'and `errors.tolerance=all`, it goes there.',
  },
  'mqtt.username': {
    type: 'string',
    importance: 'high',
    group: 'Access',
    doc: 'User name that devices must give. Without it anyone who reaches the port may publish.',
  },
  'mqtt.password': {
    type: 'password',
    importance: 'high',
    group: 'Access',
    doc: 'Password that devices must give with mqtt.username.',
  },
  'mqtt.ssl.certificate.path': {
    type: 'string',
    group: 'Access',
    doc: 'PEM file with the certificate (chain) to show. Given, the port speaks TLS only.',
  },
  'mqtt.ssl.key.path': { type: 'string', group: 'Access', doc: 'PEM file with the private key of the certificate.' },
  'mqtt.ssl.key.password': { type: 'password', group: 'Access', doc: 'Password of the private key, if it has one.' },
  'mqtt.ssl.ca.path': {
    type: 'string',
    group: 'Access',
    doc: 'PEM file with authorities. Given, devices must show a certificate that one of them signed.',
  },
  'mqtt.max.connections': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    group: 'Limits',
    doc: 'Most devices connected at once; more are refused as "server unavailable".',
  },
  'mqtt.max.packet.size': {
    type: 'int',
    default: 1_000_000,
    minimum: 1024,
    maximum: 268_435_460,
    group: 'Limits',
    doc: 'Largest packet in bytes; a larger one ends its connection. Keep it below the max.message.bytes of the topics.',
  },
  'mqtt.receive.maximum': {
    type: 'int',
    default: 1000,
    minimum: 1,
    maximum: 65_535,
    importance: 'low',
    group: 'Limits',
    doc: 'Most unacknowledged QoS 1 and 2 messages that an MQTT 5 device may have on their way.',
  },
  'mqtt.session.expiry.max.seconds': {
    type: 'int',
    default: 86_400,
    minimum: 0,
    importance: 'low',
    group: 'Limits',
    doc: 'Longest time that the session of a device that is away is kept, in memory.',
  },
  'mqtt.connect.timeout.seconds': {
    type: 'int',
    default: 10,
    minimum: 1,
    maximum: 3600,
    importance: 'low',
    group: 'Limits',
    doc: 'Time that a new connection has to introduce itself.',
  },
})

export type GatewayConfig = ConfigOf<typeof gatewayConfig>

/** Rules across the gateway's settings. */
export function checkGateway(config: GatewayConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  try {
    Mapping.parse(config['mqtt.mappings'])
  } catch (error) {
    if (!(error instanceof MappingError)) throw error
    problems['mqtt.mappings'] = error.message
  }
  if (config['mqtt.password'] !== undefined && config['mqtt.username'] === undefined) {
    problems['mqtt.password'] = 'needs mqtt.username'
  }
  if (config['mqtt.username'] !== undefined && config['mqtt.password'] === undefined) {
    problems['mqtt.username'] = 'needs mqtt.password'
  }
  if ((config['mqtt.ssl.certificate.path'] === undefined) !== (config['mqtt.ssl.key.path'] === undefined)) {
    problems['mqtt.ssl.key.path'] = 'goes together with mqtt.ssl.certificate.path'
  }
  if (config['mqtt.ssl.ca.path'] !== undefined && config['mqtt.ssl.certificate.path'] === undefined) {
    problems['mqtt.ssl.ca.path'] = 'needs mqtt.ssl.certificate.path'
  }
  return problems
}
