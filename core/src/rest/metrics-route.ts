import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { text } from './route-schema.ts'

const mediaType = 'text/plain; version=0.0.4; charset=utf-8'

const schema = {
  tags: ['Worker'],
  summary: 'Metrics of this worker and what it runs, for Prometheus',
  response: { 200: { content: { 'text/plain': { schema: text } } } },
} satisfies FastifySchema

/** `GET /metrics`: each worker is asked for its own. */
export function metricsRoute(app: FastifyInstance, herder: () => Herder): void {
  app.get('/metrics', { schema }, async (_, reply) => reply.type(mediaType).send(await herder().metrics()))
}
