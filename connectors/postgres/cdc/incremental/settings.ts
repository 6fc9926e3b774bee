import { defineConfig } from '@tidewire/sdk'

const inert = (doc: string) => ({ type: 'string', importance: 'low', group: 'Taken for Debezium’s sake', doc }) as const

/** How snapshots are asked for while the stream runs, and how they are read. `signal.data.collection` is among the filters. */
export const signalSettings = defineConfig({
  'signal.enabled.channels': {
    type: 'list',
    default: ['source', 'kafka'],
    enum: ['source', 'kafka'],
    group: 'Signals',
    doc:
      'Where signals come from: `source`, the table `signal.data.collection`; `kafka`, the topic `signal.kafka.topic`, which the ' +
      'REST API writes to.',
  },
  'signal.kafka.topic': {
    type: 'string',
    pattern: '^[a-zA-Z0-9._-]+$',
    importance: 'low',
    group: 'Signals',
    doc: 'Topic of signals, with one partition. Left out: `<topic.prefix>-signal`. Records with another key than `topic.prefix` are for others.',
  },
  'incremental.snapshot.chunk.size': {
    type: 'int',
    default: 1024,
    minimum: 1,
    group: 'Signals',
    doc: 'Most rows that an incremental snapshot reads at a time.',
  },
  'incremental.snapshot.watermarking.strategy': {
    type: 'string',
    default: 'insert_insert',
    enum: ['insert_insert', 'insert_delete'],
    importance: 'low',
    group: 'Taken for Debezium’s sake',
    doc: 'Nothing is written to the signal table: positions in the server’s log are the marks.',
  },
  'incremental.snapshot.allow.schema.changes': inert(
    'A table may be altered at any time; the rows that are being read then are read again.',
  ),
  'signal.poll.interval.ms': inert('Signals are taken when they come.'),
  'signal.kafka.bootstrap.servers': inert('The topic is read from the log that the worker works with.'),
  'signal.kafka.groupId': inert('How far signals were taken is stored among the offsets.'),
  'signal.kafka.poll.timeout.ms': inert('Signals are taken when they come.'),
  'signal.consumer.<name>': {
    ...inert('The topic is read as the worker reads its own.'),
    names: 'signal\\.consumer\\..+',
  },
})

/** What {@link signalTopic} depends on. */
interface SignalConfig {
  readonly 'topic.prefix': string
  readonly 'signal.enabled.channels': readonly string[]
  readonly 'signal.kafka.topic'?: string | undefined
}

/** The topic that signals are read from; undefined: from none. */
export function signalTopic(config: SignalConfig): string | undefined {
  if (!config['signal.enabled.channels'].includes('kafka')) return undefined
  return config['signal.kafka.topic'] ?? `${config['topic.prefix']}-signal`
}
