/** The schema registry's own settings: Confluent's names, and its defaults except where the doc says otherwise. */
import { defineConfig, type ConfigOf, type Settings } from '@tidewire/sdk'
import { logSecuritySettings } from './log-security.ts'
import { restSettings } from './rest-settings.ts'
import { sslSettings } from './ssl-settings.ts'
import { compileSettings, type ParsedSettings, type RawConfig } from './settings.ts'

const storePrefix = 'kafkastore.'

type Prefixed<S> = { readonly [N in keyof S & string as `${typeof storePrefix}${N}`]: S[N] }

/** How the log is reached: the workers' settings, behind `kafkastore.`. */
const storeSecurity = Object.fromEntries(
  Object.entries<Settings[string]>(logSecuritySettings).map(([name, setting]) => [storePrefix + name, setting]),
) as unknown as Prefixed<typeof logSecuritySettings>

/** Of REST's settings, those about what only workers have. */
const ofWorkersAlone = [
  'admin.listeners',
  'topic.tracking.enable',
  'topic.tracking.allow.reset',
  'audit.topic',
  'audit.topic.replication.factor',
  'audit.topic.retention.ms',
  'rest.advertised.listener',
  'rest.health.open',
] as const
type OfWorkersAlone = (typeof ofWorkersAlone)[number]

const ownRestSettings = Object.fromEntries(
  Object.entries<Settings[string]>(restSettings).filter(
    ([name]) => !(ofWorkersAlone as readonly string[]).includes(name),
  ),
) as unknown as Omit<typeof restSettings, OfWorkersAlone>

const MAX_INT = 2_147_483_647
const searchLimit = { type: 'int', default: MAX_INT, minimum: 1, importance: 'low' } as const

