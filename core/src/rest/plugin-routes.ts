import type { FastifyInstance } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { withTimeLimit } from '../herder/time-limit.ts'
import { warn } from './connector-routes.ts'
import { configOf } from './request-config.ts'

/** `/connector-plugins`: which there are, their settings, and whether a config would be taken. */
export function pluginRoutes(app: FastifyInstance, herder: () => Herder): void {
  app.get<{ Querystring: { connectorsOnly?: string } }>('/connector-plugins', ({ query }) =>
    herder().plugins.list(query.connectorsOnly?.toLowerCase() !== 'false'),
  )

  app.get<{ Params: { plugin: string }; Querystring: { version?: string } }>(
    '/connector-plugins/:plugin/config',
    ({ params, query }) => herder().plugins.settings(params.plugin, query.version),
  )

  app.put<{ Params: { plugin: string } }>(
    '/connector-plugins/:plugin/config/validate',
    async ({ params, body }, reply) => {
      const validating = herder().plugins.validate(params.plugin, configOf(body))
      const { infos, warnings } = await withTimeLimit(validating, 90_000, 'The validation')
      warn(reply, warnings)
      return infos
    },
  )
}
