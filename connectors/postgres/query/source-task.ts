import { setTimeout as delay } from 'node:timers/promises'
import { type SourceBatch, type SourceTaskContext } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect, socketOf } from '../link/connect.ts'
import { problemOf, sqlStateOf } from '../link/errors.ts'
import { TypeCatalog } from '../types/type-catalog.ts'
import { addressOf, readsTimestamps, type QueryConfig } from './config.ts'
import { positionOf, type Position } from './position.ts'
import { serverMillis } from './structure.ts'
import { TargetReader, type Session } from './target-reader.ts'
import { findTargets, shareOf, type Target } from './targets.ts'

type Context = SourceTaskContext<QueryConfig>

const noSuchTable = '42P01'

/** Polls the tables of this task, each at its time, one after the other in one session, for as long as the task runs. */
export async function* readRows(context: Context): AsyncGenerator<SourceBatch> {
  const { config, signal, log } = context
  // A table takes as long as it takes.
  const client = await connect(addressOf(config, context.connector), { signal, statementTimeoutMs: 0 })
  const cutOff = (): void => void socketOf(client).destroy()
  signal.addEventListener('abort', cutOff)
  try {
    const session = { client, config, log, catalog: await TypeCatalog.load(client) }
    await warnOnStandby(session)
    const readers = new Map<string, TargetReader>()
    let lookAgainAt = 0
    while (!signal.aborted) {
      if (performance.now() >= lookAgainAt) {
        await renew(readers, session, context)
        lookAgainAt = performance.now() + config['table.poll.interval.ms']
      }
      const reader = earliest(readers)
      await pause(Math.min(reader?.dueAt ?? Infinity, lookAgainAt) - performance.now(), signal)
      if (reader === undefined || performance.now() < reader.dueAt) continue
      try {
        yield* reader.poll()
      } catch (error) {
        if (sqlStateOf(error) !== noSuchTable || !(await isGone(reader.target, session))) {
          throw problemOf(error, `reading ${reader.target.name}`)
        }
        readers.delete(reader.target.name)
      }
      tellProgress(readers, context)
    }
  } catch (error) {
    // Cut off: by the end of the task.
    if (!signal.aborted) throw problemOf(error, 'polling PostgreSQL')
  } finally {
    signal.removeEventListener('abort', cutOff)
    await disconnect(client)
  }
}

/** The readers of the tables that there are now. Those that go on keep their positions. */
async function renew(readers: Map<string, TargetReader>, session: Session, context: Context): Promise<void> {
  const { config, log } = session
  const targets = (await findTargets(session.client, config)).filter(shareOf(config))
  const names = new Set(targets.map(({ name }) => name))
  for (const name of readers.keys()) {
    if (names.has(name)) continue
    readers.delete(name)
    log.info(`${name} is not there any more, and is not read`)
  }
  for (const target of targets) {
    if (!readers.has(target.name)) readers.set(target.name, await readerOf(target, session, context))
  }
  if (readers.size === 0)
    log.warn(`no table is there to read; tables are looked for every ${config['table.poll.interval.ms']} ms`)
}

async function readerOf(target: Target, session: Session, { offsets, config }: Context): Promise<TargetReader> {
  if (config.mode === 'bulk') return new TargetReader(session, target, target.partitions[0], {})
  const stored = await offsets.getAll(target.partitions)
  const index = stored.findIndex((offset) => offset !== undefined)
  const partition = target.partitions[Math.max(index, 0)]!
  if (index >= 0) return new TargetReader(session, target, partition, positionOf(stored[index]!))
  return new TargetReader(session, target, partition, await initialPosition(session))
}

/** `timestamp.initial`. */
async function initialPosition({ client, config }: Session): Promise<Position> {
  const initial = config['timestamp.initial']
  if (initial === undefined || !readsTimestamps(config)) return {}
  return { timestamp: { millis: initial === -1 ? await serverMillis(client) : initial, micros: 0 } }
}

function earliest(readers: ReadonlyMap<string, TargetReader>): TargetReader | undefined {
  let first: TargetReader | undefined
  for (const reader of readers.values()) if (first === undefined || reader.dueAt < first.dueAt) first = reader
  return first
}

/** A table that was dropped is no error; one that the query names is. */
async function isGone({ table, name }: Target, { client, config }: Session): Promise<boolean> {
  await client.query('ROLLBACK')
  return table !== undefined && !(await findTargets(client, config)).some((target) => target.name === name)
}

/** There the locks of writers are not to be seen. */
async function warnOnStandby({ client, config, log }: Session): Promise<void> {
  if (config.mode === 'bulk' || config['late.commits'] === 'ignore' || !(await isStandby(client))) return
  log.warn(
    'this server is a standby, where nobody can see who is writing: rows committed late may be missed. Read from the ' +
      'primary, or set timestamp.delay.interval.ms longer than the longest transaction',
  )
}

async function isStandby(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby')
  return rows[0]!.standby
}

function tellProgress(readers: ReadonlyMap<string, TargetReader>, context: Context): void {
  let rows = 0
  let waiting = 0
  let writers = 0
  for (const reader of readers.values()) {
    rows += reader.rows
    if (reader.writers.length > 0) waiting++
    writers += reader.writers.length
  }
  const waits = waiting === 0 ? '' : `; waits for ${writers} transactions that write to ${waiting} tables`
  context.progress({
    text: `${rows} rows of ${readers.size} tables${waits}`,
    figures: { tables: readers.size, rows_read: rows, tables_waiting: waiting },
  })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // A timer takes no more than 24 days.
  if (ms > 0) await delay(Math.min(ms, 86_400_000), undefined, { signal }).catch(() => undefined)
}
