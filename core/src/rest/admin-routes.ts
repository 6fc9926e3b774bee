import type { FastifyInstance } from 'fastify'
import type { Herder } from '../herder/herder.ts'

/** Calls about the cluster that Kafka Connect does not have. */
export function adminRoutes(app: FastifyInstance, herder: () => Herder, waitMs: number): void {
  app.get('/admin/workers', () => {
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

  app.put('/admin/drain', async (_, reply) => {
    const { cluster, workerId } = herder()
    const limit = AbortSignal.timeout(waitMs)
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
