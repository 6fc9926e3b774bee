import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { worker } from './api-schemas.ts'
import { about, integer, listOf, nothing, object } from './route-schema.ts'

const tags = ['Cluster']
const docs = {
  workers: { tags, summary: 'The workers of the cluster', response: { 200: listOf(worker) } },
  drain: {
    tags,
    summary: 'Hands all work of this worker to the others, before a planned stop',
    response: {
      202: about('What is left so far: ask again', object({ connectors: integer, tasks: integer })),
      204: nothing,
    },
  },
} satisfies Readonly<Record<string, FastifySchema>>

/**
 * Calls about the cluster that Kafka Connect does not have.
 * @param closing the worker stops: a drain is not waited for any more
 */
export function adminRoutes(app: FastifyInstance, herder: () => Herder, waitMs: number, closing: AbortSignal): void {
  app.get('/admin/workers', { schema: docs.workers }, () => {
    const { cluster } = herder()
    return cluster.workers.map(({ workerId, url, awayUntil, draining, connectors, tasks }) => ({
      worker_id: workerId,
      url,
      leader: url === cluster.leaderUrl,
      draining,
      ...(awayUntil === undefined ? {} : { away_until: new Date(awayUntil).toISOString() }),
      connectors,
      tasks,
    }))
  })

  app.put('/admin/drain', { schema: docs.drain }, async (_, reply) => {
    const { cluster, workerId } = herder()
    const limit = AbortSignal.any([AbortSignal.timeout(waitMs), closing])
    try {
      await cluster.drain(limit)
      return await reply.code(204).send()
    } catch (error) {
      if (!limit.aborted) throw error
      const left = cluster.workers.find((worker) => worker.workerId === workerId)
      return reply.code(202).send({ connectors: left?.connectors ?? 0, tasks: left?.tasks ?? 0 })
    }
  })
}
