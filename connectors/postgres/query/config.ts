import { ConfigError, defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'
import { addressOfUrl } from '../link/connection-url.ts'
import type { Address } from '../link/connection-settings.ts'

/** Confluent's names and defaults, but for the group `Guarantees`, which is ours. */
export const querySettings = defineConfig({
  'connection.url': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Where the database is, as JDBC writes it: `jdbc:postgresql://host:5432/database`, with parameters such as `sslmode`.',
  },
  'connection.user': { type: 'string', importance: 'high', group: 'Connection', doc: 'User to log in as.' },
  'connection.password': { type: 'password', importance: 'high', group: 'Connection', doc: 'Password of that user.' },
  'connection.attempts': {
    type: 'int',
    default: 3,
    minimum: 1,
    importance: 'low',
    group: 'Connection',
    doc: 'Taken for Confluent’s sake. What may pass by itself is tried again for as long as it takes.',
  },
  'connection.backoff.ms': {
    type: 'long',
    default: 10_000,
    minimum: 0,
    importance: 'low',
    group: 'Connection',
    doc: 'Taken for Confluent’s sake. The pauses between attempts are the worker’s.',
  },
  'query.retry.attempts': {
    type: 'int',
    default: -1,
    minimum: -1,
    importance: 'low',
    group: 'Connection',
    doc: 'Taken for Confluent’s sake. What may pass by itself is tried again for as long as it takes, anything else fails the task.',
  },
  'dialect.name': {
    type: 'string',
    default: '',
    enum: ['', 'PostgreSqlDatabaseDialect'],
    importance: 'low',
    group: 'Connection',
    doc: 'Taken for Confluent’s sake: there is one.',
  },

  'catalog.pattern': {
    type: 'string',
    group: 'Tables',
    doc: 'Pattern (LIKE) that the database has to match. Left out: any.',
  },
  'schema.pattern': {
    type: 'string',
    group: 'Tables',
    doc: 'Pattern (LIKE) of the schemas whose tables are read. Left out: all but those of the system.',
  },
  'table.types': {
    type: 'list',
    default: ['TABLE'],
    enum: ['TABLE', 'PARTITIONED TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE'],
    importance: 'low',
    group: 'Tables',
    doc: 'Kinds of tables that are read. Partitions are tables of their own; `PARTITIONED TABLE` stands for the whole.',
  },
  'table.whitelist': {
    type: 'list',
    default: [],
    group: 'Tables',
    doc: 'Tables to read, as `table`, `schema.table` or `database.schema.table`. Left out: all.',
  },
  'table.blacklist': { type: 'list', default: [], group: 'Tables', doc: 'Tables not to read, by the same names.' },
  'table.include.list': {
    type: 'list',
    default: [],
    group: 'Tables',
    doc: 'Tables to read: regular expressions for the whole of `table`, `schema.table` or `database.schema.table`.',
  },
  'table.exclude.list': { type: 'list', default: [], group: 'Tables', doc: 'Tables not to read: such expressions.' },
  'table.poll.interval.ms': {
    type: 'long',
    default: 60_000,
    minimum: 1,
    importance: 'low',
    group: 'Tables',
    doc: 'How often to look for tables that have come or gone. A new one is read by one of the running tasks.',
  },
  query: {
    type: 'string',
    default: '',
    group: 'Tables',
    doc:
      'A query to read instead of tables. It is put into brackets as it is, so it may have conditions, joins and groups; ' +
      'the columns that tell what is new have to be in its result, once.',
  },
  'query.masked': {
    type: 'password',
    default: '',
    group: 'Tables',
    doc: 'The same, for a query that nobody is to see.',
  },
  'query.suffix': {
    type: 'string',
    default: '',
    importance: 'low',
    group: 'Tables',
    doc: 'Put at the end of each statement, such as `LIMIT 1000`. In mode timestamp a LIMIT may cut rows of one timestamp in two: the second half is lost.',
  },
  'quote.sql.identifiers': {
    type: 'string',
    default: 'always',
    enum: ['always', 'never'],
    group: 'Tables',
    doc: '`never`: names of columns in settings are meant as SQL means them without quotes, in lower case.',
  },

  mode: {
    type: 'string',
    required: true,
    enum: ['bulk', 'incrementing', 'timestamp', 'timestamp+incrementing'],
    importance: 'high',
    group: 'Mode',
    doc:
      'What is read at each poll: everything (`bulk`), rows with a greater number in a column that only grows (`incrementing`), ' +
      'rows with a later time in a column that each write sets (`timestamp`), or both, by the time first (`timestamp+incrementing`).',
  },
  'incrementing.column.name': {
    type: 'string',
    default: '',
    group: 'Mode',
    doc: 'The column that only grows: smallint, integer, bigint, or numeric without fraction. Left out: the one column of a table with an identity or a sequence.',
  },
  'incrementing.column.mapping': {
    type: 'list',
    default: [],
    group: 'Mode',
    doc: 'The same for each table: `regex:column`, separated by commas; the first expression that covers the table’s name counts.',
  },
  'timestamp.column.name': {
    type: 'list',
    default: [],
    group: 'Mode',
    doc: 'The column that each write sets: timestamp or timestamptz. Of several, separated by commas, the first that is not null counts.',
  },
  'timestamp.columns.mapping': {
    type: 'list',
    default: [],
    group: 'Mode',
    doc: 'The same for each table: `regex:[column|column]`, separated by commas.',
  },
  'timestamp.initial': {
    type: 'long',
    minimum: -1,
    importance: 'low',
    group: 'Mode',
    doc: 'Rows after this time are read at first, in milliseconds since 1970; -1: after the start. Left out: all.',
  },
  'timestamp.delay.interval.ms': {
    type: 'long',
    default: 0,
    minimum: 0,
    importance: 'high',
    group: 'Mode',
    doc:
      'Rows are read when they are so old. Has to be longer than a transaction takes from its beginning, which now() gives, ' +
      'to its first write to the table, and than clocks of clients that set the time are late.',
  },
  'validate.non.null': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Mode',
    doc: 'Refuses tables in which the incrementing column, or all timestamp columns, may be null: such rows are never read.',
  },
  'late.commits': {
    type: 'string',
    default: 'wait',
    enum: ['wait', 'ignore'],
    group: 'Guarantees',
    doc:
      '`wait`: before rows are read, transactions that are writing to the same table are waited for, since what they commit ' +
      'may lie before rows that are there already, and would be passed over. `ignore`: as Confluent’s connector, which loses such rows.',
  },

  'topic.prefix': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Records',
    doc: 'What the topic of a table is called before the table’s name; of a query the whole name.',
  },
  'key.mode': {
    type: 'string',
    default: 'none',
    enum: ['none', 'primary_key'],
    group: 'Records',
    doc: '`none`: records have no key, as Confluent’s; transforms (ValueToKey) may make one. `primary_key`: a struct of the columns of the table’s primary key.',
  },
  'numeric.mapping': {
    type: 'string',
    enum: ['none', 'precision_only', 'best_fit', 'best_fit_eager_double'],
    group: 'Records',
    doc:
      'What numeric becomes. `none`: Decimal. `precision_only`: integers of up to 18 digits become int8 to int64. `best_fit`: and ' +
      'those with a fraction, of up to 18 digits, float64. `best_fit_eager_double`: all with a fraction. Without a declared ' +
      'precision: io.debezium.data.VariableScaleDecimal, which keeps all digits, or float64 with best_fit_eager_double. Default none.',
  },
  'numeric.precision.mapping': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Records',
    doc: 'The older form of numeric.mapping=precision_only.',
  },
  'timestamp.granularity': {
    type: 'string',
    default: 'connect_logical',
    enum: [
      'connect_logical',
      'micros_long',
      'micros_string',
      'micros_iso_datetime_string',
      'nanos_long',
      'nanos_string',
      'nanos_iso_datetime_string',
    ],
    importance: 'low',
    group: 'Records',
    doc: 'What timestamps become: Connect’s Timestamp, which has milliseconds, or since 1970 a number, its text, or `2026-01-31T12:34:56.123456` in db.timezone.',
  },
  'db.timezone': {
    type: 'string',
    default: 'UTC',
    group: 'Records',
    doc: 'Time zone that columns without one (timestamp) are in.',
  },
  'transaction.isolation.mode': {
    type: 'string',
    default: 'DEFAULT',
    enum: ['DEFAULT', 'READ_UNCOMMITTED', 'READ_COMMITTED', 'REPEATABLE_READ', 'SERIALIZABLE'],
    importance: 'low',
    group: 'Polling',
    doc: 'Isolation of the transaction that reads. Each poll is one statement, which sees one state of the database in any case.',
  },
  'poll.interval.ms': {
    type: 'int',
    default: 5_000,
    minimum: 1,
    importance: 'high',
    group: 'Polling',
    doc: 'How long after a poll of a table the next one follows.',
  },
  'batch.max.rows': {
    type: 'int',
    default: 1_000,
    minimum: 1,
    importance: 'low',
    group: 'Polling',
    doc: 'Rows of a batch. Rows come as they are wanted, so a table of any size takes little memory.',
  },
  'task.share': {
    type: 'string',
    pattern: '^\\d+/[1-9]\\d*$',
    importance: 'low',
    group: 'Polling',
    doc: 'Set by the connector for its tasks: which of how many.',
  },
  'task.tables': {
    type: 'string',
    importance: 'low',
    group: 'Polling',
    doc: 'Set by the connector for its tasks: the tables that it divides among them, as JSON.',
  },
})

