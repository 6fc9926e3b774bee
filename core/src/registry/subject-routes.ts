/** `/subjects` and `/compatibility`. */
import type { FastifyInstance } from 'fastify'
import { errors, RegistryError } from './registry-error.ts'
import { settled } from './large-schema.ts'
import type { Registry } from './registry.ts'
import { readSchemaRequest, type SchemaRequest } from './request-body.ts'
import { admin, operate, view } from './registry-access.ts'
import { registeredBody, send, sendChanged, sendText, versionBody } from './route-answers.ts'
import { page, QueryReader, versionOf } from './route-input.ts'
import { changeOf, newSubjectOf, subjectOf, type RouteServices } from './route-services.ts'
import type { SchemaEntity } from './schema-entity.ts'

export function subjectRoutes(app: FastifyInstance, services: RouteServices): void {
  listRoutes(app, services)
  versionRoutes(app, services)
  registerRoute(app, services)
  deleteRoutes(app, services)
  compatibilityRoutes(app, services)
}

function listRoutes(app: FastifyInstance, { registry, config }: RouteServices): void {
  app.get('/subjects', view, async (request, reply) => {
    const query = new QueryReader(request)
    const which = query.flag('deletedOnly') ? 'deleted' : query.which
    const subjects = registry().state.subjects(query.text('subjectPrefix') ?? ':*:', which)
    const limits = { preset: config['subject.search.default.limit'], max: config['subject.search.max.limit'] }
    return send(request, reply, page(subjects, query, limits))
  })

  app.get('/subjects/:subject/versions', view, async (request, reply) => {
    const query = new QueryReader(request)
    const { state } = registry()
    const subject = subjectOf(request, registry())
    const asNegative = query.flag('deletedAsNegative')
    const which = asNegative ? 'all' : query.flag('deletedOnly') ? 'deleted' : query.which
    await registry().fresh(() => {
      const known = query.flag('deleted') || query.flag('deletedOnly') ? 'all' : 'live'
      if (!state.hasSubjects(subject, known)) throw errors.subjectNotFound(subject)
    })
    const numbers = state
      .versions(subject, which)
      .map(({ version, deleted }) => (asNegative && deleted ? -version : version))
    const limits = {
      preset: config['subject.version.search.default.limit'],
      max: config['subject.version.search.max.limit'],
    }
    return send(request, reply, page(numbers, query, limits))
  })
}

function versionRoutes(app: FastifyInstance, { registry, config }: RouteServices): void {
  const shown = (request: Parameters<typeof subjectOf>[0], query: QueryReader) => {
    const version = versionOf(request)
    const { reads } = registry()
    return registry().fresh(async () => {
      const found = reads.version(subjectOf(request, registry()), version, query.which)
      const referenceFormat = query.text('referenceFormat') ?? ''
      return reads.shown(found, { format: query.text('format') ?? '', referenceFormat })
    })
  }

  app.get('/subjects/:subject/versions/:version', view, async (request, reply) =>
    send(request, reply, versionBody(await shown(request, new QueryReader(request)))),
  )

  app.get('/subjects/:subject/versions/:version/schema', view, async (request, reply) =>
    sendText(request, reply, (await shown(request, new QueryReader(request))).schema),
  )

  app.get('/subjects/:subject/versions/:version/referencedby', view, async (request, reply) => {
    const query = new QueryReader(request)
    const version = versionOf(request)
    const subject = subjectOf(request, registry())
    const ids = await registry().fresh(() => registry().reads.referencedBy(subject, version, query.which))
    const limits = { preset: config['schema.search.default.limit'], max: config['schema.search.max.limit'] }
    return send(request, reply, page(ids, query, limits))
  })

  app.get('/subjects/:subject/metadata', view, async (request, reply) => {
    const query = new QueryReader(request)
    const values = query.texts('value')
    const properties = new Map(
      query
        .texts('key')
        .slice(0, values.length)
        .map((key, i) => [key, values[i]!]),
    )
    const { reads } = registry()
    const found = await registry().fresh(() =>
      reads.latestWith(subjectOf(request, registry()), properties, query.which),
    )
    return send(request, reply, versionBody(await reads.shown(found, { format: query.text('format') ?? '' })))
  })

  // To look a schema up is no change.
  app.post('/subjects/:subject', view, async (request, reply) => {
    const query = new QueryReader(request)
    const asked = readSchemaRequest(request.body)
    const { reads, parser } = registry()
    await parser.load(asked.schemaType)
    const options = { normalize: query.flag('normalize'), deleted: query.flag('deleted') }
    const found = await registry().fresh(() => reads.find(subjectOf(request, registry()), asked, options))
    return send(request, reply, versionBody(await reads.shown(found, { format: query.text('format') ?? '' })))
  })
}

