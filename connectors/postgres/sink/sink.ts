import { defineSink } from '@tidewire/sdk'
import { checkSink } from './options.ts'
import { sinkSettings, unsupportedSettings } from './settings.ts'

export const postgresSink = defineSink({
  name: 'postgres-sink',
  aliases: [
    'io.confluent.connect.jdbc.JdbcSinkConnector',
    'io.aiven.connect.jdbc.JdbcSinkConnector',
    'io.debezium.connector.jdbc.JdbcSinkConnector',
  ],
  doc:
    'Writes topics to PostgreSQL tables: plain records and Debezium’s change events, inserted, upserted or updated, with ' +
    'deletes and tables that follow the schemas; once each if so wished. Takes the settings of the JDBC sinks of Confluent ' +
    'and Debezium.',
  config: sinkSettings,
  unsupported: unsupportedSettings,
  check: checkSink,
  alterOffsets: async (config, offsets, context) =>
    (await import('./alter-offsets.ts')).alterOffsets(config, offsets, context),
  tryOut: async (config, context) => (await import('./try-out.ts')).tryOut(config, context),
  write: async (context) => (await import('./sink-task.ts')).openPostgresSink(context),
})