export const registrySettings = defineConfig({
  'kafkastore.bootstrap.servers': {
    type: 'list',
    default: ['127.0.0.1:9092'],
    importance: 'high',
    doc: 'Where the log is, host:port: the bundled one, Apache Kafka or Redpanda.',
  },
  'kafkastore.topic': {
    type: 'string',
    default: '_schemas',
    pattern: '^[a-zA-Z0-9._-]{1,249}$',
    importance: 'high',
    doc: 'Topic that holds all that the registry knows.',
  },
  'kafkastore.topic.replication.factor': {
    type: 'int',
    minimum: -1,
    doc: 'Replicas of that topic when it is created; -1: the broker’s default. Left out: 3, or the broker’s default where there are fewer brokers.',
  },
  'kafkastore.timeout.ms': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long a request waits until the newest records have been read, in milliseconds. Confluent: 500.',
  },
  ...storeSecurity,
  'schema.registry.group.id': {
    type: 'string',
    default: 'schema-registry',
    pattern: '\\S',
    doc: 'Registries with the same one, on one log, choose a leader among them, which writes for all.',
  },
  'leader.eligibility': {
    type: 'boolean',
    default: true,
    doc: 'Whether this registry may lead. One that may not answers reads, and passes writes on.',
  },
  'host.name': {
    type: 'string',
    importance: 'high',
    doc: 'The host that other registries reach this one by. Left out: the listener’s.',
  },
  'host.port': { type: 'int', minimum: 1, maximum: 65_535, doc: 'As the host, for the port.' },
  'inter.instance.protocol': {
    type: 'string',
    default: 'http',
    enum: ['http', 'https'],
    importance: 'low',
    doc: 'Which listener other registries are told to ask.',
  },
  listeners: {
    type: 'list',
    default: ['http://127.0.0.1:8081'],
    pattern: '^https?://\\S*:\\d+$',
    importance: 'high',
    doc: 'Where the registry listens, http://host:port or https://host:port; an empty host stands for all addresses. Unlike Confluent’s, on loopback by default.',
  },
  'schema.compatibility.level': {
    type: 'string',
    default: 'BACKWARD',
    pattern: '^(?:NONE|(?:BACKWARD|FORWARD|FULL)(?:_TRANSITIVE)?|none|(?:backward|forward|full)(?:_transitive)?)$',
    importance: 'high',
    doc: 'Compatibility that holds where no config says otherwise: NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE or FULL_TRANSITIVE.',
  },
  'mode.mutability': { type: 'boolean', default: true, doc: 'Whether modes may be changed.' },
  'schema.cache.size': {
    type: 'int',
    default: 1000,
    minimum: 1,
    importance: 'low',
    doc: 'Most schemas that are kept parsed.',
  },
  'schema.reject.empty.subject': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: 'Whether an empty subject, or one that is * alone, is refused.',
  },
  'schema.search.default.limit': {
    ...searchLimit,
    default: 1000,
    doc: 'Most schemas in an answer where the request names no limit.',
  },
  'schema.search.max.limit': { ...searchLimit, default: 1000, doc: 'Most schemas in an answer.' },
  'subject.search.default.limit': { ...searchLimit, doc: 'As schema.search.default.limit, for subjects.' },
  'subject.search.max.limit': { ...searchLimit, doc: 'Most subjects in an answer.' },
  'subject.version.search.default.limit': { ...searchLimit, doc: 'As schema.search.default.limit, for versions.' },
  'subject.version.search.max.limit': { ...searchLimit, doc: 'Most versions in an answer.' },
  'context.search.default.limit': { ...searchLimit, doc: 'As schema.search.default.limit, for contexts.' },
  'context.search.max.limit': { ...searchLimit, doc: 'Most contexts in an answer.' },
  'size.limit.filter.max.request.body.size': {
    type: 'int',
    default: 4 * 1024 * 1024,
    minimum: 1024,
    importance: 'low',
    doc: 'Most bytes of a request’s body. Confluent: 1 MiB, where the limit is switched on at all; here there always is one.',
  },
  'rest.write.hold.ms': {
    type: 'int',
    default: 30_000,
    minimum: 0,
    importance: 'low',
    doc: 'How long a write waits while no registry leads, in milliseconds. Not known to Confluent’s.',
  },
  'leader.connect.timeout.ms': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long the leader may take to be connected to, in milliseconds.',
  },
  'leader.read.timeout.ms': {
    type: 'int',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long the leader may take to answer, in milliseconds.',
  },
  'kafkagroup.session.timeout.ms': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    importance: 'low',
    doc: 'After how long a leader that shows no life is replaced, in milliseconds.',
  },
  'kafkagroup.heartbeat.interval.ms': {
    type: 'int',
    default: 3000,
    minimum: 1,
    importance: 'low',
    doc: 'How often each registry shows that it lives, in milliseconds.',
  },
  'kafkagroup.rebalance.timeout.ms': {
    type: 'int',
    default: 300_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long the others wait for a registry when a leader is chosen, in milliseconds.',
  },
  'request.timeout.ms': {
    type: 'int',
    default: 30_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long the log may take to answer, in milliseconds.',
  },
  ...sslSettings,
  ...ownRestSettings,
})

type Declared = ConfigOf<typeof registrySettings>
type Level = 'NONE' | 'BACKWARD' | 'BACKWARD_TRANSITIVE' | 'FORWARD' | 'FORWARD_TRANSITIVE' | 'FULL' | 'FULL_TRANSITIVE'

export type RegistryConfig = Omit<Declared, 'schema.compatibility.level'> & {
  readonly 'schema.compatibility.level': Level
}

/** Unknown names give a warning: files made for Confluent's registry may hold what only Java knows. */
export function parseRegistryConfig(raw: RawConfig): ParsedSettings<RegistryConfig> {
  const parsed = compile(raw)
  // Left out where it is at fault.
  const level: string = (parsed.config as Partial<Declared>)['schema.compatibility.level'] ?? 'BACKWARD'
  return { ...parsed, config: { ...parsed.config, 'schema.compatibility.level': level.toUpperCase() as Level } }
}

const compile = compileSettings(registrySettings)

/** Those of the log's security, as the workers name them. */
export function storeSecurityOf(config: RegistryConfig): ConfigOf<typeof logSecuritySettings> {
  const names = Object.keys(logSecuritySettings)
  const values: Readonly<Record<string, unknown>> = config
  return Object.fromEntries(names.map((name) => [name, values[storePrefix + name]])) as ConfigOf<
    typeof logSecuritySettings
  >
}
