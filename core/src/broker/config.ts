import { defineConfig, type ConfigOf, type Setting } from '@tidewire/sdk'
import { securitySettings } from './security-settings.ts'

const hour = 3_600_000

/** The broker's settings, with Kafka's names. Defaults are Kafka's unless the text says otherwise. */
export const brokerSettings = defineConfig({
  'auto.create.topics.enable': {
    type: 'boolean',
    default: true,
    doc: 'Make a topic when a client asks for one that does not exist.',
  },
  'num.partitions': { type: 'int', default: 1, minimum: 1, doc: 'Partitions of a topic made without a number.' },
  'delete.topic.enable': { type: 'boolean', default: true, doc: 'Let clients delete topics.' },
  'max.partitions.per.topic': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    doc: 'Most partitions of one topic; not a setting of Kafka.',
  },
  'log.flush.policy': {
    type: 'string',
    default: 'commit',
    enum: ['commit', 'interval', 'os'],
    importance: 'high',
    doc: 'When records acknowledged with acks=all are on disk: commit, before the answer; interval, soon after; os, when the system writes them. Not a setting of Kafka.',
  },
  'message.max.bytes': {
    type: 'int',
    default: 1_048_588,
    minimum: 0,
    doc: 'Largest record batch that is accepted; max.message.bytes of a topic goes before it.',
  },
  'log.segment.bytes': { type: 'int', default: 1_073_741_824, minimum: 1024, doc: 'Size of a segment file.' },
  'log.roll.ms': { type: 'long', default: 168 * hour, minimum: 1, doc: 'Age at which a segment is closed.' },
  'log.retention.ms': { type: 'long', default: 168 * hour, minimum: -1, doc: 'Age at which segments go; -1: never.' },
  'log.retention.bytes': {
    type: 'long',
    default: -1,
    minimum: -1,
    doc: 'Size of a partition above which its oldest segments go; -1: no limit.',
  },
  'log.cleanup.policy': {
    type: 'list',
    default: ['delete'],
    enum: ['delete', 'compact'],
    doc: 'What becomes of old segments: deleted, compacted or both.',
  },
  'log.cleaner.delete.retention.ms': {
    type: 'long',
    default: 24 * hour,
    minimum: 0,
    doc: 'How long a tombstone stays readable in a compacted topic.',
  },
  'log.cleaner.min.cleanable.ratio': {
    type: 'double',
    default: 0.5,
    minimum: 0,
    maximum: 1,
    doc: 'Compaction starts when this share of a log has not been compacted.',
  },
  'log.message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    enum: ['CreateTime', 'LogAppendTime'],
    doc: "Whether records keep their producer's timestamp.",
  },
  'log.compressed.records.validate': {
    type: 'boolean',
    default: false,
    doc: 'Open compressed batches to check that their records can be read, at 10 to 20 ms of processor time a MiB; compressed.records.validate of a topic goes before it. Others are always checked. Not a setting of Kafka, which always does.',
  },
  'fetch.max.bytes': {
    type: 'int',
    default: 16 * 1024 * 1024,
    minimum: 1024,
    doc: 'Most bytes of one fetch answer, whatever the client asks for. Kafka: 55 MiB; less here, since it bounds what a slow reader holds in memory.',
  },
  'socket.request.max.bytes': {
    type: 'int',
    default: 104_857_600,
    minimum: 1024,
    doc: 'Largest request; a connection that announces more is closed.',
  },
  'queued.max.request.bytes': {
    type: 'long',
    default: 128 * 1024 * 1024,
    minimum: 1024,
    doc: 'Bytes of requests over all connections, above which large ones wait, and those that come at less than 64 KiB a second are disconnected. Kafka: no limit.',
  },
  'queued.max.response.bytes': {
    type: 'long',
    default: 128 * 1024 * 1024,
    minimum: 1024 * 1024,
    doc: 'Bytes of answers that clients have not read, over all connections, above which fetches wait and clients that read nothing for a second are disconnected. Not a setting of Kafka.',
  },
  'connections.max.idle.ms': {
    type: 'long',
    default: 600_000,
    minimum: 0,
    doc: 'A connection that is silent for so long is closed.',
  },
  'max.connections': {
    type: 'int',
    default: 10_000,
    minimum: 1,
    doc: 'Most connections at a time; those beyond are closed. Kafka: no limit.',
  },
  'max.connections.per.ip': {
    type: 'int',
    default: 2_147_483_647,
    minimum: 1,
    doc: 'Most connections at a time from one address; those beyond are closed.',
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    default: 0,
    minimum: 0,
    doc: 'How long a new group waits for more members before its first rebalance. Kafka: 3000; none here, so that a fresh group starts at once.',
  },
  'group.min.session.timeout.ms': { type: 'int', default: 6000, minimum: 1, doc: 'Shortest session timeout allowed.' },
  'group.max.session.timeout.ms': {
    type: 'int',
    default: 1_800_000,
    minimum: 1,
    doc: 'Longest session timeout allowed.',
  },
  'group.max.size': { type: 'int', default: 2_147_483_647, minimum: 1, doc: 'Most members of one group.' },
  'group.consumer.session.timeout.ms': {
    type: 'int',
    default: 45_000,
    minimum: 1,
    doc: 'Session timeout of members of the newer group protocol (KIP-848); they do not choose one themselves.',
  },
  'group.consumer.heartbeat.interval.ms': {
    type: 'int',
    default: 1000,
    minimum: 1,
    doc: 'How often members of the newer group protocol send heartbeats, which is also how soon they learn of a change. Kafka: 5000.',
  },
  'group.consumer.max.size': {
    type: 'int',
    default: 2_147_483_647,
    minimum: 1,
    doc: 'Most members of one group of the newer protocol.',
  },
  'group.consumer.assignors': {
    type: 'list',
    default: ['uniform', 'range'],
    enum: ['uniform', 'range'],
    doc: 'Assignors that members of the newer group protocol may ask for; the first is taken where none does.',
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    default: 4096,
    minimum: 0,
    doc: 'Longest text that may be stored beside an offset.',
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    default: 1,
    minimum: 1,
    doc: 'Partitions of __consumer_offsets. Kafka: 50, to spread groups over brokers; with one broker, one partition lets one disk sync serve all commits.',
  },
  'offsets.retention.minutes': {
    type: 'int',
    default: 10_080,
    minimum: 1,
    doc: 'Offsets of a group without members go after this time.',
  },
  'offsets.retention.check.interval.ms': {
    type: 'long',
    default: 600_000,
    minimum: 1,
    doc: 'How often old offsets are looked for.',
  },
  'transaction.state.log.num.partitions': {
    type: 'int',
    default: 1,
    minimum: 1,
    doc: 'Partitions of __transaction_state. Kafka: 50; see offsets.topic.num.partitions.',
  },
  'transaction.max.timeout.ms': {
    type: 'int',
    default: 900_000,
    minimum: 1,
    doc: 'Longest transaction timeout that a producer may ask for.',
  },
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': {
    type: 'int',
    default: 1000,
    minimum: 1,
    doc: 'How often transactions past their timeout are looked for. Kafka: 10000.',
  },
  'transactional.id.expiration.ms': {
    type: 'int',
    default: 604_800_000,
    minimum: 1,
    doc: 'A transactional id unused for so long is forgotten.',
  },
  ...securitySettings,
})

