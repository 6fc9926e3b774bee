import { type ConfigOf, defineConfig } from '@tidewire/sdk'

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

export type SslMode = (typeof sslModes)[number]

/** Debezium's `database.*` settings. */
export const connectionSettings = defineConfig({
  'database.hostname': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Host name or IP address of the server; a path that begins with `/` is the folder of its Unix socket.',
  },
  'database.port': {
    type: 'int',
    default: 5432,
    minimum: 1,
    maximum: 65_535,
    importance: 'high',
    group: 'Connection',
    doc: 'Port of the server.',
  },
  'database.user': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'User to log in as. To stream changes it needs the attribute REPLICATION, and SELECT on the captured tables.',
  },
  'database.password': { type: 'password', importance: 'high', group: 'Connection', doc: 'Password of that user.' },
  'database.dbname': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Database whose changes are captured.',
  },
  'database.sslmode': {
    type: 'string',
    default: 'prefer',
    enum: sslModes,
    group: 'Connection',
    doc:
      '`disable`: never TLS. `allow`: TLS where the server refuses to go without. `prefer`: TLS where the server has it. ' +
      '`require`: TLS, whoever the server is. `verify-ca`: and its certificate is from an authority that is trusted. ' +
      '`verify-full`: and is for this host name.',
  },
  'database.sslrootcert': {
    type: 'string',
    group: 'Connection',
    doc: 'File with the certificates (PEM) of the authorities to trust, for verify-ca and verify-full. Left out: those that Node trusts.',
  },
  'database.sslcert': { type: 'string', group: 'Connection', doc: "File with the client's certificate (PEM)." },
  'database.sslkey': {
    type: 'string',
    group: 'Connection',
    doc: "File with the client's private key: PEM, PKCS#8 in DER (`.pk8`), or PKCS#12 (`.p12`, `.pfx`), which holds the certificate too.",
  },
  'database.sslpassword': { type: 'password', group: 'Connection', doc: 'Password of the file database.sslkey.' },
  'database.tcpKeepAlive': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Connection',
    doc: 'Have the system probe silent connections, so that a dead one is noticed.',
  },
  'database.initial.statements': {
    type: 'string',
    importance: 'low',
    group: 'Connection',
    doc:
      'SQL statements, separated by semicolons, to run on each new connection but that of the replication stream: for ' +
      'session settings. `;;` stands for a semicolon within a statement.',
  },
  'database.query.timeout.ms': {
    type: 'int',
    default: 600_000,
    minimum: 0,
    importance: 'low',
    group: 'Connection',
    doc: 'How long a statement may run before the server cancels it; 0: without limit. Reading a table in a snapshot has no limit.',
  },
})

export type ConnectionConfig = ConfigOf<typeof connectionSettings>

/** TLS as libpq and the JDBC driver name its parts. Files are read at each connect, so that renewed ones are used. */
export interface Ssl {
  readonly mode: SslMode
  readonly rootCertFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly keyPassword?: string | undefined
}

/** All that {@link connect} needs to know, whichever connector's settings it came from. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password?: string | undefined
  readonly database: string
  readonly ssl: Ssl
  readonly tcpKeepAlive: boolean
  /** Shown in pg_stat_activity and the server's log. */
  readonly applicationName: string
  /** Command-line options for the session, such as `-c search_path=app`. A pooler may refuse them. */
  readonly options?: string | undefined
  /** Run on each ordinary connection. */
  readonly initialStatements: readonly string[]
  /** Default `statement_timeout` of ordinary connections; 0: none. */
  readonly queryTimeoutMs: number
}

/** The address that `database.*` settings describe. */
export function addressOf(config: ConnectionConfig, applicationName: string): Address {
  return {
    host: config['database.hostname'],
    port: config['database.port'],
    user: config['database.user'],
    password: config['database.password'],
    database: config['database.dbname'],
    ssl: {
      mode: config['database.sslmode'],
      rootCertFile: config['database.sslrootcert'],
      certFile: config['database.sslcert'],
      keyFile: config['database.sslkey'],
      keyPassword: config['database.sslpassword'],
    },
    tcpKeepAlive: config['database.tcpKeepAlive'],
    applicationName,
    initialStatements: splitStatements(config['database.initial.statements'] ?? ''),
    queryTimeoutMs: config['database.query.timeout.ms'],
  }
}

/** Statements separated by semicolons, of which two stand for one. */
export function splitStatements(text: string): string[] {
  const statements: string[] = []
  let statement = ''
  const finish = (): void => {
    if (statement.trim() !== '') statements.push(statement.trim())
    statement = ''
  }
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ';') statement += text[at]!
    else if (text[at + 1] === ';') {
      statement += ';'
      at++
    } else finish()
  }
  finish()
  return statements
}
