import { randomBytes } from 'node:crypto'
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
  // A slot may have 63 characters. Another name each time, since the server may not know yet that an earlier session has ended.
  const name = `${capture.config['slot.name'].slice(0, 46)}_snap_${randomBytes(5).toString('hex')}`
  return makeSlot(capture, name, true)
}
