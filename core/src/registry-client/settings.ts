/** The settings by which converters find and talk to a schema registry: the names and defaults of Confluent's clients. */
import { ConfigError, defineConfig, type ConfigOf, type Setting } from '@tidewire/sdk'
import { sslSettings } from '../config/ssl-settings.ts'

type SslName = keyof typeof sslSettings

/** Kafka's `ssl.*`, as they stand below `schema.registry.`. */
type RegistrySslSettings = { readonly [K in SslName as `schema.registry.${K}`]: (typeof sslSettings)[K] }

const registrySslSettings = Object.fromEntries(
  Object.entries<Setting>(sslSettings).map(([name, setting]) => [
    `schema.registry.${name}`,
    { ...setting, importance: 'low', group: 'Registry' },
  ]),
) as unknown as RegistrySslSettings

export const registryClientSettings = defineConfig({
  'schema.registry.url': {
    type: 'list',
    required: true,
    importance: 'high',
    group: 'Registry',
    doc: 'URLs of the schema registry, http or https; the next is asked where one does not answer. A path (/contexts/.name) is kept.',
  },
  'basic.auth.credentials.source': {
    type: 'string',
    default: 'URL',
    enum: ['URL', 'USER_INFO', 'SASL_INHERIT'],
    group: 'Registry',
    doc: 'Where user and password are: in the URL, in basic.auth.user.info, or in sasl.jaas.config.',
  },
  'basic.auth.user.info': {
    type: 'password',
    group: 'Registry',
    doc: 'user:password, with basic.auth.credentials.source=USER_INFO.',
  },
  'schema.registry.basic.auth.user.info': {
    type: 'password',
    importance: 'low',
    group: 'Registry',
    doc: 'The older name of basic.auth.user.info.',
  },
  'sasl.jaas.config': {
    type: 'password',
    group: 'Registry',
    doc: 'With basic.auth.credentials.source=SASL_INHERIT: Kafka\'s line with username="…" and password="…".',
  },
  'bearer.auth.credentials.source': {
    type: 'string',
    default: 'STATIC_TOKEN',
    enum: ['STATIC_TOKEN'],
    importance: 'low',
    group: 'Registry',
    doc: 'Where a token is: in bearer.auth.token.',
  },
  'bearer.auth.token': {
    type: 'password',
    group: 'Registry',
    doc: 'A token that is sent with each request (Authorization: Bearer).',
  },
  ...registrySslSettings,
  'schema.registry.ssl.endpoint.identification.algorithm': {
    type: 'string',
    default: 'https',
    enum: ['https', ''],
    importance: 'low',
    group: 'Registry',
    doc: 'https: the name in the URL must be in the certificate. Empty: any name will do.',
  },
  'http.connect.timeout.ms': {
    type: 'int',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    group: 'Registry',
    doc: 'How long a connection may take, in ms.',
  },
  'http.read.timeout.ms': {
    type: 'int',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    group: 'Registry',
    doc: 'How long an answer may take, in ms.',
  },
  'max.retries': {
    type: 'int',
    default: 3,
    minimum: 0,
    importance: 'low',
    group: 'Registry',
    doc: 'How often a request that failed for a passing reason is tried again, at each URL. After that errors.retry.timeout decides.',
  },
  'retries.wait.ms': {
    type: 'int',
    default: 1_000,
    minimum: 0,
    importance: 'low',
    group: 'Registry',
    doc: 'The pause before the first retry, in ms; it doubles with each.',
  },
  'retries.max.wait.ms': {
    type: 'int',
    default: 20_000,
    minimum: 0,
    importance: 'low',
    group: 'Registry',
    doc: 'The longest pause between retries, in ms.',
  },
  'max.schemas.per.subject': {
    type: 'int',
    default: 1_000,
    minimum: 1,
    importance: 'low',
    group: 'Registry',
    doc: 'How many schemas are kept, by id and by text; the oldest goes first.',
  },
  'latest.cache.ttl.sec': {
    type: 'int',
    default: -1,
    minimum: -1,
    importance: 'low',
    group: 'Registry',
    doc: 'With use.latest.version: for how many seconds the latest version is taken to be the latest. -1: as long as the task runs.',
  },
  'missing.id.cache.ttl.sec': {
    type: 'int',
    default: 5,
    minimum: 0,
    importance: 'low',
    group: 'Registry',
    doc: 'For how many seconds an id that the registry does not know is not asked for again. Confluent: 0.',
  },
})

export type RegistryClientConfig = ConfigOf<typeof registryClientSettings>

/** What the `Authorization` header is; undefined where nobody logs in, or each URL says it. */
export function authorizationOf(config: RegistryClientConfig): string | undefined {
  const token = config['bearer.auth.token']
  if (token !== undefined && token !== '') return `Bearer ${token}`
  switch (config['basic.auth.credentials.source']) {
    case 'URL':
      return undefined
    case 'USER_INFO': {
      const info = config['basic.auth.user.info'] ?? config['schema.registry.basic.auth.user.info']
      if (info === undefined || !info.includes(':')) {
        throw new ConfigError('basic.auth.user.info has to be user:password', { setting: 'basic.auth.user.info' })
      }
      return basic(info)
    }
    case 'SASL_INHERIT': {
      const jaas = config['sasl.jaas.config'] ?? ''
      const user = /\busername="([^"]*)"/.exec(jaas)?.[1]
      const password = /\bpassword="([^"]*)"/.exec(jaas)?.[1]
      if (user === undefined || password === undefined) {
        throw new ConfigError('sasl.jaas.config has no username="…" and password="…"', { setting: 'sasl.jaas.config' })
      }
      return basic(`${user}:${password}`)
    }
  }
}

/** The `Authorization` header for a `user:password`. */
function basic(userInfo: string): string {
  return `Basic ${Buffer.from(userInfo).toString('base64')}`
}

/** @throws ConfigError, without the text: it may be a password */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new ConfigError('schema.registry.url: a % in a user or password is %25 in a URL', {
      setting: 'schema.registry.url',
    })
  }
}

/**
 * The URLs, without what they say of users.
 * @throws ConfigError
 */
export function registryUrls(config: RegistryClientConfig): { readonly url: URL; readonly authorization?: string }[] {
  const urls = config['schema.registry.url'].filter((url) => url !== '')
  if (urls.length === 0) throw new ConfigError('schema.registry.url is empty', { setting: 'schema.registry.url' })
  const inUrl = config['basic.auth.credentials.source'] === 'URL'
  return urls.map((text) => {
    const url = URL.parse(text)
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      // It may hold a password.
      const given = text.includes('@') ? 'it' : text
      throw new ConfigError(
        `schema.registry.url: ${given} is not a URL of http or https, such as http://127.0.0.1:8081`,
        { setting: 'schema.registry.url' },
      )
    }
    const user = `${decoded(url.username)}:${decoded(url.password)}`
    url.username = ''
    url.password = ''
    return inUrl && user !== ':' ? { url, authorization: basic(user) } : { url }
  })
}
