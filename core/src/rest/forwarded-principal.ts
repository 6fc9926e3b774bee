/**
 * Who asked the worker that passes a request on: told by that worker, signed with the session key of the cluster. So log-ins
 * are checked once, where the client is, and passwords and tokens go to no other worker. Unlike the signature over the body,
 * which is Kafka Connect's, this one holds for one request to one path alone.
 */
import type { FastifyRequest } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import { signatureOf } from '../herder/request-signature.ts'
import { roles } from './access-rules.ts'
import type { Principal } from './principal.ts'

const principalHeader = 'x-tidewire-principal'
const proofHeader = 'x-tidewire-principal-signature'
/** The name of a request that another worker passed on; stays the same when it is passed on again. */
export const requestHeader = 'x-tidewire-request'

/** A request on its way to another worker, with the signature of its body and its name. */
interface Passed {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** The headers that tell it; none where this worker has no access control, and so knows nobody. */
export function principalHeaders(
  { name, login, role }: Principal,
  passed: Passed,
  sign: (text: string) => Record<string, string> | undefined,
): Record<string, string> {
  if (name === undefined) return {}
  const told = Buffer.from(JSON.stringify({ name, login, role })).toString('base64url')
  const signature = signatureOf(sign(statement(told, passed)) ?? {})
  return signature === undefined ? {} : { [principalHeader]: told, [proofHeader]: signature.mac.toString('base64') }
}

/**
 * Undefined where no worker of the cluster says so. The body must still be checked against its signature, which is part
 * of what was signed here.
 */
export async function forwardedPrincipal(
  { method, url, headers }: FastifyRequest,
  herder: () => Herder,
): Promise<Principal | undefined> {
  const { [principalHeader]: told, [proofHeader]: proof } = headers
  const ofBody = signatureOf(headers)
  if (typeof told !== 'string' || typeof proof !== 'string' || ofBody === undefined) return undefined
  if (typeof headers[requestHeader] !== 'string') return undefined
  const signature = { algorithm: ofBody.algorithm, mac: Buffer.from(proof, 'base64') }
  if (!(await herder().keys.verify(signature, statement(told, { method, url, headers })))) return undefined
  const { name, login, role } = JSON.parse(Buffer.from(told, 'base64url').toString()) as Principal
  return { name, login, role: roles.find((known) => known === role) }
}

/** No JSON, so that it can never be a body that a client has had signed. */
function statement(told: string, { method, url, headers }: Passed): string {
  const mac = signatureOf(headers)?.mac.toString('base64') ?? ''
  return ['tidewire principal', method, url, String(headers[requestHeader]), mac, told].join('\n')
}
