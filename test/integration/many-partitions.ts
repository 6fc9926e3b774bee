/**
 * A log with many partitions, in a process of its own for its memory and open files:
 * `node --expose-gc many-partitions.ts DIR PARTITIONS write|check`. Says one line of JSON; `write` then waits to be killed.
 */
import { readdirSync } from 'node:fs'
import { LogManager } from '../../core/src/log/log-manager.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { decodeRecords, RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'

const [dir, count, mode] = process.argv.slice(2)
const partitions = Number(count)
/** Under way at one time. */
const GROUP = 100

// What survives a killed process is the matter here, not what survives a power cut: no sync for each of them.
const manager = await LogManager.open({ dir: dir!, logger: silentLogger, flush: 'os', maxOpenFiles: 256 })
if (mode === 'write') await manager.createTopic('t', partitions)
else await manager.recovered()
const openFiles: number[] = []

async function forAll(call: (partition: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < partitions; i += GROUP) {
    await Promise.all(Array.from({ length: Math.min(GROUP, partitions - i) }, (_, j) => call(i + j)))
    openFiles.push(readdirSync('/proc/self/fd').length)
  }
}

async function append(partition: number, value: string): Promise<void> {
  const builder = new RecordBatchBuilder({})
  builder.tryAppend(null, value, undefined, Date.now())
  await manager.partition('t', partition)!.append(builder.build(), { acks: -1, origin: 'client' })
}

async function values(partition: number): Promise<string[]> {
  const { records, release } = await manager.partition('t', partition)!.read(0, 10_000, 'read_uncommitted')
  const found: string[] = []
  for (const bytes of records) {
    for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
      found.push(...decodeRecords(bytes, at).map(({ value }) => value!.toString()))
    }
  }
  release?.()
  return found
}

function memory(): { heap: number; resident: number } {
  globalThis.gc!()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}

const wrong: string[] = []
const expectValues = async (partition: number, expected: readonly string[]) => {
  const found = await values(partition)
  if (found.join() !== expected.join()) wrong.push(`${partition}: ${found.join()}`)
}
const before = memory()
if (mode === 'write') {
  await append(0, 'first 0')
  await manager.checkpoint()
  await forAll((partition) => (partition === 0 ? Promise.resolve() : append(partition, `first ${partition}`)))
  await forAll((partition) => expectValues(partition, [`first ${partition}`]))
} else {
  await forAll((partition) => expectValues(partition, [`first ${partition}`]))
  await forAll((partition) => append(partition, `second ${partition}`))
  await forAll((partition) => expectValues(partition, [`first ${partition}`, `second ${partition}`]))
  await manager.close()
}
const after = memory()
process.stdout.write(
  `${JSON.stringify({ before, after, openFiles: Math.max(...openFiles), wrong: wrong.slice(0, 5) })}\n`,
)
if (mode === 'write') setInterval(() => undefined, 1000)