export type QueryConfig = ConfigOf<typeof querySettings>

/** Of Confluent's and Aiven's connectors. */
export const unsupportedSettings: Readonly<Record<string, string>> = {
  'incrementing.relaxed.monotonic': 'late.commits=wait loses nothing, without a delay',
  'incrementing.initial': 'set the offset by PATCH /connectors/{name}/offsets',
  'timestamp.initial.ms': 'is called timestamp.initial here',
  'table.names.qualify': 'offsets have qualified names, and those of Aiven’s connector are found',
  'sql.quote.identifiers': 'is called quote.sql.identifiers here',
  'query.timeout.ms': 'a parameter of the connection does it: options=-c statement_timeout=60s in connection.url',
  'change.tracking*': 'belongs to SQL Server',
}

/** The query, without what would end it early; undefined where tables are read. */
export function queryOf(config: Pick<QueryConfig, 'query' | 'query.masked'>): string | undefined {
  const given = config['query.masked'] === '' ? config.query : config['query.masked']
  const query = given.trim().replace(/\s*;$/, '')
  return query === '' ? undefined : query
}

/** @throws ConfigError */
export function addressOf(config: QueryConfig, connector: string): Address {
  const { 'connection.user': user, 'connection.password': password } = config
  return addressOfUrl(config['connection.url'], { user, password }, `tidewire ${connector}`)
}

