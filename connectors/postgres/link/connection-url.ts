import { ConfigError } from '@tidewire/sdk'
import type { Address, SslMode } from './connection-settings.ts'

const sslModes: readonly string[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

/** Parameters that tune the JDBC driver and mean nothing to another one: the result is the same without them. */
const withoutMeaning = new Set([
  'adaptivefetch',
  'assumeminserverversion',
  'autosave',
  'binarytransfer',
  'cleanupsavepoints',
  'connecttimeout',
  'defaultrowfetchsize',
  'disablecolumnsanitiser',
  'loadbalancehosts',
  'loggerlevel',
  'logintimeout',
  'preparedstatementcachequeries',
  'preparedstatementcachesizemib',
  'preparethreshold',
  'receivebuffersize',
  'rewritebatchedinserts',
  'sendbuffersize',
  'sockettimeout',
  // Values go to the server as text of no type in any case.
  'stringtype',
  'tcpnodelay',
])

/**
 * The address that a JDBC URL (`jdbc:postgresql://host:port/database?sslmode=require`) or libpq's
 * (`postgresql://user@host:port/database`) describes, with parameters of either.
 * @throws ConfigError for `setting`, where it is neither, names more than one host, or has a parameter that is not known;
 *   and where it has a password, since a URL is shown to whoever may see the config
 */
export function addressOfUrl(
  url: string,
  login: { readonly user?: string | undefined; readonly password?: string | undefined },
  applicationName: string,
  setting = 'connection.url',
): Address {
  const refuse = (what: string): ConfigError => new ConfigError(`${setting} ${what}`, { setting })
  const parts = /^(?:jdbc:)?(?:postgresql|postgres):(?:\/\/([^/?]*)(?:\/([^?]*))?|([^/?]*)|\/)(?:\?(.*))?$/.exec(
    url.trim(),
  )
  if (parts === null) throw refuse('is not of the form jdbc:postgresql://host:port/database?parameter=value')
  const [, authority = '', path, bare, query = ''] = parts
  const parameters = new Parameters(query, refuse)
  const { host, port, user } = hostOf(authority, refuse)
  const name = decoded(path ?? bare ?? '', refuse)
  const asUser = login.user ?? parameters.take('user') ?? user
  if (asUser === undefined) throw refuse('names no user: set connection.user')
  const options = [searchPath(parameters.take('currentSchema')), parameters.take('options')].filter(
    (one) => one !== undefined,
  )
  const address: Address = {
    host: parameters.take('host') ?? host,
    port: numberOf(parameters.take('port')) ?? port,
    user: asUser,
    password: login.password,
    database: parameters.take('dbname') ?? (name === '' ? asUser : name),
    ssl: {
      mode: sslModeOf(parameters, refuse),
      rootCertFile: parameters.take('sslrootcert'),
      certFile: parameters.take('sslcert'),
      keyFile: parameters.take('sslkey'),
      keyPassword: undefined,
    },
    tcpKeepAlive: parameters.take('tcpKeepAlive') !== 'false',
    applicationName: parameters.take('ApplicationName') ?? parameters.take('application_name') ?? applicationName,
    options: options.length === 0 ? undefined : options.join(' '),
    initialStatements: [],
    queryTimeoutMs: 600_000,
  }
  const server = parameters.take('targetServerType') ?? parameters.take('target_session_attrs')
  if (server !== undefined && !/^(any|primary|master|read-write)$/.test(server)) {
    throw refuse(`asks for a server of the kind "${server}", and only its first host is ever tried`)
  }
  const unknown = parameters.rest()
  if (unknown.length > 0) throw refuse(`has parameters that are not known here: ${unknown.join(', ')}`)
  return address
}

/** The parameters of a URL; names as JDBC and libpq write them, in any case. */
class Parameters {
  readonly #values = new Map<string, string>()
  readonly #names = new Map<string, string>()

  constructor(query: string, refuse: (what: string) => ConfigError) {
    for (const part of query === '' ? [] : query.split('&')) {
      const equals = part.indexOf('=')
      const name = decoded(equals === -1 ? part : part.slice(0, equals), refuse)
      if (/^(ssl)?password$/i.test(name)) throw secretIn(refuse)
      this.#values.set(name.toLowerCase(), equals === -1 ? '' : decoded(part.slice(equals + 1), refuse))
      this.#names.set(name.toLowerCase(), name)
    }
  }

  take(name: string): string | undefined {
    const value = this.#values.get(name.toLowerCase())
    this.#values.delete(name.toLowerCase())
    return value
  }

  rest(): string[] {
    return [...this.#values.keys()].filter((name) => !withoutMeaning.has(name)).map((name) => this.#names.get(name)!)
  }
}

function secretIn(refuse: (what: string) => ConfigError): ConfigError {
  return refuse('holds a password, and is shown by REST and the console: set connection.password')
}

function hostOf(
  authority: string,
  refuse: (what: string) => ConfigError,
): { host: string; port: number; user: string | undefined } {
  const at = authority.lastIndexOf('@')
  const [user, password] = at === -1 ? [] : authority.slice(0, at).split(':')
  if (password !== undefined) throw secretIn(refuse)
  const place = authority.slice(at + 1)
  if (place.includes(','))
    throw refuse('names several hosts: name the one to write to, or a name that follows the primary')
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(place)
  if (match === null) throw refuse(`has "${place}" where host:port is expected`)
  const host = match[1]!.replace(/^\[|\]$/g, '')
  return {
    host: host === '' ? 'localhost' : decoded(host, refuse),
    port: numberOf(match[2]) ?? 5432,
    user: user === undefined || user === '' ? undefined : decoded(user, refuse),
  }
}

function sslModeOf(parameters: Parameters, refuse: (what: string) => ConfigError): SslMode {
  // pgjdbc: `ssl=true`, or `ssl` alone, checks certificate and host name.
  const ssl = parameters.take('ssl')
  const mode = parameters.take('sslmode') ?? (ssl === '' || ssl === 'true' ? 'verify-full' : 'prefer')
  if (!sslModes.includes(mode)) throw refuse(`has sslmode=${mode}, which is none of ${sslModes.join(', ')}`)
  return mode as SslMode
}

/** A list of schemas as an option of the session; a blank and a backslash would end it there. */
function searchPath(schemas: string | undefined): string | undefined {
  return schemas === undefined ? undefined : `-c search_path=${schemas.replaceAll(/[\\\s]/g, String.raw`\$&`)}`
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text)
}

function decoded(text: string, refuse: (what: string) => ConfigError): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse(`has a percent sign that stands for nothing in "${text}"`)
  }
}
