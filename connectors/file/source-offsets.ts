import { open } from 'node:fs/promises'
import { ConfigError, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import type { FileSourceConfig } from './config.ts'

const chunkBytes = 64 * 1024

/** @throws ConfigError for what no file can be read from. Whether the file is as long as that shows when it is read. */
export function checkOffsets(offsets: readonly SourceOffsetChange[]): true {
  for (const { partition, offset } of offsets) {
    if (offset === null) continue
    const { filename } = partition
    if (typeof filename !== 'string') {
      throw new ConfigError(`the partition ${JSON.stringify(partition)} is not {"filename": <path>}`)
    }
    const { position } = offset
    if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) {
      throw new ConfigError(`the offset ${JSON.stringify(offset)} is not {"position": <bytes from the file's start>}`)
    }
  }
  return true
}

/** @throws ConfigError for a time, and where the file is not on this machine */
export async function offsetsFrom({ file }: FileSourceConfig, from: SourceStart): Promise<SourceOffsetChange[]> {
  if (typeof from === 'object' && 'timestamp' in from) {
    throw new ConfigError(
      'the lines of a file have no time: it is read from "earliest", from "latest", or from {"offset": <byte>}',
    )
  }
  const position = from === 'latest' ? await endOfLines(file) : from.offset
  return [{ partition: { filename: file }, offset: { position } }]
}

/** Behind the last line that is complete. */
async function endOfLines(path: string): Promise<number> {
  await using file = await open(path, 'r').catch((error: unknown) => {
    throw new ConfigError(`cannot look where the file ends, on this machine (${(error as Error).message}): give a byte`)
  })
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (let end = (await file.stat()).size; end > 0;) {
    const start = Math.max(0, end - chunkBytes)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    const chunk = buffer.subarray(0, bytesRead)
    const at = Math.max(chunk.lastIndexOf('\n'), chunk.lastIndexOf('\r'))
    if (at >= 0) return start + at + 1
    end = start
  }
  return 0
}
