/** `/schemas`: by id, by guid, and all of them. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { schemaTypes } from '../schemas/schema-format.ts'
import { contextOf } from './qualified-subject.ts'
import { view } from './registry-access.ts'
import { schemaBody, send, sendText, versionBody } from './route-answers.ts'
import { idOf, page, parameter, QueryReader } from './route-input.ts'
import type { RouteServices } from './route-services.ts'

export function schemaRoutes(app: FastifyInstance, services: RouteServices): void {
  const { registry, config } = services
  const schemaLimits = { preset: config['schema.search.default.limit'], max: config['schema.search.max.limit'] }

  app.get('/schemas/types', view, async (request, reply) => send(request, reply, schemaTypes))

  app.get('/schemas', view, async (request, reply) => {
    const query = new QueryReader(request)
    const found = registry().reads.schemas({
      subjectPrefix: query.text('subjectPrefix') ?? '',
      which: query.which,
      latestOnly: query.flag('latestOnly'),
      ruleType: query.text('ruleType') ?? '',
      aliases: query.flag('aliases'),
    })
    return send(request, reply, page(found, query, schemaLimits).map(versionBody))
  })

  app.get('/schemas/guids/:guid', view, async (request, reply) => {
    const { reads } = registry()
    const found = await registry().fresh(() => reads.byGuid(parameter(request, 'guid')))
    const shown = await reads.shown(found, { format: new QueryReader(request).text('format') ?? '' })
    return send(request, reply, schemaBody(shown, false, undefined))
  })

  app.get('/schemas/guids/:guid/ids', view, async (request, reply) =>
    send(request, reply, registry().reads.idsOfGuid(parameter(request, 'guid'))),
  )

  idRoutes(app, services)
}

function idRoutes(app: FastifyInstance, { registry, config }: RouteServices): void {
  const shown = (request: FastifyRequest, query: QueryReader) =>
    registry().fresh(async () => {
      const { reads } = registry()
      const found = reads.byId(idOf(request), subjectAsked(request, query))
      const referenceFormat = query.text('referenceFormat') ?? ''
      return reads.shown(found, { format: query.text('format') ?? '', referenceFormat })
    })
  const subjectAsked = (_: FastifyRequest, query: QueryReader): string | undefined => {
    const subject = query.text('subject')
    return subject === undefined || subject === '' ? undefined : registry().reads.withoutAlias(subject)
  }
  const versions = (request: FastifyRequest, query: QueryReader) =>
    registry().fresh(() => registry().reads.versionsOfId(idOf(request), subjectAsked(request, query), query.which))

  app.get('/schemas/ids/:id', view, async (request, reply) => {
    const query = new QueryReader(request)
    const schema = await shown(request, query)
    const maxId = query.flag('fetchMaxId') ? registry().state.maxId(contextOf(schema.subject)) : undefined
    return send(request, reply, schemaBody(schema, subjectAsked(request, query) !== undefined, maxId))
  })

  app.get('/schemas/ids/:id/schema', view, async (request, reply) =>
    sendText(request, reply, (await shown(request, new QueryReader(request))).schema),
  )

  app.get('/schemas/ids/:id/subjects', view, async (request, reply) => {
    const query = new QueryReader(request)
    const subjects = new Set((await versions(request, query)).map(({ subject }) => subject))
    const limits = { preset: config['subject.search.default.limit'], max: config['subject.search.max.limit'] }
    return send(request, reply, page(subjects, query, limits))
  })

  app.get('/schemas/ids/:id/versions', view, async (request, reply) => {
    const query = new QueryReader(request)
    const found = (await versions(request, query)).map(({ subject, version }) => ({ subject, version }))
    const limits = {
      preset: config['subject.version.search.default.limit'],
      max: config['subject.version.search.max.limit'],
    }
    return send(request, reply, page(found, query, limits))
  })
}
