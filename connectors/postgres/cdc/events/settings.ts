import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'
import { ColumnRules } from './column-rules.ts'
import { parseKeyColumns } from './key-columns.ts'
import { NamePatterns } from './name-patterns.ts'
import { namingStrategies } from './topic-names.ts'

const topicCharacters = '^[a-zA-Z0-9._-]+$'
const operations = ['c', 'u', 'd', 't', 'none'] as const

/** What is captured, and what its events look like. Lists of expressions are texts, since a `\,` is part of one. */
export const eventSettings = defineConfig({
  'topic.prefix': {
    type: 'string',
    required: true,
    pattern: topicCharacters,
    importance: 'high',
    group: 'Events',
    doc: 'Name of the database server in events and offsets, and what the names of all topics begin with. Never to be changed.',
  },
  'schema.include.list': {
    type: 'string',
    importance: 'high',
    group: 'Filters',
    doc: 'Schemas to capture: regular expressions for whole names, separated by commas. Left out: all but system schemas.',
  },
  'schema.exclude.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Schemas not to capture. Not together with schema.include.list.',
  },
  'table.include.list': {
    type: 'string',
    importance: 'high',
    group: 'Filters',
    doc: 'Tables to capture, in the order in which a snapshot reads them: regular expressions for `schema.table`, separated by commas. Left out: all.',
  },
  'table.exclude.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Tables not to capture. Not together with table.include.list.',
  },
  'table.ignore.builtin': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Filters',
    doc: 'Leaves out system schemas, temporary tables and `spatial_ref_sys` of PostGIS.',
  },
  'column.include.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Columns that events have: regular expressions for `schema.table.column`, separated by commas. Keys have theirs in any case.',
  },
  'column.exclude.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Columns that events do not have. Not together with column.include.list.',
  },
  'message.key.columns': {
    type: 'string',
    group: 'Events',
    doc:
      'Keys other than primary keys: `schema.table:column,column;schema.other:column`, with regular expressions for tables and ' +
      'columns. Updates and deletes need REPLICA IDENTITY FULL for them.',
  },
  'tombstones.on.delete': {
    type: 'boolean',
    default: true,
    group: 'Events',
    doc: 'Whether a delete is followed by a record with its key and no value, so that compaction drops the key.',
  },
  'skipped.operations': {
    type: 'list',
    default: ['t'],
    enum: operations,
    importance: 'low',
    group: 'Events',
    doc: 'What the stream brings no events of: `c` inserts, `u` updates, `d` deletes, `t` truncates; or `none`.',
  },
  'skip.messages.without.change': {
    type: 'boolean',
    default: false,
    group: 'Events',
    doc: 'Leaves out updates that changed none of the captured columns. Takes REPLICA IDENTITY FULL to be seen.',
  },
  'provide.transaction.metadata': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Events',
    doc: 'Numbers the events of a transaction, and writes its beginning and its end to the transaction topic.',
  },
  'extended.headers.enabled': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Events',
    doc: 'Headers `__debezium.context.*` that say which connector and task a record is of.',
  },
  'event.converting.failure.handling.mode': {
    type: 'string',
    default: 'warn',
    enum: ['fail', 'warn', 'skip'],
    group: 'Events',
    doc:
      'A value that cannot be put into its field: `fail` fails the task, `warn` puts null there and logs that once for a column, ' +
      '`skip` puts null there.',
  },
  'event.processing.failure.handling.mode': {
    type: 'string',
    default: 'fail',
    enum: ['fail', 'warn', 'skip'],
    group: 'Events',
    doc:
      'A change of the stream that no event can be made of: `fail` fails the task, `warn` leaves it out and logs which, `skip` leaves ' +
      'it out. Of single values `event.converting.failure.handling.mode` decides first.',
  },
  'message.prefix.include.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Prefixes of logical messages (pg_logical_emit_message) to capture: regular expressions. Left out: all.',
  },
  'message.prefix.exclude.list': {
    type: 'string',
    group: 'Filters',
    doc: 'Prefixes of logical messages not to capture. Not together with message.prefix.include.list.',
  },
  'signal.data.collection': {
    type: 'string',
    group: 'Filters',
    doc: 'Table for signals, `schema.table`: captured whatever the filters say.',
  },
  'snapshot.include.collection.list': {
    type: 'string',
    group: 'Snapshot',
    doc: 'Of the captured tables those to read in a snapshot: regular expressions for `schema.table`. Left out: all.',
  },
  'snapshot.select.statement.overrides': {
    type: 'string',
    group: 'Snapshot',
    doc:
      'Tables that a snapshot reads by a statement of one’s own, `schema.table` separated by commas. Each statement is in a setting ' +
      'of its own, `snapshot.select.statement.overrides.<schema>.<table>`.',
  },
  'topic.delimiter': {
    type: 'string',
    default: '.',
    pattern: topicCharacters,
    importance: 'low',
    group: 'Topics',
    doc: 'What parts prefix, schema and table in the names of topics.',
  },
  'topic.naming.strategy': {
    type: 'class',
    default: 'io.debezium.schema.SchemaTopicNamingStrategy',
    pattern: `^(io\\.debezium\\.schema\\.)?(${Object.keys(namingStrategies).join('|')})$`,
    importance: 'low',
    group: 'Topics',
    doc:
      'Names of topics: `SchemaTopicNamingStrategy` is prefix.schema.table, `DefaultTopicNamingStrategy` prefix.table, and with ' +
      'Unicode in the name (`SchemaUnicodeTopicNamingStrategy`) characters that Kafka refuses are escaped, not replaced. For names ' +
      'by a regular expression, use the transform RegexRouter.',
  },
  'topic.cache.size': {
    type: 'int',
    default: 10_000,
    minimum: 0,
    importance: 'low',
    group: 'Topics',
    doc: 'Taken for Debezium’s sake: a table’s topic is found once.',
  },
  'topic.transaction': {
    type: 'string',
    default: 'transaction',
    pattern: topicCharacters,
    importance: 'low',
    group: 'Topics',
    doc: 'Last part of the name of the transaction topic, after the prefix.',
  },
  'topic.heartbeat.prefix': {
    type: 'string',
    default: '__debezium-heartbeat',
    pattern: topicCharacters,
    importance: 'low',
    group: 'Topics',
    doc: 'First part of the name of the heartbeat topic, before the prefix.',
  },
  'topic.heartbeat.name': {
    type: 'string',
    pattern: '^[a-zA-Z0-9._-]*$',
    importance: 'low',
    group: 'Topics',
    doc: 'Whole name of the heartbeat topic, for several connectors that share one.',
  },
  'schema.name.adjustment.mode': {
    type: 'string',
    default: 'none',
    enum: ['none', 'avro', 'avro_unicode'],
    importance: 'low',
    group: 'Events',
    doc: 'Makes names of schemas such that Avro takes them: other characters become underscores, or escapes such as `_u002d`.',
  },
  'field.name.adjustment.mode': {
    type: 'string',
    default: 'none',
    enum: ['none', 'avro', 'avro_unicode'],
    importance: 'low',
    group: 'Events',
    doc: 'The same for names of fields. To be set with Avro converters where a column has such a name.',
  },
  'column.propagate.source.type': {
    type: 'string',
    group: 'Column rules',
    doc: 'Columns whose schemas tell their type, length and scale in the database, as parameters: expressions for `schema.table.column`.',
  },
  'datatype.propagate.source.type': {
    type: 'string',
    group: 'Column rules',
    doc: 'The same for all columns of a type: regular expressions for `schema.table.type`.',
  },
})

