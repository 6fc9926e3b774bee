import { defineConfig, type ConfigOf } from '@tidewire/sdk'
import { linkSettings } from '../link/settings.ts'

const formats = [
  'auto',
  'json',
  'csv',
  'avro',
  'parquet',
  'bytes',
  'whole',
  'io.confluent.connect.s3.format.json.JsonFormat',
  'io.confluent.connect.s3.format.avro.AvroFormat',
  'io.confluent.connect.s3.format.parquet.ParquetFormat',
  'io.confluent.connect.s3.format.bytearray.ByteArrayFormat',
  'io.confluent.connect.cloud.storage.source.format.CloudStorageJsonFormat',
  'io.confluent.connect.cloud.storage.source.format.CloudStorageAvroFormat',
  'io.confluent.connect.cloud.storage.source.format.CloudStorageParquetFormat',
  'io.confluent.connect.cloud.storage.source.format.CloudStorageByteArrayFormat',
] as const

/** The headers that tell where a record came from. */
const originHeaders = ['bucket', 'key', 'record', 'last.modified', 'etag'] as const

/** Of a sink's config, with which a source's begins. */
const ofLayout = {
  type: 'string',
  importance: 'low',
  group: 'Taken so that configs need no change',
  doc: 'Any layout of folders is restored.',
} as const

