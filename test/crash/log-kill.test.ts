import { expect, test } from 'vitest'
import { decodeRecords, iterateBatches } from '../../core/src/protocol/record-batch.ts'
import type { PartitionLog } from '../../core/src/log/partition-log.ts'
import { openLog, temporaryDirectory } from '../../core/src/log/testing/test-log.ts'
import { appendAndKill, type Acknowledged } from './append-and-kill.ts'

const CYCLES = Number(process.env['TIDEWIRE_KILL_CYCLES'] ?? 12)

/** Values by offset, as the given consumer sees them. */
async function readAll(
  log: PartitionLog,
  isolation: 'read_uncommitted' | 'read_committed',
): Promise<Map<number, string>> {
  const values = new Map<number, string>()
  const end = isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark
  for (let offset = 0; offset < end;) {
    const { records, abortedTransactions } = await log.read(offset, 300_000, isolation)
    const aborted = new Map((abortedTransactions ?? []).map(({ producerId, firstOffset }) => [firstOffset, producerId]))
    const hidden = new Set<number>()
    for (const { at, header } of iterateBatches(records[0]!)) {
      for (const [firstOffset, producerId] of aborted)
        if (firstOffset <= header.baseOffset) {
          hidden.add(producerId)
          aborted.delete(firstOffset)
        }
      if (header.isControl) hidden.delete(header.producerId)
      else if (!header.isTransactional || !hidden.has(header.producerId)) {
        for (const record of decodeRecords(records[0]!, at)) {
          values.set(record.offset, record.value!.toString().replace(/:\.*$/, ''))
        }
      }
      offset = header.baseOffset + header.lastOffsetDelta + 1
    }
  }
  return values
}

test(
  'a log that is killed again and again has every acknowledged record once, in order',
  { timeout: CYCLES * 20_000 },
  async () => {
    const dir = temporaryDirectory()
    const acknowledged: Acknowledged[] = []
    for (let cycle = 1; cycle <= CYCLES; cycle++) {
      acknowledged.push(...(await appendAndKill(dir, cycle, 20 + Math.floor(Math.random() * 1500))))
    }
    expect(acknowledged.length).toBeGreaterThan(CYCLES * 20)

    const manager = await openLog(dir)
    for (const partition of [0, 1, 2]) {
      const log = manager.partition('t', partition)!
      const everything = await readAll(log, 'read_uncommitted')
      for (const { offset, value } of acknowledged.filter((ack) => ack.partition === partition)) {
        expect(everything.get(offset)).toBe(value)
      }
      // Each producer's sequence numbers count up from 0 without a gap: in order, none twice.
      const sequences = Map.groupBy(
        [...everything.values()].map((value) => value.split(':')),
        ([producer]) => producer!,
      )
      for (const of of sequences.values())
        expect(of.map(([, sequence]) => Number(sequence))).toEqual(of.map((_, i) => i))

      const committed = new Set((await readAll(log, 'read_committed')).values())
      expect([...committed].filter((value) => value.endsWith('ABORT'))).toEqual([])
      for (const { value } of acknowledged.filter(
        (ack) => ack.partition === partition && ack.value.endsWith('COMMIT'),
      )) {
        // What was committed is visible unless another producer's open transaction holds it back.
        if (log.lastStableOffset === log.highWatermark) expect(committed).toContain(value)
      }
    }
  },
)
