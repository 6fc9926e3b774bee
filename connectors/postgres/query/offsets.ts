import { ConfigError, type OffsetsContext, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../link/connect.ts'
import { problemOf } from '../link/errors.ts'
import { TypeCatalog } from '../types/type-catalog.ts'
import { addressOf, queryOf, readsIncrementing, readsTimestamps, type QueryConfig } from './config.ts'
import { offsetOf, positionOf, type Position } from './position.ts'
import { serverMillis, Structure } from './structure.ts'
import { findTargets } from './targets.ts'

/**
 * Whether offsets are such as can be gone on from. The server keeps none.
 * @throws ConfigError with what is wrong
 */
export function checkOffsets(config: QueryConfig, changes: readonly SourceOffsetChange[]): true {
  const isQuery = queryOf(config) !== undefined
  for (const { partition, offset } of changes) {
    if (offset === null) continue
    const { protocol = '1', table } = partition
    const isKnown = isQuery ? partition['query'] === 'query' : typeof table === 'string' && protocol === '1'
    if (!isKnown) {
      const expected = isQuery ? '{"query": "query"}' : '{"protocol": "1", "table": "<database.schema.table>"}'
      throw new ConfigError(`the partition ${JSON.stringify(partition)} is not ${expected}`)
    }
    positionOf(offset)
  }
  return true
}

/**
 * The positions from which all tables, or the query, are read so.
 * @throws ConfigError where the mode has no such position; ConnectError
 */
export async function offsetsFrom(
  config: QueryConfig,
  from: SourceStart,
  { connector, signal, stored }: OffsetsContext & { readonly stored: readonly SourceOffsetChange[] },
): Promise<SourceOffsetChange[]> {
  if (config.mode === 'bulk') throw new ConfigError('mode bulk reads everything at each poll, and has no position')
  const fixed = fixedPosition(config, from)
  const client = await connect(addressOf(config, connector), { signal })
  try {
    const catalog = await TypeCatalog.load(client)
    const known = new Set(stored.map(({ partition }) => JSON.stringify(partition)))
    const changes: SourceOffsetChange[] = []
    for (const target of await findTargets(client, config)) {
      const partition = target.partitions.find((one) => known.has(JSON.stringify(one))) ?? target.partitions[0]
      const position = fixed ?? (await latest(client, await Structure.of(client, target, config, catalog), config))
      changes.push({ partition, offset: offsetOf(position) })
    }
    return changes
  } catch (error) {
    throw problemOf(error, 'looking for the positions of the tables')
  } finally {
    await disconnect(client)
  }
}

async function latest(client: pg.Client, structure: Structure, config: QueryConfig): Promise<Position> {
  if (readsTimestamps(config)) return { timestamp: { millis: await serverMillis(client), micros: 0 } }
  const { rows } = await client.query<{ bound: string | null }>(structure.boundQuery({})!)
  return { incrementing: BigInt(rows[0]!.bound ?? '-1') }
}

/** The same for all tables; undefined: what is newest in each. */
function fixedPosition(config: QueryConfig, from: SourceStart): Position | undefined {
  if (from === 'latest') return undefined
  if (readsTimestamps(config)) {
    if ('timestamp' in from) return { timestamp: { millis: from.timestamp - 1, micros: 999 } }
    throw new ConfigError('mode timestamp begins from "earliest", "latest" or {"timestamp": <ms>}')
  }
  if ('offset' in from && readsIncrementing(config)) return { incrementing: BigInt(from.offset) - 1n }
  throw new ConfigError('mode incrementing begins from "earliest", "latest" or {"offset": <number of the first row>}')
}
