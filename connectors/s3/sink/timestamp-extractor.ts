import { DataError, logicalNames, type SinkRecord } from '@tidewire/sdk'
import { FieldPath } from './field-path.ts'
import type { S3SinkConfig } from './settings.ts'

/** Where the time of a record is from. */
export interface TimestampExtractor {
  readonly isWallclock: boolean
  /**
   * Milliseconds since the epoch.
   * @throws DataError where the record has none
   */
  extract(record: SinkRecord, nowMs: number): number
}

const ofRecord = (record: SinkRecord): number => {
  if (record.timestamp < 0) throw new DataError('the record has no timestamp')
  return record.timestamp
}

/** By `timestamp.extractor`. Tombstones have no fields: theirs is the time that the log has of them. */
export function timestampExtractor(config: S3SinkConfig): TimestampExtractor {
  const name = config['timestamp.extractor']
  if (name.endsWith('RecordFieldTimestampExtractor') || name === 'RecordField') {
    const path = new FieldPath(config['timestamp.field'])
    const field = config['timestamp.field']
    return {
      isWallclock: false,
      extract: (record) => (record.value === null ? ofRecord(record) : ofField(record, path, field)),
    }
  }
  if (name.endsWith('RecordTimestampExtractor') || name === 'Record') {
    return { isWallclock: false, extract: ofRecord }
  }
  return { isWallclock: true, extract: (_record, nowMs) => nowMs }
}

function ofField(record: SinkRecord, path: FieldPath, name: string): number {
  const { value, schema } = path.read(record.value, record.valueSchema)
  const isTime =
    schema === undefined ||
    schema.name === logicalNames.timestamp ||
    schema.type === 'int32' ||
    schema.type === 'int64' ||
    schema.type === 'string'
  const ms = isTime ? timeOf(value) : undefined
  if (ms !== undefined) return ms
  const shown = typeof value === 'string' ? `"${value.slice(0, 50)}"` : value === null ? 'null' : `a ${typeof value}`
  throw new DataError(`field "${name}" is no time, but ${shown}: ISO 8601, or milliseconds since the epoch`)
}

function timeOf(value: unknown): number | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? Math.trunc(value) : undefined
    case 'bigint':
      return bounded(Number(value))
    case 'string':
      return /^-?\d{1,19}$/.test(value) ? bounded(Number(value)) : isoTime(value)
    default:
      return undefined
  }
}

/** What JavaScript has dates for. */
const bounded = (ms: number): number | undefined => (Math.abs(ms) <= 8.64e15 ? ms : undefined)

/** Joda-Time's dateTimeParser: a date, a time or both; without an offset it is local, and the worker's zone is UTC. */
const iso =
  /^(?:([+-]?\d{4,})(?:-(\d{1,2})(?:-(\d{1,2}))?)?)?(?:T(?:(\d{1,2})(?::?(\d{1,2})(?::?(\d{1,2})(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/

function isoTime(text: string): number | undefined {
  const match = iso.exec(text)
  if (match === null || text === '' || text === 'T') return undefined
  const [, year = '1970', month = '1', day = '1', hour = '0', minute = '0', second = '0', fraction = '', offset] = match
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const isDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)))
  return date.getTime() - offsetMs(offset)
}

function offsetMs(text: string | undefined): number {
  if (text === undefined || text === 'Z') return 0
  const digits = text.slice(1).replace(':', '')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || '0')
  return (text.startsWith('-') ? -minutes : minutes) * 60_000
}
