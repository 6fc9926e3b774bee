import { defineConfig, type ConfigOf } from '@tidewire/sdk'

const connection = defineConfig({
  'connection.url': {
    type: 'string',
    required: true,
    importance: 'high',
    group: 'Connection',
    doc: 'Database to write to: `jdbc:postgresql://host:port/database?parameters`, or `postgresql://…`. Parameters are those of the JDBC driver and of libpq: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `currentSchema`, `options`, `ApplicationName`. Never a password, since the URL is shown.',
  },
  'connection.user': { type: 'string', importance: 'high', group: 'Connection', doc: 'User to log in as.' },
  'connection.username': {
    type: 'string',
    importance: 'low',
    group: 'Connection',
    doc: "Debezium's name of connection.user.",
  },
  'connection.password': { type: 'password', importance: 'high', group: 'Connection', doc: 'Password of that user.' },
  'dialect.name': {
    type: 'string',
    enum: ['PostgreSqlDatabaseDialect'],
    importance: 'low',
    group: 'Connection',
    doc: 'There is one dialect; taken so that configs need no change.',
  },
  'max.retries': {
    type: 'int',
    minimum: 0,
    importance: 'low',
    group: 'Connection',
    doc: 'How many times in a row a batch may fail for a passing reason (connection lost, deadlock, disk full) before the task fails. Left out: it is tried, with growing pauses, for as long as it takes.',
  },
})

const writes = defineConfig({
  'insert.mode': {
    type: 'string',
    enum: ['insert', 'upsert', 'update'],
    default: 'insert',
    importance: 'high',
    group: 'Writes',
    doc: '`insert`: a row for each record. `upsert`: a row for each key, inserted or changed; writing a record again changes nothing. `update`: only rows that are there are changed.',
  },
  'batch.size': {
    type: 'int',
    minimum: 1,
    default: 3000,
    group: 'Writes',
    doc: 'Most rows that one statement writes.',
  },
  'delete.enabled': {
    type: 'boolean',
    default: false,
    group: 'Writes',
    doc: 'Whether a record without a value (a tombstone), or a change event of a delete, deletes the row of its key. Needs pk.mode=record_key. Otherwise such records are passed over.',
  },
  'truncate.enabled': {
    type: 'boolean',
    default: false,
    group: 'Writes',
    doc: 'Whether a change event of a truncate empties the table. Otherwise it is passed over.',
  },
  'exactly.once': {
    type: 'boolean',
    default: false,
    group: 'Writes',
    doc: 'Whether each record is written once even after a crash: the positions in the topics are kept in the database, in the transaction of the rows, and count more than those of the consumer group. An older task that is still about can write nothing more.',
  },
  'offsets.table.name': {
    type: 'string',
    default: '_tidewire_offsets',
    importance: 'low',
    group: 'Writes',
    doc: 'With exactly.once, the table of these positions, `table` or `schema.table`. It is made where it does not exist.',
  },
  'table.types': {
    type: 'list',
    enum: ['TABLE', 'PARTITIONED TABLE', 'VIEW', 'FOREIGN TABLE'],
    default: ['TABLE', 'PARTITIONED TABLE'],
    importance: 'low',
    group: 'Writes',
    doc: 'What may be written to.',
  },
})

