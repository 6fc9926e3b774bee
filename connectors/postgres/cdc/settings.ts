import { defineConfig } from '@tidewire/sdk'

/** Slot, publication and what the stream is asked for. */
export const replicationSettings = defineConfig({
  'plugin.name': {
    type: 'string',
    default: 'pgoutput',
    enum: ['pgoutput', 'decoderbufs'],
    group: 'Replication',
    doc: 'Output plugin of the slot. `pgoutput`, which every server has; Debezium’s own default, `decoderbufs`, is refused.',
  },
  'slot.name': {
    type: 'string',
    default: 'debezium',
    pattern: '^[a-z0-9_]{1,63}$',
    importance: 'high',
    group: 'Replication',
    doc: 'Replication slot. Each connector needs one of its own; it is made where it does not exist.',
  },
  'slot.drop.on.stop': {
    type: 'boolean',
    default: false,
    group: 'Replication',
    doc: 'Drops the slot when the connector stops. What changes until it starts again is lost: for tests only.',
  },
  'slot.failover': {
    type: 'boolean',
    default: false,
    group: 'Replication',
    doc: 'Makes the slot one that is synchronised to standbys (PostgreSQL 17 and later), so that it survives a failover.',
  },
  'slot.stream.params': {
    type: 'string',
    group: 'Replication',
    doc: 'Further options of the output plugin, `name=value;name=value`.',
  },
  'slot.max.retries': {
    type: 'int',
    default: 6,
    minimum: 0,
    importance: 'low',
    group: 'Replication',
    doc: 'How often it is tried to begin streaming while another session still holds the slot.',
  },
  'slot.retry.delay.ms': {
    type: 'long',
    default: 10_000,
    minimum: 0,
    importance: 'low',
    group: 'Replication',
    doc: 'Milliseconds between these tries.',
  },
  'publication.name': {
    type: 'string',
    default: 'dbz_publication',
    importance: 'high',
    group: 'Replication',
    doc: 'Publication that says which tables are streamed.',
  },
  'publication.autocreate.mode': {
    type: 'string',
    default: 'all_tables',
    enum: ['all_tables', 'disabled', 'filtered', 'no_tables'],
    group: 'Replication',
    doc:
      'What becomes of a publication that does not exist: made for all tables (takes a superuser), not made (the connector ' +
      'fails), made for the captured tables (and set to them at each start), or made with none.',
  },
  'publish.via.partition.root': {
    type: 'boolean',
    default: false,
    group: 'Replication',
    doc: 'Changes of partitions are told as of the partitioned table, where the publication is made by the connector.',
  },
  'replica.identity.autoset.values': {
    type: 'string',
    group: 'Replication',
    doc: 'Replica identities to set at the start: `schema.table:FULL,other.*:INDEX name`; regular expressions for whole names.',
  },
  'status.update.interval.ms': {
    type: 'int',
    default: 10_000,
    minimum: 100,
    importance: 'low',
    group: 'Replication',
    doc: 'Milliseconds between reports to the server of how far the connector has come.',
  },
  'lsn.flush.mode': {
    type: 'string',
    default: 'connector_and_driver',
    enum: ['connector', 'manual', 'connector_and_driver'],
    group: 'Replication',
    doc:
      'What is confirmed to the server, so that it can drop WAL: `connector` the end of the last transaction that is in the ' +
      'log; `connector_and_driver` also what came since without a change to capture, once that position is stored as offset; ' +
      '`manual` nothing: somebody else advances the slot.',
  },
  'flush.lsn.source': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Replication',
    doc: '`false` is the older way to say `lsn.flush.mode=manual`.',
  },
  'offset.mismatch.strategy': {
    type: 'string',
    default: 'trust_offset',
    enum: ['no_validation', 'trust_offset', 'trust_slot', 'trust_greater_lsn'],
    group: 'Replication',
    doc:
      'Where the slot has gone beyond the stored offset, changes are missing: `trust_offset` fails and says so; `trust_slot`, ' +
      '`trust_greater_lsn` and `no_validation` go on from the slot.',
  },
  'xmin.fetch.interval.ms': {
    type: 'long',
    default: 0,
    minimum: 0,
    importance: 'low',
    group: 'Replication',
    doc: 'How often the slot’s xmin is read, for `source.xmin`. 0: never, and the field is null.',
  },
})

