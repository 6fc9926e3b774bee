import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RestConfig } from '../config/rest-settings.ts'
import type { Herder } from '../herder/herder.ts'
import { requireSigned } from './forwarding.ts'
import type { Listener } from './listeners.ts'
import { RestError } from './rest-error.ts'

/**
 * `admin.listeners`: keeps `/admin` and all below it to listeners of their own, which answer nothing else, or away from
 * everybody. What another worker passes on comes by the listener that workers know, and has to be signed.
 */
export function separateAdmin(
  app: FastifyInstance,
  config: Pick<RestConfig, 'admin.listeners'>,
  listenerOf: (request: IncomingMessage) => Listener | undefined,
  herder: () => Herder,
): void {
  const given = config['admin.listeners']
  if (given === undefined) return
  const cameBesides = (request: FastifyRequest): boolean => {
    const listener = listenerOf(request.raw)
    return listener !== undefined && (listener.isAdmin === true) !== isAdmin(request)
  }
  app.addHook('onRequest', async (request) => {
    const isOff = given.length === 0 && isAdmin(request)
    if (isOff || (cameBesides(request) && !(isAdmin(request) && isPassedOn(request)))) {
      throw new RestError(404, 'HTTP 404 Not Found')
    }
  })
  app.addHook('preHandler', async (request) => {
    if (cameBesides(request)) await requireSigned(request, herder())
  })
}

function isAdmin({ routeOptions: { url = '' } }: FastifyRequest): boolean {
  return url === '/admin' || url.startsWith('/admin/')
}

function isPassedOn({ query }: FastifyRequest): boolean {
  return typeof query === 'object' && query !== null && 'forward' in query
}
