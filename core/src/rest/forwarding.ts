import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isRetriable } from '@tidewire/sdk'
import { NotOwnerError } from '../herder/connector-writes.ts'
import type { Herder } from '../herder/herder.ts'
import { signatureOf } from '../herder/request-signature.ts'
import { withTimeLimit } from '../herder/time-limit.ts'
import type { WorkerAnswer } from '../herder/worker-request.ts'
import { principalHeaders, requestHeader } from './forwarded-principal.ts'
import { isElsewhere, RestError } from './rest-error.ts'

/** Kafka Connect's limit for a request. */
const requestLimitMs = 90_000

const passedBack = ['content-type', 'location', 'warning', 'retry-after'] as const
const firstPauseMs = 20
const maxPauseMs = 500

export interface ForwardingOptions {
  readonly herder: () => Herder
  /** `rest.write.hold.ms` */
  readonly holdMs: number
  /** Aborted when the worker stops: what is held is given up. */
  readonly closing: AbortSignal
}

/** Where a request stands: workers it has come through before (`forward`), and the name it goes by. */
interface Journey {
  readonly hops: 0 | 1 | 2
  readonly request: string | undefined
}

/**
 * Brings writes to the worker that can carry them out: the leader or, for the restart of a task, the one that runs it. As
 * in Kafka Connect a request passes two other workers at most (`forward=true`, then `forward=false`). Unlike there, the
 * worker that a client asked holds what finds no leader, or a leader that goes, and sends it again until the leader is
 * found or the time is over. Each goes by a name that its records in the config topic have too: one whose answer was lost
 * is not carried out a second time, and gets the answer that was lost.
 */
export class Forwarding {
  readonly #options: ForwardingOptions

  constructor(options: ForwardingOptions) {
    this.#options = options
  }

  /** Answers with what `answer` makes of the work's result, or with another worker's answer. */
  async run<T>(
    asked: FastifyRequest,
    reply: FastifyReply,
    work: (herder: Herder, request: string | undefined) => Promise<T>,
    answer: (result: T) => FastifyReply,
  ): Promise<FastifyReply> {
    const herder = this.#options.herder()
    const journey = await journeyOf(asked, herder)
    const begun = performance.now()
    const leftMs = (): number => requestLimitMs - (performance.now() - begun)
    const holdMs = journey.hops === 0 ? this.#options.holdMs : 0
    for (let attempts = 0; ; attempts++) {
      let done: { readonly result: T } | undefined
      let given: WorkerAnswer | undefined
      try {
        done = { result: await withTimeLimit(work(herder, journey.request), leftMs(), 'The request') }
      } catch (error) {
        if (!isRetriable(error)) throw error
        if (isElsewhere(error) && journey.hops < 2) given = await passOn(asked, journey, error, herder, leftMs())
        if (given === undefined && performance.now() - begun >= holdMs) throw error
      }
      if (done !== undefined) return answer(done.result)
      if (given !== undefined) {
        // Who asks this worker next finds what it has written.
        if (given.status < 300) await herder.catchUp().catch(() => undefined)
        return passBack(reply, given)
      }
      await this.#pause(attempts)
    }
  }

  async #pause(attempts: number): Promise<void> {
    const { closing } = this.#options
    const stopping = new RestError(503, 'The worker is stopping: ask another one')
    if (closing.aborted) throw stopping
    await sleep(Math.min(firstPauseMs * 2 ** attempts, maxPauseMs), undefined, { signal: closing }).catch(() => {
      throw stopping
    })
  }
}

/**
 * Refuses what no worker of the cluster signed, as Kafka Connect does.
 * @throws RestError 400, 403 or 503
 */
export async function requireSigned(asked: FastifyRequest, herder: Herder): Promise<void> {
  const signature = signatureOf(asked.headers)
  if (signature === undefined) throw new RestError(400, 'Internal request missing required signature')
  if (!herder.keys.knows(signature)) {
    throw new RestError(
      400,
      `This worker does not take requests signed with ${signature.algorithm}: see inter.worker.verification.algorithms`,
    )
  }
  if (!herder.keys.hasKey) {
    throw new RestError(503, 'This worker has not read a session key from the config topic yet')
  }
  if (!(await herder.keys.verify(signature, asked.rawBody))) {
    throw new RestError(403, 'Internal request contained invalid signature.')
  }
}

async function journeyOf(asked: FastifyRequest, herder: Herder): Promise<Journey> {
  const { forward } = asked.query as { forward?: unknown }
  if (forward !== 'true' && forward !== 'false') return { hops: 0, request: asked.id }
  const request = asked.headers[requestHeader]
  if (typeof request === 'string') {
    await requireSigned(asked, herder)
    asked.isPassedOn = true
  }
  return { hops: forward === 'true' ? 1 : 2, request: typeof request === 'string' ? request : undefined }
}

/** The other worker's answer; undefined where it gave none, or could not do it now. */
async function passOn(
  asked: FastifyRequest,
  { hops, request }: Journey,
  error: Error,
  herder: Herder,
  limitMs: number,
): Promise<WorkerAnswer | undefined> {
  const { cluster, keys } = herder
  const find = (): string | undefined =>
    error instanceof NotOwnerError ? cluster.owner(error.connector, error.task)?.url : cluster.leaderUrl
  const target = find()
  const signature = keys.sign(asked.rawBody)
  if (target === undefined || signature === undefined) return undefined
  const url = new URL(asked.url, target)
  url.searchParams.set('forward', String(hops === 0))
  const { method, principal } = asked
  const headers: Record<string, string> = { ...signature }
  if (request !== undefined) headers[requestHeader] = request
  if (principal !== undefined && request !== undefined) {
    const passed = { method, url: url.pathname + url.search, headers }
    Object.assign(
      headers,
      principalHeaders(principal, passed, (text) => keys.sign(text)),
    )
  }
  try {
    const answer = await herder.requests.ask(
      { method, url: url.href, headers, body: asked.rawBody },
      AbortSignal.timeout(Math.max(1, Math.floor(limitMs))),
      () => find() === target,
    )
    return answer.headers['retry-after'] !== undefined ? undefined : answer
  } catch (failure) {
    if (isRetriable(failure)) return undefined
    throw failure
  }
}

function passBack(reply: FastifyReply, { status, headers, body }: WorkerAnswer): FastifyReply {
  for (const name of passedBack) {
    const value = headers[name]
    if (value !== undefined) void reply.header(name, value)
  }
  return reply.code(status).send(body === '' ? undefined : body)
}
