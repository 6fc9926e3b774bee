/** DescribeLogDirs, v1–5. v2 flexible · v3 top-level error · v4 size of the volume · v5 cordoned */
import { statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorCodes } from '../../protocol/errors.ts'
import { describeLogDirs } from '../../protocol/messages/describe-log-dirs.ts'
import { defineHandler } from '../handler.ts'
import type { BrokerServices } from '../services.ts'

export const describeLogDirsHandler = defineHandler({
  api: describeLogDirs,
  versions: [1, 5],
  async handle(services, request) {
    const wanted =
      request.topics ??
      services.topics.all().map(({ name, partitions }) => ({
        topic: name,
        partitions: Array.from({ length: partitions }, (_, i) => i),
      }))
    const topics = wanted.map(({ topic, partitions }) => ({
      name: topic,
      partitions: partitions.flatMap((index) => sizeOf(services, topic, index)),
    }))
    const results = [
      {
        errorCode: errorCodes.NONE,
        logDir: resolve(services.dataDir),
        topics: topics.filter(({ partitions }) => partitions.length > 0),
        ...(await volume(services.dataDir)),
      },
    ]
    return { errorCode: errorCodes.NONE, results }
  },
})

function sizeOf(services: BrokerServices, topic: string, partitionIndex: number) {
  try {
    const partitionSize = services.topics.partition(topic, partitionIndex).sizeBytes
    return [{ partitionIndex, partitionSize, offsetLag: 0, isFutureKey: false }]
  } catch {
    // The answer has no room for an error of one partition.
    return []
  }
}

async function volume(dir: string): Promise<{ totalBytes: number; usableBytes: number }> {
  try {
    const { blocks, bavail, bsize } = await statfs(dir)
    return { totalBytes: blocks * bsize, usableBytes: bavail * bsize }
  } catch {
    return { totalBytes: -1, usableBytes: -1 }
  }
}