export type EventConfig = ConfigOf<typeof eventSettings>

/** Settings with a part of their own in the name, by their whole names: `column.mask.with.5.chars` and its like. */
export type NamedSettings = Readonly<Record<string, string>>

/** Rules across these settings. */
export function checkEvents(config: EventConfig, named: NamedSettings): ConfigProblems {
  const problems: Record<string, string[]> = {}
  const report = (setting: string, problem: string): void => {
    ;(problems[setting] ??= []).push(problem)
  }
  for (const [include, exclude] of opposites) {
    if (config[include] !== undefined && config[exclude] !== undefined) {
      report(exclude, `cannot be set together with ${include}; an include list leaves out all else by itself`)
    }
  }
  for (const setting of [...opposites.flat(), 'snapshot.include.collection.list'] as const) {
    tryOut(setting, () => new NamePatterns(config[setting] ?? ''), report)
  }
  tryOut('message.key.columns', () => parseKeyColumns(config['message.key.columns'] ?? ''), report)
  for (const [name, list] of Object.entries(columnRuleSettings(config, named))) {
    if (list !== undefined) tryOut(name, () => new ColumnRules({ [name]: list }), report)
  }
  const skipped = config['skipped.operations']
  if (skipped.includes('none') && skipped.length > 1) report('skipped.operations', '`none` goes alone')
  for (const table of overriddenTables(config)) {
    const setting = `snapshot.select.statement.overrides.${table}`
    if (named[setting] === undefined) report('snapshot.select.statement.overrides', `${setting} is missing`)
  }
  return problems
}

/** The settings that column rules are made of, by their names. */
export function columnRuleSettings(
  config: EventConfig,
  named: NamedSettings,
): Readonly<Record<string, string | undefined>> {
  return {
    'column.propagate.source.type': config['column.propagate.source.type'],
    'datatype.propagate.source.type': config['datatype.propagate.source.type'],
    ...named,
  }
}

/** The tables that a snapshot reads by a statement, as they are written. */
export function overriddenTables(config: EventConfig): string[] {
  const list = config['snapshot.select.statement.overrides'] ?? ''
  return list
    .split(',')
    .map((table) => table.trim())
    .filter((table) => table !== '')
}

const opposites = [
  ['schema.include.list', 'schema.exclude.list'],
  ['table.include.list', 'table.exclude.list'],
  ['column.include.list', 'column.exclude.list'],
  ['message.prefix.include.list', 'message.prefix.exclude.list'],
] as const

function tryOut(setting: string, make: () => unknown, report: (setting: string, problem: string) => void): void {
  try {
    make()
  } catch (error) {
    report(setting, (error as Error).message)
  }
}
