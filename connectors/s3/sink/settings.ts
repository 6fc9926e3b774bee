import { defineConfig, type ConfigOf } from '@tidewire/sdk'
import { formatSettings } from '../formats/settings.ts'
import { linkSettings } from '../link/settings.ts'

const names = defineConfig({
  'topics.dir': {
    type: 'string',
    default: 'topics',
    importance: 'high',
    group: 'Names',
    doc: 'First part of the names of all objects. Empty: they begin with the topic.',
  },
  'directory.delim': { type: 'string', default: '/', group: 'Names', doc: 'Stands between the folders of a name.' },
  'file.delim': {
    type: 'string',
    default: '+',
    group: 'Names',
    doc: 'Stands between topic, partition and offset at the end of a name.',
  },
  'filename.offset.zero.pad.width': {
    type: 'int',
    minimum: 0,
    default: 10,
    importance: 'low',
    group: 'Names',
    doc: 'Least number of digits of the offset in a name, filled up with zeros.',
  },
  's3.schema.partition.affix.type': {
    type: 'string',
    enum: ['NONE', 'PREFIX', 'SUFFIX'],
    default: 'NONE',
    importance: 'low',
    group: 'Names',
    doc: 'Whether a folder `schema_name=<name>` of the value’s schema stands before or behind what the partitioner gives.',
  },
  'tombstone.encoded.partition': {
    type: 'string',
    default: 'tombstone',
    importance: 'low',
    group: 'Names',
    doc: 'With behavior.on.null.values=write, the folder of tombstones, in place of what the partitioner gives.',
  },
})

const partitioner = 'io.confluent.connect.storage.partitioner'

const partitioning = defineConfig({
  'partitioner.class': {
    type: 'string',
    enum: [
      'default',
      'field',
      'time',
      'hourly',
      'daily',
      `${partitioner}.DefaultPartitioner`,
      `${partitioner}.FieldPartitioner`,
      `${partitioner}.TimeBasedPartitioner`,
      `${partitioner}.HourlyPartitioner`,
      `${partitioner}.DailyPartitioner`,
    ],
    default: 'default',
    importance: 'high',
    group: 'Partitioner',
    doc: 'How records are put into folders: `default`: by the topic’s partition. `field`: by fields of the value. `time`: by time, in folders of path.format; `hourly` and `daily`: with formats of their own. Or the class of Confluent that stands for one.',
  },
  'partition.field.name': {
    type: 'list',
    default: [],
    group: 'Partitioner',
    doc: 'For `field`: fields whose values make the folders `<field>=<value>`, in this order; a field in a struct as `outer.inner`. Integers, strings and booleans.',
  },
  'partition.duration.ms': {
    type: 'long',
    group: 'Partitioner',
    doc: 'For `time`: how much time a folder has. A time is rounded down to a multiple of it, in the time zone, before it is written in path.format.',
  },
  'path.format': {
    type: 'string',
    group: 'Partitioner',
    doc: "For `time`: pattern of the folders, of Joda's letters: `'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH`.",
  },
  locale: {
    type: 'string',
    group: 'Partitioner',
    doc: 'For partitioners by time: language of names of months and weekdays: `en-US`. Left out: English.',
  },
  timezone: {
    type: 'string',
    group: 'Partitioner',
    doc: 'For partitioners by time, and for rotate.schedule.interval.ms: time zone, `UTC` or `America/New_York`. Left out: UTC.',
  },
  'timestamp.extractor': {
    type: 'string',
    enum: [
      'Wallclock',
      'Record',
      'RecordField',
      `${partitioner}.TimeBasedPartitioner$WallclockTimestampExtractor`,
      `${partitioner}.TimeBasedPartitioner$RecordTimestampExtractor`,
      `${partitioner}.TimeBasedPartitioner$RecordFieldTimestampExtractor`,
    ],
    default: 'Wallclock',
    group: 'Partitioner',
    doc: 'For partitioners by time, the time of a record: when it is written here (`Wallclock`), its timestamp in the log (`Record`), or timestamp.field of its value (`RecordField`). Only the latter two give each record the same folder when it is written again.',
  },
  'timestamp.field': {
    type: 'string',
    default: 'timestamp',
    group: 'Partitioner',
    doc: 'For `RecordField`: the field, in a struct as `outer.inner`: a Timestamp, an integer of milliseconds since the epoch, or a text in ISO 8601 or of such an integer.',
  },
})

