import type { FastifyInstance, FastifyReply } from 'fastify'
import type { TargetState } from '../herder/config-records.ts'
import type { Herder, Written } from '../herder/herder.ts'
import { withTimeLimit } from '../herder/time-limit.ts'
import { configChangesOf, configOf, createRequestOf, withName } from './request-config.ts'
import { RestError } from './rest-error.ts'

/** Kafka Connect's limit for a request. */
const requestLimitMs = 90_000

interface Named {
  Params: { name: string }
}

/** `/connectors` and all below it. `herder` throws while the worker starts. */
export function connectorRoutes(app: FastifyInstance, herder: () => Herder): void {
  app.get<{ Querystring: { expand?: string | string[] } }>('/connectors', ({ query }) => list(herder(), query.expand))

  app.post('/connectors', async ({ body }, reply) => {
    const { name, config, initialState } = createRequestOf(body)
    const written = await limited(herder().create(name, config, initialState))
    return answerWritten(reply, name, written)
  })

  app.get<Named>('/connectors/:name', ({ params }) => herder().info(params.name))

  app.delete<Named>('/connectors/:name', async ({ params }, reply) => {
    await limited(herder().delete(params.name))
    return reply.code(204).send()
  })

  app.get<Named>('/connectors/:name/config', ({ params }) => herder().info(params.name).config)

  app.put<Named>('/connectors/:name/config', async ({ params, body }, reply) => {
    const written = await limited(herder().putConfig(params.name, withName(params.name, configOf(body))))
    return answerWritten(reply, params.name, written)
  })

  app.patch<Named>('/connectors/:name/config', async ({ params, body }, reply) => {
    const changes = configChangesOf(body)
    if (changes['name'] !== undefined) withName(params.name, { name: changes['name'] ?? '' })
    return answerWritten(reply, params.name, await limited(herder().patchConfig(params.name, changes)))
  })

  app.get<Named>('/connectors/:name/status', ({ params }) => herder().status(params.name))

  app.get<Named>('/connectors/:name/tasks', ({ params }) => herder().tasks(params.name))

  app.get<{ Params: { name: string; task: string } }>('/connectors/:name/tasks/:task/status', ({ params }) =>
    herder().taskStatus(params.name, taskOf(params.task)),
  )

  app.post<{ Params: { name: string; task: string } }>(
    '/connectors/:name/tasks/:task/restart',
    async ({ params }, reply) => {
      await limited(herder().restartTask(params.name, taskOf(params.task)))
      return reply.code(204).send()
    },
  )

  app.post<Named & { Querystring: { includeTasks?: string; onlyFailed?: string } }>(
    '/connectors/:name/restart',
    async ({ params, query }, reply) => {
      const request = { includeTasks: isTrue(query.includeTasks), onlyFailed: isTrue(query.onlyFailed) }
      const status = await limited(herder().restart(params.name, request))
      // Neither asked for: the request of old times, whose answer has no body.
      if (!request.includeTasks && !request.onlyFailed) return reply.code(204).send()
      return reply.code(202).send(status)
    },
  )

  const setsTargetState = (action: string, state: TargetState, code: number): void => {
    app.put<Named>(`/connectors/:name/${action}`, async ({ params }, reply) => {
      await limited(herder().setTargetState(params.name, state))
      return reply.code(code).send()
    })
  }
  setsTargetState('pause', 'PAUSED', 202)
  setsTargetState('resume', 'STARTED', 202)
  setsTargetState('stop', 'STOPPED', 204)
}

/** Says what is odd about a config in a header: the body's shape is Kafka Connect's. */
export function warn(reply: FastifyReply, warnings: readonly string[]): void {
  // A header holds ASCII only, and not without end.
  const texts = warnings
    .slice(0, 20)
    .map((text) => `299 tidewire "${text.replace(/[^\x20-\x7e]/g, '?').replaceAll('"', "'")}"`)
  if (texts.length > 0) void reply.header('warning', texts.join(', '))
}

function list(herder: Herder, expand: string | string[] | undefined): unknown {
  const names = herder.connectors()
  if (expand === undefined) return names
  const wanted = new Set(Array.isArray(expand) ? expand : [expand])
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        ...(wanted.has('status') ? { status: herder.status(name) } : {}),
        ...(wanted.has('info') ? { info: herder.info(name) } : {}),
      },
    ]),
  )
}

function answerWritten(reply: FastifyReply, name: string, { info, created, warnings }: Written): FastifyReply {
  warn(reply, warnings)
  if (created) void reply.code(201).header('location', `/connectors/${encodeURIComponent(name)}`)
  return reply.send(info)
}

function limited<T>(work: Promise<T>): Promise<T> {
  return withTimeLimit(work, requestLimitMs, 'The request')
}

function taskOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RestError(404, 'HTTP 404 Not Found')
  return Number(text)
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true'
}
