import { ConfigError, type SourceOffset, type SourceOffsetChange, type SourcePartition } from '@tidewire/sdk'
import { modeOf, type ReadConfig } from './settings.ts'

/** A value that documents are sorted by, as the server gives it. A time is its milliseconds, of `date_nanos` nanoseconds. */
export type SortValue = number | bigint | string

/**
 * How far an index is read. Documents come by the value of the field, then by sequence number, by which each shard numbers
 * its changes: a point in time that is opened anew, which has the same documents, has them in the same order. What two
 * shards have at the same place is told apart by id; it is no more than one document of each.
 */
export interface Position {
  /** Of the index: one made anew under its name is another one. Left out: not known. */
  readonly uuid?: string
  /** Of the last document. Left out in modes without a field, and before the first one. */
  readonly value?: SortValue
  /** Of the last document. Left out: all documents of that value are read, or none is. */
  readonly seqNo?: number
  /** Of the documents at just that place that are read. */
  readonly ids: readonly string[]
  /** Modes without a field: when all documents had been read, in milliseconds since 1970. */
  readonly doneAt?: number
}

export const partitionOf = (index: string): SourcePartition => ({ index })

export function offsetOf({ uuid, value, seqNo, ids, doneAt }: Position): SourceOffset {
  return {
    ...(uuid !== undefined && { uuid }),
    // Beyond what a number holds it is a text.
    ...(value !== undefined && { value: typeof value === 'bigint' ? String(value) : value }),
    ...(seqNo !== undefined && { seq_no: seqNo }),
    ...(ids.length > 0 && { ids: JSON.stringify(ids) }),
    ...(doneAt !== undefined && { done_at: doneAt }),
  }
}

/** @throws ConfigError where it is none */
export function positionOf(offset: SourceOffset): Position {
  const { uuid, value, seq_no: seqNo, ids, done_at: doneAt, ...others } = offset
  const wrong = (what: string): never => {
    throw new ConfigError(`the offset ${JSON.stringify(offset)} ${what}`)
  }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) wrong(`has ${unknown}, which is not known`)
  if (uuid !== undefined && typeof uuid !== 'string') return wrong('has a uuid that is no text')
  if (value !== undefined && typeof value !== 'string' && typeof value !== 'number') {
    return wrong('has a value that is neither number nor text')
  }
  if (seqNo !== undefined && !isCount(seqNo)) return wrong('has a seq_no that is no whole number from 0 on')
  if (doneAt !== undefined && !isCount(doneAt)) return wrong('has a done_at that is no time in milliseconds')
  return {
    ids: idsOf(ids) ?? wrong('has ids that are no JSON array of texts'),
    ...(uuid !== undefined && { uuid }),
    ...(value !== undefined && { value }),
    ...(seqNo !== undefined && { seqNo }),
    ...(doneAt !== undefined && { doneAt }),
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function idsOf(text: SourceOffset[string] | undefined): readonly string[] | undefined {
  if (text === undefined) return []
  if (typeof text !== 'string') return undefined
  try {
    const ids = JSON.parse(text) as unknown
    return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether offsets are such as can be gone on from. The server keeps none.
 * @throws ConfigError with what is wrong
 */
export function checkOffsets(config: ReadConfig, changes: readonly SourceOffsetChange[]): true {
  const mode = modeOf(config)
  const hasField = mode === 'timestamp' || mode === 'incrementing'
  for (const { partition, offset } of changes) {
    if (offset === null) continue
    if (typeof partition['index'] !== 'string' || Object.keys(partition).length !== 1) {
      throw new ConfigError(`the partition ${JSON.stringify(partition)} is not {"index": "<name>"}`)
    }
    const { value, doneAt } = positionOf(offset)
    if (hasField && value === undefined) {
      throw new ConfigError(`the offset ${JSON.stringify(offset)} has no value, after which mode ${mode} goes on`)
    }
    if (mode === 'timestamp' && !/^\d+$/.test(String(value))) {
      throw new ConfigError(
        `the value ${JSON.stringify(value)} is no time: milliseconds since 1970 (date_nanos: nanoseconds)`,
      )
    }
    if (!hasField && value !== undefined) {
      throw new ConfigError(`the offset ${JSON.stringify(offset)} has a value, which mode ${mode} knows nothing of`)
    }
    if (hasField && doneAt !== undefined) {
      throw new ConfigError(`the offset ${JSON.stringify(offset)} has done_at, which mode ${mode} knows nothing of`)
    }
  }
  return true
}
