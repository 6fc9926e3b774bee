import type { FastifyInstance } from 'fastify'
import { accessRule } from './access-rules.ts'
import { RestError } from './rest-error.ts'

/** What leaves the connectors as their files have them; parameters by any name. */
const possible: ReadonlySet<string> = new Set([
  'POST /connectors/:/restart',
  'POST /connectors/:/tasks/:/restart',
  'POST /connectors/:/dlq/redrive',
  'PUT /connectors/:/topics/reset',
  'PUT /admin/loggers/:',
  'PUT /admin/reencrypt',
])

/** For a worker whose connectors come from files (`tidewire standalone`): nothing else changes them. */
export function refuseChanges(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ method, routeOptions: { url = '' } }) => {
    if (accessRule(method, url)?.audited !== true || possible.has(`${method} ${url.replaceAll(/:[^/]+/g, ':')}`)) return
    throw new RestError(
      403,
      'The connectors of this worker come from files (tidewire standalone): change those, and start it again; with --rest-writes REST may change them too',
    )
  })
}
