import { defineSource } from '@tidewire/sdk'
import { connect, disconnect } from '../link/connect.ts'
import { problemOf } from '../link/errors.ts'
import { addressOf, checkQuery, querySettings, queryOf, unsupportedSettings } from './config.ts'
import { checkOffsets, offsetsFrom } from './offsets.ts'
import { readRows } from './source-task.ts'
import { dividedAmong, findTargets } from './targets.ts'
import { tryQuery } from './try-out.ts'

export const postgresQuery = defineSource({
  name: 'postgres-query',
  aliases: ['io.confluent.connect.jdbc.JdbcSourceConnector', 'io.aiven.connect.jdbc.JdbcSourceConnector'],
  doc:
    'Rows of PostgreSQL tables, or of a query, asked for again and again: all of them, or those that are new by a number or a time. ' +
    'For where logical replication cannot be had. Takes the settings of Confluent’s JDBC source, and goes on from its offsets.',
  config: querySettings,
  unsupported: unsupportedSettings,
  check: checkQuery,
  exactlyOnce: true,
  transactionBoundaries: true,
  tryOut: tryQuery,
  tasks: async (config, maxTasks, { signal }) => {
    if (queryOf(config) !== undefined || maxTasks === 1) return [{}]
    const client = await connect(addressOf(config, 'planning'), { signal })
    try {
      return dividedAmong(await findTargets(client, config), maxTasks)
    } catch (error) {
      throw problemOf(error, 'looking for tables')
    } finally {
      await disconnect(client)
    }
  },
  alterOffsets: checkOffsets,
  offsetsFrom,
  read: readRows,
})
