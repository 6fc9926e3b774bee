import { ConfigError, type SourceOffset, type SourcePartition } from '@tidewire/sdk'
import type { TableId } from '../link/identifier.ts'

/** A point in time to the microsecond: milliseconds since 1970, and the microseconds beyond. */
export interface Instant {
  readonly millis: number
  /** 0 to 999. */
  readonly micros: number
}

/** How far a table, or the query, has been read. */
export interface Position {
  readonly timestamp?: Instant | undefined
  readonly incrementing?: bigint | undefined
}

/** Confluent's form of the position; a number that JSON cannot hold exactly is a text. */
export function offsetOf({ timestamp, incrementing }: Position): SourceOffset {
  return {
    ...(incrementing !== undefined && { incrementing: numberOrText(incrementing) }),
    ...(timestamp !== undefined && { timestamp: timestamp.millis, timestamp_nanos: nanosOf(timestamp) }),
  }
}

function numberOrText(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

/** java.sql.Timestamp's nanoseconds: of the whole second. */
function nanosOf({ millis, micros }: Instant): number {
  return (((millis % 1000) + 1000) % 1000) * 1_000_000 + micros * 1000
}

/**
 * The position that an offset stands for. What it lacks is not known: reading begins at the beginning of that column.
 * @throws ConfigError where it is none
 */
export function positionOf(offset: SourceOffset): Position {
  const { incrementing, timestamp, timestamp_nanos: nanos = null } = offset
  const refuse = (why: string): ConfigError =>
    new ConfigError(
      `the offset ${JSON.stringify(offset)} is not {"incrementing": <number>, "timestamp": <ms>, "timestamp_nanos": <ns of the second>}: ${why}`,
    )
  if (timestamp !== undefined && timestamp !== null && !Number.isSafeInteger(timestamp)) throw refuse('timestamp')
  const isNanos = typeof nanos === 'number' && Number.isInteger(nanos) && nanos >= 0 && nanos < 1e9
  if (nanos !== null && !isNanos) throw refuse('timestamp_nanos')
  return {
    ...(typeof timestamp === 'number' && {
      timestamp: { millis: timestamp, micros: isNanos ? Math.floor((nanos % 1_000_000) / 1000) : 0 },
    }),
    ...(incrementing !== undefined && incrementing !== null && { incrementing: integerOf(incrementing, refuse) }),
  }
}

function integerOf(value: unknown, refuse: (why: string) => ConfigError): bigint {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value)
  if (!Number.isInteger(value)) throw refuse('incrementing')
  if (!Number.isSafeInteger(value)) {
    throw refuse('a number so large is not exact in JSON; set it as a text, by PATCH /connectors/{name}/offsets')
  }
  return BigInt(value as number)
}

/** For SQL, in UTC: `2026-01-31 12:34:56.123456+00`. */
export function timestampText({ millis, micros }: Instant): string {
  const date = new Date(millis)
  const year = date.getUTCFullYear()
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  const fraction = String(date.getUTCMilliseconds() * 1000 + micros).padStart(6, '0')
  return `${day} ${time}.${fraction}+00${year > 0 ? '' : ' BC'}`
}

export const queryPartition: SourcePartition = { query: 'query' }

/**
 * Where the position of a table may be stored, the first being where ours is. Confluent's has the database's name or
 * not, by the version of its driver, and no more than the table's in old versions and in Aiven's.
 */
export function tablePartitions(database: string, { schema, table }: TableId): [SourcePartition, ...SourcePartition[]] {
  return [
    { protocol: '1', table: `${database}.${schema}.${table}` },
    { protocol: '1', table: `${schema}.${table}` },
    { table: `${schema}.${table}` },
    { table },
  ]
}
