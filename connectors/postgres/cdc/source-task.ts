import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, type SourceBatch, type SourceTaskContext } from '@tidewire/sdk'
import { openCapture, type Capture } from './capture.ts'
import type { CdcConfig } from './config.ts'
import { SignalledSnapshots } from './incremental/signalled-snapshots.ts'
import { positionOf, serverPartition, type StreamPosition } from './offset.ts'
import { planOf, type Plan } from './plan.ts'
import { preparePublication } from './prepare-publication.ts'
import { dropSlot, lookAtSlot, type Slot } from './replication/slot.ts'
import { currentLsn } from './replication/server.ts'
import { parseStreamParams, WalStream } from './replication/wal-stream.ts'
import { makeSlot, snapshotSlot } from './snapshot-slot.ts'
import { runSnapshot, type SnapshotStart } from './snapshot/run-snapshot.ts'
import { Stream } from './stream.ts'

/**
 * The rows of the captured tables as they are, then their changes, for as long as the task runs.
 * See docs/decisions/2026-11-21-postgres-cdc.md.
 */
export async function* readChanges(context: SourceTaskContext<CdcConfig>): AsyncGenerator<SourceBatch> {
  await using capture = await openCapture(context)
  if (context.preview) {
    yield* previewRows(capture)
    return
  }
  const { config } = context
  const stored = positionOf(await context.offsets.get(serverPartition(config['topic.prefix'])))
  const slot = await lookAtSlot(capture.client, config['slot.name'])
  // A standby may be behind what its primary has sent.
  const serverLsn = capture.server.inRecovery ? Infinity : await currentLsn(capture.client)
  if (stored?.log?.timeline !== undefined && capture.log?.ancestors === undefined) {
    context.log.warn(
      "the history of the server's timelines cannot be read: if it took over from another, it may have had less than was delivered",
    )
  }
  const plan = planOf(config, stored, known(slot), { lsn: serverLsn, log: capture.log })
  if (plan.stream) await preparePublication(capture)
  try {
    let from = plan.from
    if (plan.snapshot !== 'none') {
      await pause(config['snapshot.delay.ms'], context.signal)
      const start = await snapshotStart(capture, plan, slot)
      try {
        yield* runSnapshot(capture, start)
      } finally {
        await start.release()
      }
      from = { kind: 'stream', commitLsn: start.lsn, partial: undefined }
      if (plan.stream) await pause(config['streaming.delay.ms'], context.signal)
    }
    if (plan.stream && !context.signal.aborted) yield* stream(capture, from, slot, plan.from === undefined)
  } finally {
    // Not for a passing fault, after which it goes on.
    if (plan.stream && config['slot.drop.on.stop'] && context.signal.aborted)
      await dropSlot(capture.client, config['slot.name'], 5_000)
  }
}

/** The slot as the plan looks at it. One that is still being made by somebody is like none. */
function known(slot: Slot | undefined) {
  if (slot?.confirmedLsn === undefined) return undefined
  return { confirmedLsn: slot.confirmedLsn, lost: slot.lost }
}

/** Sees to it that there is a snapshot to read, and a slot that goes on where it ends. */
async function snapshotStart(capture: Capture, plan: Plan, slot: Slot | undefined): Promise<SnapshotStart> {
  const { config } = capture
  if (typeof plan.snapshot === 'object') {
    const { lsn, visible } = plan.snapshot.resume
    return { lsn, exported: undefined, resumed: visible, release: () => Promise.resolve() }
  }
  // One that has lost its changes is made anew.
  if (slot?.lost !== undefined) await dropSlot(capture.client, config['slot.name'], 5_000)
  const isKept = plan.stream && (slot === undefined || slot.lost !== undefined)
  const made = await (isKept ? makeSlot(capture, config['slot.name'], false) : snapshotSlot(capture))
  return { lsn: made.consistentLsn, exported: made.snapshotName, resumed: undefined, release: () => made.release() }
}

async function* stream(
  capture: Capture,
  position: StreamPosition | undefined,
  slot: Slot | undefined,
  isFirst: boolean,
): AsyncGenerator<SourceBatch> {
  const { address, config, context, server } = capture
  const from = position ?? { kind: 'stream', commitLsn: await slotPosition(capture, slot), partial: undefined }
  const wal = await WalStream.open(address, {
    slot: config['slot.name'],
    publication: config['publication.name'],
    serverLog: capture.log,
    start: from.commitLsn,
    params: parseStreamParams(config['slot.stream.params'] ?? ''),
    messages: server.version >= 140_000,
    statusIntervalMs: config['status.update.interval.ms'],
    maxBufferedBytes: config['max.queue.size.in.bytes'] || Math.ceil(context.maxBufferedBytes / 4),
    retries: config['slot.max.retries'],
    retryDelayMs: config['slot.retry.delay.ms'],
    signal: context.signal,
    log: context.log,
  })
  try {
    const signalled = await SignalledSnapshots.open(capture, () => {
      wal.wake()
    })
    try {
      yield* new Stream(capture, wal, from, isFirst, signalled).batches()
    } finally {
      await signalled.close()
    }
  } finally {
    await wal.close()
  }
}

/** Where a stream begins that has no position: at the slot's, which is made now where there is none. */
async function slotPosition(capture: Capture, slot: Slot | undefined): Promise<number> {
  if (slot?.confirmedLsn !== undefined) return slot.confirmedLsn
  const made = await makeSlot(capture, capture.config['slot.name'], false)
  await made.release()
  return made.consistentLsn
}

/** Rows as a snapshot would read them, with nothing made in the database. */
async function* previewRows(capture: Capture): AsyncGenerator<SourceBatch> {
  if (capture.config['snapshot.mode'] === 'no_data' || capture.config['snapshot.mode'] === 'never') {
    throw new ConfigError(
      'a preview shows the rows of a snapshot, since it makes no slot, and snapshot.mode has none',
      {
        setting: 'snapshot.mode',
      },
    )
  }
  const lsn = await currentLsn(capture.client)
  yield* runSnapshot(capture, { lsn, exported: undefined, resumed: undefined, release: () => Promise.resolve() })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined)
}