const rotation = defineConfig({
  'flush.size': {
    type: 'int',
    minimum: 1,
    required: true,
    importance: 'high',
    group: 'Rotation',
    doc: 'Records of a topic partition after which its open objects are completed.',
  },
  'rotate.interval.ms': {
    type: 'long',
    default: -1,
    group: 'Rotation',
    doc: 'With partitioners by time: objects are completed when a record’s time is this much after that of their first record. -1: never.',
  },
  'rotate.schedule.interval.ms': {
    type: 'long',
    default: -1,
    group: 'Rotation',
    doc: 'Objects are completed at each multiple of this by the clock, counted from midnight in timezone, whether or not anything comes. See enable.conditional.writes. -1: never.',
  },
  'rotate.file.on.partition.change': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Rotation',
    doc: 'With rotate.interval.ms: whether objects are completed, too, when a record belongs to another folder than the one before it.',
  },
  'partitioner.max.open.files': {
    type: 'int',
    default: -1,
    importance: 'low',
    group: 'Rotation',
    doc: 'Most folders that a topic partition has open objects in; the record that would open one more has them completed. -1: no limit.',
  },
  'schema.compatibility': {
    type: 'string',
    enum: ['NONE', 'BACKWARD', 'FORWARD', 'FULL'],
    default: 'NONE',
    group: 'Rotation',
    doc: 'What becomes of a record whose schema is not that of the open object. `NONE`: objects are completed, and a new one has the new schema. `BACKWARD`, `FULL`: a record of an older version is brought to the object’s schema; a newer version completes objects. `FORWARD`: the other way round. All but NONE need schemas with versions, as a schema registry gives them.',
  },
})

const records = defineConfig({
  'behavior.on.null.values': {
    type: 'string',
    enum: ['fail', 'ignore', 'write'],
    default: 'fail',
    group: 'Records',
    doc: 'What becomes of records without a value (tombstones). `fail`: they follow errors.tolerance. `ignore`: they are passed over. `write`: their keys are written, to tombstone.encoded.partition; needs store.kafka.keys.',
  },
  'report.null.values.to.dlq': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Records',
    doc: 'With behavior.on.null.values=ignore: whether such records go to the dead letter topic, where there is one.',
  },
  'store.kafka.keys': {
    type: 'boolean',
    default: false,
    group: 'Records',
    doc: 'Whether keys are written, to objects of their own beside those of the values: `….keys.<extension>`. A record without a key is an error then.',
  },
  'store.kafka.headers': {
    type: 'boolean',
    default: false,
    group: 'Records',
    doc: 'Whether headers are written, to objects of their own: `….headers.<extension>`. A record without headers is an error then.',
  },
})

const objects = defineConfig({
  's3.ssea.name': {
    type: 'string',
    enum: ['', 'AES256', 'aws:kms', 'aws:kms:dsse'],
    default: '',
    importance: 'low',
    group: 'Objects',
    doc: 'Encryption that the store does with keys of its own. Empty: as the bucket has it.',
  },
  's3.sse.kms.key.id': {
    type: 'string',
    importance: 'low',
    group: 'Objects',
    doc: 'With s3.ssea.name=aws:kms, the key. Left out: AWS’s own for S3.',
  },
  's3.sse.customer.key': {
    type: 'password',
    importance: 'low',
    group: 'Objects',
    doc: 'Key that the store is given with each request to encrypt with (SSE-C): 32 bytes in base64. It does not keep it; whoever reads the objects needs it.',
  },
  's3.acl.canned': {
    type: 'string',
    enum: [
      '',
      'private',
      'public-read',
      'public-read-write',
      'authenticated-read',
      'aws-exec-read',
      'bucket-owner-read',
      'bucket-owner-full-control',
    ],
    default: '',
    importance: 'low',
    group: 'Objects',
    doc: 'Access that objects give to others.',
  },
  's3.storage.class': {
    type: 'string',
    enum: [
      '',
      'STANDARD',
      'REDUCED_REDUNDANCY',
      'STANDARD_IA',
      'ONEZONE_IA',
      'INTELLIGENT_TIERING',
      'GLACIER',
      'GLACIER_IR',
      'DEEP_ARCHIVE',
      'OUTPOSTS',
      'EXPRESS_ONEZONE',
    ],
    default: '',
    importance: 'low',
    group: 'Objects',
    doc: 'Storage class of objects. Empty: as the store has it.',
  },
  'storage.class': {
    type: 'string',
    enum: ['io.confluent.connect.s3.storage.S3Storage'],
    importance: 'low',
    group: 'Objects',
    doc: 'The Java class of the storage: there is one. Taken so that configs need no change; for S3’s storage classes see s3.storage.class.',
  },
  's3.object.tagging': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Objects',
    doc: 'Whether objects get the tags `startOffset`, `endOffset` and `recordCount`.',
  },
  's3.object.tagging.key.value.pairs': {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Objects',
    doc: 'With s3.object.tagging, more tags: `name:value`.',
  },
  's3.object.behavior.on.tagging.error': {
    type: 'string',
    enum: ['ignore', 'fail'],
    default: 'ignore',
    importance: 'low',
    group: 'Objects',
    doc: 'Whether an object that could not be tagged is left as it is, with a line in the log, or fails the task.',
  },
  'enable.conditional.writes': {
    type: 'boolean',
    default: true,
    group: 'Objects',
    doc: 'With rotate.schedule.interval.ms, and without keys and headers: objects are only made where there is none of that name, and say how far they go, so that records that are read again after a crash are not written twice. Objects then reach the store when they are completed, not before.',
  },
})

