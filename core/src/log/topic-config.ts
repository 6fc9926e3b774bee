import { LogStorageError } from './errors.ts'

/** What the storage itself needs of a topic's configuration, with Kafka's names in camel case. Times in ms, sizes in bytes, -1: no limit. */
export interface TopicConfig {
  readonly cleanupPolicy: { readonly delete: boolean; readonly compact: boolean }
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly segmentIndexBytes: number
  readonly indexIntervalBytes: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly maxMessageBytes: number
  readonly validatesCompressed: boolean
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
}

/** How one setting of a topic reads, for the storage and for DescribeConfigs. */
export interface TopicSetting {
  readonly type: 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list'
  readonly default: string
  readonly minimum?: number
  readonly maximum?: number
  readonly values?: readonly string[]
  readonly doc: string
  /** False: accepted and shown, because clients send it, without an effect on one broker. */
  readonly effective: boolean
}

const LONG_MAX = '9223372036854775807'

/** Kafka's topic settings (LogConfig), with its defaults. */
export const topicSettings: Readonly<Record<string, TopicSetting>> = {
  'cleanup.policy': {
    type: 'list',
    default: 'delete',
    values: ['delete', 'compact'],
    doc: 'What becomes of old segments: delete after the retention, compact to the last value of each key, or both.',
    effective: true,
  },
  'compressed.records.validate': {
    type: 'boolean',
    default: 'false',
    doc: 'Open compressed batches to check that their records can be read; without it only those of compacted topics are opened. Not a setting of Kafka, which always does.',
    effective: true,
  },
  'compression.type': {
    type: 'string',
    default: 'producer',
    values: ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
    doc: 'Batches are always kept as the producer compressed them.',
    effective: false,
  },
  'delete.retention.ms': {
    type: 'long',
    default: '86400000',
    minimum: 0,
    doc: 'How long a tombstone stays readable in a compacted topic.',
    effective: true,
  },
  'file.delete.delay.ms': {
    type: 'long',
    default: '60000',
    minimum: 0,
    doc: 'How long a file stays on disk after its segment is gone from the log.',
    effective: true,
  },
  'flush.messages': {
    type: 'long',
    default: LONG_MAX,
    minimum: 1,
    doc: 'The flush policy of the log decides when data is forced to disk.',
    effective: false,
  },
  'flush.ms': {
    type: 'long',
    default: LONG_MAX,
    minimum: 0,
    doc: 'The flush policy of the log decides when data is forced to disk.',
    effective: false,
  },
  'index.interval.bytes': {
    type: 'int',
    default: '4096',
    minimum: 0,
    doc: 'Bytes of log between two entries of the offset index.',
    effective: true,
  },
  'max.compaction.lag.ms': {
    type: 'long',
    default: LONG_MAX,
    minimum: 1,
    doc: 'A record is compacted after this time even when the log is not dirty enough.',
    effective: true,
  },
  'max.message.bytes': {
    type: 'int',
    default: '1048588',
    minimum: 0,
    doc: 'Largest record batch, compressed, that is accepted.',
    effective: true,
  },
  'message.timestamp.after.max.ms': {
    type: 'long',
    default: '3600000',
    minimum: 0,
    doc: "How far a record's timestamp may be ahead of the log's clock.",
    effective: true,
  },
  'message.timestamp.before.max.ms': {
    type: 'long',
    default: LONG_MAX,
    minimum: 0,
    doc: "How far a record's timestamp may be behind the log's clock.",
    effective: true,
  },
  'message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    doc: "Whether a record keeps its producer's timestamp or gets the time of the append.",
    effective: true,
  },
  'min.cleanable.dirty.ratio': {
    type: 'double',
    default: '0.5',
    minimum: 0,
    maximum: 1,
    doc: 'Compaction starts when this share of the log has not been compacted.',
    effective: true,
  },
  'min.compaction.lag.ms': {
    type: 'long',
    default: '0',
    minimum: 0,
    doc: 'A record is not compacted before this time.',
    effective: true,
  },
  'min.insync.replicas': {
    type: 'int',
    default: '1',
    minimum: 1,
    doc: 'There is one replica.',
    effective: false,
  },
  preallocate: { type: 'boolean', default: 'false', doc: 'Segments grow as they are written.', effective: false },
  'retention.bytes': {
    type: 'long',
    default: '-1',
    minimum: -1,
    doc: 'Size of a partition above which its oldest segments are deleted; -1: no limit.',
    effective: true,
  },
  'retention.ms': {
    type: 'long',
    default: '604800000',
    minimum: -1,
    doc: 'Age above which segments are deleted; -1: no limit.',
    effective: true,
  },
  'segment.bytes': {
    type: 'int',
    default: '1073741824',
    minimum: 14,
    doc: 'Size of a segment file.',
    effective: true,
  },
  'segment.index.bytes': {
    type: 'int',
    default: '10485760',
    minimum: 4,
    doc: 'Largest size of an index file; a full one makes a new segment.',
    effective: true,
  },
  'segment.jitter.ms': {
    type: 'long',
    default: '0',
    minimum: 0,
    doc: 'Largest random part taken off segment.ms, so that segments do not all roll together.',
    effective: true,
  },
  'segment.ms': {
    type: 'long',
    default: '604800000',
    minimum: 1,
    doc: 'A segment is closed after this time even when it is not full.',
    effective: true,
  },
  'unclean.leader.election.enable': {
    type: 'boolean',
    default: 'false',
    doc: 'There is one replica.',
    effective: false,
  },
}