export const sourceSettings = defineConfig({
  ...linkSettings,
  mode: {
    type: 'string',
    enum: ['RESTORE_BACKUP', 'GENERIC'],
    default: 'RESTORE_BACKUP',
    importance: 'high',
    group: 'Objects',
    doc: '`RESTORE_BACKUP`: what s3-sink (or Confluent’s) wrote is put back, into the topics and partitions of the objects’ names. `GENERIC`: objects of any names.',
  },
  'topics.dir': {
    type: 'string',
    default: 'topics',
    importance: 'high',
    group: 'Objects',
    doc: 'The folder that is read: all keys that begin with it and a directory.delim. Empty: the whole bucket.',
  },
  topics: {
    type: 'list',
    default: [],
    importance: 'high',
    group: 'Objects',
    doc: 'Restoring: the topics to restore, all where left out. `GENERIC`: the one topic of objects that neither topic.regex.list nor file.name.template gives one.',
  },
  'topic.regex.list': {
    type: 'list',
    default: [],
    group: 'Objects',
    doc: 'Topics by regular expression: `topic:expression`, separated by commas, the first that matches counts, and what none matches is left out. `GENERIC`: matched against any part of the key. Restoring: against the whole name of the topic that was written, which gets the new name. `$1` in the topic stands for a group of the expression: `restored-$1:(.*)`.',
  },
  'file.name.template': {
    type: 'string',
    group: 'Objects',
    doc: '`GENERIC`: only keys of that form, a regular expression for any part of the key behind topics.dir, with `{{topic}}`, `{{partition}}`, `{{start_offset}}` and `{{timestamp}}` in it; topic and partition are taken from there.',
  },
  'directory.delim': {
    type: 'string',
    default: '/',
    importance: 'low',
    group: 'Objects',
    doc: 'What stands between the folders of a key.',
  },
  'file.delim': {
    type: 'string',
    default: '+',
    importance: 'low',
    group: 'Objects',
    doc: 'Restoring: what stands between topic, partition and offset in an object’s name.',
  },
  'store.kafka.keys': {
    type: 'boolean',
    default: false,
    group: 'Objects',
    doc: 'Restoring: whether records get their keys back from the objects beside the values (`….keys.…`), and tombstones theirs. An object is waited for until its keys are there.',
  },
  'store.kafka.headers': {
    type: 'boolean',
    default: false,
    group: 'Objects',
    doc: 'Restoring: whether records get their headers back from the objects beside the values (`….headers.…`).',
  },
  'tombstone.encoded.partition': {
    type: 'string',
    default: 'tombstone',
    importance: 'low',
    group: 'Objects',
    doc: 'Restoring: the folder of tombstones, of which only keys (and headers) were written.',
  },
  'format.class': {
    type: 'string',
    enum: formats,
    default: 'auto',
    importance: 'high',
    group: 'Format',
    doc: 'What objects hold: `json` (a value a line), `csv`, `avro` (object container files), `parquet`, `bytes` (texts between separators), `whole` (the object is one record), or a class of Confluent that stands for one. `auto`: by the end of the key, and objects with none that is known are left out.',
  },
  'keys.format.class': {
    type: 'string',
    enum: formats,
    default: 'auto',
    importance: 'low',
    group: 'Format',
    doc: 'The same for the keys beside the values.',
  },
  'headers.format.class': {
    type: 'string',
    enum: formats,
    default: 'auto',
    importance: 'low',
    group: 'Format',
    doc: 'The same for the headers beside the values.',
  },
  's3.compression.type': {
    type: 'string',
    enum: ['auto', 'none', 'gzip', 'zstd'],
    default: 'auto',
    importance: 'low',
    group: 'Format',
    doc: 'Compression of whole objects; `auto`: by the end of the key, `.gz` and `.zst`. What Avro and Parquet compress inside is known from there.',
  },
  'format.bytearray.separator': {
    type: 'string',
    importance: 'low',
    group: 'Format',
    doc: 'What stands between the records of `bytes`. Left out: a line feed.',
  },
  'csv.header': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Format',
    doc: 'Whether the first line of a CSV object has the names of the fields.',
  },
  'csv.fields': {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Format',
    doc: 'The names of the fields where no line has them. Without either a record is a list of texts.',
  },
  'csv.delimiter': { type: 'string', default: ',', importance: 'low', group: 'Format', doc: 'Between fields of CSV.' },
  'csv.quote': {
    type: 'string',
    default: '"',
    importance: 'low',
    group: 'Format',
    doc: 'Around fields of CSV; empty: nothing is quoted.',
  },
  'record.max.bytes': {
    type: 'int',
    minimum: 1024,
    default: 67_108_864,
    importance: 'low',
    group: 'Format',
    doc: 'The longest record (line, whole object, block of Avro, column of a row group of Parquet), unpacked, that is read; an object with a longer one is a bad object.',
  },
  'record.batch.max.size': {
    type: 'int',
    minimum: 1,
    default: 1_000,
    importance: 'low',
    group: 'Records',
    doc: 'Most records of a batch.',
  },
  'record.key': {
    type: 'string',
    enum: ['none', 'object', 'field'],
    default: 'none',
    group: 'Records',
    doc: '`GENERIC`: the key of records: none, the key of the object, or the field record.key.field of the value.',
  },
  'record.key.field': {
    type: 'string',
    group: 'Records',
    doc: 'With record.key=field: which field. One that a value does not have gives no key.',
  },
  'record.headers': {
    type: 'list',
    enum: originHeaders,
    default: [],
    group: 'Records',
    doc: 'Headers that tell where a record came from, as `s3.bucket`, `s3.key`, `s3.record` (its number in the object, the first is 0), `s3.last.modified` (milliseconds), `s3.etag`.',
  },
  'listing.order': {
    type: 'string',
    enum: ['lexicographic', 'modified'],
    default: 'lexicographic',
    group: 'Discovery',
    doc: '`GENERIC`: the order in which objects are read. `lexicographic`: by key, where new keys are greater than older ones; only what is new is listed. `modified`: by time of writing, for keys in any order; everything is listed each time. Restoring: by first offset.',
  },
  'listing.lookback.objects': {
    type: 'int',
    minimum: 0,
    default: 100,
    importance: 'low',
    group: 'Discovery',
    doc: 'How many objects of a stream (one of 32 that keys are divided by, or a topic’s partition) are remembered as read, the last in order. An object that appears behind no more than these is found, though others that follow it were read before; one that appears further behind is not.',
  },
  's3.poll.interval.ms': {
    type: 'long',
    minimum: 1,
    default: 60_000,
    group: 'Discovery',
    doc: 'How long to wait, where all objects are read, before the bucket is listed again.',
  },
  'file.discovery.starting.timestamp': {
    type: 'long',
    minimum: 0,
    default: 0,
    group: 'Discovery',
    doc: 'Objects written before that time (milliseconds since 1970) are left out.',
  },
  'sqs.queue.url': {
    type: 'string',
    pattern: '^https?://.+',
    group: 'Discovery',
    doc: '`GENERIC`: a queue of SQS that S3 sends event notifications to (directly, by SNS or by EventBridge). With it nothing is listed: what the queue tells of is read, and each message deleted once the records are in the log. Messages on other things are deleted.',
  },
  'sqs.region': {
    type: 'string',
    importance: 'low',
    group: 'Discovery',
    doc: 'Region of the queue. Left out: s3.region.',
  },
  'sqs.visibility.timeout.seconds': {
    type: 'int',
    minimum: 1,
    maximum: 43_200,
    default: 120,
    importance: 'low',
    group: 'Discovery',
    doc: 'How long after the end of a task its messages come back. While it reads, that is prolonged.',
  },
  'after.reading': {
    type: 'string',
    enum: ['keep', 'tag', 'move', 'delete'],
    default: 'keep',
    importance: 'high',
    group: 'After reading',
    doc: 'What becomes of an object whose records are all in the log. Not done with what could not be read, nor with an object that was changed meanwhile.',
  },
  'after.reading.tag': {
    type: 'string',
    pattern: '^[^=]+=.*$',
    default: 'tidewire=read',
    importance: 'low',
    group: 'After reading',
    doc: 'With after.reading=tag: the tag, `name=value`. Other tags stay.',
  },
  'after.reading.move.prefix': {
    type: 'string',
    importance: 'low',
    group: 'After reading',
    doc: 'With after.reading=move: what is put before the key. Has to lie outside of what is read.',
  },
  'after.reading.move.bucket': {
    type: 'string',
    importance: 'low',
    group: 'After reading',
    doc: 'With after.reading=move: to that bucket. Left out: the same one.',
  },
  'object.changed': {
    type: 'string',
    enum: ['ignore', 'reread', 'fail'],
    default: 'ignore',
    group: 'Errors',
    doc: 'What to do about an object that was written anew after it was read, or while it is (its ETag is another). `ignore`: not read again, or gone on with at the next record, with a warning. `reread`: read from its start. `fail`: the task fails. Seen while the object is among those remembered; after that one that is written anew is as one that was read, with listing.order=modified as a new one.',
  },
  'behavior.on.error': {
    type: 'string',
    enum: ['fail', 'ignore', 'log'],
    default: 'fail',
    group: 'Errors',
    doc: 'What to do about an object that is not what it should be, from where that shows: `fail`: the task fails; `ignore` and `log`: the rest of it is left out, and told in the worker’s log or not. A single record that cannot be read follows errors.tolerance.',
  },
  'task.share': {
    type: 'string',
    pattern: '^\\d+/[1-9]\\d*$',
    default: '0/1',
    importance: 'low',
    group: 'Discovery',
    doc: 'Set by the connector for its tasks: which of how many.',
  },
  'partitioner.class': ofLayout,
  'partition.field.name': ofLayout,
  'partition.duration.ms': ofLayout,
  'path.format': ofLayout,
  locale: ofLayout,
  timezone: ofLayout,
  'timestamp.extractor': ofLayout,
  'timestamp.field': ofLayout,
  'format.bytearray.extension': {
    ...ofLayout,
    doc: 'With format.class=bytes the names of objects may end in anything.',
  },
  'storage.class': { ...ofLayout, doc: 'The Java class of the storage: there is one.' },
  'schema.cache.size': { ...ofLayout, doc: 'What is kept of a schema lives as long as its object is read.' },
  'task.batch.size': { ...ofLayout, doc: 'Objects are read as they come, however many a listing has.' },
})