function registerRoute(app: FastifyInstance, services: RouteServices): void {
  app.post('/subjects/:subject/versions', operate, async (request, reply) => {
    const registry = services.registry()
    const query = new QueryReader(request)
    const given = readSchemaRequest(request.body)
    const subject = newSubjectOf(request, services)
    const normalize = query.flag('normalize') || registry.scope.inScope(subject).normalize === true
    await loadFormats(registry, subject, given)
    const known = await alreadyThere(registry, subject, given, normalize)
    const format = query.text('format') ?? ''
    if (known !== undefined) {
      return send(request, reply, registeredBody(await registry.reads.shown(known, { format })))
    }
    const force = query.flag('force')
    if (registry.leads && !force) await registry.reads.prepare(subject, given, normalize)
    const change = changeOf(
      request,
      (writes) => writes.register(subject, given, { normalize, force }),
      given.version === 0,
    )
    const changed = await registry.change(change)
    if ('passedBack' in changed) return sendChanged(request, reply, changed, registeredBody)
    const answer = await registry.reads.shown({ ...changed.answer, deleted: false }, { format })
    return send(request, reply, registeredBody(answer))
  })
}

function deleteRoutes(app: FastifyInstance, { registry }: RouteServices): void {
  app.delete('/subjects/:subject', admin, async (request, reply) => {
    const permanent = new QueryReader(request).flag('permanent')
    const subject = subjectOf(request, registry())
    const change = changeOf(request, (writes) => writes.deleteSubject(subject, permanent), false)
    return sendChanged(request, reply, await registry().change(change), (versions) => versions)
  })

  app.delete('/subjects/:subject/versions/:version', admin, async (request, reply) => {
    const permanent = new QueryReader(request).flag('permanent')
    const version = versionOf(request)
    const subject = subjectOf(request, registry())
    const change = changeOf(request, (writes) => writes.deleteVersion(subject, version, permanent), false)
    return sendChanged(request, reply, await registry().change(change), (deleted) => deleted)
  })
}

function compatibilityRoutes(app: FastifyInstance, { registry }: RouteServices): void {
  const check = async (
    request: Parameters<typeof subjectOf>[0],
    versions: (subject: string) => readonly SchemaEntity[],
  ): Promise<object> => {
    const query = new QueryReader(request)
    const verbose = query.flag('verbose')
    const subject = subjectOf(request, registry())
    const asked = readSchemaRequest(request.body)
    const earlier = await registry().fresh(() => versions(subject))
    await loadFormats(registry(), subject, asked)
    for (const { schemaType } of earlier) await registry().parser.load(schemaType)
    const messages = await reasons(verbose, () =>
      registry().reads.compatibility(subject, asked, earlier, query.flag('normalize')),
    )
    return { is_compatible: messages.length === 0, ...(verbose ? { messages } : {}) }
  }

  app.post('/compatibility/subjects/:subject/versions', view, async (request, reply) =>
    send(request, reply, await check(request, (subject) => registry().state.versions(subject, 'live'))),
  )

  app.post('/compatibility/subjects/:subject/versions/:version', view, async (request, reply) => {
    const version = versionOf(request)
    const find = (subject: string): readonly SchemaEntity[] => {
      const { state } = registry()
      const found = version === -1 ? state.latest(subject) : state.version(subject, version)
      if (found !== undefined && !found.deleted) return [found]
      if (version === -1) return []
      throw errors.versionNotFound(version)
    }
    return send(request, reply, await check(request, find))
  })
}

/** To who wants to know why, that a schema is none at all is an answer too. */
async function reasons(verbose: boolean, find: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await find()
  } catch (error) {
    if (verbose && error instanceof RegistryError && error.code === 42201) return [error.message]
    throw error
  }
}

/** What is there already needs no leader; whether what cannot be judged here is at fault is for the leader to say. */
async function alreadyThere(
  registry: Registry,
  subject: string,
  given: SchemaRequest,
  normalize: boolean,
): Promise<SchemaEntity | undefined> {
  try {
    return await settled(() => registry.reads.registered(subject, given, normalize))
  } catch (error) {
    if (error instanceof RegistryError) return undefined
    throw error
  }
}

/** A request with no text is about the latest version's. */
async function loadFormats({ parser, state }: Registry, subject: string, { schemaType }: SchemaRequest): Promise<void> {
  const latest = state.latest(subject)
  await Promise.all([parser.load(schemaType), latest && parser.load(latest.schemaType)])
}