const mapping = defineConfig({
  'table.name.format': {
    type: 'string',
    importance: 'medium',
    group: 'Data mapping',
    doc: 'Table of a record; left out, `${topic}`. `${topic}` stands for its topic, in which a dot comes between schema and table; `${source.schema}`, `${source.table}` and `${source.db}` for what a change event says of its origin.',
  },
  'collection.name.format': {
    type: 'string',
    group: 'Data mapping',
    doc: "Debezium's form of table.name.format: dots in the topic become underscores.",
  },
  'pk.mode': {
    type: 'string',
    enum: ['none', 'kafka', 'record_key', 'record_value'],
    importance: 'high',
    group: 'Data mapping',
    doc: 'Where the primary key is from; left out, `none`. `kafka`: topic, partition and offset. `record_key`: the key, a struct or a single value. `record_value`: fields of the value.',
  },
  'primary.key.mode': {
    type: 'string',
    enum: ['none', 'kafka', 'record_key', 'record_value'],
    importance: 'low',
    group: 'Data mapping',
    doc: "Debezium's name of pk.mode.",
  },
  'pk.fields': {
    type: 'list',
    group: 'Data mapping',
    doc: 'Fields of the primary key. Left out: all of the key or the value; for `kafka` `__connect_topic`, `__connect_partition`, `__connect_offset`. A key that is a single value needs its column named here.',
  },
  'primary.key.fields': {
    type: 'list',
    importance: 'low',
    group: 'Data mapping',
    doc: "Debezium's name of pk.fields.",
  },
  'fields.whitelist': {
    type: 'list',
    group: 'Data mapping',
    doc: 'Fields of the value to write, apart from the primary key. Left out: all.',
  },
  'replace.null.with.default': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Data mapping',
    doc: "Whether a null in a field whose schema has a default is written as the default. Change events' nulls stay nulls in any case.",
  },
  'unavailable.value.placeholder': {
    type: 'string',
    default: '__debezium_unavailable_value',
    importance: 'low',
    group: 'Data mapping',
    doc: 'What stands in a change event for a value that the update has not changed and that the database therefore did not tell (TOAST): such a column is left as it is.',
  },
  'db.timezone': {
    type: 'string',
    default: 'UTC',
    group: 'Data mapping',
    doc: "Time zone whose wall clock Kafka Connect's Timestamp shows in a column without one (timestamp). In timestamptz it is the instant itself.",
  },
  'date.timezone': {
    type: 'string',
    enum: ['UTC'],
    default: 'UTC',
    importance: 'low',
    group: 'Data mapping',
    doc: 'A date is written as it is, whatever db.timezone says.',
  },
  'timestamp.fields.list': {
    type: 'list',
    importance: 'low',
    group: 'Data mapping',
    doc: 'Fields of integers since the epoch (see timestamp.precision.mode), or of texts, that are timestamps.',
  },
  'timestamp.precision.mode': {
    type: 'string',
    enum: ['microseconds', 'nanoseconds'],
    default: 'microseconds',
    importance: 'low',
    group: 'Data mapping',
    doc: 'Unit of the integers in timestamp.fields.list.',
  },
})

const tables = defineConfig({
  'auto.create': {
    type: 'boolean',
    default: false,
    group: 'Tables',
    doc: "Whether a table that does not exist is made, by the records' schema.",
  },
  'auto.evolve': {
    type: 'boolean',
    default: false,
    group: 'Tables',
    doc: 'Whether columns that a table lacks are added. Nothing is ever dropped or given another type.',
  },
  'schema.evolution': {
    type: 'string',
    enum: ['none', 'basic'],
    importance: 'low',
    group: 'Tables',
    doc: "Debezium's setting: `basic` stands for auto.create and auto.evolve.",
  },
  'quote.sql.identifiers': {
    type: 'string',
    enum: ['always', 'never'],
    importance: 'low',
    group: 'Tables',
    doc: '`always` (when left out): names are taken in their own case. `never`: in lower case, as PostgreSQL takes names that are not quoted.',
  },
  'quote.identifiers': {
    type: 'boolean',
    importance: 'low',
    group: 'Tables',
    doc: "Debezium's form of quote.sql.identifiers.",
  },
})

/** All settings of `postgres-sink`. */
export const sinkSettings = defineConfig({ ...connection, ...writes, ...mapping, ...tables })

export type PostgresSinkConfig = ConfigOf<typeof sinkSettings>

/** Settings of the connectors that this one stands in for, and that it lacks. */
export const unsupportedSettings: Readonly<Record<string, string>> = {
  'connection.provider': 'there is no JDBC: connection.url and its parameters say all',
  'db.timezone.date': 'a date is written as it is',
  'table.name.normalize': 'name the table in table.name.format, or rename topics with a RegexRouter transform',
  'topics.to.tables.mapping': 'rename topics with a RegexRouter transform',
  'collection.naming.strategy': 'no Java classes are run: use table.name.format, or a RegexRouter transform',
  'table.naming.strategy': 'no Java classes are run: use table.name.format, or a RegexRouter transform',
  'column.naming.strategy': 'no Java classes are run: rename fields with a ReplaceField transform',
  'collection.table.format': 'use table.name.format with ${source.schema} and ${source.table}',
  'column.naming.style': 'rename fields with a ReplaceField transform',
  'field.include.list': 'use fields.whitelist, or a ReplaceField transform',
  'field.exclude.list': 'use a ReplaceField transform',
  'use.time.zone': 'use db.timezone; values with a zone of their own keep their instant',
  'database.time_zone': 'use db.timezone; values with a zone of their own keep their instant',
  'dialect.postgres.postgis.schema': 'add the schema of PostGIS to the search path: currentSchema in connection.url',
  'cloud.events.schema.name.pattern': 'unwrap CloudEvents with an ExtractField transform',
}
