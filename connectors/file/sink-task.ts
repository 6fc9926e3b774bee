import { existsSync } from 'node:fs'
import { mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  ConfigError,
  isRetriable,
  originalPosition,
  RetriableError,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
} from '@tidewire/sdk'
import type { FileSinkConfig } from './config.ts'
import { lineOf } from './line.ts'
import { loadProgress, saveProgress, syncFolder, type Progress } from './offsets-file.ts'

type Context = SinkTaskContext<FileSinkConfig>

/** Opens the file, and with `exactly.once` cuts off what was written after the last flush. */
export async function openFileSink(context: Context): Promise<SinkTask> {
  const path = context.config.file
  // Each of two writers would cut off what the other has written.
  if (context.config['exactly.once'] && context.redrive === 'beside') {
    throw new ConfigError(
      `${path} has one writer only, since exactly.once is set: stop the connector, put the dead letters back, and resume it`,
      { setting: 'exactly.once' },
    )
  }
  await makeFolder(dirname(path)).catch((error: unknown) => {
    throw new Error(`The folder of ${path} cannot be made: ${(error as Error).message}`, { cause: error })
  })
  // Appending, so that a file which somebody empties (logrotate's copytruncate) goes on at its new end.
  const file = await open(path, 'a')
  try {
    await syncFolder(path)
    if (!context.config['exactly.once']) return new FileSinkTask(file, context)
    return new ExactlyOnceFileSinkTask(file, context, await restore(file, context))
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Step by step: Node's `recursive` never returns below a folder that takes no others, as /proc. */
async function makeFolder(path: string): Promise<void> {
  const above = dirname(path)
  if (existsSync(path) || above === path) return
  await makeFolder(above)
  try {
    await mkdir(path)
  } catch (error) {
    // Another task came first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Brings the file to the state of its stored progress. */
async function restore(file: FileHandle, { config, log }: Context): Promise<Progress> {
  const stored = await loadProgress(`${config.file}.offsets`)
  const { size } = await file.stat()
  const progress: Progress = { version: 1, offsets: stored?.offsets ?? {}, size: Math.min(size, stored?.size ?? size) }
  if (stored === undefined) await saveProgress(`${config.file}.offsets`, progress)
  else if (size > stored.size) await file.truncate(stored.size)
  else if (size < stored.size) {
    log.warn('the file is shorter than what was written to it; new records go after what is left', {
      file: config.file,
      bytes: size,
      written: stored.size,
    })
  }
  return progress
}

/** Appends lines; what is not flushed comes again after a crash. */
class FileSinkTask implements SinkTask {
  protected file: FileHandle
  protected readonly context: Context
  /** Lines taken but not yet written: none, unless the disk was full. */
  private unwritten: Buffer = Buffer.alloc(0)
  private unsynced = false
  private heldBytes = 0

  constructor(file: FileHandle, context: Context) {
    this.file = file
    this.context = context
  }

  async put(records: readonly SinkRecord[]): Promise<void> {
    // A full disk shows here, before anything new is taken: the batch that is refused has left no trace.
    await this.writeRest()
    await this.followMove()
    if (records.length === 0) return
    let lines = ''
    for (const record of records) lines += lineOf(record.value) + '\n'
    this.unwritten = Buffer.from(lines)
    this.unsynced = true
    try {
      await this.writeRest()
    } catch (error) {
      if (!isRetriable(error)) throw error // these lines are taken: the next call tries again
    }
  }

  async flush(): Promise<void> {
    await this.writeRest()
    if (!this.unsynced) return
    // What nobody can read any more is not committed.
    if ((await this.file.stat()).nlink === 0) throw this.removed()
    // A failed sync is not repeated: the kernel may have dropped the pages. The task fails and reads them again.
    await this.file.datasync()
    this.unsynced = false
  }

  async stop(): Promise<void> {
    await this.file.close()
  }

  /** Where the file was renamed (logrotate), it is left complete and a new one begun; one that was removed took lines with it. */
  private async followMove(): Promise<void> {
    const path = this.context.config.file
    const held = await this.file.stat()
    const named = await stat(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return undefined
    })
    if (named?.ino === held.ino && named.dev === held.dev) return
    if (held.nlink === 0) throw this.removed()
    await this.flush()
    const next = await open(path, 'a')
    await this.file.close()
    this.file = next
    await syncFolder(path)
    this.context.log.warn('the file was renamed; new records go to a new one in its place', { file: path })
  }

  /** Nothing, as a rule: lines are with the system when `put` returns. */
  private tellHeld(bytes: number): void {
    if (bytes === this.heldBytes) return
    this.heldBytes = bytes
    this.context.holds(bytes)
  }

  private removed(): Error {
    return new Error(
      `${this.context.config.file} was removed while it was written to; what came after the last flush is read again, into a new file`,
    )
  }

  private async writeRest(): Promise<void> {
    while (this.unwritten.length > 0) {
      try {
        const { bytesWritten } = await this.file.write(this.unwritten)
        this.unwritten = this.unwritten.subarray(bytesWritten)
        this.tellHeld(this.unwritten.length)
      } catch (error) {
        this.tellHeld(this.unwritten.length)
        const { code = '', message } = error as NodeJS.ErrnoException
        if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
        throw new RetriableError(`cannot write now: ${message}`, { code, cause: error })
      }
    }
  }
}

/** Keeps beside the file how far it is durable, and goes on from there whatever the consumer group has committed. */
class ExactlyOnceFileSinkTask extends FileSinkTask {
  private readonly next = new Map<string, Map<number, number>>()
  private dirty = false

  constructor(file: FileHandle, context: Context, { offsets }: Progress) {
    super(file, context)
    for (const [topic, partitions] of Object.entries(offsets)) {
      this.next.set(
        topic,
        new Map(Object.entries(partitions).map(([partition, offset]) => [Number(partition), offset])),
      )
    }
  }

  open(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const offset = this.next.get(topic)?.get(partition)
      if (offset !== undefined) this.context.seek({ topic, partition, offset })
    }
  }

  override async put(records: readonly SinkRecord[]): Promise<void> {
    await super.put(records)
    this.dirty ||= records.length > 0
    // Dead letters have offsets that the file is past.
    if (this.context.redrive !== undefined) return
    for (const { topic, partition, offset } of records.map(originalPosition)) {
      let partitions = this.next.get(topic)
      if (partitions === undefined) {
        partitions = new Map<number, number>()
        this.next.set(topic, partitions)
      }
      partitions.set(partition, offset + 1)
    }
  }

  override async flush(): Promise<void> {
    await super.flush()
    if (!this.dirty) return
    await saveProgress(`${this.context.config.file}.offsets`, {
      version: 1,
      size: (await this.file.stat()).size,
      offsets: Object.fromEntries([...this.next].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)])),
    })
    this.dirty = false
  }
}