const uploads = defineConfig({
  's3.part.size': {
    type: 'int',
    minimum: 5_242_880,
    maximum: 2_147_483_647,
    default: 26_214_400,
    importance: 'high',
    group: 'Uploads',
    doc: 'Bytes of a part of a multipart upload. Where s3.buffer.max.bytes is small, parts are smaller, 5 MiB at least. An object that has no more than a part is sent in one request.',
  },
  's3.buffer.max.bytes': {
    type: 'long',
    minimum: 1_048_576,
    default: 268_435_456,
    group: 'Uploads',
    doc: 'Most bytes that the open objects of a task have in memory together, uploads included; less where the worker has less to give. What is more waits in s3.spill.dir.',
  },
  's3.spill.dir': {
    type: 'string',
    group: 'Uploads',
    doc: 'Folder for what of open objects does not fit in memory. Left out: that of the system for temporary files. It is emptied when the task stops, and of what a task that was killed has left.',
  },
  's3.spill.max.bytes': {
    type: 'long',
    minimum: 0,
    default: 10_737_418_240,
    importance: 'low',
    group: 'Uploads',
    doc: 'With enable.conditional.writes, whose objects wait until they are complete: when a task has more than this on disk, the objects of the topic partition that has most there are completed before their time. Other objects go to the store in parts.',
  },
  's3.max.concurrent.uploads': {
    type: 'int',
    minimum: 1,
    maximum: 64,
    default: 8,
    group: 'Uploads',
    doc: 'Most requests at a time with which a task uploads.',
  },
  'retry.backoff.ms': {
    type: 'long',
    minimum: 0,
    default: 5000,
    importance: 'low',
    group: 'Uploads',
    doc: 'Pause before an upload that failed in passing, with all its repetitions (s3.part.retries), is tried again. Meanwhile no records are taken; none is lost.',
  },
  's3.orphan.upload.timeout.ms': {
    type: 'long',
    default: 604_800_000,
    importance: 'low',
    group: 'Uploads',
    doc: 'Multipart uploads under topics.dir that were begun longer ago than this, and not ended, are aborted, whoever began them; those of a task’s own partitions at once when it gets them. -1: only these.',
  },
})

/** Settings of Confluent's connector that say how Java does its work; what they are for is done otherwise. */
const tolerated = defineConfig({
  's3.elastic.buffer.enable': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Uploads',
    doc: 'Taken so that configs need no change: buffers grow with what is in them in any case.',
  },
  's3.elastic.buffer.init.capacity': {
    type: 'int',
    minimum: 4096,
    default: 131_072,
    importance: 'low',
    group: 'Uploads',
    doc: 'Taken so that configs need no change, see s3.elastic.buffer.enable.',
  },
  'max.write.duration.ms': {
    type: 'long',
    default: Number.MAX_SAFE_INTEGER,
    importance: 'low',
    group: 'Uploads',
    doc: 'Taken so that configs need no change: writing does not keep the task from its group, however long it takes.',
  },
  'max.files.scan.limit': {
    type: 'int',
    default: 100,
    importance: 'low',
    group: 'Objects',
    doc: 'Taken so that configs need no change: with enable.conditional.writes objects say how far they go, and nothing is scanned.',
  },
  'shutdown.timeout.ms': {
    type: 'long',
    default: 3000,
    importance: 'low',
    group: 'Uploads',
    doc: 'Taken so that configs need no change: see task.shutdown.graceful.timeout.ms of the worker.',
  },
})

/** All settings of `s3-sink`. */
export const sinkSettings = defineConfig({
  ...linkSettings,
  ...formatSettings,
  ...names,
  ...partitioning,
  ...rotation,
  ...records,
  ...objects,
  ...uploads,
  ...tolerated,
})

export type S3SinkConfig = ConfigOf<typeof sinkSettings>

/** Settings of the connector that this one stands in for, and that it lacks. */
export const unsupportedSettings: Readonly<Record<string, string>> = {
  'format.bytearray.charset': 'bytes are written as they are',
}
