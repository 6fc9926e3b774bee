import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'

const lookMs = 60_000

/**
 * Looks once a minute whether certificates and keys have changed, so that they can be renewed with no restart. What cannot
 * be read is told, once, and those there are stay in use.
 * @param apply is called with those that differ; what it throws counts as unreadable
 */
export function renewTls<T>(
  current: T,
  read: () => Promise<T>,
  logger: Logger,
  apply: (changed: T) => void,
  everyMs = lookMs,
): { stop(): void } {
  let used = current
  let hasFailed = false
  const look = async (): Promise<void> => {
    try {
      const found = await read()
      if (isDeepStrictEqual(found, used)) return
      apply(found)
      used = found
      hasFailed = false
      logger.info('REST has new certificates')
    } catch (error) {
      if (!hasFailed)
        logger.error('REST keeps its certificates: the new ones cannot be used', { error: messageOf(error) })
      hasFailed = true
    }
  }
  let looking: Promise<void> | undefined
  const timer = setInterval(() => {
    looking ??= look().finally(() => (looking = undefined))
  }, everyMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
