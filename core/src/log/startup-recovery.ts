import type { Logger } from '../logging/logger.ts'

/** Checked without letting anything else run, as far as it is not one partition that takes longer. */
const SLICE_MS = 10
const PROGRESS_MS = 5000

export interface RecoveryHost {
  readonly logger: Logger
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
  /** Opens a partition, which checks its tail, unless that was done. Throws where it cannot be opened. */
  open(topic: string, partition: number): void
  /** Whether to give up, the log being closed. */
  stopping(): boolean
}

/**
 * After an unclean shutdown: checks the tails of all partitions while the log is in use already. A partition that is asked for before
 * its turn is checked then and there, so nobody sees one that is not.
 *
 * Returns whether all are in order: one that could not be opened still has to be checked by the next start.
 */
export async function recoverPartitions(host: RecoveryHost): Promise<boolean> {
  const { logger, partitions } = host
  if (partitions.length === 0) return true
  const started = performance.now()
  let sliceEnds = started + SLICE_MS
  let toldAt = started
  let offline = 0
  for (const [done, { topic, partition }] of partitions.entries()) {
    const now = performance.now()
    if (now >= sliceEnds) {
      await new Promise((resolve) => setImmediate(resolve))
      sliceEnds = performance.now() + SLICE_MS
    }
    if (host.stopping()) {
      logger.info('The next start goes on with checking the tails of partitions', { done, of: partitions.length })
      return false
    }
    if (now - toldAt >= PROGRESS_MS) {
      toldAt = now
      logger.info('Checking the tails of partitions after an unclean shutdown', { done, of: partitions.length })
    }
    try {
      host.open(topic, partition)
    } catch (error) {
      offline++
      logger.error('A partition is offline', { topic, partition, error: String(error) })
    }
  }
  const ms = Math.round(performance.now() - started)
  const found = { partitions: partitions.length, ...(offline > 0 ? { offline } : {}), ms }
  logger.info('Checked the tails of all partitions after an unclean shutdown', found)
  return offline === 0
}
