import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'
import { connectionSettings } from '../link/connection-settings.ts'
import { checkEvents, eventSettings, type NamedSettings } from './events/settings.ts'
import { signalSettings } from './incremental/settings.ts'
import { inertSettings, pacingSettings, replicationSettings, snapshotSettings } from './settings.ts'
import { typeSettings } from './type-settings.ts'

/** Those that have a part of their own in the name; see `names` of the SDK. */
const namedSettings = defineConfig({
  'column.mask.with.<n>.chars': {
    type: 'string',
    names: 'column\\.mask\\.with\\.\\d+\\.chars',
    group: 'Column rules',
    doc: 'Columns whose texts become so many asterisks: regular expressions for `schema.table.column`, separated by commas.',
  },
  'column.mask.hash.<algorithm>.with.salt.<salt>': {
    type: 'string',
    names: 'column\\.mask\\.hash\\.(v2\\.)?[^.]+\\.with\\.salt\\..+',
    group: 'Column rules',
    doc: 'Columns whose texts become hashes, so that equal ones stay equal. `column.mask.hash.v2.…` hashes all characters alike.',
  },
  'column.truncate.to.<n>.chars': {
    type: 'string',
    names: 'column\\.truncate\\.to\\.\\d+\\.chars',
    group: 'Column rules',
    doc: 'Columns whose texts are cut off after so many characters.',
  },
  'snapshot.select.statement.overrides.<schema>.<table>': {
    type: 'string',
    names: 'snapshot\\.select\\.statement\\.overrides\\..+',
    group: 'Snapshot',
    doc: 'The statement that a snapshot reads this table by, where `snapshot.select.statement.overrides` names it.',
  },
})

export const cdcSettings = defineConfig({
  ...connectionSettings,
  ...eventSettings,
  ...namedSettings,
  ...typeSettings,
  ...replicationSettings,
  ...snapshotSettings,
  ...signalSettings,
  ...pacingSettings,
  ...inertSettings,
})

export type CdcConfig = ConfigOf<typeof cdcSettings>

/** All settings with a part of their own in the name, by their whole names. */
export function namedOf(config: CdcConfig): NamedSettings {
  const names = Object.keys(namedSettings) as (keyof typeof namedSettings)[]
  return Object.fromEntries(names.flatMap((name) => Object.entries(config[name])))
}

/** Rules across settings. */
export function checkCdc(config: CdcConfig): ConfigProblems {
  const problems: Record<string, string | readonly string[]> = { ...checkEvents(config, namedOf(config)) }
  if (config['plugin.name'] !== 'pgoutput') {
    problems['plugin.name'] =
      'decoderbufs has to be installed on the server, and is not read here: set plugin.name=pgoutput, which every server from PostgreSQL 10 has'
  }
  return problems
}

/** Settings of Debezium that are not taken, with what to do instead. */
export const unsupportedSettings: Readonly<Record<string, string>> = {
  'database.sslfactory': 'names a Java class; certificates are given by database.sslrootcert, sslcert and sslkey',
  'database.aws.iam*': 'tokens of AWS IAM are not made here; put one into database.password by a config provider',
  'snapshot.mode.custom.name': 'names a Java class; snapshot.mode has what it could decide',
  'snapshot.locking.mode.custom.name': 'names a Java class',
  'snapshot.query.mode.custom.name': 'names a Java class; use snapshot.select.statement.overrides',
  'sourceinfo.struct.maker': 'names a Java class; use a transform',
  'transaction.metadata.factory': 'names a Java class; use a transform',
  'queue.provider.type': 'there is one kind of queue, bounded by max.queue.size.in.bytes',
  'post.processors*':
    'names Java classes; use transforms. For values that the server does not send, set REPLICA IDENTITY FULL',
  converters: 'names Java classes; use transforms',
  'topic.regex*': 'belongs to a naming strategy that is not there; use the transform RegexRouter',
  'topic.replacement': 'belongs to a naming strategy that is not there; use the transform RegexRouter',
  'notification.*': 'how a snapshot gets on is told in the status of the task, in the console and by the metrics',
  'openlineage.*': 'no lineage is told to OpenLineage',
  'include.schema.comments': 'comments are not put into schemas',
}
