/**
 * Settings of the clients by which connectors reach the log: `producer.*`, `consumer.*` and `admin.*` of a worker, and
 * above them `producer.override.*`, `consumer.override.*` and `admin.override.*` of a connector, as far as the worker's
 * `connector.client.config.override.policy` lets it. Names are those of Kafka's clients.
 */
import { defineConfig, type ConfigOf, type Setting, type Settings } from '@tidewire/sdk'
import { logSecuritySettings } from './log-security.ts'
import { compileSettings, type SettingErrors } from './settings.ts'

type Config = Readonly<Record<string, string>>

export const clientKinds = ['producer', 'consumer', 'admin'] as const
export type ClientKind = (typeof clientKinds)[number]

export const overridePolicies = ['All', 'None', 'Principal'] as const
export type OverridePolicy = (typeof overridePolicies)[number]

/** Without defaults: what is not set is the worker's. */
const connectionSettings = {
  ...withoutDefaults(logSecuritySettings),
  ...defineConfig({
    'client.id': { type: 'string', doc: 'By which the log’s broker logs and limits the client.' },
    'request.timeout.ms': { type: 'int', minimum: 1, doc: 'Longest wait for an answer, in milliseconds.' },
  }),
}

const producerOnly = defineConfig({
  acks: { type: 'string', enum: ['all', '-1', '1'], doc: 'Whose acknowledgement is waited for: all replicas, or 1.' },
  'enable.idempotence': { type: 'boolean', doc: 'Whether a record that is sent again is in the log only once.' },
  'compression.type': {
    type: 'string',
    enum: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    doc: 'How batches are compressed.',
  },
  'batch.size': { type: 'int', minimum: 1, doc: 'Most bytes of a batch.' },
  'max.request.size': { type: 'int', minimum: 1, doc: 'Most bytes of a request, and so of a record.' },
  'delivery.timeout.ms': {
    type: 'int',
    minimum: 1,
    doc: 'How long a record is sent again through errors that pass, in milliseconds. Left out: for ever.',
  },
  'transaction.timeout.ms': { type: 'int', minimum: 1, doc: 'Longest time for a transaction, in milliseconds.' },
})

const cooperative = 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor'
const range = 'org.apache.kafka.clients.consumer.RangeAssignor'

const consumerOnly = defineConfig({
  'group.id': { type: 'string', pattern: '\\S', doc: 'The consumer group. Left out: connect-<connector>.' },
  'auto.offset.reset': {
    type: 'string',
    enum: ['earliest', 'latest', 'none'],
    doc: 'Where to begin where the group has no offset, or one that is gone.',
  },
  'isolation.level': {
    type: 'string',
    enum: ['read_committed', 'read_uncommitted'],
    doc: 'Whether records of transactions that are open or aborted are read. Left out: read_committed, unlike in Kafka.',
  },
  'fetch.min.bytes': { type: 'int', minimum: 1, doc: 'Bytes that the log waits for before it answers a fetch.' },
  'fetch.max.bytes': { type: 'int', minimum: 1, doc: 'Most bytes fetched ahead.' },
  'fetch.max.wait.ms': { type: 'int', minimum: 1, doc: 'How long it waits for fetch.min.bytes, in milliseconds.' },
  'max.partition.fetch.bytes': { type: 'int', minimum: 1, doc: 'Most bytes of one partition in a fetch.' },
  'max.poll.records': { type: 'int', minimum: 1, doc: 'Most records handed to the connector at a time.' },
  'session.timeout.ms': { type: 'int', minimum: 1, doc: 'Silence after which a task counts as gone, in milliseconds.' },
  'heartbeat.interval.ms': { type: 'int', minimum: 1, doc: 'Time between heartbeats, in milliseconds.' },
  'max.poll.interval.ms': { type: 'int', minimum: 1, doc: 'Longest time that the connector may take for one batch.' },
  'partition.assignment.strategy': {
    type: 'list',
    enum: [cooperative, range, 'cooperative-sticky', 'range'],
    doc: 'How partitions are shared out: cooperative-sticky, or range; the first counts.',
  },
})

const clientSettings: Readonly<Record<ClientKind, Settings>> = {
  producer: { ...connectionSettings, ...producerOnly },
  consumer: { ...connectionSettings, ...consumerOnly },
  admin: connectionSettings,
}

const elsewhere = 'connectors read from and write to the log of the worker'
const ofTheFramework = 'it is the framework’s to set'
const ofTheJvm = 'it names a class of the JVM'
const security = {
  'sasl.*': 'there are PLAIN and SCRAM, with sasl.mechanism and sasl.jaas.config',
  'ssl.*': 'certificates and keys are PEM; see docs/security.md for the settings there are',
}

