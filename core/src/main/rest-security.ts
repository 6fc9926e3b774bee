/** What a worker's settings say about its listeners and who may use them. */
import { httpsConfig, type RestConfig } from '../config/rest-settings.ts'
import type { PeerTls } from '../config/peer-agent.ts'
import { loadSsl, type SslMaterial } from '../config/ssl-settings.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import { messageOf } from '../logging/message-of.ts'
import type { Logger } from '../logging/logger.ts'
import { Access } from '../rest/access.ts'
import type { BasicLogin } from '../rest/basic-login.ts'
import type { BearerLogin } from '../rest/bearer-login.ts'
import { isLoopback } from '../rest/client-address.ts'
import type { ListenerOptions, ServerTls } from '../rest/listeners.ts'
import { parseHeaderRules, type HeaderRule } from '../rest/response-headers.ts'
import { TrustedProxies } from '../rest/trusted-proxies.ts'
import { UserError } from './fatal.ts'

/** What is looked at of a worker's settings; a registry has most of it too. */
export type SecuredConfig = Pick<WorkerConfig, 'listeners'> &
  Pick<RestConfig, Extract<keyof RestConfig, `rest.${'users' | 'bearer' | 'certificate'}.${string}`>> &
  Pick<RestConfig, 'rest.unprotected' | 'rest.trusted.proxies' | 'response.http.headers.config'> &
  Partial<Pick<RestConfig, 'admin.listeners' | 'rest.advertised.listener' | 'rest.health.open'>>

/** For those who ask this worker, and for what it asks others. */
export interface TlsOfRest {
  readonly server: ServerTls
  readonly worker: PeerTls
}

export interface RestSecurity {
  readonly listeners: readonly ListenerOptions[]
  /** Undefined: nothing here has to do with https. */
  readonly tls: TlsOfRest | undefined
  /** Reads certificates and keys anew. @throws UserError */
  readonly reloadTls: () => Promise<TlsOfRest>
  readonly access: Access | undefined
  readonly headers: readonly HeaderRule[]
}

/** @throws UserError that names the setting at fault */
export async function restSecurity(config: SecuredConfig, logger: Logger): Promise<RestSecurity> {
  const own = config.listeners.map((text) => listenerOf('listeners', text))
  if (own.length === 0) throw new UserError('listeners: expected http://host:port or https://host:port, not none')
  const told = config['rest.advertised.listener']
  if (told !== undefined && !own.some(({ protocol }) => protocol === told)) {
    throw new UserError(`rest.advertised.listener: there is no listener with ${told}`)
  }
  const admin = (config['admin.listeners'] ?? []).map((text) => listenerOf('admin.listeners', text))
  const listeners = [...own, ...admin.map((listener) => ({ ...listener, isAdmin: true }))]
  checkProxies(config)
  const isSecure = listeners.some(({ protocol }) => protocol === 'https')
  const { config: https, prefix } = httpsConfig(config)
  const clientAuth = https['ssl.client.auth']
  const reloadTls = async (): Promise<TlsOfRest> => {
    const material = await load(https, prefix)
    if (isSecure) requireMaterial(material, clientAuth)
    const verifyHost = https['ssl.endpoint.identification.algorithm'] === 'https'
    return { server: { ...material, clientAuth }, worker: { ...material, verifyHost } }
  }
  // Also without a listener of its own: other workers may have one.
  const tls = isSecure || prefix !== '' ? await reloadTls() : undefined
  const access = await accessOf(config, isSecure ? clientAuth : 'none', logger)
  checkProtection(config, listeners, access, isSecure ? clientAuth : 'none', logger)
  return {
    listeners,
    tls,
    reloadTls,
    access,
    headers: headerRules(config['response.http.headers.config']),
  }
}

function checkProxies(config: SecuredConfig): void {
  try {
    new TrustedProxies(config['rest.trusted.proxies'])
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error })
  }
}

function requireMaterial({ key, certificate, ca }: SslMaterial, clientAuth: string): void {
  if (key === undefined || certificate === undefined) {
    throw new UserError(
      'listeners.https.ssl.keystore.location: needed for https, with a private key and a certificate chain (PEM)',
    )
  }
  if (clientAuth !== 'none' && ca === undefined) {
    throw new UserError(`listeners.https.ssl.truststore.location: needed with ssl.client.auth=${clientAuth}`)
  }
}

