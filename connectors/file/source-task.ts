import type { Stats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ConfigError,
  DataError,
  schema,
  type SourceBatch,
  type SourceOffset,
  type SourceRecord,
  type SourceTaskContext,
} from '@tidewire/sdk'
import type { FileSourceConfig } from './config.ts'
import { completeLines } from './lines.ts'

const chunkBytes = 2 ** 20
const valueSchema = schema.string()

type Context = SourceTaskContext<FileSourceConfig>

/** The lines of the file from the stored position on, for as long as the task runs. */
export async function* readLines(context: Context): AsyncGenerator<SourceBatch> {
  const { config, signal, log } = context
  const partition = { filename: config.file }
  let position = positionOf(await context.offsets.get(partition))
  for (;;) {
    await using file = await openWhenThere(context)
    if (file === undefined) return
    for await (const { lines, end } of follow(file, position, context)) {
      position = end
      yield { records: lines }
    }
    if (signal.aborted) return
    // The path leads to a new file, or the old one was cut. The position has to change with it, before a line of the
    // new file does so: a restart in between would go on somewhere in the middle of it.
    log.warn('the file was replaced or truncated: reading it from its start', { file: config.file, position })
    position = 0
    yield { records: [], offsets: [{ partition, offset: { position } }] }
  }
}

/** Lines as records, and the position after them. Ends when the file was truncated or replaced, or the task stops. */
async function* follow(
  file: FileHandle,
  position: number,
  context: Context,
): AsyncGenerator<{ lines: SourceRecord[]; end: number }> {
  const { config, signal, maxBufferedBytes } = context
  const partition = { filename: config.file }
  const record = (text: string, end: number): SourceRecord => ({
    topic: config.topic,
    value: text,
    valueSchema,
    sourcePartition: partition,
    sourceOffset: { position: end },
  })
  let buffer: Buffer = Buffer.allocUnsafe(chunkBytes)
  let filled = 0 // bytes in the buffer; `position` is where in the file the first of them stands
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) {
      const rest = buffer.toString('utf8', 0, filled)
      const fate = await nextOf(file, position + filled, config, signal)
      // What a replaced file ends with is a line, since nobody is left to complete it.
      if (fate === 'replaced' && filled > 0) yield { lines: [record(rest, position + filled)], end: position + filled }
      if (fate !== 'grown') return
      continue
    }
    filled += bytesRead
    let consumed = 0
    let lines: SourceRecord[] = []
    for (const { text, end } of completeLines(buffer.subarray(0, filled))) {
      lines.push(record(text, position + end))
      consumed = end
      if (lines.length < config['batch.size']) continue
      yield { lines, end: position + consumed }
      lines = []
    }
    if (lines.length > 0) yield { lines, end: position + consumed }
    buffer.copyWithin(0, consumed, filled)
    filled -= consumed
    position += consumed
    if (filled === buffer.length) {
      buffer = enlarge(buffer, maxBufferedBytes, config.file, position)
      // A long line has to fit, whether or not there is room.
      context.holds(buffer.length)
    }
  }
}

function enlarge(buffer: Buffer, maxBytes: number, path: string, position: number): Buffer {
  if (buffer.length >= maxBytes) {
    throw new DataError(
      `${path}: the line at byte ${position} is longer than the ${maxBytes} bytes that a task may buffer`,
    )
  }
  const larger = Buffer.allocUnsafe(Math.min(buffer.length * 2, maxBytes))
  buffer.copy(larger)
  return larger
}

/** Waits until something becomes of an open file that had nothing to read at `position`; undefined: the task stops. */
async function nextOf(
  file: FileHandle,
  position: number,
  { file: path, 'poll.interval.ms': pauseMs }: FileSourceConfig,
  signal: AbortSignal,
): Promise<'grown' | 'truncated' | 'replaced' | undefined> {
  const opened = await file.stat()
  while (!signal.aborted) {
    const atPath = await stat(path).catch(ifMissing)
    // One look at the path is enough while it leads to the open file, and it does so mostly.
    const mine = atPath !== undefined && isSameFile(atPath, opened) ? atPath : await file.stat()
    if (mine.size < position) return 'truncated'
    if (mine.size > position) return 'grown'
    // A missing one is about to be replaced; until then the old one may still be written to.
    if (atPath !== undefined && !isSameFile(atPath, opened)) return 'replaced'
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

const isSameFile = (one: Stats, other: Stats): boolean => one.ino === other.ino && one.dev === other.dev

/** The file, opened as soon as it exists; undefined when the task stops before. */
async function openWhenThere({ config, signal, log }: Context): Promise<FileHandle | undefined> {
  for (let tries = 0; !signal.aborted; tries++) {
    const found = await stat(config.file).catch(ifMissing)
    if (found !== undefined && !found.isFile()) {
      throw new ConfigError(`${config.file} is not a regular file`, { setting: 'file' })
    }
    const file = found && (await open(config.file, 'r').catch(ifMissing))
    if (file !== undefined) return file
    if (tries === 0) log.info('waiting for the file to be made', { file: config.file })
    await sleep(config['poll.interval.ms'], undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

function positionOf(offset: SourceOffset | undefined): number {
  const position = offset?.['position'] ?? 0
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) {
    throw new ConfigError(
      `the stored offset ${JSON.stringify(offset)} has no byte position; set or delete it over REST`,
    )
  }
  return position
}