/** What would change the result if it were ignored. */
const refused: Readonly<Record<ClientKind, Readonly<Record<string, string>>>> = {
  producer: {
    ...security,
    'bootstrap.servers': elsewhere,
    'transactional.id': ofTheFramework,
    'partitioner.class': `${ofTheJvm}; a record that names no partition goes by its key, as with Kafka’s default`,
    'interceptor.classes': ofTheJvm,
    'key.serializer': `${ofTheJvm}; converters do that`,
    'value.serializer': `${ofTheJvm}; converters do that`,
  },
  consumer: {
    ...security,
    'bootstrap.servers': elsewhere,
    'enable.auto.commit': 'offsets are committed when the connector has made the records durable',
    'auto.commit.interval.ms': 'offsets are committed when the connector has made the records durable',
    'group.instance.id': ofTheFramework,
    'group.protocol': 'consumers are members of the classic protocol',
    'interceptor.classes': ofTheJvm,
    'key.deserializer': `${ofTheJvm}; converters do that`,
    'value.deserializer': `${ofTheJvm}; converters do that`,
  },
  admin: { ...security, 'bootstrap.servers': elsewhere },
}

/** What only concerns the speed or the memory of Kafka's own clients. */
const without: Readonly<Record<ClientKind, Readonly<Record<string, string>>>> = {
  producer: {
    'linger.ms': 'what comes while a request is under way goes together in the next, with no waiting',
    'buffer.memory': 'source.max.buffered.bytes is the bound',
    'max.in.flight.requests.per.connection': 'up to 5 are under way, and keep their order',
    'max.block.ms': 'a task waits for room without blocking',
    retries: 'delivery.timeout.ms is the bound',
  },
  consumer: { 'client.rack': 'partitions are read from their leaders' },
  admin: {},
}

export interface ParsedClientSettings {
  /** By bare name, those that are right. */
  readonly config: Readonly<Record<string, unknown>>
  /** By full name. */
  readonly errors: SettingErrors
  readonly warnings: readonly string[]
  /** Declarations of the settings given, by full name. */
  readonly settings: Settings
}

/** Parses what stands below the prefix, `producer.` or `producer.override.` for instance. */
export function parseClientSettings(kind: ClientKind, prefix: string, raw: Config): ParsedClientSettings {
  const given = Object.fromEntries(Object.entries(raw).filter(([name]) => name.startsWith(prefix)))
  if (Object.keys(given).length === 0) return { config: {}, errors: {}, warnings: [], settings: {} }
  const settings = prefixed(prefix, clientSettings[kind])
  const parsed = compileSettings(settings, {
    unsupported: prefixed(prefix, refused[kind]),
    foreign: (name) => Object.hasOwn(without[kind], name.slice(prefix.length)),
  })(given)
  const noEffect = Object.keys(given).flatMap((name) => {
    const why = without[kind][name.slice(prefix.length)]
    return why === undefined ? [] : [`Configuration ${name} has no effect: ${why}`]
  })
  const config = Object.fromEntries(
    Object.entries(parsed.config as Readonly<Record<string, unknown>>).map(([name, value]) => [
      name.slice(prefix.length),
      value,
    ]),
  )
  const errors: SettingErrors = { ...parsed.errors }
  for (const [name, problem] of Object.entries(problemsOf(config))) {
    errors[prefix + name] ??= [
      `Invalid value ${raw[prefix + name] ?? ''} for configuration ${prefix}${name}: ${problem}`,
    ]
  }
  return {
    config,
    errors,
    warnings: [...parsed.warnings, ...noEffect],
    settings: Object.fromEntries(Object.entries(settings).filter(([name]) => Object.hasOwn(given, name))),
  }
}

function problemsOf(config: Readonly<Record<string, unknown>>): Record<string, string> {
  if (config['enable.idempotence'] === true && config['acks'] === '1') {
    return { acks: 'enable.idempotence needs acks=all' }
  }
  const session = config['session.timeout.ms']
  const heartbeat = config['heartbeat.interval.ms']
  if (typeof session === 'number' && typeof heartbeat === 'number' && heartbeat >= session) {
    return { 'heartbeat.interval.ms': `expected less than session.timeout.ms (${session})` }
  }
  return {}
}

/** Where a connector's overrides of this kind stand. */
export const overridePrefix = (kind: ClientKind): string => `${kind}.override.`

/** A name below one of the prefixes, which {@link parseOverrides} checks. */
export function isOverride(name: string): boolean {
  return clientKinds.some((kind) => name.startsWith(overridePrefix(kind)))
}

/** Whether an override holds a secret; false for other names too. */
export function isSecretOverride(name: string): boolean {
  return clientKinds.some((kind) => {
    const prefix = overridePrefix(kind)
    return name.startsWith(prefix) && clientSettings[kind][name.slice(prefix.length)]?.type === 'password'
  })
}

