/**
 * Appends to the log in a directory until it is killed: `node append-until-killed.ts DIR CYCLE`. Says on standard output what was
 * acknowledged, a line each: `ack PARTITION OFFSET VALUE`.
 */
import { writeSync } from 'node:fs'
import { LogManager } from '../../core/src/log/log-manager.ts'
import type { PartitionLog } from '../../core/src/log/partition-log.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { encodeControlBatch, RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'

const [dir, cycle] = process.argv.slice(2)
const manager = await LogManager.open({ dir: dir!, logger: silentLogger, checkpointIntervalMs: 50, maxOpenFiles: 6 })
const PARTITIONS = 3
if (manager.topic('t') === undefined) {
  await manager.createTopic('t', PARTITIONS, { 'segment.bytes': '200000', 'index.interval.bytes': '1000' })
}

/** An idempotent producer that keeps five appends in flight, some of them sent twice. */
async function produce(partition: number): Promise<never> {
  const log = manager.partition('t', partition)!
  const producerId = Number(cycle) * 100 + partition
  let sequence = 0
  const lane = async (): Promise<never> => {
    for (;;) {
      const own = sequence++
      const value = `${producerId}:${own}:`.padEnd(20 + ((own * 37) % 3000), '.')
      const send = () => log.append(batch(producerId, own, value, false), { acks: -1, origin: 'client' })
      const answers = await Promise.all(own % 7 === 0 ? [send(), send()] : [send()])
      for (const { baseOffset } of answers) say(`ack ${partition} ${baseOffset} ${producerId}:${own}`)
    }
  }
  await Promise.all([lane(), lane(), lane(), lane(), lane()])
  throw new Error('unreachable')
}

/** Transactions, one after the other, every third aborted. Says so when the marker is durable. */
async function transact(partition: number): Promise<never> {
  const log: PartitionLog = manager.partition('t', partition)!
  const producerId = Number(cycle) * 100 + 50 + partition
  // What an earlier process left open is the coordinator's to abort.
  for (const { producerId: left, producerEpoch, currentTransactionStartOffset } of log.producers()) {
    if (currentTransactionStartOffset >= 0) await end(log, 'ABORT', left, producerEpoch)
  }
  for (let i = 0; ; i++) {
    const kind = i % 3 === 0 ? 'ABORT' : 'COMMIT'
    const value = `${producerId}:${i}:${kind}`
    const { baseOffset } = await log.append(batch(producerId, i, value, true), { acks: -1, origin: 'client' })
    await end(log, kind, producerId, 0)
    say(`ack ${partition} ${baseOffset} ${value}`)
  }
}

function batch(producerId: number, sequence: number, value: string, isTransactional: boolean): Buffer {
  const builder = new RecordBatchBuilder({ producerId, producerEpoch: 0, baseSequence: sequence, isTransactional })
  builder.tryAppend(null, value, undefined, Date.now())
  return builder.build()
}

function end(log: PartitionLog, type: 'ABORT' | 'COMMIT', producerId: number, producerEpoch: number) {
  const timestamp = Date.now()
  const marker = encodeControlBatch({ type, coordinatorEpoch: 0, producerId, producerEpoch, timestamp })
  return log.append(marker, { acks: -1, origin: 'coordinator' })
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

await Promise.all(Array.from({ length: PARTITIONS }, (_, i) => [produce(i), transact(i)]).flat())
