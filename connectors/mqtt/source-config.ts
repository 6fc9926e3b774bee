import { type ConfigOf, type ConfigProblems, defineConfig } from '@tidewire/sdk'
import { Mapping, MappingError, plainFilter, withoutCovered } from './mapping.ts'
import { filterProblem } from './topic-filter.ts'

export const sourceConfig = defineConfig({
  'mqtt.server.uri': {
    type: 'list',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Broker addresses, tried in turn: `tcp://host:1883` (or `mqtt://`), with TLS `ssl://host:8883` (or `mqtts://`, `tls://`).',
  },
  'mqtt.topics': {
    type: 'list',
    importance: 'high',
    group: 'Records',
    doc:
      'Topic filters to subscribe to. A level may be named in place of `+`, as in `sensors/{device}/#`, to be used in ' +
      'kafka.topic and mqtt.record.key. May be left out where mqtt.mappings says it all.',
  },
  'kafka.topic': {
    type: 'string',
    importance: 'high',
    group: 'Records',
    doc: 'Topic to write to, for messages that no rule of mqtt.mappings covers. May use `{topic}` and named levels.',
  },
  'mqtt.record.key': {
    type: 'string',
    importance: 'medium',
    group: 'Records',
    doc: 'Key of the records that go to kafka.topic, such as `{device}`. Left out: the first named level, else the MQTT topic.',
  },
  'mqtt.mappings': {
    type: 'list',
    importance: 'high',
    group: 'Records',
    doc:
      'Rules `filter => topic : key`; the first whose filter covers the MQTT topic decides. A level named `{device}` stands ' +
      'for `+`, and can be used in topic and key beside `{topic}` (the MQTT topic).',
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
  'mqtt.qos': {
    type: 'int',
    default: 1,
    minimum: 0,
    maximum: 2,
    importance: 'high',
    group: 'Subscription',
    doc: 'Highest quality of service to receive with. 1 and 2: at least once. 0: messages can be lost.',
  },
  'mqtt.clean.session.enabled': {
    type: 'boolean',
    default: false,
    group: 'Subscription',
    doc: 'true: begin anew on each connect; what is published meanwhile is lost. false: the broker keeps it.',
  },
  'mqtt.session.expiry.seconds': {
    type: 'long',
    default: 604_800,
    minimum: 0,
    maximum: 4_294_967_295,
    group: 'Subscription',
    doc: 'How long the broker is to keep the session while this connector is away. MQTT 5 only; else the broker decides.',
  },
  'mqtt.shared.subscriptions.enabled': {
    type: 'boolean',
    default: false,
    group: 'Subscription',
    doc:
      'With several tasks: all subscribe to all filters through `$share/`, and the broker spreads the messages; the order within ' +
      'an MQTT topic is lost. false: each filter belongs to one task, and order is kept.',
  },
  'mqtt.share.group': {
    type: 'string',
    pattern: '^[^/+#]*$',
    group: 'Subscription',
    doc: 'Name of the share group. Left out: the prefix of the client identifiers and the name of the connector.',
  },
  'mqtt.retained.messages': {
    type: 'string',
    default: 'once',
    enum: ['once', 'always', 'ignore'],
    group: 'Subscription',
    doc: 'Retained messages: taken once, when the subscription is new; always, on each connect; or ignored.',
  },
  'mqtt.version': {
    type: 'string',
    default: 'auto',
    enum: ['auto', '5', '3.1.1'],
    group: 'Connection',
    doc: 'Protocol version. auto: MQTT 5, and 3.1.1 where the broker does not speak that.',
  },
  'mqtt.client.id.prefix': {
    type: 'string',
    default: 'tidewire',
    group: 'Connection',
    doc:
      'The client identifier is `<prefix>-<connector>-<task>`. It names the session on the broker: change it only to begin ' +
      'anew, and let no two clusters share one.',
  },
  'mqtt.username': { type: 'string', importance: 'high', group: 'Connection', doc: 'User name to connect with.' },
  'mqtt.password': { type: 'password', importance: 'high', group: 'Connection', doc: 'Password to connect with.' },
  'mqtt.ssl.ca.path': {
    type: 'string',
    group: 'Connection',
    doc: 'PEM file with the authorities that sign brokers. Left out: those that Node.js trusts.',
  },
  'mqtt.ssl.certificate.path': {
    type: 'string',
    group: 'Connection',
    doc: 'PEM file with the client certificate, for brokers that ask for one.',
  },
  'mqtt.ssl.key.path': {
    type: 'string',
    group: 'Connection',
    doc: 'PEM file with the private key of the certificate.',
  },
  'mqtt.ssl.key.password': {
    type: 'password',
    group: 'Connection',
    doc: 'Password of the private key, if it has one.',
  },
  'mqtt.connect.timeout.seconds': {
    type: 'int',
    default: 30,
    minimum: 1,
    maximum: 3600,
    importance: 'low',
    group: 'Connection',
    doc: 'Time that one attempt to connect may take, handshakes included.',
  },
  'mqtt.keepalive.interval.seconds': {
    type: 'int',
    default: 60,
    minimum: 1,
    maximum: 65_535,
    importance: 'low',
    group: 'Connection',
    doc: 'Longest silence before a ping is sent. A broker that does not answer it in time is taken for dead.',
  },
  'max.retry.time.ms': {
    type: 'long',
    default: 30_000,
    minimum: 0,
    importance: 'low',
    group: 'Connection',
    doc: 'How long to try to reach a broker before the task reports a failure; the worker then restarts it by its policy.',
  },
  'mqtt.receive.maximum': {
    type: 'int',
    default: 1000,
    minimum: 1,
    maximum: 65_535,
    importance: 'low',
    group: 'Connection',
    doc: 'Most unacknowledged QoS 1 and 2 messages on their way. MQTT 5 only; with 3.1.1 the broker decides (mosquitto: 20).',
  },
  'mqtt.max.packet.size': {
    type: 'int',
    default: 16_777_216,
    minimum: 1024,
    maximum: 268_435_460,
    importance: 'low',
    group: 'Connection',
    doc: 'Largest packet in bytes to accept. A larger one fails the task rather than being lost.',
  },
})

export type SourceConfig = ConfigOf<typeof sourceConfig>

const javaStores =
  'Java key stores cannot be read; export PEM files, and name them in mqtt.ssl.ca.path, mqtt.ssl.certificate.path and mqtt.ssl.key.path'

/** What Confluent's MQTT source has and this one lacks. */
export const unsupportedSourceSettings = {
  'mqtt.ssl.trust.store.path': javaStores,
  'mqtt.ssl.trust.store.password': javaStores,
  'mqtt.ssl.key.store.path': javaStores,
  'mqtt.ssl.key.store.password': javaStores,
}

const schemes: Readonly<Record<string, { tls: boolean; port: number }>> = {
  'tcp:': { tls: false, port: 1883 },
  'mqtt:': { tls: false, port: 1883 },
  'ssl:': { tls: true, port: 8883 },
  'tls:': { tls: true, port: 8883 },
  'mqtts:': { tls: true, port: 8883 },
}

/** Where one broker is. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

/** @throws TypeError with what is wrong with the address */
export function parseBrokerUri(uri: string): BrokerAddress {
  const url = URL.parse(uri)
  const scheme = schemes[url?.protocol ?? '']
  if (url === null || url.hostname === '') throw new TypeError(`'${uri}' is not an address such as tcp://host:1883`)
  if (url.protocol === 'ws:' || url.protocol === 'wss:') {
    throw new TypeError(`'${uri}': MQTT over WebSocket is not supported; use the broker's TCP or TLS port`)
  }
  if (scheme === undefined) throw new TypeError(`'${uri}': the scheme must be tcp, mqtt, ssl, tls or mqtts`)
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('user name and password belong in mqtt.username and mqtt.password, not in an address')
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { host, port: url.port === '' ? scheme.port : Number(url.port), tls: scheme.tls }
}

/** The topic filters to subscribe to, as MQTT knows them. @throws MappingError when a rule cannot be */
export function subscriptionFilters(config: SourceConfig): readonly string[] {
  const topics = config['mqtt.topics'] ?? []
  const named = topics.length > 0 ? topics.map((topic) => plainFilter(topic)) : mappingOf(config).filters
  return withoutCovered(named)
}

/** @throws MappingError when a rule cannot be */
export function mappingOf(config: SourceConfig): Mapping {
  const rules = Mapping.parse(config['mqtt.mappings'] ?? [])
  const topic = config['kafka.topic']
  if (topic === undefined) return rules
  const filters = config['mqtt.topics'] ?? []
  return rules.or(Mapping.of(filters.length > 0 ? filters : ['#'], topic, config['mqtt.record.key']))
}

/** Rules across the source's settings. */
export function checkSource(config: SourceConfig): ConfigProblems {
  const problems: Record<string, string[]> = {}
  const report = (setting: string, problem: string): void => {
    ;(problems[setting] ??= []).push(problem)
  }
  for (const uri of config['mqtt.server.uri']) {
    try {
      parseBrokerUri(uri)
    } catch (error) {
      report('mqtt.server.uri', (error as Error).message)
    }
  }
  checkMapping(config, report)
  // Empty is as good as left out, for configs that come from the connector this one stands in for.
  if ((config['mqtt.password'] ?? '') !== '' && (config['mqtt.username'] ?? '') === '') {
    report('mqtt.password', 'needs mqtt.username')
  }
  if ((config['mqtt.ssl.certificate.path'] === undefined) !== (config['mqtt.ssl.key.path'] === undefined)) {
    report('mqtt.ssl.key.path', 'goes together with mqtt.ssl.certificate.path')
  }
  if (config['mqtt.record.key'] !== undefined && config['kafka.topic'] === undefined) {
    report('mqtt.record.key', 'goes with kafka.topic; a rule of mqtt.mappings has its own key')
  }
  return problems
}

function checkMapping(config: SourceConfig, report: (setting: string, problem: string) => void): void {
  const topics = config['mqtt.topics'] ?? []
  const topic = config['kafka.topic']
  if (topics.length === 0 && (config['mqtt.mappings'] ?? []).length === 0) {
    report('mqtt.topics', 'what to subscribe to is missing: set mqtt.topics and kafka.topic, or mqtt.mappings')
    return
  }
  for (const filter of topics) {
    const problem = filterProblem(plainFilter(filter))
    if (problem !== undefined) report('mqtt.topics', `'${filter}': ${problem}`)
    if (filter.startsWith('$share/'))
      report('mqtt.topics', `'${filter}': set mqtt.shared.subscriptions.enabled instead`)
  }
  try {
    const rules = Mapping.parse(config['mqtt.mappings'] ?? [])
    const homeless = topics.filter((filter) => !rules.coversFilter(plainFilter(filter)))
    if (topic === undefined && homeless.length > 0) {
      report('kafka.topic', `is missing: no rule of mqtt.mappings covers all of ${homeless.join(', ')}`)
    }
  } catch (error) {
    if (!(error instanceof MappingError)) throw error
    report('mqtt.mappings', error.message)
    return
  }
  try {
    mappingOf(config)
  } catch (error) {
    if (!(error instanceof MappingError)) throw error
    report('kafka.topic', error.message)
  }
}

/** Splits the subscriptions: each filter to one task, or with shared subscriptions all filters to all tasks. */
export function splitSource(config: SourceConfig, maxTasks: number): Record<string, string>[] {
  if (config['mqtt.shared.subscriptions.enabled']) return Array.from({ length: maxTasks }, () => ({}))
  const topics = config['mqtt.topics'] ?? []
  const filters = topics.length > 0 ? topics : subscriptionFilters(config)
  const tasks = Math.min(maxTasks, filters.length)
  if (tasks <= 1) return [{}]
  return Array.from({ length: tasks }, (_, task) => ({
    'mqtt.topics': filters.filter((_filter, index) => index % tasks === task).join(','),
  }))
}
