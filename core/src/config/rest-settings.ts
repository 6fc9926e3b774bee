/** How REST is reached, by whom, and how much of it: Kafka Connect's names where it has them. See docs/security.md. */
import { defineConfig, type ConfigOf, type Settings } from '@tidewire/sdk'
import { sslSettings } from './ssl-settings.ts'

/** What a listener with https is made of, and what this worker shows and trusts when it asks others. */
const httpsSettings = defineConfig({
  ...sslSettings,
  'ssl.client.auth': {
    type: 'string',
    default: 'none',
    enum: ['none', 'requested', 'required'],
    doc: 'Whether clients of https must show a certificate that ssl.truststore.location vouches for.',
  },
  'ssl.endpoint.identification.algorithm': {
    type: 'string',
    default: 'https',
    enum: ['https', ''],
    importance: 'low',
    doc: 'Whether the certificate of another worker must be for the host that is asked (https); empty: any host.',
  },
})

const httpsPrefix = 'listeners.https.'

type Prefixed<S> = { readonly [K in keyof S & string as `${typeof httpsPrefix}${K}`]: Omit<S[K], 'default'> }

/** Without defaults, so that it shows whether any of them is given. */
const prefixed = Object.fromEntries(
  Object.entries<Settings[string]>(httpsSettings).map(([name, setting]) => [
    httpsPrefix + name,
    { ...setting, default: undefined, importance: 'low', doc: `For https alone. ${setting.doc}` },
  ]),
) as unknown as Prefixed<typeof httpsSettings>

const roles = {
  view: 'may look: settings with secrets masked, states',
  operate:
    'may also pause, resume, stop and restart, see records (previews, dead letters, topics) and put letters back',
  admin: 'may do everything',
} as const