function headerRules(text: string): HeaderRule[] {
  try {
    return parseHeaderRules(text)
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error })
  }
}

async function load(https: Parameters<typeof loadSsl>[0], prefix: string): Promise<SslMaterial> {
  try {
    return await loadSsl(https)
  } catch (error) {
    throw new UserError(prefix + messageOf(error), { cause: error })
  }
}

function listenerOf(setting: string, text: string): ListenerOptions {
  const match = /^(https?):\/\/(?:\[([^\]]*)\]|([^:/]*)):(\d+)$/.exec(text)
  const port = Number(match?.[4])
  if (match === null || port > 65_535) {
    throw new UserError(`${setting}: expected http://host:port or https://host:port, not ${text}`)
  }
  return { protocol: match[1] as 'http' | 'https', host: match[2] ?? match[3]!, port }
}

/** Undefined: there is no access control. */
async function accessOf(config: SecuredConfig, clientAuth: string, logger: Logger): Promise<Access | undefined> {
  const certificates = {
    view: config['rest.certificate.view'],
    operate: config['rest.certificate.operate'],
    admin: config['rest.certificate.admin'],
  }
  const byCertificate = Object.values(certificates).some((names) => names.length > 0)
  if (byCertificate && clientAuth === 'none') {
    throw new UserError('rest.certificate.*: needs a listener with https, and ssl.client.auth=requested or required')
  }
  const [basic, bearer] = await Promise.all([basicOf(config, logger), bearerOf(config, logger)])
  if (basic === undefined && bearer === undefined && !byCertificate) return undefined
  return new Access({
    basic,
    bearer,
    certificates: byCertificate ? certificates : undefined,
    healthOpen: config['rest.health.open'] ?? true,
  })
}

async function basicOf(config: SecuredConfig, logger: Logger): Promise<BasicLogin | undefined> {
  const file = config['rest.users.file']
  const operate = config['rest.users.operate']
  const admin = config['rest.users.admin']
  if (file === undefined) {
    if (operate.length + admin.length === 0) return undefined
    throw new UserError('rest.users.file: needed with rest.users.operate and rest.users.admin')
  }
  const [{ Credentials }, { BasicLogin: Login }] = await Promise.all([
    import('../broker/sasl/credentials.ts'),
    import('../rest/basic-login.ts'),
  ])
  const credentials = new Credentials(file)
  try {
    await credentials.users()
  } catch (error) {
    throw new UserError(messageOf(error).replace('sasl.users.file', 'rest.users.file'), { cause: error })
  }
  return new Login(credentials, { view: config['rest.users.view'], operate, admin }, logger)
}

async function bearerOf(config: SecuredConfig, logger: Logger): Promise<BearerLogin | undefined> {
  if (config['rest.bearer.issuer'] === undefined && config['rest.bearer.jwks'] === undefined) return undefined
  const { BearerLogin: Login } = await import('../rest/bearer-login.ts')
  try {
    return new Login(config, logger)
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error })
  }
}

function checkProtection(
  config: SecuredConfig,
  listeners: readonly ListenerOptions[],
  access: Access | undefined,
  clientAuth: string,
  logger: Logger,
): void {
  const reachable = listeners.filter(({ host }) => !isLoopback(host))
  const open = reachable.filter(({ protocol }) => protocol === 'http' || clientAuth !== 'required')
  const urls = (some: readonly ListenerOptions[]) => some.map((each) => `${each.protocol}://${each.host}:${each.port}`)
  if (access === undefined && open.length > 0 && config['rest.unprotected'] !== 'allow') {
    const text = `REST is open to the network on ${urls(open).join(', ')}: whoever reaches it may do everything, also read what this machine's files hold. rest.users.file or rest.bearer.issuer makes clients log in; docs/security.md`
    if (config['rest.unprotected'] === 'refuse') throw new UserError(`${text} (rest.unprotected=refuse)`)
    logger.warn(text)
  }
  const plain = reachable.filter(({ protocol }) => protocol === 'http')
  if (access !== undefined && plain.length > 0) {
    logger.warn(
      `REST takes log-ins in clear text on ${urls(plain).join(', ')}: use https, or a proxy that does and is alone on the way`,
    )
  }
}
