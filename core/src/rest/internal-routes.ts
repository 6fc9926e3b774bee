import type { FastifyInstance } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { plannedFromHeader } from '../herder/leader-requests.ts'
import { requireSigned } from './forwarding.ts'
import { configOf } from './request-config.ts'
import { RestError } from './rest-error.ts'

interface Named {
  Params: { name: string }
}

/** The tasks of a connector may be many, each with the whole config. */
const maxTasksBytes = 32 * 1024 * 1024

const hidden = { hide: true }

/** What workers ask of the leader; nobody else may. */
export function internalRoutes(app: FastifyInstance, herder: () => Herder): void {
  app.post<Named>('/connectors/:name/tasks', { bodyLimit: maxTasksBytes, schema: hidden }, async (request, reply) => {
    await requireSigned(request, herder())
    const plannedFrom = request.headers[plannedFromHeader]
    if (typeof plannedFrom !== 'string') throw new RestError(400, `The request has no header ${plannedFromHeader}`)
    if (!Array.isArray(request.body)) throw new RestError(400, 'The request body must be an array of task configs')
    await herder().writes.commitTasks(request.params.name, plannedFrom, request.body.map(configOf))
    return reply.code(204).send()
  })

  app.put<Named>('/connectors/:name/fence', { schema: hidden }, async (request, reply) => {
    await requireSigned(request, herder())
    await herder().fence(request.params.name)
    return reply.code(204).send()
  })
}
