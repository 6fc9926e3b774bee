import { setTimeout as sleep } from 'node:timers/promises'

/** @returns false when the signal ended the wait, or was aborted before it */
export async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(Math.max(ms, 0), true, { signal }).catch(() => false)
}
