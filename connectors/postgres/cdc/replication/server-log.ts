import type pg from 'pg'
import { connect, disconnect } from '../../link/connect.ts'
import type { Address } from '../../link/connection-settings.ts'
import { problemOf } from '../../link/errors.ts'
import { parseLsn } from '../../link/lsn.ts'

/** Which log a position is in: positions of different servers, or of timelines that have parted, cannot be compared. */
export interface LogIdentity {
  /** The same for a server and its standbys, and for no other. */
  readonly systemId: string
  /**
   * Which promotion the log has been written since: 1 before the first. Undefined where it is not known: a standby goes
   * over to that of its new primary while it streams.
   */
  readonly timeline: number | undefined
}

/** The log that a server writes, or replays. */
export interface ServerLog extends LogIdentity {
  /** Where its timeline and each before it were left for the next, by timeline; undefined: that could not be read. */
  readonly ancestors: ReadonlyMap<number, number> | undefined
}

/**
 * Asks a server for its log. Needs a session of a WAL sender for a moment.
 * @param inRecovery whether it is a standby
 * @throws ConnectError
 */
export async function lookAtLog(address: Address, inRecovery: boolean, signal: AbortSignal): Promise<ServerLog> {
  const client = await connect(address, { signal, replication: true })
  try {
    const { systemId, timeline } = await identify(client)
    return { systemId, timeline: inRecovery ? undefined : timeline, ancestors: await ancestorsOf(client, timeline) }
  } catch (error) {
    throw problemOf(error, 'asking which log the server has')
  } finally {
    await disconnect(client)
  }
}

/** @param client of a WAL sender, which has not begun to stream */
export async function identify(client: pg.Client): Promise<LogIdentity & { readonly timeline: number }> {
  // Eight bytes from PostgreSQL 16 on, which the driver gives as a text.
  const { rows } = await client.query<{ systemid: string; timeline: number | string }>('IDENTIFY_SYSTEM')
  return { systemId: rows[0]!.systemid, timeline: Number(rows[0]!.timeline) }
}

async function ancestorsOf(client: pg.Client, timeline: number): Promise<Map<number, number> | undefined> {
  // The first has no history.
  if (timeline === 1) return new Map()
  try {
    const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`)
    return historyOf(String(rows[0]!.content))
  } catch (error) {
    // Its file is gone, since servers need it no more once they have started, or a host does not give it out.
    const problem = problemOf(error, 'asking for the history of the timelines')
    if (problem.retriable) throw problem
    return undefined
  }
}

/** Of a history file: on each line a timeline, where it ended, and why. */
export function historyOf(text: string): Map<number, number> {
  const ends = new Map<number, number>()
  for (const [, timeline, lsn] of text.matchAll(/^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/gim)) {
    ends.set(Number(timeline), parseLsn(lsn!))
  }
  return ends
}
