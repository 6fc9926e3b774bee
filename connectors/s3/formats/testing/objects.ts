/** Objects in memory, for tests: records written by a format, and read again. */
import type { Header, Schema, SinkRecord } from '@tidewire/sdk'
import { parseConfig, type RawConfig } from '@tidewire/sdk/testing'
import { objectFormat } from '../choose-format.ts'
import type { StoredPart } from '../object-format.ts'
import { openReader } from '../read/open-reader.ts'
import type { ReadableObject, ReadFormat, ReadOptions, ReadRecord } from '../read/object-reader.ts'
import { checkFormats, formatSettings } from '../settings.ts'

export function sinkRecord(
  offset: number,
  value: unknown,
  valueSchema?: Schema,
  more: { key?: unknown; keySchema?: Schema; headers?: readonly Header[] } = {},
): SinkRecord {
  const { key = null, keySchema, headers = [] } = more
  return { topic: 'readings', partition: 3, offset, key, keySchema, value, valueSchema, headers, timestamp: 1 }
}

export interface Written {
  readonly extension: string
  readonly bytes: Buffer
}

/** Writes records to an object, as far as settings go as the sink does it; every `takeEvery` of them what is ready is taken. */
export async function write(
  settings: RawConfig,
  records: readonly SinkRecord[],
  { part = 'value', takeEvery = Infinity }: { part?: StoredPart; takeEvery?: number } = {},
): Promise<Written> {
  const config = parseConfig({ name: 'formats', config: formatSettings, check: checkFormats }, settings)
  const format = await objectFormat(config, part)
  const writer = format.open(records[0]!)
  const pieces: Uint8Array[] = []
  for (const [index, record] of records.entries()) {
    writer.append(record)
    if ((index + 1) % takeEvery > 0) continue
    writer.squeeze()
    pieces.push(...(await writer.take()))
  }
  pieces.push(...(await writer.end()))
  return { extension: format.extension, bytes: Buffer.concat(pieces) }
}

/** An object that comes in pieces of so many bytes. */
export function objectOf(name: string, bytes: Buffer, pieceBytes = 1000): ReadableObject {
  return {
    name,
    size: bytes.length,
    async *stream() {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        await Promise.resolve()
        yield bytes.subarray(at, at + pieceBytes)
      }
    },
    range: (start, end) => Promise.resolve(bytes.subarray(start, end)),
  }
}

/** All records from one on, whose batches follow one another. */
export async function read(
  format: ReadFormat,
  object: ReadableObject,
  options: ReadOptions = {},
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  for await (const batch of openReader(format, object, options)) {
    const next = (options.from ?? 0) + records.length
    if (batch.first !== next) throw new Error(`a batch begins with record ${batch.first}, not with ${next}`)
    records.push(...batch.records)
  }
  return records
}
