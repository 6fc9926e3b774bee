import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { LogManager } from '../log-manager.ts'
import type { LogManagerOptions } from '../log-manager.ts'
import { silentLogger } from '../../logging/logger.ts'
import { decodeRecords, iterateBatches, RecordBatchBuilder } from '../../protocol/record-batch.ts'
import type { RecordBatchOptions } from '../../protocol/record-batch.ts'

/** A new directory that is removed after the test. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tidewire-log-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Opens a log that is closed after the test, if the test has not done so. */
export async function openLog(dir: string, options: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  const manager = await LogManager.open({ dir, logger: silentLogger, ...options })
  onTestFinished(() => manager.close().catch(() => undefined))
  return manager
}

export interface TestBatch extends RecordBatchOptions {
  readonly timestamp?: number
  /** Default null. */
  readonly key?: string
}

/** A batch with one record for each value. */
export function batchOf(values: readonly (string | null)[], options: TestBatch = {}): Buffer {
  const builder = new RecordBatchBuilder(options)
  for (const value of values) builder.tryAppend(options.key ?? null, value, undefined, options.timestamp ?? Date.now())
  return builder.build()
}

export interface TestRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

/** The data records of batches as a read returns them. */
export function recordsOf(buffers: readonly Buffer[]): TestRecord[] {
  return buffers.flatMap((buffer) =>
    [...iterateBatches(buffer)].flatMap(({ at, header }) =>
      header.isControl
        ? []
        : decodeRecords(buffer, at).map(({ offset, key, value, timestamp }) => ({
            offset,
            key: key === null ? null : key.toString(),
            value: value === null ? null : value.toString(),
            timestamp,
          })),
    ),
  )
}
