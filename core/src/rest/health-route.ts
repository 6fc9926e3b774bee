import type { FastifyInstance } from 'fastify'
import { withTimeLimit } from '../herder/time-limit.ts'
import type { Herder } from '../herder/herder.ts'
import { health } from './api-schemas.ts'
import { about } from './route-schema.ts'

/** Kafka Connect's limit (KIP-1017). */
const defaultLimitMs = 10_000

const docs = {
  tags: ['Worker'],
  summary: 'Whether this worker is ready, and gets on',
  response: {
    200: health,
    500: about('It does not get on: for one, since the log does not answer', health),
    503: about('It is starting', health),
  },
}

/** `GET /health`: a worker is well that can read its config topic to the end. `herder` throws while it starts. */
export function healthRoute(app: FastifyInstance, herder: () => Herder, limitMs = defaultLimitMs): void {
  app.get('/health', { schema: docs }, async (_, reply) => {
    let ready: Herder
    try {
      ready = herder()
    } catch (error) {
      return reply.code(503).send({ status: 'starting', message: (error as Error).message })
    }
    try {
      await withTimeLimit(ready.catchUp(), limitMs, 'Reading the config topic')
      return { status: 'healthy', message: 'Worker has completed startup and is ready to handle requests.' }
    } catch (error) {
      const message = `Worker was unable to handle this request and may be unable to handle other requests. ${(error as Error).message}`
      return reply.code(500).send({ status: 'unhealthy', message })
    }
  })
}
