import { ConfigError } from '@tidewire/sdk'
import { codes, snapshotAgain } from '../link/errors.ts'
import { formatLsn } from '../link/lsn.ts'
import { reachedLsn, shownPosition, type Position, type SnapshotPosition, type StreamPosition } from './offset.ts'
import type { ServerLog } from './replication/server-log.ts'

/** What the decision depends on of the settings. */
export interface PlanConfig {
  readonly 'slot.name': string
  readonly 'snapshot.mode':
    'always' | 'initial' | 'initial_only' | 'no_data' | 'never' | 'when_needed' | 'configuration_based'
  readonly 'snapshot.mode.configuration.based.snapshot.data': boolean
  readonly 'snapshot.mode.configuration.based.start.stream': boolean
  readonly 'snapshot.mode.configuration.based.snapshot.on.data.error': boolean
  readonly 'offset.mismatch.strategy': 'no_validation' | 'trust_offset' | 'trust_slot' | 'trust_greater_lsn'
}

/** What the decision depends on of the slot; undefined: there is none. */
export interface PlanSlot {
  readonly confirmedLsn: number
  /** Why the server can no longer stream from it, where that is so. */
  readonly lost?: string | undefined
}

/** What the decision depends on of the server. */
export interface PlanServer {
  /** How far its log is; Infinity where that says nothing. */
  readonly lsn: number
  readonly log: ServerLog | undefined
}

/** What a task does when it starts. */
export interface Plan {
  readonly snapshot: 'none' | 'fresh' | { readonly resume: SnapshotPosition & { readonly visible: string } }
  readonly stream: boolean
  /** Where the stream begins, where no snapshot says it. Undefined: at the slot's own position. */
  readonly from: StreamPosition | undefined
}

/**
 * Decides on snapshot and stream, from what is configured, what was stored and what the server still has.
 * @throws ConfigError where going on would pass over changes, and that is not what was asked for
 */
export function planOf(
  config: PlanConfig,
  stored: Position | undefined,
  slot: PlanSlot | undefined,
  server: PlanServer,
): Plan {
  const { reads, streams } = modes(config)
  const gap = gapOf(stored, slot, server)
  if (gap !== undefined && reads.onGap) return { snapshot: 'fresh', stream: streams, from: undefined }
  if (stored === undefined) return { snapshot: reads.atFirst ? 'fresh' : 'none', stream: streams, from: undefined }
  if (stored.kind === 'snapshot') return unfinished(stored, slot, server, reads.atFirst, streams)
  if (reads.always) return { snapshot: 'fresh', stream: streams, from: undefined }
  if (!streams) return { snapshot: 'none', stream: false, from: undefined }
  if (gap === undefined) return { snapshot: 'none', stream: true, from: stored }
  const canBeTrusted = gap.kind !== 'missing' && gap.kind !== 'lost'
  if (canBeTrusted && config['offset.mismatch.strategy'] !== 'trust_offset') {
    return { snapshot: 'none', stream: true, from: undefined }
  }
  const code = {
    ahead: 'PG_SLOT_AHEAD',
    behind: 'PG_SERVER_BEHIND',
    other: 'PG_SERVER_OTHER',
    missing: codes.slotMissing,
    lost: codes.slotLost,
  }[gap.kind]
  const otherwise = canBeTrusted ? ' To go on from the slot without them, set offset.mismatch.strategy=trust_slot.' : ''
  throw new ConfigError(
    `slot "${config['slot.name']}": ${gap.text}, while the stored offset is at ${shownPosition(stored)}. ${snapshotAgain}.${otherwise}`,
    { code, setting: 'slot.name' },
  )
}

interface Modes {
  readonly reads: { readonly atFirst: boolean; readonly always: boolean; readonly onGap: boolean }
  readonly streams: boolean
}

function modes(config: PlanConfig): Modes {
  const mode = config['snapshot.mode']
  if (mode === 'configuration_based') {
    return {
      reads: {
        atFirst: config['snapshot.mode.configuration.based.snapshot.data'],
        always: false,
        onGap: config['snapshot.mode.configuration.based.snapshot.on.data.error'],
      },
      streams: config['snapshot.mode.configuration.based.start.stream'],
    }
  }
  return {
    reads: {
      atFirst: mode !== 'no_data' && mode !== 'never',
      always: mode === 'always',
      onGap: mode === 'when_needed',
    },
    streams: mode !== 'initial_only',
  }
}

interface Gap {
  readonly kind: 'missing' | 'lost' | 'ahead' | 'behind' | 'other'
  readonly text: string
}

/** What keeps the stream from going on where it ended. */
function gapOf(stored: Position | undefined, slot: PlanSlot | undefined, server: PlanServer): Gap | undefined {
  if (slot?.lost !== undefined) return { kind: 'lost', text: slot.lost }
  if (stored?.kind !== 'stream') return undefined
  if (slot === undefined) return { kind: 'missing', text: 'it does not exist' }
  const parting = partingOf(stored, server)
  if (parting !== undefined) return parting
  if (slot.confirmedLsn <= stored.commitLsn) return undefined
  return { kind: 'ahead', text: `it was advanced to ${formatLsn(slot.confirmedLsn)} by somebody else, or made anew` }
}

/** Why the server's log is not the one that the position is in, or does not go that far. */
function partingOf(stored: Position, { lsn, log }: PlanServer): Gap | undefined {
  const reached = reachedLsn(stored)
  if (stored.log !== undefined && log !== undefined) {
    const { systemId, timeline } = stored.log
    if (systemId !== log.systemId) {
      const text =
        `the server is another one than before (system identifier ${log.systemId}, not ${systemId}): its log has nothing to do ` +
        'with the position. Where pg_upgrade or pg_createsubscriber has made it of the old one, and the connector had read all before, nothing is missing'
      return { kind: 'other', text }
    }
    if (timeline !== undefined && timeline !== log.timeline && log.ancestors !== undefined) {
      const end = log.ancestors.get(timeline)
      if (end === undefined && log.timeline !== undefined) {
        return {
          kind: 'other',
          text: `the server's log is that of timeline ${log.timeline}, which does not come from timeline ${timeline} of the position: it is a primary of before the last failover`,
        }
      }
      if (end !== undefined && reached > end) return { kind: 'behind', text: tookOverAt(end) }
    }
  }
  return lsn < reached ? { kind: 'behind', text: tookOverAt(lsn) } : undefined
}

const tookOverAt = (lsn: number): string =>
  `the server's log went on from ${formatLsn(lsn)} when it took over: it was restored, or is a standby that had not received all`

/** A snapshot was begun. It is gone on with where its slot is still there, and it left word of what it saw. */
function unfinished(
  stored: SnapshotPosition,
  slot: PlanSlot | undefined,
  server: PlanServer,
  reads: boolean,
  streams: boolean,
): Plan {
  const { visible } = stored
  const isLost = slot === undefined || slot.confirmedLsn > stored.lsn || partingOf(stored, server) !== undefined
  if (!reads && !isLost) {
    return { snapshot: 'none', stream: streams, from: { kind: 'stream', commitLsn: stored.lsn, partial: undefined } }
  }
  if (!reads) return { snapshot: 'none', stream: streams, from: undefined }
  if (isLost || visible === undefined) return { snapshot: 'fresh', stream: streams, from: undefined }
  return { snapshot: { resume: { ...stored, visible } }, stream: streams, from: undefined }
}