/**
 * Checks a topic's settings.
 * @throws LogStorageError INVALID_CONFIG that names the setting
 */
export function validateTopicConfig(config: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(config)) {
    const setting = topicSettings[name]
    if (setting === undefined) throw new LogStorageError('INVALID_CONFIG', `Unknown topic config name: ${name}`)
    const problem = problemOf(setting, value)
    if (problem !== undefined) {
      throw new LogStorageError('INVALID_CONFIG', `Invalid value ${value} for configuration ${name}: ${problem}`)
    }
  }
}

/** Settings of a topic over the log's defaults over Kafka's. Takes only what {@link validateTopicConfig} accepts. */
export function resolveTopicConfig(
  config: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>> = {},
): TopicConfig {
  const text = (name: string) => config[name] ?? defaults[name] ?? topicSettings[name]!.default
  // Kafka's Long.MAX_VALUE ("never") is beyond what a number holds exactly; nothing is lost by clamping it.
  const number = (name: string) => Math.min(Number(text(name)), Number.MAX_SAFE_INTEGER)
  const policies = listOf(text('cleanup.policy'))
  return {
    cleanupPolicy: { delete: policies.includes('delete'), compact: policies.includes('compact') },
    segmentBytes: number('segment.bytes'),
    segmentMs: number('segment.ms'),
    segmentJitterMs: number('segment.jitter.ms'),
    segmentIndexBytes: number('segment.index.bytes'),
    indexIntervalBytes: number('index.interval.bytes'),
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    maxMessageBytes: number('max.message.bytes'),
    validatesCompressed: text('compressed.records.validate') === 'true',
    messageTimestampType: text('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    messageTimestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    messageTimestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    deleteRetentionMs: number('delete.retention.ms'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
  }
}

function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function problemOf(setting: TopicSetting, value: string): string | undefined {
  switch (setting.type) {
    case 'boolean':
      return value === 'true' || value === 'false' ? undefined : 'must be true or false'
    case 'string':
      return setting.values?.includes(value) === false ? `must be one of ${setting.values.join(', ')}` : undefined
    case 'list': {
      const unknown = listOf(value).find((item) => setting.values?.includes(item) === false)
      return unknown === undefined ? undefined : `must be a list of ${setting.values?.join(', ')}`
    }
    case 'int':
    case 'long':
    case 'double':
      return numberProblem(setting, value)
  }
}

function numberProblem(setting: TopicSetting, value: string): string | undefined {
  const whole = setting.type !== 'double'
  if (!(whole ? /^[+-]?\d+$/ : /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/).test(value.trim())) {
    return whole ? 'not a whole number' : 'not a number'
  }
  const number = Number(value)
  if (setting.type === 'int' && Math.abs(number) > 0x7fffffff) return 'beyond 32 bits'
  if (setting.minimum !== undefined && number < setting.minimum) return `must be at least ${setting.minimum}`
  if (setting.maximum !== undefined && number > setting.maximum) return `must be at most ${setting.maximum}`
  return undefined
}
