import type { FastifyInstance, FastifyReply } from 'fastify'
import type { TargetState } from '../herder/config-records.ts'
import type { ConnectorViews } from '../herder/connector-views.ts'
import type { Written } from '../herder/connector-writes.ts'
import type { Herder } from '../herder/herder.ts'
import type { Forwarding } from './forwarding.ts'
import { configChangesOf, configOf, createRequestOf, withName } from './request-config.ts'
import { RestError } from './rest-error.ts'

interface Named {
  Params: { name: string }
}

/** `/connectors` and all below it. `herder` throws while the worker starts. */
export function connectorRoutes(app: FastifyInstance, herder: () => Herder, forwarding: Forwarding): void {
  const views = () => herder().views

  app.get<{ Querystring: { expand?: string | string[] } }>('/connectors', ({ query }) => list(views(), query.expand))

  app.post('/connectors', async (asked, reply) => {
    const { name, config, initialState } = createRequestOf(asked.body)
    return forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.create(name, config, initialState, request),
      (written) => answerWritten(reply, name, written),
    )
  })

  app.get<Named>('/connectors/:name', ({ params }) => views().info(params.name))

  app.delete<Named>('/connectors/:name', async (asked, reply) =>
    forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.delete(asked.params.name, request),
      () => reply.code(204).send(),
    ),
  )

  app.get<Named>('/connectors/:name/config', ({ params }) => views().info(params.name).config)

  app.put<Named>('/connectors/:name/config', async (asked, reply) => {
    const { name } = asked.params
    const config = withName(name, configOf(asked.body))
    return forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.putConfig(name, config, request),
      (written) => answerWritten(reply, name, written),
    )
  })

  app.patch<Named>('/connectors/:name/config', async (asked, reply) => {
    const { name } = asked.params
    const changes = configChangesOf(asked.body)
    if (changes['name'] !== undefined) withName(name, { name: changes['name'] ?? '' })
    return forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.patchConfig(name, changes, request),
      (written) => answerWritten(reply, name, written),
    )
  })

  app.get<Named>('/connectors/:name/status', ({ params }) => views().status(params.name))

  app.get<Named>('/connectors/:name/tasks', ({ params }) => views().tasks(params.name))

  app.get<{ Params: { name: string; task: string } }>('/connectors/:name/tasks/:task/status', ({ params }) =>
    views().taskStatus(params.name, taskOf(params.task)),
  )

  app.post<{ Params: { name: string; task: string } }>(
    '/connectors/:name/tasks/:task/restart',
    async (asked, reply) => {
      const { name, task } = asked.params
      return forwarding.run(
        asked,
        reply,
        ({ writes }, request) => writes.restartTask(name, taskOf(task), request),
        () => reply.code(204).send(),
      )
    },
  )

  app.post<Named & { Querystring: { includeTasks?: string; onlyFailed?: string } }>(
    '/connectors/:name/restart',
    async (asked, reply) => {
      const restart = { includeTasks: isTrue(asked.query.includeTasks), onlyFailed: isTrue(asked.query.onlyFailed) }
      return forwarding.run(
        asked,
        reply,
        ({ writes }, request) => writes.restart(asked.params.name, restart, request),
        // Neither asked for: the request of old times, whose answer has no body.
        (status) =>
          restart.includeTasks || restart.onlyFailed ? reply.code(202).send(status) : reply.code(204).send(),
      )
    },
  )

  const setsTargetState = (action: string, state: TargetState, code: number): void => {
    app.put<Named>(`/connectors/:name/${action}`, async (asked, reply) =>
      forwarding.run(
        asked,
        reply,
        ({ writes }, request) => writes.setTargetState(asked.params.name, state, request),
        () => reply.code(code).send(),
      ),
    )
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

function list(views: ConnectorViews, expand: string | string[] | undefined): unknown {
  const names = views.names()
  if (expand === undefined) return names
  const wanted = new Set(Array.isArray(expand) ? expand : [expand])
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        ...(wanted.has('status') ? { status: views.status(name) } : {}),
        ...(wanted.has('info') ? { info: views.info(name) } : {}),
      },
    ]),
  )
}

function answerWritten(reply: FastifyReply, name: string, { info, created, warnings }: Written): FastifyReply {
  warn(reply, warnings)
  if (created) void reply.code(201).header('location', `/connectors/${encodeURIComponent(name)}`)
  return reply.send(info)
}

function taskOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RestError(404, 'HTTP 404 Not Found')
  return Number(text)
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true'
}
