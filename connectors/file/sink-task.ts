import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  isRetriable,
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
  await mkdir(dirname(path), { recursive: true })
  // Appending, so that a file which somebody empties (logrotate's copytruncate) goes on at its new end.
  const file = await open(path, 'a')
  try {
    await syncFolder(path)
    if (!context.config['exactly.once']) return new FileSinkTask(file)
    return new ExactlyOnceFileSinkTask(file, await restore(file, context), context)
  } catch (error) {
    await file.close()
    throw error
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
  protected readonly file: FileHandle
  /** Lines taken but not yet written: none, unless the disk was full. */
  private unwritten: Buffer = Buffer.alloc(0)
  private unsynced = false

  constructor(file: FileHandle) {
    this.file = file
  }

  async put(records: readonly SinkRecord[]): Promise<void> {
    // A full disk shows here, before anything new is taken: the batch that is refused has left no trace.
    await this.writeRest()
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
    // A failed sync is not repeated: the kernel may have dropped the pages. The task fails and reads them again.
    await this.file.datasync()
    this.unsynced = false
  }

  async stop(): Promise<void> {
    await this.file.close()
  }

  private async writeRest(): Promise<void> {
    while (this.unwritten.length > 0) {
      try {
        const { bytesWritten } = await this.file.write(this.unwritten)
        this.unwritten = this.unwritten.subarray(bytesWritten)
      } catch (error) {
        const { code = '', message } = error as NodeJS.ErrnoException
        if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
        throw new RetriableError(`cannot write now: ${message}`, { code, cause: error })
      }
    }
  }
}

/** Keeps beside the file how far it is durable, and goes on from there whatever the consumer group has committed. */
class ExactlyOnceFileSinkTask extends FileSinkTask {
  private readonly context: Context
  private readonly next = new Map<string, Map<number, number>>()
  private dirty = false

  constructor(file: FileHandle, { offsets }: Progress, context: Context) {
    super(file)
    this.context = context
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
    for (const { topic, partition, offset } of records) {
      let partitions = this.next.get(topic)
      if (partitions === undefined) {
        partitions = new Map<number, number>()
        this.next.set(topic, partitions)
      }
      partitions.set(partition, offset + 1)
      this.dirty = true
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