export type BrokerConfig = ConfigOf<typeof brokerSettings>

/** Typed values over the defaults. Text, as users write it, goes through `compileSettings(brokerSettings)` first. */
export function brokerConfig(given: Partial<BrokerConfig> = {}): BrokerConfig {
  const defaults = Object.fromEntries(
    Object.entries<Setting>(brokerSettings).map(([name, setting]) => [name, setting.default]),
  )
  return { ...(defaults as unknown as BrokerConfig), ...given }
}

/** What the broker's settings mean for topics that do not say otherwise, by the topics' names. */
export function topicDefaults(config: BrokerConfig): Record<string, string> {
  return {
    'max.message.bytes': String(config['message.max.bytes']),
    'segment.bytes': String(config['log.segment.bytes']),
    'segment.ms': String(config['log.roll.ms']),
    'retention.ms': String(config['log.retention.ms']),
    'retention.bytes': String(config['log.retention.bytes']),
    'cleanup.policy': config['log.cleanup.policy'].join(','),
    'delete.retention.ms': String(config['log.cleaner.delete.retention.ms']),
    'min.cleanable.dirty.ratio': String(config['log.cleaner.min.cleanable.ratio']),
    'message.timestamp.type': config['log.message.timestamp.type'],
    'compressed.records.validate': String(config['log.compressed.records.validate']),
  }
}

/** The broker's name for a topic setting that has one, for the synonyms in DescribeConfigs. */
export const brokerSynonyms: Readonly<Record<string, keyof BrokerConfig>> = {
  'max.message.bytes': 'message.max.bytes',
  'segment.bytes': 'log.segment.bytes',
  'segment.ms': 'log.roll.ms',
  'retention.ms': 'log.retention.ms',
  'retention.bytes': 'log.retention.bytes',
  'cleanup.policy': 'log.cleanup.policy',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'message.timestamp.type': 'log.message.timestamp.type',
  'compressed.records.validate': 'log.compressed.records.validate',
}
