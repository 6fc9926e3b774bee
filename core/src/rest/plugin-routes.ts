import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { withTimeLimit } from '../herder/time-limit.ts'
import { configInfos, configKey, givenConfig, plugin } from './api-schemas.ts'
import { warn } from './connector-routes.ts'
import { untilGone } from './errand-routes.ts'
import { configOf } from './request-config.ts'
import { about, flag, listOf, query, text } from './route-schema.ts'

const tags = ['Plugins']
const docs = {
  list: {
    tags,
    summary: 'Plugins, every version of each; what could not be loaded too',
    querystring: query({ connectorsOnly: { ...flag, default: true } }),
    response: { 200: listOf(plugin) },
  },
  settings: {
    tags,
    summary: 'A plugin’s settings',
    querystring: query({ version: about('One, a range as `[1.0,2.0)`, or `latest`', text) }),
    response: { 200: listOf(configKey) },
  },
  validate: {
    tags,
    summary: 'Checks a config, and stores nothing: every setting with its definition, value and errors',
    querystring: query({
      deep: about('The connector is to try it as well: log in, look whether what it names is there. 10 s', flag),
    }),
    body: givenConfig,
    response: { 200: configInfos },
  },
} satisfies Readonly<Record<string, FastifySchema>>

/** `/connector-plugins`: which there are, their settings, and whether a config would be taken. */
export function pluginRoutes(app: FastifyInstance, herder: () => Herder): void {
  app.get<{ Querystring: { connectorsOnly?: string } }>('/connector-plugins', { schema: docs.list }, (asked) =>
    herder().plugins.list((asked.query.connectorsOnly ?? 'true').toLowerCase() === 'true'),
  )

  app.get<{ Params: { plugin: string }; Querystring: { version?: string } }>(
    '/connector-plugins/:plugin/config',
    { schema: docs.settings },
    (asked) => herder().plugins.settings(asked.params.plugin, asked.query.version),
  )

  app.put<{ Params: { plugin: string }; Querystring: { deep?: string } }>(
    '/connector-plugins/:plugin/config/validate',
    { schema: docs.validate },
    async ({ params, body, query: { deep } }, reply) => {
      const trying = deep?.toLowerCase() === 'true' ? untilGone(reply) : undefined
      const validating = herder().plugins.validate(params.plugin, configOf(body), trying)
      const { infos, warnings } = await withTimeLimit(validating, 90_000, 'The validation')
      warn(reply, warnings)
      return infos
    },
  )
}
