import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'

const tlsPrefix = 'elastic.https.'

/** How Elasticsearch or OpenSearch is reached: the same for the sink and the source. */
export const linkSettings = defineConfig({
  'connection.url': {
    type: 'list',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Addresses of nodes, or of what stands before them: `http://es1:9200,http://es2:9200`. Requests go to one after the other, and less often to those that fail. Without a protocol it is `http`; where one has `https`, all have. Never with a password in it, since it is shown.',
  },
  'connection.username': {
    type: 'string',
    importance: 'medium',
    group: 'Connection',
    doc: 'User to log in as (basic authentication).',
  },
  'connection.password': { type: 'password', importance: 'medium', group: 'Connection', doc: 'Password of that user.' },
  'connection.api.key': {
    type: 'password',
    importance: 'medium',
    group: 'Connection',
    doc: 'An API key of Elasticsearch to log in with, in place of user and password: the `encoded` form that Elasticsearch gives (base64 of `id:api_key`).',
  },
  'connection.compression': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Connection',
    doc: 'Whether requests are sent gzipped: less network, more CPU on both sides.',
  },
  'connection.timeout.ms': {
    type: 'int',
    default: 5000,
    minimum: 0,
    maximum: 43_200_000,
    importance: 'low',
    group: 'Connection',
    doc: 'How long to wait for a connection, TLS included; 0: as long as the system does.',
  },
  'read.timeout.ms': {
    type: 'int',
    default: 30_000,
    minimum: 0,
    importance: 'low',
    group: 'Connection',
    doc: 'How long the server may be silent within a request before that counts as failed, and is tried again; 0: without limit. Longer than Confluent’s 3 seconds, since a cluster that is busy gets no quicker by being asked again.',
  },
  'max.connection.idle.time.ms': {
    type: 'int',
    default: 60_000,
    minimum: -1,
    maximum: 86_400_000,
    importance: 'low',
    group: 'Connection',
    doc: 'After how long an idle connection is closed; -1: never.',
  },
  'proxy.host': {
    type: 'string',
    importance: 'low',
    group: 'Proxy',
    doc: 'Host of an HTTP proxy to go through.',
  },
  'proxy.port': {
    type: 'int',
    default: 8080,
    minimum: 1,
    maximum: 65_535,
    importance: 'low',
    group: 'Proxy',
    doc: 'Port of the proxy.',
  },
  'proxy.username': {
    type: 'string',
    importance: 'low',
    group: 'Proxy',
    doc: 'User for the proxy (basic authentication).',
  },
  'proxy.password': { type: 'password', importance: 'low', group: 'Proxy', doc: 'Password of that user.' },
  'elastic.security.protocol': {
    type: 'string',
    enum: ['PLAINTEXT', 'SSL'],
    default: 'PLAINTEXT',
    group: 'Security',
    doc: '`SSL`: with TLS as the settings `elastic.https.*` say. An `https` address alone has TLS too, and trusts the authorities that Node does.',
  },
  'elastic.https.ssl.truststore.location': {
    type: 'string',
    group: 'Security',
    doc: 'PEM file with the certificates of the authorities to trust, for Elasticsearch its `http_ca.crt`. Left out: those that Node trusts.',
  },
  'elastic.https.ssl.truststore.certificates': {
    type: 'string',
    group: 'Security',
    doc: 'Those certificates themselves, PEM, in place of the file.',
  },
  'elastic.https.ssl.truststore.type': {
    type: 'string',
    enum: ['PEM'],
    default: 'PEM',
    importance: 'low',
    group: 'Security',
    doc: 'Form of the trust store. From a Java one: `keytool -exportcert -rfc`.',
  },
  'elastic.https.ssl.keystore.location': {
    type: 'string',
    group: 'Security',
    doc: 'File with the own private key and certificate chain, PEM or PKCS#12, where the server asks for a certificate.',
  },
  'elastic.https.ssl.keystore.key': {
    type: 'password',
    group: 'Security',
    doc: 'The private key itself, PEM, in place of the file.',
  },
  'elastic.https.ssl.keystore.certificate.chain': {
    type: 'string',
    group: 'Security',
    doc: 'The certificate chain itself, PEM, in place of the file.',
  },
  'elastic.https.ssl.keystore.type': {
    type: 'string',
    enum: ['PEM', 'PKCS12'],
    default: 'PEM',
    importance: 'low',
    group: 'Security',
    doc: 'Form of the key store. From a Java one: `keytool -importkeystore -deststoretype PKCS12`.',
  },
  'elastic.https.ssl.keystore.password': {
    type: 'password',
    group: 'Security',
    doc: 'Password of a PKCS#12 key store.',
  },
  'elastic.https.ssl.key.password': {
    type: 'password',
    group: 'Security',
    doc: 'Password of the private key, where it is encrypted.',
  },
  'elastic.https.ssl.endpoint.identification.algorithm': {
    type: 'string',
    default: 'https',
    importance: 'low',
    group: 'Security',
    doc: 'Empty: the host name is not compared with the certificate.',
  },
  'elastic.https.ssl.enabled.protocols': {
    type: 'list',
    default: ['TLSv1.2', 'TLSv1.3'],
    enum: ['TLSv1.2', 'TLSv1.3'],
    importance: 'low',
    group: 'Security',
    doc: 'Versions of TLS that are spoken.',
  },
})

