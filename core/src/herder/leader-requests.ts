import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectError, isRetriable, RetriableError } from '@tidewire/sdk'
import { NotLeaderError, type Cluster } from '../cluster/cluster.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { Config } from './config-store.ts'
import type { SessionKeys } from './session-keys.ts'
import type { WorkerRequests } from './worker-request.ts'

/** Of the connector config that tasks were planned from: the leader takes them only while it is that config. */
export const plannedFromHeader = 'x-tidewire-planned-from'

const firstPauseMs = 50
const maxPauseMs = 2000
/** A round of fencing may take its time. */
const answerLimitMs = 90_000

export interface LeaderRequestsOptions {
  readonly cluster: Cluster
  readonly keys: SessionKeys
  readonly requests: WorkerRequests
  readonly logger: Logger
}

/**
 * What this worker asks of the leader of its own accord; where that is itself, it does it. Asked until there is an answer:
 * a leader may have gone, and the next one not be known yet.
 */
export class LeaderRequests {
  readonly #options: LeaderRequestsOptions

  constructor(options: LeaderRequestsOptions) {
    this.#options = options
  }

  /** `POST /connectors/{connector}/tasks` */
  async commitTasks(
    connector: string,
    plannedFrom: Config,
    tasks: readonly Config[],
    itself: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const headers = { [plannedFromHeader]: configDigest(plannedFrom) }
    const ask = () =>
      this.#ask('POST', `/connectors/${encodeURIComponent(connector)}/tasks`, JSON.stringify(tasks), headers, signal)
    await this.#untilAnswered(`committing the tasks of ${connector}`, itself, ask, signal)
  }

  /** `PUT /connectors/{connector}/fence` */
  async fence(connector: string, itself: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const ask = () => this.#ask('PUT', `/connectors/${encodeURIComponent(connector)}/fence`, '', {}, signal)
    await this.#untilAnswered(`fencing earlier tasks of ${connector}`, itself, ask, signal)
  }

  /** Resolves also when the signal is aborted. @throws what will not pass */
  async #untilAnswered(
    what: string,
    itself: () => Promise<void>,
    ask: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { cluster, logger } = this.#options
    const isOver = (): boolean => signal.aborted
    for (let failures = 0; !isOver(); failures++) {
      try {
        await (cluster.leads ? itself() : ask())
        return
      } catch (error) {
        if (isOver()) return
        if (!isRetriable(error)) throw error
        // A change of leader is nothing to write about.
        if (failures === 5) logger.warn('waiting for the leader', { for: what, reason: messageOf(error) })
        await sleep(Math.min(firstPauseMs * 2 ** failures, maxPauseMs), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #ask(
    method: string,
    path: string,
    body: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const { cluster, keys, requests } = this.#options
    const { leaderUrl } = cluster
    if (leaderUrl === undefined) throw new NotLeaderError('no leader is known', undefined)
    const signature = keys.sign(body)
    if (signature === undefined) throw new RetriableError('there is no session key yet')
    const answer = await requests.ask(
      { method, url: leaderUrl + path, headers: { ...headers, ...signature }, body },
      AbortSignal.any([signal, AbortSignal.timeout(answerLimitMs)]),
      () => cluster.leaderUrl === leaderUrl,
    )
    if (answer.status < 300) return
    const message = `the leader at ${leaderUrl} answered ${answer.status}: ${messageIn(answer.body)}`
    if (answer.headers['retry-after'] !== undefined) throw new RetriableError(message)
    throw new ConnectError(message)
  }
}

/** Tells configs apart, whatever the order of their settings. */
export function configDigest(config: Config): string {
  const sorted = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64')
}

function messageIn(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? message : body
  } catch {
    return body
  }
}