export const snapshotSettings = defineConfig({
  'snapshot.mode': {
    type: 'string',
    default: 'initial',
    enum: ['always', 'initial', 'initial_only', 'no_data', 'never', 'when_needed', 'configuration_based'],
    importance: 'high',
    group: 'Snapshot',
    doc:
      'When the tables are read as they are: once, before the stream begins (`initial`), without a stream (`initial_only`), ' +
      'at each start (`always`), never (`no_data`, or `never`), or where there is no offset or the slot cannot go on from it ' +
      '(`when_needed`).',
  },
  'snapshot.mode.configuration.based.snapshot.data': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Snapshot',
    doc: 'With `configuration_based`: whether rows are read.',
  },
  'snapshot.mode.configuration.based.snapshot.schema': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Snapshot',
    doc: 'With `configuration_based`: has no effect here, since schemas are read in any case.',
  },
  'snapshot.mode.configuration.based.start.stream': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Snapshot',
    doc: 'With `configuration_based`: whether changes are streamed.',
  },
  'snapshot.mode.configuration.based.snapshot.on.schema.error': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Snapshot',
    doc: 'With `configuration_based`: has no effect here, since no history of schemas is kept.',
  },
  'snapshot.mode.configuration.based.snapshot.on.data.error': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Snapshot',
    doc: 'With `configuration_based`: whether rows are read anew where the slot cannot go on from the offset.',
  },
  'snapshot.isolation.mode': {
    type: 'string',
    default: 'serializable',
    enum: ['serializable', 'repeatable_read', 'read_committed', 'read_uncommitted'],
    importance: 'low',
    group: 'Snapshot',
    doc:
      'Taken for Debezium’s sake. The tables are always read as of the very position at which the stream begins ' +
      '(REPEATABLE READ with an exported snapshot), which all four allow.',
  },
  'snapshot.locking.mode': {
    type: 'string',
    default: 'none',
    enum: ['none', 'shared'],
    importance: 'low',
    group: 'Snapshot',
    doc: '`shared` locks the tables against changes of their structure (ACCESS SHARE) while they are read.',
  },
  'snapshot.lock.timeout.ms': {
    type: 'long',
    default: 10_000,
    minimum: 0,
    importance: 'low',
    group: 'Snapshot',
    doc: 'How long such a lock is waited for.',
  },
  'snapshot.max.threads': {
    type: 'int',
    default: 1,
    minimum: 1,
    maximum: 64,
    group: 'Snapshot',
    doc: 'Connections that read tables, and parts of large ones, at the same time. With more than one the order of rows is not that of the table.',
  },
  'snapshot.tables.order.by.row.count': {
    type: 'string',
    default: 'disabled',
    enum: ['disabled', 'ascending', 'descending'],
    importance: 'low',
    group: 'Snapshot',
    doc: 'Order in which tables are read: by their estimated rows, or by name.',
  },
  'snapshot.fetch.size': {
    type: 'int',
    default: 10_240,
    minimum: 1,
    importance: 'low',
    group: 'Snapshot',
    doc: 'Taken for Debezium’s sake: rows come as fast as they are wanted, without a cursor.',
  },
  'snapshot.delay.ms': {
    type: 'long',
    default: 0,
    minimum: 0,
    importance: 'low',
    group: 'Snapshot',
    doc: 'Milliseconds to wait before a snapshot begins.',
  },
  'streaming.delay.ms': {
    type: 'long',
    default: 0,
    minimum: 0,
    importance: 'low',
    group: 'Snapshot',
    doc: 'Milliseconds to wait between the snapshot and the stream.',
  },
})

export const pacingSettings = defineConfig({
  'max.batch.size': {
    type: 'int',
    default: 2048,
    minimum: 1,
    group: 'Batches',
    doc: 'Most changes in a batch.',
  },
  'max.queue.size': {
    type: 'int',
    default: 8192,
    minimum: 1,
    importance: 'low',
    group: 'Batches',
    doc: 'Taken for Debezium’s sake: what waits is bounded by bytes (`max.queue.size.in.bytes`).',
  },
  'max.queue.size.in.bytes': {
    type: 'long',
    default: 0,
    minimum: 0,
    importance: 'low',
    group: 'Batches',
    doc: 'Most bytes of changes that wait in the connector. 0: a quarter of what the worker lets a task buffer.',
  },
  'poll.interval.ms': {
    type: 'long',
    default: 500,
    minimum: 1,
    importance: 'low',
    group: 'Batches',
    doc: 'Taken for Debezium’s sake: changes are passed on when they come, and not at intervals.',
  },
  'heartbeat.interval.ms': {
    type: 'int',
    default: 0,
    minimum: 0,
    group: 'Heartbeat',
    doc: 'Milliseconds between heartbeat records. 0: none. They are not needed for the server to drop WAL: see `lsn.flush.mode`.',
  },
  'heartbeat.action.query': {
    type: 'string',
    group: 'Heartbeat',
    doc: 'SQL statement carried out in the database at each heartbeat.',
  },
})

const inert = (doc: string) => ({ type: 'string', importance: 'low', group: 'Taken for Debezium’s sake', doc }) as const

/** Settings of Debezium that change nothing here, with why. */
export const inertSettings = defineConfig({
  'schema.refresh.mode': inert('The stream itself says when the structure of a table has changed.'),
  'lsn.flush.timeout.ms': inert('What is confirmed is sent with the next status, and never waited for.'),
  'lsn.flush.timeout.action': inert('See `lsn.flush.timeout.ms`.'),
  'errors.max.retries': inert('How often a failed task is begun again is the worker’s to say.'),
  'retriable.restart.connector.wait.ms': inert('See `errors.max.retries`.'),
  'poll.dispatch.interval.ms': inert('Changes are passed on when they come.'),
  'query.fetch.size': inert('Rows come as fast as they are wanted, without a cursor.'),
  'snapshot.query.mode': inert('Whole rows are read, but for `snapshot.select.statement.overrides`.'),
  'snapshot.max.threads.multiplier': inert('Parts of a table go to whichever connection is free.'),
  'legacy.snapshot.max.threads': inert('See `snapshot.max.threads.multiplier`.'),
  'read.only': inert(
    'Nothing is ever written to the database but slot, publication and what `heartbeat.action.query` says.',
  ),
  'include.schema.changes': inert('PostgreSQL’s stream tells no statements; Debezium’s connector has none either.'),
  'custom.metric.tags': inert('Metrics have the names of connector and task.'),
  'statistics.metrics.enabled': inert('Metrics cost nothing to speak of.'),
  'advanced.metrics.enable': inert('Metrics cost nothing to speak of.'),
  'connection.validation.timeout.ms': inert('A deep validation has ten seconds.'),
  'executor.shutdown.timeout.ms': inert('The worker’s `task.shutdown.graceful.timeout.ms` says it.'),
  'guardrail.collections.max': inert('Tables take no memory to speak of.'),
  'guardrail.collections.limit.action': inert('See `guardrail.collections.max`.'),
})
