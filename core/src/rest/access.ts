/** Who may ask for what. Without an {@link Access} everybody may do everything. */
import { TLSSocket } from 'node:tls'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { accessRule, mayDo, type Role } from './access-rules.ts'
import type { BasicLogin } from './basic-login.ts'
import type { BearerLogin } from './bearer-login.ts'
import { forwardedPrincipal } from './forwarded-principal.ts'
import { asksForPage } from './html-page.ts'
import { roleOf, type Principal, type RoleNames } from './principal.ts'
import { RestError } from './rest-error.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; undefined while nobody has found out. */
    principal: Principal | undefined
  }
  interface FastifyContextConfig {
    /** Answers that the path does not have this method: no rule is needed. */
    isRefusal?: true
  }
}

/** The ways to log in that there are, and what is open without. */
export interface AccessOptions {
  readonly basic?: BasicLogin | undefined
  readonly bearer?: BearerLogin | undefined
  /** By the common name of the certificate that the client has shown. */
  readonly certificates?: RoleNames | undefined
  readonly healthOpen: boolean
}

const nobody: Principal = { name: undefined, login: 'none', role: 'admin' }
/** What a worker asks of itself, on its own behalf. */
const itself: Principal = { name: 'tidewire', login: 'worker', role: 'admin' }

export class Access {
  readonly #options: AccessOptions

  constructor(options: AccessOptions) {
    this.#options = options
  }

  get healthOpen(): boolean {
    return this.#options.healthOpen
  }

  /** @throws RestError 401 where the client does not say who it is, or says it wrongly; 429, 503 */
  async principalOf(request: FastifyRequest): Promise<Principal> {
    const { authorization } = request.headers
    if (authorization === undefined)
      return this.#shown(request.raw) ?? this.#refused(request, 'Log in to use this worker')
    const [, scheme = '', credentials = ''] = /^([\w-]+) +(\S+) *$/.exec(authorization) ?? []
    const { basic, bearer } = this.#options
    switch (scheme.toLowerCase()) {
      case 'basic':
        if (basic === undefined) break
        return (await basic.of(credentials, request.ip)) ?? this.#refused(request, 'The name or the password is wrong')
      case 'bearer':
        if (bearer === undefined) break
        return (
          (await bearer.of(credentials, request.ip)) ??
          this.#refused(request, 'The token is not, or no longer, good for this worker', 'error="invalid_token"')
        )
    }
    return this.#refused(request, 'This worker does not know this kind of Authorization')
  }

  #shown({ socket }: IncomingMessage): Principal | undefined {
    const { certificates } = this.#options
    if (certificates === undefined || !(socket instanceof TLSSocket) || !socket.authorized) return undefined
    // A certificate may have several names; which one was meant is not for us to guess.
    const name: unknown = socket.getPeerCertificate().subject.CN
    if (typeof name !== 'string') return undefined
    return { name, login: 'certificate', role: roleOf([name], certificates), rolesBy: 'rest.certificate.*' }
  }

  #refused({ headers }: FastifyRequest, message: string, ofToken = ''): never {
    const { basic, bearer } = this.#options
    // A page that asks by a script has a form of its own: at the real name the browser would open one besides.
    const basicName = headers['x-requested-with'] === undefined ? 'Basic' : 'X-Basic'
    const challenges = [
      ...(bearer === undefined ? [] : [['Bearer realm="tidewire"', ofToken].filter(Boolean).join(', ')]),
      ...(basic === undefined ? [] : [`${basicName} realm="tidewire", charset="UTF-8"`]),
    ]
    throw new RestError(401, message, challenges.length === 0 ? {} : { 'www-authenticate': challenges.join(', ') })
  }
}

/**
 * Finds out who asks, and whether the route's rule lets them, before the body is read.
 * @param isWithin whether a request came from this process itself, and through no socket
 */
export function controlAccess(
  app: FastifyInstance,
  access: Access | undefined,
  herder: () => Herder,
  isWithin: (request: IncomingMessage) => boolean,
): void {
  app.decorateRequest('principal', undefined)
  app.addHook('onRequest', async (request) => {
    const within = isWithin(request.raw)
    request.principal = within ? itself : access === undefined ? nobody : undefined
    if (access === undefined || within) return
    const { method, url = '', config } = request.routeOptions
    const rule = accessRule(request.method, url)
    if (rule?.needs === 'signed' || (rule?.needs === 'health' && access.healthOpen)) return
    if (rule?.needs === 'nothing' || (rule?.hasPage === true && asksForPage(request.headers))) return
    const principal = (await forwardedPrincipal(request, herder)) ?? (await access.principalOf(request))
    request.principal = principal
    if (request.is404 || config.isRefusal === true) return
    // A call that nobody has thought about is nobody's.
    if (rule === undefined) throw new RestError(403, `${String(method)} ${url} is open to nobody here`)
    requireRole(principal, rule.needs === 'health' ? 'view' : rule.needs)
  })
  app.addHook('preHandler', async (request) => {
    const needsFor = accessRule(request.method, request.routeOptions.url ?? '')?.needsFor
    if (access !== undefined && needsFor !== undefined) requireRole(request.principal!, needsFor(request))
  })
}

function requireRole({ name, role, rolesBy }: Principal, needed: Role): void {
  if (mayDo(role, needed)) return
  const has = role === undefined ? 'has no role' : `has the role ${role}`
  const way = rolesBy === undefined ? '' : `; the settings ${rolesBy} give roles`
  throw new RestError(403, `This needs the role ${needed}, and ${String(name)} ${has}${way}`)
}
