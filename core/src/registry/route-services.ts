import type { FastifyRequest } from 'fastify'
import type { RegistryConfig } from '../config/registry-settings.ts'
import { errors } from './registry-error.ts'
import { isDefaultContextName, isValidSubject, normalizeSubject } from './qualified-subject.ts'
import type { PassedRequest } from './leader-requests.ts'
import type { ChangeRequest, Registry } from './registry.ts'
import { parameter } from './route-input.ts'

/** What routes work with. */
export interface RouteServices {
  /** @throws RegistryError 503 while nothing has been read yet */
  readonly registry: () => Registry
  readonly config: RegistryConfig
  /** Of the Kafka cluster, and of this server. */
  readonly about: { readonly clusterId: () => Promise<string>; readonly version: string; readonly commit: string }
}

/** The subject of a path below `/subjects`, which may be an alias of another. */
export function subjectOf(request: FastifyRequest, registry: Registry): string {
  return registry.reads.withoutAlias(normalizeSubject(parameter(request, 'subject')))
}

/** As {@link subjectOf}, where something is made. @throws RegistryError 42208 */
export function newSubjectOf(request: FastifyRequest, { registry, config }: RouteServices): string {
  const mayBeEmpty = !config['schema.reject.empty.subject']
  const given = parameter(request, 'subject')
  if (!isValidSubject(given, { mayBeEmpty })) throw errors.invalidSubject(given)
  return subjectOf(request, registry())
}

/** A subject or a context that has a config or a mode; null: all of the default context. */
export function scopeOf(request: FastifyRequest): string | null {
  const given = parameter(request, 'subject')
  return isDefaultContextName(given) ? null : normalizeSubject(given)
}

/** As {@link scopeOf}, where something is set. @throws RegistryError 42208 */
export function newScopeOf(request: FastifyRequest): string | null {
  const given = parameter(request, 'subject')
  if (!isValidSubject(given, { ofConfigOrMode: true })) throw errors.invalidSubject(given)
  return scopeOf(request)
}

/** The request as the leader gets it, and how it may be treated. */
export function changeOf<T>(
  request: FastifyRequest,
  decide: ChangeRequest<T>['decide'],
  isIdempotent: boolean,
): ChangeRequest<T> {
  const isPassedOn = request.headers['x-forward'] === 'true'
  return { passed: passedOn(request), principal: request.principal, isPassedOn, isIdempotent, decide }
}

function passedOn({ method, url, headers, rawBody }: FastifyRequest): PassedRequest {
  const { authorization, accept } = headers
  const type = rawBody === '' ? undefined : 'application/vnd.schemaregistry.v1+json'
  return {
    method,
    path: url,
    headers: { authorization, accept, 'content-type': type, 'x-forward': 'true' },
    body: rawBody,
  }
}
