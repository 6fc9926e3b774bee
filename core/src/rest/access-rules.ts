/** Which role each call needs, in one place. What is not here is refused, wherever there is access control. */

/** From the least to the most: each may do all that those before it may. */
export const roles = ['view', 'operate', 'admin'] as const
export type Role = (typeof roles)[number]

export interface AccessRule {
  /**
   * `signed`: workers alone, whose signatures the route itself checks. `health`: all, unless rest.health.open says no.
   * `nothing`: all; it says nothing of the cluster.
   */
  readonly needs: Role | 'signed' | 'health' | 'nothing'
  /** Browsers get a page, which needs nothing: it asks for a log-in itself. */
  readonly hasPage?: true
  /** Where what is asked for decides: asked when the body has been read. */
  readonly needsFor?: (asked: { readonly body: unknown; readonly query: unknown }) => Role
  /** It changes something: the audit topic gets a record of it. */
  readonly audited?: true
  /** Whether it is only tried out, and so is no write that there would be a record of. */
  readonly isDryRun?: (asked: { readonly body: unknown; readonly query: unknown }) => boolean
}

const view: AccessRule = { needs: 'view' }
/** Records are shown: that is more than to look at settings and states. */
const seeRecords: AccessRule = { needs: 'operate' }
const operate: AccessRule = { needs: 'operate', audited: true }
const admin: AccessRule = { needs: 'admin', audited: true }
const signed: AccessRule = { needs: 'signed' }

/**
 * A config that is only tried out still decides what files and hosts the worker opens, and a masked secret in it is the
 * stored one: who may not set it may not try it out either.
 */
const preview: AccessRule = {
  needs: 'operate',
  needsFor: ({ body }) => (hasField(body, 'config') ? 'admin' : 'operate'),
}
const validate: AccessRule = {
  needs: 'operate',
  needsFor: ({ query }) => (hasField(query, 'deep') ? 'admin' : 'operate'),
}

/** Parameters of paths go by any name. */
const rules: Readonly<Record<string, AccessRule>> = {
  'GET /': { needs: 'view', hasPage: true },
  'GET /console/:': { needs: 'nothing' },
  'GET /console/rest-client/:': { needs: 'nothing' },
  'GET /health': { needs: 'health' },
  'GET /openapi.json': view,
  'GET /docs': { needs: 'view', hasPage: true },
  'GET /events': view,
  'GET /metrics': view,

  'GET /connectors': view,
  'POST /connectors': admin,
  'PUT /connectors': { ...admin, isDryRun: ({ query }) => ['', 'true'].includes(String(fieldOf(query, 'dryRun'))) },
  'GET /connectors/:': view,
  'DELETE /connectors/:': admin,
  'GET /connectors/:/config': view,
  'PUT /connectors/:/config': admin,
  'PATCH /connectors/:/config': admin,
  'GET /connectors/:/status': view,
  'GET /connectors/:/tasks': view,
  'GET /connectors/:/tasks/:/status': view,
  'POST /connectors/:/tasks/:/restart': operate,
  'POST /connectors/:/restart': operate,
  'PUT /connectors/:/pause': operate,
  'PUT /connectors/:/resume': operate,
  'PUT /connectors/:/stop': operate,
  'GET /connectors/:/topics': view,
  'PUT /connectors/:/topics/reset': operate,
  // What it has the connector do is the connector's to say, and may be as much as its config can.
  'POST /connectors/:/signals': admin,
  'GET /connectors/:/offsets': view,
  // Records are passed over, or come twice: no call brings that back.
  'PATCH /connectors/:/offsets': admin,
  'DELETE /connectors/:/offsets': admin,
  'POST /connectors/:/tasks': signed,
  'PUT /connectors/:/fence': signed,

  'POST /connectors/preview': { needs: 'admin' },
  'POST /connectors/:/preview': preview,
  'GET /connectors/:/dlq': seeRecords,
  'POST /connectors/:/dlq/redrive': { ...operate, isDryRun: ({ body }) => fieldOf(body, 'dryRun') === true },
  'GET /topics/:/tail': seeRecords,

  'GET /connector-plugins': view,
  'GET /connector-plugins/:/config': view,
  'PUT /connector-plugins/:/config/validate': validate,

  'GET /admin/workers': view,
  'PUT /admin/drain': admin,
  'PUT /admin/reencrypt': admin,
  'GET /admin/loggers': view,
  'GET /admin/loggers/:': view,
  'PUT /admin/loggers/:': admin,
}

/** @param url of the route, with its parameters' names */
export function accessRule(method: string, url: string): AccessRule | undefined {
  return rules[`${method === 'HEAD' ? 'GET' : method} ${url.replaceAll(/:[^/]+/g, ':')}`]
}

export function mayDo(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(needed)
}

function hasField(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}

function fieldOf(value: unknown, name: string): unknown {
  return hasField(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}