export type LinkConfig = ConfigOf<typeof linkSettings>

/** What Confluent's and Aiven's connectors have to reach the server with, and these have not. */
export const unsupportedLinkSettings: Readonly<Record<string, string>> = {
  'kerberos.user.principal': 'there is no Kerberos: log in with a user and password or an API key',
  'kerberos.keytab.path': 'there is no Kerberos: log in with a user and password or an API key',
  'elastic.https.ssl.truststore.password': 'a PEM trust store has no password',
  'elastic.https.ssl.protocol': 'use elastic.https.ssl.enabled.protocols',
  'elastic.https.ssl.provider': 'there is no JVM',
  'elastic.https.ssl.cipher.suites': 'the cipher suites are those of Node',
  'elastic.https.ssl.keymanager.algorithm': 'there is no JVM',
  'elastic.https.ssl.trustmanager.algorithm': 'there is no JVM',
  'elastic.https.ssl.secure.random.implementation': 'there is no JVM',
  'elastic.https.ssl.engine.factory.class': 'no Java classes are run',
  'connection.trust.all.certificates': 'name the certificate to trust in elastic.https.ssl.truststore.location',
  'aws.access_key_id': 'requests are not signed (SigV4): use the basic authentication of fine-grained access control',
  'aws.secret_access_key':
    'requests are not signed (SigV4): use the basic authentication of fine-grained access control',
  'aws.region': 'requests are not signed (SigV4): use the basic authentication of fine-grained access control',
  'aws.service.signing.name':
    'requests are not signed (SigV4): use the basic authentication of fine-grained access control',
}

/** The nodes' addresses, all with TLS where one has it. @throws TypeError where one is no URL */
export function nodeUrls(config: LinkConfig): URL[] {
  const urls = config['connection.url'].map(
    (text) => new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`),
  )
  const secure = config['elastic.security.protocol'] === 'SSL' || urls.some(({ protocol }) => protocol === 'https:')
  // A URL's protocol cannot be changed where its port is another's default: it is made anew.
  return secure ? urls.map((url) => new URL(url.href.replace(/^http:/, 'https:'))) : urls
}

/** Rules across the settings of a link. */
export function checkLink(config: LinkConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const { 'connection.username': user, 'connection.password': password, 'connection.api.key': apiKey } = config
  const url = urlProblem(config)
  if (url !== undefined) problems['connection.url'] = url
  if ((user === undefined) !== (password === undefined)) {
    problems[user === undefined ? 'connection.username' : 'connection.password'] =
      'connection.username and connection.password are given together'
  }
  if (apiKey !== undefined && user !== undefined) {
    problems['connection.api.key'] = 'stands in place of connection.username and connection.password'
  }
  if ((config['proxy.username'] === undefined) !== (config['proxy.password'] === undefined)) {
    problems['proxy.username'] = 'proxy.username and proxy.password are given together'
  } else if (config['proxy.username'] !== undefined && config['proxy.host'] === undefined) {
    problems['proxy.host'] = 'is needed for proxy.username'
  }
  const ownTls = ['truststore.location', 'truststore.certificates', 'keystore.location', 'keystore.key'] as const
  const given = ownTls.find((name) => config[`${tlsPrefix}ssl.${name}`] !== undefined)
  if (config['elastic.security.protocol'] === 'PLAINTEXT' && given !== undefined) {
    problems['elastic.security.protocol'] = `has to be SSL for ${tlsPrefix}ssl.${given} to be used`
  }
  return problems
}

function urlProblem(config: LinkConfig): string | undefined {
  if (config['connection.url'].length === 0) return 'names no address'
  try {
    for (const url of nodeUrls(config)) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') return `${url.protocol}// is neither http nor https`
      if (url.username !== '' || url.password !== '') {
        return 'has a user or a password in it: put them into connection.username and connection.password'
      }
      if (url.search !== '' || url.hash !== '') return 'is the address of a server, with no ? or # in it'
    }
    return undefined
  } catch {
    return 'is no list of URLs such as http://es1:9200'
  }
}
