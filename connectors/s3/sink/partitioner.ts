import { DataError, type Schema, type SinkRecord } from '@tidewire/sdk'
import { FieldPath } from './field-path.ts'
import { jodaFormat } from './joda-format.ts'
import type { S3SinkConfig } from './settings.ts'
import { timestampExtractor, type TimestampExtractor } from './timestamp-extractor.ts'
import { roundedDown, zoneOf } from './zone.ts'

/** Says which folder a record belongs to: its "encoded partition", in Confluent's words. */
export interface Partitioner {
  /** Where the time of records is from; undefined: the folders do not go by time. */
  readonly extractor: TimestampExtractor | undefined
  /**
   * @param timeMs of the record, by the extractor; where there is none it does not matter
   * @throws DataError where the record belongs to none
   */
  readonly encode: (record: SinkRecord, timeMs: number) => string
}

type Kind = 'default' | 'field' | 'time' | 'hourly' | 'daily'

/** The partitioner that `partitioner.class` names, by its short name. */
export function partitionerKind(config: S3SinkConfig): Kind {
  const given = config['partitioner.class']
  if (given.endsWith('FieldPartitioner')) return 'field'
  if (given.endsWith('TimeBasedPartitioner')) return 'time'
  if (given.endsWith('HourlyPartitioner')) return 'hourly'
  if (given.endsWith('DailyPartitioner')) return 'daily'
  return given.endsWith('DefaultPartitioner') ? 'default' : (given as Kind)
}

/** @throws RangeError where a time zone, a locale or a pattern is none */
export function partitionerOf(config: S3SinkConfig): Partitioner {
  const inner = plainPartitioner(config)
  const encode = withTombstones(config, withSchemaName(config, inner.encode))
  return { extractor: inner.extractor, encode }
}

type Encode = Partitioner['encode']

function plainPartitioner(config: S3SinkConfig): Partitioner {
  const kind = partitionerKind(config)
  switch (kind) {
    case 'default':
      return { extractor: undefined, encode: (record) => `partition=${record.partition}` }
    case 'field':
      return { extractor: undefined, encode: byFields(config) }
    default:
      return { extractor: timestampExtractor(config), encode: byTime(config, kind) }
  }
}

/** How many rounded times are remembered: those of records that come in no order. */
const maxKnownTimes = 4096
/** Time zones differ from UTC by multiples of this since 1972. */
const quarterMs = 15 * 60_000
const quartersFrom = Date.UTC(1972, 11)

/** The settings of folders by time; for `hourly` and `daily` they are fixed. */
export function timeFolders(
  config: S3SinkConfig,
  kind: 'time' | 'hourly' | 'daily',
): { readonly durationMs: number; readonly pattern: string } {
  const delim = config['directory.delim']
  const day = [`'year'=YYYY`, `'month'=MM`, `'day'=dd`]
  if (kind === 'daily') return { durationMs: 86_400_000, pattern: day.join(delim) }
  if (kind === 'hourly') return { durationMs: 3_600_000, pattern: [...day, `'hour'=HH`].join(delim) }
  const pattern = config['path.format'] ?? ''
  const trimmed = delim !== '' && pattern.endsWith(delim) ? pattern.slice(0, -delim.length) : pattern
  return { durationMs: config['partition.duration.ms'] ?? -1, pattern: trimmed }
}

function byTime(config: S3SinkConfig, kind: 'time' | 'hourly' | 'daily'): Encode {
  const { durationMs, pattern } = timeFolders(config, kind)
  const zone = zoneOf(config.timezone || 'UTC')
  const format = jodaFormat(pattern, zone, config.locale || 'en')
  const folderOf = (timeMs: number): string => format(roundedDown(timeMs, durationMs, zone))
  // All times of such a piece are in the same folder.
  const pieceMs = greatestDivisor(durationMs, quarterMs)
  const known = new Map<number, string>()
  return (_record, timeMs) => {
    if (!(Math.abs(timeMs) <= 8.6e15)) throw new DataError(`${timeMs} is no time`)
    if (timeMs < quartersFrom) return folderOf(timeMs)
    const piece = Math.floor(timeMs / pieceMs)
    let folder = known.get(piece)
    if (folder === undefined) {
      if (known.size >= maxKnownTimes) known.clear()
      folder = folderOf(timeMs)
      known.set(piece, folder)
    }
    return folder
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

function byFields(config: S3SinkConfig): Encode {
  const delim = config['directory.delim']
  const fields = config['partition.field.name'].map((name) => ({ name, path: new FieldPath(name) }))
  return ({ value, valueSchema }) => {
    if (value === null || typeof value !== 'object') {
      throw new DataError('partitioning by fields needs values with fields')
    }
    let encoded = ''
    for (const { name, path } of fields) {
      const found = path.read(value, valueSchema)
      encoded += `${encoded === '' ? '' : delim}${name}=${fieldText(name, found.value, found.schema)}`
    }
    return encoded
  }
}

function fieldText(name: string, value: unknown, schema: Schema | undefined): string {
  if (value === null) return 'null'
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  const isInteger = schema === undefined ? Number.isInteger(value) : schema.type.startsWith('int')
  if (typeof value === 'number' && isInteger) return String(value)
  throw new DataError(`field "${name}" cannot name a folder: it is neither an integer, a text nor a boolean`)
}

function withSchemaName(config: S3SinkConfig, encode: Encode): Encode {
  const affix = config['s3.schema.partition.affix.type']
  if (affix === 'NONE') return encode
  const delim = config['directory.delim']
  return (record, timeMs) => {
    const name = `schema_name=${record.valueSchema?.name ?? 'null'}`
    const encoded = encode(record, timeMs)
    return affix === 'PREFIX' ? name + delim + encoded : encoded + delim + name
  }
}

function withTombstones(config: S3SinkConfig, encode: Encode): Encode {
  if (config['behavior.on.null.values'] !== 'write') return encode
  const folder = config['tombstone.encoded.partition']
  return (record, timeMs) => (record.value === null ? folder : encode(record, timeMs))
}
