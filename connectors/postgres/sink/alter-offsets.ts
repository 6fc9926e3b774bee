import type { SinkOffsetChange, SinkOffsetsContext } from '@tidewire/sdk'
import { connect, disconnect } from '../link/connect.ts'
import { problemOf } from '../link/errors.ts'
import { addressOf } from './options.ts'
import type { PostgresSinkConfig } from './settings.ts'
import { makeOffsetsTable } from './stored-offsets.ts'
import { parseTableName } from './table-name.ts'

/**
 * Changes the positions that an exactly-once sink keeps in the database. Rows that were written stay: what is read again is
 * written again.
 */
export async function alterOffsets(
  config: PostgresSinkConfig,
  changes: readonly SinkOffsetChange[],
  { connector, signal, reset }: SinkOffsetsContext,
): Promise<boolean> {
  if (!config['exactly.once']) return true
  const address = addressOf(config)
  const table = parseTableName(config['offsets.table.name'], false, address.database).sql
  const client = await connect(address, { signal })
  try {
    await makeOffsetsTable(client, table)
    await client.query('BEGIN')
    if (reset) await client.query(`DELETE FROM ${table} WHERE connector = $1`, [connector])
    for (const { topic, partition, offset } of changes) {
      if (offset === null) {
        await client.query(`DELETE FROM ${table} WHERE connector = $1 AND topic = $2 AND "partition" = $3`, [
          connector,
          topic,
          partition,
        ])
      } else {
        // Nobody's: a task that is still about has lost it. Of whatever topic has that name now.
        await client.query(
          `INSERT INTO ${table} (connector, topic, "partition", next_offset, owner) VALUES ($1, $2, $3, $4, '')
           ON CONFLICT (connector, topic, "partition") DO UPDATE SET next_offset = excluded.next_offset, owner = '', topic_id = NULL`,
          [connector, topic, partition, offset],
        )
      }
    }
    await client.query('COMMIT')
    return true
  } catch (error) {
    throw problemOf(error, `changing positions in ${table}`)
  } finally {
    await disconnect(client)
  }
}
