/** Who may ask the registry for what: the log-ins and the roles are those of REST. */
import type { FastifyInstance } from 'fastify'
import type { Access } from '../rest/access.ts'
import { mayDo, type Role } from '../rest/access-rules.ts'
import { RestError } from '../rest/rest-error.ts'
import { digestOf, forwardedPrincipal } from './forwarded-principal.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The role that a route of the registry needs, where there is access control. */
    needs?: Role
  }
  interface FastifyRequest {
    /** Of the body that another registry has vouched for. */
    vouchedDigest: string | undefined
  }
}

/** Schemas and settings may be looked at, and tried out. */
export const view = { config: { needs: 'view' } } as const
/** New versions may be registered. */
export const operate = { config: { needs: 'operate' } } as const
/** What holds for others may be changed, and what there is may be deleted. */
export const admin = { config: { needs: 'admin' } } as const

/**
 * @param access undefined: everybody may do everything
 * @param keys of the registries that may tell who asks
 */
export function guardRoutes(app: FastifyInstance, access: Access | undefined, keys: () => ReadonlySet<string>): void {
  app.decorateRequest('principal', undefined)
  if (access === undefined) return
  app.decorateRequest('vouchedDigest', undefined)
  app.addHook('onRequest', async (request) => {
    const forwarded = forwardedPrincipal(request, keys())
    request.vouchedDigest = forwarded?.bodyDigest
    const principal = forwarded?.principal ?? (await access.principalOf(request))
    request.principal = principal
    const { name, role, rolesBy } = principal
    if (request.is404) return
    const { needs } = request.routeOptions.config
    if (needs !== undefined && mayDo(role, needs)) return
    const has = role === undefined ? 'has no role' : `has the role ${role}`
    const way = rolesBy === undefined ? '' : `; the settings ${rolesBy} give roles`
    throw new RestError(403, `This needs the role ${needs ?? 'of nobody'}, and ${String(name)} ${has}${way}`)
  })
  app.addHook('preHandler', async ({ vouchedDigest, rawBody }) => {
    if (vouchedDigest !== undefined && vouchedDigest !== digestOf(rawBody)) {
      throw new RestError(403, 'The body is not the one that was passed on')
    }
  })
}
