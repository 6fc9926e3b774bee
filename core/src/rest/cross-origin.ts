/** What pages of other sites, open in a user's browser, may do here: nothing, unless the settings name them. */
import { isIP } from 'node:net'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RestConfig } from '../config/rest-settings.ts'
import { isLoopback } from './client-address.ts'
import type { Listener } from './listeners.ts'
import { RestError } from './rest-error.ts'

export interface CrossOriginOptions {
  readonly settings: Pick<RestConfig, 'access.control.allow.origin' | 'access.control.allow.methods'>
  readonly advertisedHost: string | undefined
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
    requireKnownName(request, options)
  })
}

function requireKnownName(request: FastifyRequest, { advertisedHost, listenerOf }: CrossOriginOptions): void {
  const listener = listenerOf(request.raw)
  if (listener === undefined || !isLoopback(listener.host)) return
  const name = hostName(request.headers.host)
  if (name === undefined || isIP(name) !== 0 || name === advertisedHost) return
  if (name !== 'localhost' && !name.endsWith('.localhost')) {
    throw new RestError(403, `This worker is not known as '${name}': set rest.advertised.host.name if it should be`)
  }
}

function hostName(host: string | undefined): string | undefined {
  return host?.startsWith('[') === true ? host.slice(1, host.indexOf(']')) : host?.split(':')[0]
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host
}

/** `*` stands for any part of a host's name. */
function patternOf(origin: string): RegExp {
  const parts = origin.split('*').map((part) => part.replaceAll(/[^\w-]/g, '\\$&'))
  return new RegExp(`^${parts.join('[\\w.-]*')}$`, 'i')
}
