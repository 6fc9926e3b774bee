import type { FastifyInstance, FastifySchema } from 'fastify'
import { NotFoundError } from '@tidewire/sdk'
import type { Herder } from '../herder/herder.ts'
import { levelNamed, levelNames, type LevelName } from '../logging/log-levels.ts'
import type { Forwarding } from './forwarding.ts'
import { RestError } from './rest-error.ts'
import { about, integer, listOf, mapOf, nothing, object, oneOfTexts, orNull, query, text } from './route-schema.ts'

interface Named {
  Params: { logger: string }
}

const tags = ['Worker']
const level = oneOfTexts(levelNames)
const loggerLevel = {
  title: 'LoggerLevel',
  ...object({
    level,
    last_modified: about('Milliseconds since the epoch; null: as it was at the start', orNull(integer)),
  }),
}
const docs = {
  list: { tags, summary: 'The loggers of this worker, with their levels', response: { 200: mapOf(loggerLevel) } },
  get: { tags, summary: 'The level of a logger', response: { 200: loggerLevel } },
  set: {
    tags,
    summary: 'Sets the level of a logger and of those below it, until the worker ends',
    querystring: query({ scope: { ...oneOfTexts(['worker', 'cluster']), default: 'worker' } }),
    body: object({ level }),
    response: {
      200: about('The loggers of this worker that had another level', listOf(text)),
      204: about('With scope=cluster: all workers will set it', nothing),
    },
    errors: { 404: 'There is no such level' },
  },
} satisfies Readonly<Record<string, FastifySchema>>

/** Levels of loggers (KIP-495), of this worker or of all (KIP-976). */
export function loggerRoutes(app: FastifyInstance, herder: () => Herder, forwarding: Forwarding): void {
  app.get('/admin/loggers', { schema: docs.list }, () => herder().levels.all())

  app.get<Named>('/admin/loggers/:logger', { schema: docs.get }, ({ params }) => {
    const found = herder().levels.get(params.logger)
    if (found === undefined) throw new NotFoundError(`Logger ${params.logger} not found.`)
    return found
  })

  app.put<Named & { Querystring: { scope?: string } }>(
    '/admin/loggers/:logger',
    { schema: docs.set },
    async (asked, reply) => {
      const { logger } = asked.params
      const wanted = levelOf(asked.body)
      if (asked.query.scope?.toLowerCase() !== 'cluster') return herder().levels.set(logger, wanted)
      return forwarding.run(
        asked,
        reply,
        ({ writes }, request) => writes.setLoggerLevel(logger, wanted, request),
        () => reply.code(204).send(),
      )
    },
  )
}

/** @throws RestError 400, NotFoundError: in Kafka Connect an unknown level is "not found" */
function levelOf(body: unknown): LevelName {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RestError(400, 'The request body must be a JSON object: {"level": …}')
  }
  const { level: given } = body as { level?: unknown }
  if (given === undefined || given === null) {
    throw new RestError(400, "Desired 'level' parameter was not specified in request.")
  }
  const text = typeof given === 'string' ? given : JSON.stringify(given)
  const found = levelNamed(text)
  if (found === undefined) throw new NotFoundError(`invalid log level '${text}'.`)
  return found
}