export const restSettings = defineConfig({
  ...prefixed,
  'admin.listeners': {
    type: 'list',
    pattern: '^https?://\\S*:\\d+$',
    importance: 'low',
    doc: 'Where /admin is, and nothing else: as listeners. Empty: nowhere. Left out: with all the rest.',
  },
  'topic.tracking.enable': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether GET /connectors/{name}/topics tells which topics a connector has used; the status topic keeps them.',
  },
  'topic.tracking.allow.reset': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether PUT /connectors/{name}/topics/reset may empty that list.',
  },
  'ssl.client.auth': httpsSettings['ssl.client.auth'],
  'rest.advertised.listener': {
    type: 'string',
    enum: ['http', 'https'],
    importance: 'low',
    doc: 'Which listener other workers are told to ask. Left out: one with http, where there is one.',
  },
  'rest.users.file': {
    type: 'string',
    importance: 'high',
    doc: 'File of the users who may log in with name and password, which tidewire user writes. It is read again when it changes. Not known to Kafka Connect.',
  },
  'rest.users.view': { type: 'list', default: ['*'], doc: `Users who ${roles.view}; *: all in the file.` },
  'rest.users.operate': { type: 'list', default: [], doc: `Users who ${roles.operate}.` },
  'rest.users.admin': { type: 'list', default: [], doc: `Users who ${roles.admin}.` },
  'rest.bearer.issuer': {
    type: 'string',
    importance: 'high',
    doc: 'Who signs the tokens (JWT) that clients may log in with: the URL of an OpenID Connect provider. Not known to Kafka Connect.',
  },
  'rest.bearer.audience': {
    type: 'list',
    default: [],
    doc: 'For whom tokens must be made out (aud), one of these. Needed with rest.bearer.issuer.',
  },
  'rest.bearer.jwks': {
    type: 'string',
    doc: 'Where the keys are: an https URL, or a file of JSON. Left out: what the provider says of itself in /.well-known/openid-configuration.',
  },
  'rest.bearer.name.claim': { type: 'string', default: 'sub', doc: 'The claim that names the user.' },
  'rest.bearer.roles.claim': {
    type: 'string',
    default: 'roles',
    doc: 'The claim with the user’s groups or roles, a list or words; dots lead into objects: realm_access.roles.',
  },
  'rest.bearer.view': { type: 'list', default: ['tidewire-view'], doc: `Values of that claim that ${roles.view}.` },
  'rest.bearer.operate': {
    type: 'list',
    default: ['tidewire-operate'],
    doc: `Values of that claim that ${roles.operate}.`,
  },
  'rest.bearer.admin': { type: 'list', default: ['tidewire-admin'], doc: `Values of that claim that ${roles.admin}.` },
  'rest.certificate.view': {
    type: 'list',
    default: [],
    doc: `Common names of client certificates (ssl.client.auth) that ${roles.view}; *: all.`,
  },
  'rest.certificate.operate': { type: 'list', default: [], doc: `Common names that ${roles.operate}.` },
  'rest.certificate.admin': { type: 'list', default: [], doc: `Common names that ${roles.admin}.` },
  'rest.health.open': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether GET /health is answered without a log-in.',
  },
  'rest.unprotected': {
    type: 'string',
    default: 'warn',
    enum: ['warn', 'refuse', 'allow'],
    importance: 'low',
    doc: 'A listener that is not on loopback while everybody may do everything: start with a warning, not at all, or without a word.',
  },
  'rest.allowed.hosts': {
    type: 'list',
    default: [],
    pattern: '^(\\*|(\\*\\.)?[\\w-]+(\\.[\\w-]+)*)$',
    importance: 'low',
    doc: 'Names that REST may be asked by without a log-in, besides its own: connect.example.com, *.example.com or *. Web pages could otherwise reach it by a name of their own. Not known to Kafka Connect.',
  },
  'rest.trusted.proxies': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: 'Proxies whose X-Forwarded-For says where a request comes from, for limits and the audit topic: addresses, or networks as 10.0.0.0/24. Not known to Kafka Connect.',
  },
  'rest.max.connections': {
    type: 'int',
    default: 1000,
    minimum: 1,
    importance: 'low',
    doc: 'Most connections at a time; those beyond are closed.',
  },
  'rest.max.connections.per.ip': {
    type: 'int',
    default: 250,
    minimum: 0,
    importance: 'low',
    doc: 'Most connections of one address; 0: no limit. Loopback has none.',
  },
  'rest.max.requests.per.second': {
    type: 'int',
    default: 2000,
    minimum: 0,
    importance: 'low',
    doc: 'Most requests a second, of all clients together, over two seconds; 0: no limit. Those beyond get 429.',
  },
  'rest.max.requests.per.second.per.ip': {
    type: 'int',
    default: 200,
    minimum: 0,
    importance: 'low',
    doc: 'As rest.max.requests.per.second, for one address. Loopback has no such limit.',
  },
  'rest.header.timeout.ms': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long a client may take to send the head of a request, in milliseconds.',
  },
  'rest.request.timeout.ms': {
    type: 'int',
    default: 30_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long it may take to send all of it, in milliseconds.',
  },
  'rest.idle.timeout.ms': {
    type: 'int',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    doc: 'How long a connection may be silent between two requests, or not be read while an answer waits, in milliseconds.',
  },
  'access.control.allow.origin': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: 'Web pages of other sites that may use REST: https://ops.example.com, https://*.example.com or *.',
  },
  'access.control.allow.methods': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: 'What these pages may do. Left out: GET, POST, HEAD.',
  },
  'response.http.headers.config': {
    type: 'string',
    default: '',
    importance: 'low',
    doc: 'Headers of every answer, with commas between: set, add, setDate or addDate, then name:value, in quotes where there is a comma in it.',
  },
  'audit.topic': {
    type: 'string',
    default: 'connect-audit',
    pattern: '^[a-zA-Z0-9._-]{0,249}$',
    doc: 'Topic that gets a record of each write by REST: who, what, from where, and what came of it. Empty: none. Not known to Kafka Connect.',
  },
  'audit.topic.replication.factor': {
    type: 'int',
    minimum: -1,
    importance: 'low',
    doc: 'As config.storage.replication.factor, for the audit topic.',
  },
  'audit.topic.retention.ms': {
    type: 'long',
    default: 90 * 24 * 3_600_000,
    minimum: -1,
    importance: 'low',
    doc: 'How long its records are kept, in milliseconds, where this worker makes the topic; -1: for ever.',
  },
})

export type RestConfig = ConfigOf<typeof restSettings>

export interface HttpsConfig {
  readonly config: ConfigOf<typeof httpsSettings>
  /** Before the names of its settings. */
  readonly prefix: '' | typeof httpsPrefix
}

/**
 * What holds for https: `listeners.https.ssl.*` where any of them is given, else `ssl.*`, as in Kafka Connect.
 * @param config the worker's
 */
export function httpsConfig(config: Readonly<Record<string, unknown>>): HttpsConfig {
  const names = Object.keys(httpsSettings)
  const prefix = names.some((name) => config[httpsPrefix + name] !== undefined) ? httpsPrefix : ''
  const given = names.map((name) => [name, config[prefix + name] ?? (httpsSettings as Settings)[name]!.default])
  return { config: Object.fromEntries(given) as HttpsConfig['config'], prefix }
}
