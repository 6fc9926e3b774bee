import type { S3SinkConfig } from './settings.ts'
import { nextMultiple, zoneOf, type Zone } from './zone.ts'

/** When open objects are completed, by the settings. */
export interface RotationRules {
  readonly flushSize: number
  /** Undefined: not by the time of records. */
  readonly intervalMs: number | undefined
  readonly onPartitionChange: boolean
  /** Infinity: any number. */
  readonly maxOpenFiles: number
  /** The next moment by the clock after this one; undefined: there are none. */
  readonly nextScheduled: ((nowMs: number) => number) | undefined
}

/** @param byTime whether folders go by time */
export function rotationRules(config: S3SinkConfig, byTime: boolean): RotationRules {
  const intervalMs = config['rotate.interval.ms']
  const scheduleMs = config['rotate.schedule.interval.ms']
  const maxOpenFiles = config['partitioner.max.open.files']
  const zone: Zone = zoneOf(config.timezone || 'UTC')
  return {
    flushSize: config['flush.size'],
    intervalMs: byTime && intervalMs > 0 ? intervalMs : undefined,
    onPartitionChange: config['rotate.file.on.partition.change'],
    maxOpenFiles: maxOpenFiles > 0 ? maxOpenFiles : Infinity,
    nextScheduled: scheduleMs > 0 ? (nowMs) => nextMultiple(nowMs, scheduleMs, zone) : undefined,
  }
}
