import type { FastifyInstance } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { accessRule } from './access-rules.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Another worker of the cluster asks, on behalf of a client: it writes the audit record. */
    isPassedOn: boolean
  }
}

/** What of a query says what is done. All else a client may have put there by mistake. */
const toldOfQuery = ['delete', 'includeTasks', 'onlyFailed', 'scope']

/**
 * A record of each write for the audit topic, also of those that were refused to somebody known. Log-ins that failed are in
 * the worker's log, and what is only tried out is no write. It is told when the answer goes out, and the answer does not wait for it.
 * @param herder undefined while the worker starts: nothing is written then either
 */
export function keepAuditTrail(app: FastifyInstance, herder: () => Herder | undefined): void {
  app.decorateRequest('isPassedOn', false)
  app.addHook('onSend', async (request, reply) => {
    const { method, routeOptions, principal, params } = request
    const { audit, workerId } = herder() ?? {}
    if (audit?.isOn !== true || workerId === undefined || principal === undefined || request.isPassedOn) return
    const rule = accessRule(method, routeOptions.url ?? '')
    if (rule?.audited !== true || rule.isDryRun?.(request) === true) return
    const query = toldOf(request.query)
    const { name } = params as { name?: string }
    void reply.header('x-request-id', request.id)
    audit.record({
      time: new Date().toISOString(),
      request: request.id,
      user: principal.name ?? null,
      login: principal.login,
      role: principal.name === undefined ? null : (principal.role ?? null),
      address: request.ip,
      method,
      path: request.url.split('?', 1)[0]!.slice(0, 4096),
      ...(query === undefined ? {} : { query }),
      ...(name === undefined ? {} : { connector: name }),
      status: reply.statusCode,
      worker: workerId,
    })
  })
}

function toldOf(query: unknown): Record<string, string> | undefined {
  const told = toldOfQuery.flatMap((name) => {
    const value = (query as Readonly<Record<string, string | string[]>> | undefined)?.[name]
    return value === undefined ? [] : [[name, String(value).slice(0, 64)]]
  })
  return told.length === 0 ? undefined : (Object.fromEntries(told) as Record<string, string>)
}
