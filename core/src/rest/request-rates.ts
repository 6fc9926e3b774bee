import type { FastifyInstance } from 'fastify'
import type { RestConfig } from '../config/rest-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { clientOf, isLoopback } from './client-address.ts'
import { RestError } from './rest-error.ts'
import { TokenBuckets } from './token-buckets.ts'

type Settings = Pick<RestConfig, 'rest.max.requests.per.second' | 'rest.max.requests.per.second.per.ip'>

const burstSeconds = 2
const all = 'all'

/**
 * Answers 429 to what goes beyond `rest.max.requests.per.second` and `…per.ip`, before anything is read or looked up. The
 * membership of the cluster lives in the thread that answers: a flood must not keep it from its heartbeats. Health is
 * exempt, so that a flood does not have the worker restarted.
 */
export function limitRates(app: FastifyInstance, settings: Settings, logger: Logger): void {
  const inTotal = settings['rest.max.requests.per.second']
  const perClient = settings['rest.max.requests.per.second.per.ip']
  const total = new TokenBuckets(inTotal, inTotal * burstSeconds)
  const clients = new TokenBuckets(perClient, perClient * burstSeconds)
  const warning = new RareWarning(logger)
  app.addHook('onRequest', async ({ routeOptions, ip, ips }) => {
    if (routeOptions.url === '/health') return
    // What a proxy says is on this machine is not.
    const isNear = isLoopback(ip) && ips?.length === 1
    const ownMs = perClient === 0 || isNear ? 0 : clients.take(clientOf(ip))
    // Who is over its own limit takes nothing from the others.
    const waitMs = ownMs > 0 || inTotal === 0 ? ownMs : total.take(all)
    if (waitMs === 0) return
    const setting = ownMs > 0 ? 'rest.max.requests.per.second.per.ip' : 'rest.max.requests.per.second'
    warning.tell('A request to REST was turned away', { reason: `${setting} is ${settings[setting]}`, client: ip })
    throw tooMany(`Too many requests: ${setting} is ${settings[setting]}`, waitMs)
  })
}

export function tooMany(message: string, waitMs: number): RestError {
  return new RestError(429, message, { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) })
}
