/** What pages of other sites, open in a user's browser, may do here: nothing, unless the settings name them. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { RestConfig } from '../config/rest-settings.ts'
import { isLoopback } from './client-address.ts'
import type { Listener } from './listeners.ts'
import { RestError } from './rest-error.ts'

export interface CrossOriginOptions {
  readonly settings: Pick<
    RestConfig,
    'access.control.allow.origin' | 'access.control.allow.methods' | 'rest.allowed.hosts'
  >
  readonly advertisedHost: string | undefined
  /** Whether clients have to say who they are: a page knows no log-in, and a browser keeps those it has by name. */
  readonly hasLogIn: boolean
  readonly listenerOf: (request: IncomingMessage) => Listener | undefined
}

/** Those of Kafka Connect where none are given. */
const presetMethods = ['GET', 'POST', 'HEAD']
const allowedHeaders = 'accept, authorization, content-type, origin, x-requested-with'
const preflightSeconds = '1800'

/**
 * A page of another site, open in the user's browser, must not be able to give orders: neither by a request across sites,
 * nor by a name of its own that resolves to this machine. `access.control.allow.*` makes exceptions, as in Kafka Connect,
 * save that `*` does not let other sites use a log-in that the browser keeps.
 */
export function guardOrigins(app: FastifyInstance, options: CrossOriginOptions): void {
  const origins = options.settings['access.control.allow.origin']
  const given = options.settings['access.control.allow.methods']
  const methods = (given.length === 0 ? presetMethods : given).map((method) => method.toUpperCase())
  const isKnownName = knownNames(options)
  const anyOrigin = origins.includes('*')
  const patterns = origins.filter((origin) => origin !== '*').map(patternOf)

  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers
    const foreign = origin !== undefined && hostOf(origin) !== request.headers.host
    const named = foreign && patterns.some((pattern) => pattern.test(origin))
    const allowed = foreign && (named || anyOrigin)
    if (allowed) {
      void reply.header('access-control-allow-origin', named ? origin : '*')
      if (named) void reply.header('access-control-allow-credentials', 'true')
    }
    if (origins.length > 0) void reply.header('vary', 'origin')
    if (allowed && request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      return reply
        .headers({
          'access-control-allow-methods': methods.join(', '),
          'access-control-allow-headers': allowedHeaders,
          'access-control-max-age': preflightSeconds,
        })
        .code(200)
        .send()
    }
    const mayAsk = request.method === 'GET' || (allowed && methods.includes(request.method))
    if (foreign && !mayAsk) throw new RestError(403, 'Requests from pages of other sites are refused')
    const name = hostName(request.headers.host)
    const listener = options.listenerOf(request.raw)
    if (listener === undefined || name === undefined || isKnownName(name, listener)) return
    throw new RestError(403, `This worker is not known as '${name}': name it in rest.allowed.hosts if it should be`)
  })
}

/**
 * By which names a listener may be asked. A page can have a name of its own resolve to any address (DNS rebinding), and is
 * then of this site for its browser; it cannot have an address for its name, nor one without a dot, nor, with https, one
 * that the certificate is not for. On loopback nobody has business with any other name.
 */
function knownNames(options: CrossOriginOptions): (name: string, listener: Listener) => boolean {
  const { settings, advertisedHost, hasLogIn } = options
  const own = new Set([advertisedHost, hostname()].map((name) => name?.toLowerCase()))
  const allowed = settings['rest.allowed.hosts'].map((name) => (name === '*' ? /^/ : patternOf(name)))
  return (name, { host, protocol }) => {
    if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true
    if (own.has(name) || name === host.toLowerCase() || allowed.some((pattern) => pattern.test(name))) return true
    return !isLoopback(host) && (hasLogIn || protocol === 'https' || !name.includes('.'))
  }
}

function hostName(header: string | undefined): string | undefined {
  const host = header?.startsWith('[') === true ? header.slice(1, header.indexOf(']')) : header?.split(':')[0]
  return host?.toLowerCase().replace(/\.$/, '')
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host
}

/** `*` stands for any part of a host's name. */
function patternOf(origin: string): RegExp {
  const parts = origin.split('*').map((part) => part.replaceAll(/[^\w-]/g, '\\$&'))
  return new RegExp(`^${parts.join('[\\w.-]*')}$`, 'i')
}
