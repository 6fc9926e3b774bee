import type { FastifyInstance, FastifyReply, FastifySchema } from 'fastify'
import type { TargetState } from '../herder/config-records.ts'
import type { ConnectorViews } from '../herder/connector-views.ts'
import type { Written } from '../herder/connector-writes.ts'
import type { Herder } from '../herder/herder.ts'
import type { Forwarding } from './forwarding.ts'
import {
  config,
  connectorInfo,
  connectorStatus,
  givenConfig,
  initialState,
  taskConfig,
  taskParams,
  taskState,
} from './api-schemas.ts'
import { configChangesOf, configOf, createRequestOf, withName } from './request-config.ts'
import { RestError } from './rest-error.ts'
import { about, flag, listOf, mapOf, nothing, object, oneOfTexts, query, text } from './route-schema.ts'

interface Named {
  Params: { name: string }
}

const tags = ['Connectors']
const written = { 200: about('Changed', connectorInfo), 201: about('Created', connectorInfo) }
const docs = {
  list: {
    tags,
    summary: 'Names of all connectors; with `expand`, what is known of each by name',
    querystring: query({ expand: listOf(oneOfTexts(['status', 'info'])) }),
    response: {
      200: {
        anyOf: [listOf(text), mapOf(object({ status: connectorStatus, info: connectorInfo }, ['status', 'info']))],
      },
    },
  },
  create: {
    tags,
    summary: 'Creates a connector',
    body: object({ name: text, config: givenConfig, initial_state: initialState }, ['initial_state']),
    response: { 201: connectorInfo },
    errors: { 400: 'The config is wrong; every wrong setting is named', 409: 'A connector of that name exists' },
  },
  info: { tags, summary: 'A connector', response: { 200: connectorInfo } },
  delete: { tags, summary: 'Deletes a connector, and ends its tasks', response: { 204: nothing } },
  config: { tags, summary: 'A connector’s config', response: { 200: config } },
  putConfig: { tags, summary: 'Creates a connector, or gives it another config', body: givenConfig, response: written },
  patchConfig: {
    tags,
    summary: 'Changes the given settings of a connector; null removes one',
    body: mapOf({ type: ['string', 'number', 'boolean', 'null'] }),
    response: { 200: connectorInfo },
  },
  status: { tags, summary: 'States of a connector and its tasks', response: { 200: connectorStatus } },
  tasks: { tags, summary: 'A connector’s tasks, with their configs', response: { 200: listOf(taskConfig) } },
  taskStatus: { tags, summary: 'State of a task', params: taskParams, response: { 200: taskState } },
  restartTask: { tags, summary: 'Restarts a task', params: taskParams, response: { 204: nothing } },
  restart: {
    tags,
    summary: 'Restarts a connector, its tasks, or what of both has failed',
    querystring: query({ includeTasks: flag, onlyFailed: flag }),
    response: {
      202: about('Where one of both is true: the status, RESTARTING where it will be', connectorStatus),
      204: nothing,
    },
  },
  pause: { tags, summary: 'Pauses a connector: its tasks stay, and do nothing', response: { 202: nothing } },
  resume: { tags, summary: 'Lets a paused or stopped connector go on', response: { 202: nothing } },
  stop: { tags, summary: 'Stops a connector: it has no tasks until it is resumed', response: { 204: nothing } },
} satisfies Readonly<Record<string, FastifySchema>>

/** `/connectors` and all below it. `herder` throws while the worker starts. */
export function connectorRoutes(app: FastifyInstance, herder: () => Herder, forwarding: Forwarding): void {
  const views = () => herder().views

  app.get<{ Querystring: { expand?: string | string[] } }>('/connectors', { schema: docs.list }, (asked) =>
    list(views(), asked.query.expand),
  )

  app.post('/connectors', { schema: docs.create }, async (asked, reply) => {
    const { name, config, initialState } = createRequestOf(asked.body)
    return forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.create(name, config, initialState, request),
      (written) => answerWritten(reply, name, written),
    )
  })

  app.get<Named>('/connectors/:name', { schema: docs.info }, ({ params }) => views().info(params.name))

  app.delete<Named>('/connectors/:name', { schema: docs.delete }, async (asked, reply) =>
    forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.delete(asked.params.name, request),
      () => reply.code(204).send(),
    ),
  )

  app.get<Named>('/connectors/:name/config', { schema: docs.config }, ({ params }) => views().info(params.name).config)

  app.put<Named>('/connectors/:name/config', { schema: docs.putConfig }, async (asked, reply) => {
    const { name } = asked.params
    const config = withName(name, configOf(asked.body))
    return forwarding.run(
      asked,
      reply,
      ({ writes }, request) => writes.putConfig(name, config, request),
      (written) => answerWritten(reply, name, written),
    )
  })

  app.patch<Named>('/connectors/:name/config', { schema: docs.patchConfig }, async (asked, reply) => {
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

  app.get<Named>('/connectors/:name/status', { schema: docs.status }, ({ params }) => views().status(params.name))

  app.get<Named>('/connectors/:name/tasks', { schema: docs.tasks }, ({ params }) => views().tasks(params.name))

  app.get<{ Params: { name: string; task: string } }>(
    '/connectors/:name/tasks/:task/status',
    { schema: docs.taskStatus },
    ({ params }) => views().taskStatus(params.name, taskOf(params.task)),
  )

  app.post<{ Params: { name: string; task: string } }>(
    '/connectors/:name/tasks/:task/restart',
    { schema: docs.restartTask },
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
    { schema: docs.restart },
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

  const setsTargetState = (action: 'pause' | 'resume' | 'stop', state: TargetState, code: number): void => {
    app.put<Named>(`/connectors/:name/${action}`, { schema: docs[action] }, async (asked, reply) =>
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
  if (!/^-?\d{1,9}$/.test(text)) throw new RestError(404, 'HTTP 404 Not Found')
  return Number(text)
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true'
}
