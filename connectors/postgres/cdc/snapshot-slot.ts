import type { Capture } from './capture.ts'
import { createSlot, type CreatedSlot } from './replication/slot.ts'

/**
 * A new slot as the settings ask for it, with its snapshot exported.
 * @throws ConnectError
 */
export function makeSlot(
  { address, config, context }: Capture,
  name: string,
  temporary: boolean,
): Promise<CreatedSlot> {
  return createSlot(address, {
    name,
    temporary,
    exportSnapshot: true,
    failover: config['slot.failover'],
    timeoutMs: 90_000,
    retries: config['slot.max.retries'],
    retryDelayMs: config['slot.retry.delay.ms'],
    signal: context.signal,
    log: context.log,
  })
}

/** One beside the connector's own, for its snapshot and consistent point. Ends with its session. @throws ConnectError */
export function snapshotSlot(capture: Capture): Promise<CreatedSlot> {
  // A slot may have 63 characters.
  return makeSlot(capture, `${capture.config['slot.name'].slice(0, 48)}_snap_${process.pid}`, true)
}
