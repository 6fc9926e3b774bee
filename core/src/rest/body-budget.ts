import type { FastifyInstance } from 'fastify'
import { accessRule } from './access-rules.ts'
import { RestError } from './rest-error.ts'

/** Of all bodies that are on their way in, or in work. */
const maxBytes = 64 * 1024 * 1024

/**
 * Bounds the memory that the bodies of all requests together take; each has its own limit too. One that says how long it is
 * counts for that, one that does not for the most that its route takes. What workers send one another, which anybody can
 * pretend to, has a budget apart: it keeps out itself only.
 */
export function boundBodies(app: FastifyInstance): void {
  const held = { clients: 0, workers: 0 }
  app.addHook('onRequest', async ({ headers, method, routeOptions }, reply) => {
    const isChunked = headers['transfer-encoding'] !== undefined
    const bytes = Math.min(isChunked ? Infinity : Number(headers['content-length'] ?? 0), routeOptions.bodyLimit)
    if (bytes === 0) return
    const whose = accessRule(method, routeOptions.url ?? '')?.needs === 'signed' ? 'workers' : 'clients'
    if (held[whose] + bytes > maxBytes) {
      throw new RestError(503, 'Too many large requests at a time', { 'retry-after': '1' })
    }
    held[whose] += bytes
    reply.raw.once('close', () => (held[whose] -= bytes))
  })
}