export const readsTimestamps = ({ mode }: Pick<QueryConfig, 'mode'>): boolean => mode.startsWith('timestamp')
export const readsIncrementing = ({ mode }: Pick<QueryConfig, 'mode'>): boolean => mode.endsWith('incrementing')

/** A column, or columns, for the tables that an expression covers. */
export interface ColumnMapping {
  readonly tables: RegExp
  readonly columns: readonly string[]
}

/** `regex:column`, `regex:[column|column]`. @throws TypeError with what is wrong */
export function columnMappings(list: readonly string[]): ColumnMapping[] {
  return list.map((entry) => {
    const colon = entry.lastIndexOf(':')
    const columns = entry
      .slice(colon + 1)
      .replace(/^\[(.*)\]$/, '$1')
      .split('|')
      .map((column) => column.trim())
    if (colon < 1 || columns.includes('')) throw new TypeError(`'${entry}' is not of the form regex:column`)
    return { tables: wholeName(entry.slice(0, colon)), columns }
  })
}

/** @throws TypeError */
export function wholeName(expression: string): RegExp {
  try {
    return new RegExp(`^(?:${expression.trim()})$`)
  } catch (cause) {
    throw new TypeError(`'${expression}' is not a regular expression: ${(cause as Error).message}`, { cause })
  }
}

/** Rules across settings. */
export function checkQuery(config: QueryConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const attempt = (setting: string, act: () => unknown): void => {
    try {
      act()
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError || error instanceof ConfigError)) throw error
      problems[setting] = error.message
    }
  }
  attempt('connection.url', () => addressOf(config, ''))
  attempt('db.timezone', () => new Intl.DateTimeFormat('en', { timeZone: config['db.timezone'] }))
  for (const list of ['table.include.list', 'table.exclude.list'] as const) {
    attempt(list, () => config[list].map(wholeName))
  }
  for (const list of ['incrementing.column.mapping', 'timestamp.columns.mapping'] as const) {
    attempt(list, () => columnMappings(config[list]))
  }
  Object.assign(problems, checkTables(config), checkMode(config))
  return problems
}

const tableLists = ['table.whitelist', 'table.blacklist', 'table.include.list', 'table.exclude.list'] as const

function checkTables(config: QueryConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const given = tableLists.filter((list) => config[list].length > 0)
  if (queryOf(config) !== undefined) {
    for (const list of given) problems[list] = 'a query is read instead of tables: leave one of the two out'
    if (config.query !== '' && config['query.masked'] !== '') problems['query'] = 'query.masked is set too'
    if (config['key.mode'] === 'primary_key') problems['key.mode'] = 'a query has no primary key: use ValueToKey'
  }
  // Two lists of the same kind, or one that includes and one that excludes by other rules.
  if (given.length > 1 && !(given.length === 2 && given[0] === 'table.include.list')) {
    problems[given[1]!] = `not together with ${given[0]!}`
  }
  return problems
}

function checkMode(config: QueryConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const isQuery = queryOf(config) !== undefined
  if (readsTimestamps(config)) {
    const hasMapping = config['timestamp.columns.mapping'].length > 0
    if (config['timestamp.column.name'].length === 0 && (isQuery || !hasMapping)) {
      problems['timestamp.column.name'] = `mode ${config.mode} needs a timestamp column`
    }
    if (config['timestamp.column.name'].length > 0 && hasMapping) {
      problems['timestamp.columns.mapping'] = 'not together with timestamp.column.name'
    }
  }
  if (readsIncrementing(config)) {
    if (isQuery && config['incrementing.column.name'] === '') {
      problems['incrementing.column.name'] = 'the incrementing column of a query has to be named'
    }
    if (config['incrementing.column.name'] !== '' && config['incrementing.column.mapping'].length > 0) {
      problems['incrementing.column.mapping'] = 'not together with incrementing.column.name'
    }
  }
  return problems
}
