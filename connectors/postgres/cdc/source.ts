import { defineSource } from '@tidewire/sdk'
import { checkOffsets } from './alter-offsets.ts'
import { cdcSettings, checkCdc, unsupportedSettings } from './config.ts'
import { signalTopic } from './incremental/settings.ts'
import { readChanges } from './source-task.ts'
import { tryCapture } from './try-out.ts'
import { version } from './version.ts'

export const postgresCdc = defineSource({
  name: 'postgres-cdc',
  version,
  aliases: ['io.debezium.connector.postgresql.PostgresConnector'],
  doc:
    'The rows of PostgreSQL tables and every change of them, in order, as Debezium’s events: by logical replication ' +
    '(pgoutput), with nothing to install on the server. Takes Debezium’s settings, and goes on from its offsets.',
  config: cdcSettings,
  unsupported: unsupportedSettings,
  check: checkCdc,
  tryOut: tryCapture,
  alterOffsets: checkOffsets,
  exactlyOnce: true,
  transactionBoundaries: true,
  signals: { topic: signalTopic, key: (config) => config['topic.prefix'] },
  read: readChanges,
})
