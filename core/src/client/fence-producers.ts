import { initProducerId } from '../protocol/messages/init-producer-id.ts'
import { retry, type BackoffRange } from './backoff.ts'
import { LogError } from './client.ts'
import type { Cluster } from './cluster.ts'
import { throwBrokerError } from './connection.ts'

/** What is asked of the coordinators at one time. */
const AT_ONCE = 100
/** A transaction that the fenced producer left open is aborted first, which takes a moment. */
const soon: BackoffRange = { baseMs: 20, maxMs: 500 }

/**
 * Fences whoever produces with these transactional ids, and has what they left open aborted, by registering a producer
 * of each id that is then not used. All ids are tried, whatever becomes of some.
 * @throws LogError the first failure, its message naming each id that could not be fenced
 */
export async function fenceProducers(
  cluster: Cluster,
  transactionalIds: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const ids = [...new Set(transactionalIds)]
  const failed: { readonly id: string; readonly error: unknown }[] = []
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE)
    await retry(() => cluster.learnCoordinators('transaction', some), {
      what: 'coordinators of transactional ids',
      timeoutMs,
    })
    const outcomes = await Promise.allSettled(some.map((id) => fence(cluster, id, timeoutMs)))
    outcomes.forEach((outcome, i) => {
      if (outcome.status === 'rejected') failed.push({ id: some[i]!, error: outcome.reason })
    })
  }
  if (failed.length > 0) throw failureOf(failed)
}

function fence(cluster: Cluster, transactionalId: string, timeoutMs: number): Promise<void> {
  const what = `fencing transactional id ${transactionalId}`
  return retry(
    () =>
      cluster.withCoordinator('transaction', transactionalId, cluster.pool, async (connection) => {
        // Kafka's coordinator takes the timeout of the transaction for its own write of this, too: not too short.
        const body = { transactionalId, transactionTimeoutMs: Math.min(cluster.requestTimeoutMs, 60_000) }
        throwBrokerError((await connection.request(initProducerId, body)).errorCode, what)
      }),
    { what, timeoutMs, backoff: soon },
  )
}

function failureOf(failed: readonly { readonly id: string; readonly error: unknown }[]): unknown {
  const { error } = failed[0]!
  if (failed.length === 1 || !(error instanceof LogError)) return error
  const message = `${failed.length} transactional ids could not be fenced (${failed.map(({ id }) => id).join(', ')}): ${error.message}`
  return new LogError(error.code, message, { retriable: error.retriable, cause: error })
}
