/**
 * One start of a log: `node start-main.ts fill|start DIR PARTITIONS BYTES kill|close`. `fill` first makes the topic and writes that many
 * bytes to each partition, checkpoints, and writes one batch more to each. Says one line of JSON; then closes the log, or waits to be killed.
 */
import { readdirSync } from 'node:fs'
import { LogManager } from '../../core/src/log/log-manager.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'

const [mode, dir, count, bytes, end] = process.argv.slice(2)
const partitions = Number(count)
const started = performance.now()
const since = () => Math.round(performance.now() - started)
const flush = mode === 'fill' ? 'os' : 'commit'
const manager = await LogManager.open({ dir: dir!, logger: silentLogger, flush, checkpointIntervalMs: 1e9 })
const openMs = since()

function batchOf(size: number): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: size })
  while (builder.tryAppend(null, Buffer.alloc(100, builder.count % 251), undefined, Date.now()) && size > 200);
  return builder.build()
}

/** One batch to each partition, a hundred at a time. */
async function round(size: number): Promise<void> {
  for (let i = 0; i < partitions; i += 100) {
    const group = Array.from({ length: Math.min(100, partitions - i) }, async (_, j) => {
      await manager.partition('t', i + j)!.append(batchOf(size), { acks: -1, origin: 'client' })
    })
    await Promise.all(group)
  }
}

let wroteMs: number | undefined
if (mode === 'fill') {
  await manager.createTopic('t', partitions)
  const size = Number(bytes) === 0 ? 200 : 256 * 1024
  for (let written = 0; written < Math.max(Number(bytes), 1); written += size) await round(size)
  await manager.checkpoint()
  wroteMs = since()
  if (Number(bytes) > 0) await round(16 * 1024)
}
const log = manager.partition('t', partitions >> 1)!
await log.append(batchOf(200), { acks: -1, origin: 'client' })
const { release } = await log.read(log.highWatermark - 1, 1000, 'read_uncommitted')
release?.()
const firstRecordMs = since()
await manager.recovered()
for (let i = 0; i < partitions; i++) manager.partition('t', i)
const allMs = since()
const residentMiB = Math.round(process.memoryUsage.rss() / 2 ** 20)
const openFiles = readdirSync('/proc/self/fd').length
process.stdout.write(`${JSON.stringify({ wroteMs, openMs, firstRecordMs, allMs, residentMiB, openFiles })}\n`)
if (end === 'close') await manager.close()
else setInterval(() => undefined, 1000)