const principal: ReadonlySet<string> = new Set(['sasl.jaas.config', 'sasl.mechanism', 'security.protocol'])

/** Overrides that the policy does not allow, in Kafka Connect's words. */
export function policyProblems(raw: Config, policy: OverridePolicy): SettingErrors {
  const errors: SettingErrors = {}
  if (policy === 'All') return errors
  for (const prefix of clientKinds.map(overridePrefix)) {
    for (const name of Object.keys(raw).filter((each) => each.startsWith(prefix))) {
      const bare = name.slice(prefix.length)
      if (policy === 'Principal' && principal.has(bare)) continue
      errors[name] = [
        `The '${policy}' policy does not allow '${bare}' to be overridden in the connector configuration.`,
      ]
    }
  }
  return errors
}

/** All overrides of a connector's config: what is wrong with them, and what the policy does not allow. */
export function parseOverrides(
  raw: Config,
  policy: OverridePolicy,
): Pick<ParsedClientSettings, 'errors' | 'warnings' | 'settings'> {
  const errors: SettingErrors = {}
  const warnings: string[] = []
  const settings: Record<string, Setting> = {}
  for (const kind of clientKinds) {
    const prefix = overridePrefix(kind)
    const parsed = parseClientSettings(kind, prefix, raw)
    Object.assign(errors, parsed.errors)
    Object.assign(settings, parsed.settings)
    warnings.push(...parsed.warnings)
  }
  Object.assign(errors, policyProblems(raw, policy))
  return { errors, warnings, settings }
}

/** As the client takes it. */
interface Connections {
  readonly clientId?: string
  readonly requestTimeoutMs?: number
}

export interface ProducerOverrides extends Connections {
  readonly acks?: 'all' | 'leader'
  readonly idempotent?: boolean
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly maxBatchBytes?: number
  readonly maxRequestBytes?: number
  readonly deliveryTimeoutMs?: number
  readonly transactionTimeoutMs?: number
}

export interface ConsumerOverrides extends Connections {
  readonly groupId?: string
  readonly offsetReset?: 'earliest' | 'latest' | 'none'
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly fetchMaxWaitMs?: number
  readonly maxPartitionBytes?: number
  readonly sessionTimeoutMs?: number
  readonly heartbeatIntervalMs?: number
  readonly maxPollIntervalMs?: number
  readonly assignmentStrategy?: 'cooperative-sticky' | 'range'
}

/** What the settings of a producer, as {@link parseClientSettings} gives them, stand for. */
export function producerOverrides(config: Readonly<Record<string, unknown>>): ProducerOverrides {
  const { acks, ...set } = config as Partial<ConfigOf<typeof producerOnly & typeof connectionSettings>>
  return defined({
    ...connectionOverrides(config),
    acks: acks === undefined ? undefined : acks === '1' ? 'leader' : 'all',
    idempotent: set['enable.idempotence'],
    compression: set['compression.type'],
    maxBatchBytes: set['batch.size'],
    maxRequestBytes: set['max.request.size'],
    deliveryTimeoutMs: set['delivery.timeout.ms'],
    transactionTimeoutMs: set['transaction.timeout.ms'],
  })
}

/** The same of a consumer; `max.poll.records` is the task's. */
export function consumerOverrides(config: Readonly<Record<string, unknown>>): ConsumerOverrides {
  const set = config as Partial<ConfigOf<typeof consumerOnly>>
  const strategy = set['partition.assignment.strategy']?.[0]
  return defined({
    ...connectionOverrides(config),
    groupId: set['group.id'],
    offsetReset: set['auto.offset.reset'],
    isolation: set['isolation.level'],
    minBytes: set['fetch.min.bytes'],
    maxBytes: set['fetch.max.bytes'],
    fetchMaxWaitMs: set['fetch.max.wait.ms'],
    maxPartitionBytes: set['max.partition.fetch.bytes'],
    sessionTimeoutMs: set['session.timeout.ms'],
    heartbeatIntervalMs: set['heartbeat.interval.ms'],
    maxPollIntervalMs: set['max.poll.interval.ms'],
    assignmentStrategy:
      strategy === undefined ? undefined : strategy === range || strategy === 'range' ? 'range' : 'cooperative-sticky',
  })
}

/** What the settings of any client stand for, as far as they concern its connections. */
export function connectionOverrides(config: Readonly<Record<string, unknown>>): Connections {
  const set = config as { 'client.id'?: string; 'request.timeout.ms'?: number }
  return defined({ clientId: set['client.id'], requestTimeoutMs: set['request.timeout.ms'] })
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}

function prefixed<T>(prefix: string, entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => [prefix + name, value]))
}

function withoutDefaults(settings: Settings): Settings {
  return Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [
      name,
      Object.fromEntries(Object.entries(setting).filter(([key]) => key !== 'default')) as unknown as Setting,
    ]),
  )
}