export type S3SourceConfig = ConfigOf<typeof sourceSettings>

/** Of Confluent's and Aiven's connectors. */
export const unsupportedSettings: Readonly<Record<string, string>> = {
  folders: 'folders are found by themselves; topics chooses among them',
  'filename.regex': 'names are those that the sink writes; file.delim says what stands between their parts',
  'parse.error.topic.prefix': 'records that cannot be read go to errors.deadletterqueue.topic.name',
  's3.sse.customer.key': 'objects encrypted with a key of the customer’s own are not read',
  'aws.s3.bucket.name': 'is called s3.bucket.name here',
  'aws.s3.prefix': 'is called topics.dir here, with mode=GENERIC',
  'aws.s3.region': 'is called s3.region here',
  'aws.s3.endpoint': 'is called store.url here',
  'aws.s3.fetch.page.size': 'a page of a listing has as many keys as the store gives',
  'aws.s3.fetch.buffer.size': 'is called listing.lookback.objects here',
  'aws.s3.backoff.delay.ms': 'is called s3.retry.backoff.ms here',
  'aws.s3.backoff.max.delay.ms': 'pauses grow up to 20 seconds',
  'aws.s3.backoff.max.retries': 'is called s3.part.retries here',
  'aws.s3.sse.algorithm': 'the store decrypts what it serves: leave it out',
  'aws.credentials.provider': 'Java classes are not run: see s3.credentials.provider.class',
  'aws.sts.role.arn': 'is called s3.credentials.provider.sts.role.arn here',
  'aws.sts.role.external.id': 'is called s3.credentials.provider.sts.role.external.id here',
  'aws.sts.role.session.name': 'is called s3.credentials.provider.sts.role.session.name here',
  'aws.sts.role.session.duration': 'a role is assumed anew before its credentials expire',
  'aws.sts.config.endpoint': 'the region’s own is used: s3.credentials.provider.sts.region',
  aws_access_key_id: 'is called aws.access.key.id here',
  aws_secret_access_key: 'is called aws.secret.access.key here',
  aws_s3_bucket: 'is called s3.bucket.name here',
  aws_s3_endpoint: 'is called store.url here',
  aws_s3_prefix: 'is called topics.dir here, with mode=GENERIC',
  aws_s3_region: 'is called s3.region here',
  'input.format': 'is called format.class here: json for jsonl, whole for bytes',
  'distribution.type':
    'objects with a {{partition}} in file.name.template are divided by that, others by their keys: leave it out',
  'native.start.key': 'set the offset by PATCH /connectors/{name}/offsets, or start from a timestamp',
  'transformer.max.buffer.size': 'a whole object is one record: format.class=whole, up to record.max.bytes',
  'file.compression.type': 'is called s3.compression.type here',
  'schema.registry.url': 'belongs to the converter: value.converter.schema.registry.url',
}

/** What the keys that are read begin with. */
export function readPrefix(config: Pick<S3SourceConfig, 'topics.dir' | 'directory.delim'>): string {
  const { 'topics.dir': folder, 'directory.delim': delimiter } = config
  return folder === '' || folder.endsWith(delimiter) ? folder : folder + delimiter
}

/** Which of how many tasks this is. */
export function shareOf(config: Pick<S3SourceConfig, 'task.share'>): {
  readonly index: number
  readonly count: number
} {
  const [index = 0, count = 1] = config['task.share'].split('/').map(Number)
  return { index, count }
}
