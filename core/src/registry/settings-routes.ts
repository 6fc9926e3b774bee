/** `/config`, `/mode`, `/contexts`, and what the server says of itself. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { contextPrefix, defaultContext, prefixOfContext } from './qualified-subject.ts'
import { admin, view } from './registry-access.ts'
import { errors, RegistryError } from './registry-error.ts'
import { readConfigRequest, readModeRequest } from './request-body.ts'
import { configRequestBody, send, sendChanged } from './route-answers.ts'
import { page, parameter, QueryReader } from './route-input.ts'
import { changeOf, newScopeOf, scopeOf, type RouteServices } from './route-services.ts'

/** With no subject in the path: what holds for all. */
const both = (path: string): readonly [string, string] => [path, `${path}/:subject`]

export function settingsRoutes(app: FastifyInstance, services: RouteServices): void {
  configRoutes(app, services)
  modeRoutes(app, services)
  contextRoutes(app, services)
  serverRoutes(app, services)
}

function configRoutes(app: FastifyInstance, { registry }: RouteServices): void {
  for (const path of both('/config')) {
    app.get(path, view, async (request, reply) => {
      const scope = scopeOf(request)
      const inherits = new QueryReader(request).flag('defaultToGlobal')
      const config = await registry().fresh(() => {
        const found = inherits ? registry().scope.inScope(scope) : registry().scope.own(scope)
        if (found === undefined) throw errors.noCompatibilityOfItsOwn(scope ?? '')
        return found
      })
      return send(request, reply, config)
    })

    app.put(path, admin, async (request, reply) => {
      const scope = newScopeOf(request)
      const asked = readConfigRequest(request.body)
      const change = changeOf(request, (writes) => writes.putConfig(scope, asked), true)
      return sendChanged(request, reply, await registry().change(change), configRequestBody)
    })

    app.delete(path, admin, async (request, reply) => {
      const scope = scopeOf(request)
      const change = changeOf(request, (writes) => writes.deleteConfig(scope), false)
      return sendChanged(request, reply, await registry().change(change), (config) => config)
    })
  }
}

function modeRoutes(app: FastifyInstance, { registry }: RouteServices): void {
  for (const path of both('/mode')) {
    app.get(path, view, async (request, reply) => {
      const scope = scopeOf(request)
      const inherits = new QueryReader(request).flag('defaultToGlobal')
      const mode = await registry().fresh(() => {
        const found = inherits ? registry().scope.modeInScope(scope) : registry().scope.ownMode(scope)
        if (found === undefined) throw errors.noModeOfItsOwn(scope ?? '')
        return found
      })
      return send(request, reply, { mode })
    })

    app.put(path, admin, async (request, reply) => {
      const scope = newScopeOf(request)
      const asked = readModeRequest(request.body)
      const force = new QueryReader(request).flag('force')
      const change = changeOf(request, (writes) => writes.putMode(scope, asked, force), true)
      return sendChanged(request, reply, await registry().change(change), (mode) => ({ mode: mode ?? undefined }))
    })

    app.delete(path, admin, async (request, reply) => {
      const scope = scopeOf(request)
      const recursive = new QueryReader(request).flag('recursive')
      const change = changeOf(request, (writes) => writes.deleteMode(scope, recursive), false)
      return sendChanged(request, reply, await registry().change(change), (mode) => ({ mode: mode ?? undefined }))
    })
  }
}

function contextRoutes(app: FastifyInstance, { registry, config }: RouteServices): void {
  app.get('/contexts', view, async (request, reply) => {
    const query = new QueryReader(request)
    const prefix = query.text('contextPrefix') ?? ''
    const contexts = [defaultContext, ...registry().state.contexts()].filter((context) => context.startsWith(prefix))
    const limits = { preset: config['context.search.default.limit'], max: config['context.search.max.limit'] }
    return send(request, reply, page(contexts, query, limits))
  })

  app.delete('/contexts/:context', admin, async (request, reply) => {
    const name = contextNamed(request)
    const change = changeOf(request, (writes) => writes.deleteContext(name), true)
    const changed = await registry().change(change)
    if ('passedBack' in changed && changed.passedBack.status >= 300) {
      return sendChanged(request, reply, changed, () => undefined)
    }
    return reply.code(204).send()
  })
}

/** @throws RegistryError 400 */
function contextNamed(request: FastifyRequest): string {
  try {
    const prefix = prefixOfContext(parameter(request, 'context'))
    return prefix === '' ? contextPrefix(defaultContext) : prefix
  } catch (error) {
    throw new RegistryError(400, 400, (error as Error).message)
  }
}

function serverRoutes(app: FastifyInstance, { about, config }: RouteServices): void {
  for (const method of ['GET', 'POST'] as const) {
    app.route({ method, url: '/', ...view, handler: async (request, reply) => send(request, reply, {}) })
  }

  app.get('/v1/metadata/id', view, async (request, reply) => {
    const clusters = {
      'kafka-cluster': await about.clusterId(),
      'schema-registry-cluster': config['schema.registry.group.id'],
    }
    return send(request, reply, { id: '', scope: { path: [], clusters } })
  })

  app.get('/v1/metadata/version', view, async (request, reply) =>
    send(request, reply, { version: about.version, commitId: about.commit }),
  )

  app.get('/v1/metadata/deployment', view, async (request, reply) => send(request, reply, { attributes: [] }))
}
