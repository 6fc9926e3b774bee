import type { ConfigProblems } from '@tidewire/sdk'
import { checkFormats, type FormatConfig } from '../formats/settings.ts'
import { checkLink } from '../link/settings.ts'
import { jodaFormat } from './joda-format.ts'
import { partitionerKind, timeFolders } from './partitioner.ts'
import type { S3SinkConfig } from './settings.ts'
import { zoneOf } from './zone.ts'

/** Values that contradict each other, by setting. */
export function checkSink(config: S3SinkConfig): ConfigProblems {
  return {
    ...checkLink(config),
    ...checkFormats(config),
    ...checkCompression(config),
    ...checkFolders(config),
    ...checkRecords(config),
    ...checkTags(config),
  }
}

/** Avro and Parquet have compressions of their own. */
function checkCompression(config: S3SinkConfig): ConfigProblems {
  if (config['s3.compression.type'] === 'none') return {}
  const takes = (format: FormatConfig['format.class']): boolean =>
    /json|bytes/i.test(format) || format.endsWith('ByteArrayFormat')
  const problems: Record<string, string> = {}
  const refuse = (setting: 'format.class' | 'keys.format.class' | 'headers.format.class'): void => {
    problems[setting] =
      `s3.compression.type is for json and bytes: use avro.codec or parquet.codec, or another ${setting}`
  }
  if (!takes(config['format.class'])) refuse('format.class')
  if (config['store.kafka.keys'] && !takes(config['keys.format.class'])) refuse('keys.format.class')
  if (config['store.kafka.headers'] && !takes(config['headers.format.class'])) refuse('headers.format.class')
  return problems
}

function checkFolders(config: S3SinkConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const kind = partitionerKind(config)
  if (config['directory.delim'] === '') problems['directory.delim'] = 'is empty'
  if (config['file.delim'] === '') problems['file.delim'] = 'is empty'
  const attempt = (setting: string, what: () => unknown): void => {
    try {
      what()
    } catch (error) {
      problems[setting] = (error as Error).message
    }
  }
  attempt('timezone', () => zoneOf(config.timezone || 'UTC'))
  attempt('locale', () => new Intl.DateTimeFormat(config.locale || 'en'))
  if (kind === 'field' && config['partition.field.name'].length === 0) {
    problems['partition.field.name'] = 'the field partitioner needs fields'
  }
  if (kind === 'time') {
    const { durationMs, pattern } = timeFolders(config, kind)
    if (!(durationMs > 0)) problems['partition.duration.ms'] = 'the time partitioner needs it, above 0'
    if (pattern === '') problems['path.format'] = "the time partitioner needs a pattern: 'year'=YYYY/'month'=MM"
    if (Object.keys(problems).length === 0) {
      attempt('path.format', () => jodaFormat(pattern, zoneOf(config.timezone || 'UTC'), config.locale || 'en'))
    }
  }
  return problems
}

function checkRecords(config: S3SinkConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  if (config['behavior.on.null.values'] === 'write' && !config['store.kafka.keys']) {
    problems['store.kafka.keys'] = 'behavior.on.null.values=write writes the keys of tombstones: set it to true'
  }
  if (config['behavior.on.null.values'] === 'write' && config['tombstone.encoded.partition'] === '') {
    problems['tombstone.encoded.partition'] = 'is empty'
  }
  const customerKey = config['s3.sse.customer.key'] ?? ''
  if (customerKey !== '' && Buffer.from(customerKey, 'base64').length !== 32) {
    problems['s3.sse.customer.key'] = 'is to be 32 bytes in base64'
  }
  if (customerKey !== '' && config['s3.ssea.name'] !== '') {
    problems['s3.ssea.name'] = 'the store encrypts with its own keys or with s3.sse.customer.key, not with both'
  }
  return problems
}

function checkTags(config: S3SinkConfig): ConfigProblems {
  const bad = config['s3.object.tagging.key.value.pairs'].find((pair) => pair.indexOf(':') < 1)
  return bad === undefined ? {} : { 's3.object.tagging.key.value.pairs': `"${bad}" is not name:value` }
}
