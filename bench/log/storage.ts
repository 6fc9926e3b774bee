/**
 * The storage alone, without sockets: appends per second, latency of acks=all under group commit, reads, and starts with many partitions.
 *
 *     node bench/log/storage.ts [--dir DIR] [--mib 256] [--start-mib 10240] [--write]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LogManager } from '../../core/src/log/log-manager.ts'
import type { FlushPolicy } from '../../core/src/log/log-manager.ts'
import type { PartitionLog } from '../../core/src/log/partition-log.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'
import { percentile, report, table } from '../support/report.ts'
import { measureStarts } from './starts.ts'

const MIB = 1024 * 1024
const { values: args } = parseArgs({
  options: {
    dir: { type: 'string', default: tmpdir() },
    mib: { type: 'string', default: '256' },
    'start-mib': { type: 'string', default: '10240' },
    write: { type: 'boolean' },
  },
})
const totalBytes = Number(args.mib) * MIB

interface AppendRun {
  readonly name: string
  readonly flush: FlushPolicy
  readonly acks: -1 | 1
  readonly batchBytes: number
  readonly partitions: number
  /** Appends under way at one time, all partitions together. */
  readonly inFlight: number
}

const runs: AppendRun[] = [
  { name: '16 KiB, 1 in flight', flush: 'commit', acks: -1, batchBytes: 16_384, partitions: 1, inFlight: 1 },
  { name: '16 KiB, 5 in flight', flush: 'commit', acks: -1, batchBytes: 16_384, partitions: 1, inFlight: 5 },
  { name: '16 KiB, 64 in flight', flush: 'commit', acks: -1, batchBytes: 16_384, partitions: 1, inFlight: 64 },
  { name: '16 KiB, 64 in flight', flush: 'commit', acks: -1, batchBytes: 16_384, partitions: 12, inFlight: 64 },
  { name: '16 KiB, 64 in flight', flush: 'commit', acks: 1, batchBytes: 16_384, partitions: 1, inFlight: 64 },
  { name: '16 KiB, 64 in flight', flush: 'os', acks: -1, batchBytes: 16_384, partitions: 1, inFlight: 64 },
  { name: '1 MiB, 1 in flight', flush: 'commit', acks: -1, batchBytes: MIB, partitions: 1, inFlight: 1 },
  { name: '1 MiB, 5 in flight', flush: 'commit', acks: -1, batchBytes: MIB, partitions: 1, inFlight: 5 },
  { name: '1 MiB, 5 in flight', flush: 'os', acks: -1, batchBytes: MIB, partitions: 1, inFlight: 5 },
]

/** 100-byte records, as large as fit; not compressible beyond the point, not compressed. */
function makeBatch(bytes: number): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: bytes })
  while (builder.tryAppend(null, Buffer.alloc(100, builder.count % 251), undefined, Date.now()));
  return builder.build()
}

const rows: string[][] = []

function addRow(name: string, bytes: number, count: number, ms: number, cpu: NodeJS.CpuUsage, latency: string): void {
  const mibPerSecond = (bytes / MIB / (ms / 1000)).toFixed(0)
  const each = ((ms * 1000) / count).toFixed(1)
  rows.push([name, mibPerSecond, each, ((cpu.user + cpu.system) / count).toFixed(1), latency])
}

async function withLog<T>(
  flush: FlushPolicy,
  partitions: number,
  use: (logs: PartitionLog[]) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(join(args.dir, 'tidewire-bench-'))
  const manager = await LogManager.open({ dir, logger: silentLogger, flush })
  try {
    await manager.createTopic('bench', partitions, { 'max.message.bytes': `${4 * MIB}` })
    return await use(Array.from({ length: partitions }, (_, i) => manager.partition('bench', i)!))
  } finally {
    await manager.close()
    rmSync(dir, { recursive: true })
  }
}

async function appendRun(run: AppendRun): Promise<void> {
  await withLog(run.flush, run.partitions, async (logs) => {
    const template = makeBatch(run.batchBytes)
    const count = Math.max(
      100,
      Math.min(Math.floor(totalBytes / template.length), run.inFlight === 1 ? 2000 : Infinity),
    )
    const latencies = new Float64Array(count)
    let next = 0
    const sender = async () => {
      // One buffer a sender, as a connection has its own; the log writes the offset into it.
      const batch = Buffer.from(template)
      for (let i = next++; i < count; i = next++) {
        const started = performance.now()
        await logs[i % logs.length]!.append(batch, { acks: run.acks, origin: 'client' })
        latencies[i] = performance.now() - started
      }
    }
    const cpu = process.cpuUsage()
    const started = performance.now()
    await Promise.all(Array.from({ length: run.inFlight }, sender))
    const ms = performance.now() - started
    const used = process.cpuUsage(cpu)
    const sorted = [...latencies]
    const name = `append ${run.name}, ${run.partitions} partition(s), flush=${run.flush}, acks=${run.acks === -1 ? 'all' : '1'}`
    const latency = `${percentile(sorted, 0.5).toFixed(2)} / ${percentile(sorted, 0.99).toFixed(2)}`
    addRow(name, count * template.length, count, ms, used, latency)
  })
}

async function readRun(maxBytes: number): Promise<void> {
  await withLog('os', 1, async ([log]) => {
    const template = makeBatch(16_384)
    const count = Math.floor(totalBytes / template.length)
    for (let i = 0; i < count; i++) await log!.append(Buffer.from(template), { acks: 1, origin: 'client' })
    let bytes = 0
    let reads = 0
    const cpu = process.cpuUsage()
    const started = performance.now()
    for (let offset = 0; offset < log!.highWatermark;) {
      const read = await log!.read(offset, maxBytes, 'read_uncommitted')
      bytes += read.bytes
      reads++
      const last = read.records.at(-1)!
      offset += Math.round((read.bytes / template.length) * template.readInt32BE(57))
      if (last.length === 0) throw new Error('nothing read')
    }
    const ms = performance.now() - started
    const used = process.cpuUsage(cpu)
    addRow(`read ${maxBytes / 1024} KiB at a time, from the page cache`, bytes, reads, ms, used, '')
  })
}

for (const run of runs) await appendRun(run)
for (const kib of [16, 64, 1024]) await readRun(kib * 1024)
const head = ['', 'MiB/s', 'µs each', 'µs CPU each', 'p50 / p99 ms']
const starts = await measureStarts(args.dir, Number(args['start-mib']))
await report('storage', 'npm run bench:storage', `${table(head, rows)}\n\n${starts}`)
