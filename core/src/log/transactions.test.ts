import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import { encodeControlBatch } from '../protocol/record-batch.ts'
import type { LogManager } from './log-manager.ts'
import type { AppendResult, PartitionLog } from './partition-log.ts'

const client = { acks: -1, origin: 'client' } as const
const coordinator = { acks: -1, origin: 'coordinator' } as const

interface Sender {
  readonly producerId: number
  readonly producerEpoch?: number
  readonly transactional?: boolean
}

function send(log: PartitionLog, sender: Sender, sequence: number, values: string[]): Promise<AppendResult> {
  const records = batchOf(values, {
    producerId: sender.producerId,
    producerEpoch: sender.producerEpoch ?? 0,
    baseSequence: sequence,
    isTransactional: sender.transactional ?? false,
  })
  return log.append(records, client)
}

function end(log: PartitionLog, type: 'COMMIT' | 'ABORT', producerId: number, producerEpoch = 0, coordinatorEpoch = 0) {
  const timestamp = Date.now()
  const marker = encodeControlBatch({ type, coordinatorEpoch, producerId, producerEpoch, timestamp })
  return log.append(marker, coordinator)
}

async function openPartition(config: Record<string, string> = {}): Promise<PartitionLog> {
  const manager = await openLog(temporaryDirectory())
  await manager.createTopic('t', 1, config)
  return manager.partition('t', 0)!
}

/** What a read_committed consumer sees. */
async function committedValues(log: PartitionLog): Promise<string[]> {
  const values: string[] = []
  for (let offset = log.logStartOffset; ;) {
    const { records, abortedTransactions } = await log.read(offset, 1_000_000, 'read_committed')
    if (records.length === 0) return values
    for (const record of recordsOf(records)) {
      // Enough for these tests: producers' records carry their id, and no producer both commits and aborts in one read.
      const producer = Number(record.value!.split(':')[0])
      const aborted = abortedTransactions!.some(
        ({ producerId, firstOffset }) => producerId === producer && firstOffset <= record.offset,
      )
      if (!aborted) values.push(record.value!)
    }
    offset = await nextOffset(log, offset)
  }
}

async function nextOffset(log: PartitionLog, offset: number): Promise<number> {
  const { records } = await log.read(offset, 1_000_000, 'read_committed')
  const buffer = records.at(-1)!
  let at = 0
  let next = offset
  while (at < buffer.length) {
    next = Number(buffer.readBigInt64BE(at)) + buffer.readInt32BE(at + 23) + 1
    at += 12 + buffer.readInt32BE(at + 8)
  }
  return next
}

describe('idempotence', () => {
  test('a batch sent again is answered with its first offset and not appended', async () => {
    const log = await openPartition()
    const producer = { producerId: 7 }
    expect(await send(log, producer, 0, ['a', 'b'])).toMatchObject({ baseOffset: 0, duplicate: false })
    expect(await send(log, producer, 2, ['c'])).toMatchObject({ baseOffset: 2 })
    expect(await send(log, producer, 0, ['a', 'b'])).toMatchObject({ baseOffset: 0, lastOffset: 1, duplicate: true })
    expect(await send(log, producer, 2, ['c'])).toMatchObject({ baseOffset: 2, duplicate: true })
    expect(log.logEndOffset).toBe(3)
  })

  test('five in flight arrive together and again together', async () => {
    const log = await openPartition()
    const producer = { producerId: 7 }
    const sendAll = () => Promise.all([0, 1, 2, 3, 4].map((sequence) => send(log, producer, sequence, [`${sequence}`])))
    expect((await sendAll()).map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2, 3, 4])
    const again = await sendAll()
    expect(again.map(({ baseOffset, duplicate }) => [baseOffset, duplicate])).toEqual(
      [0, 1, 2, 3, 4].map((offset) => [offset, true]),
    )
  })

  test('a gap is refused, the one before it is not lost', async () => {
    const log = await openPartition()
    await send(log, { producerId: 7 }, 0, ['a'])
    await expect(send(log, { producerId: 7 }, 2, ['c'])).rejects.toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    expect(await send(log, { producerId: 7 }, 1, ['b'])).toMatchObject({ baseOffset: 1 })
  })

  test('an older epoch is fenced; a newer one starts at 0', async () => {
    const log = await openPartition()
    await send(log, { producerId: 7, producerEpoch: 1 }, 0, ['a'])
    await expect(send(log, { producerId: 7, producerEpoch: 0 }, 1, ['b'])).rejects.toMatchObject({
      code: 'INVALID_PRODUCER_EPOCH',
    })
    await expect(send(log, { producerId: 7, producerEpoch: 2 }, 1, ['b'])).rejects.toMatchObject({
      code: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    })
    expect(await send(log, { producerId: 7, producerEpoch: 2 }, 0, ['b'])).toMatchObject({ baseOffset: 1 })
  })

  test('sequence numbers wrap around', async () => {
    const log = await openPartition()
    await send(log, { producerId: 7 }, 0x7fffffff - 1, ['a', 'b'])
    expect(await send(log, { producerId: 7 }, 0, ['c'])).toMatchObject({ baseOffset: 2, duplicate: false })
  })
})

describe('transactions', () => {
  const one = { producerId: 1, transactional: true }
  const two = { producerId: 2, transactional: true }

  test('the last stable offset waits for the first open one', async () => {
    const log = await openPartition()
    await log.append(batchOf(['0:x']), client)
    await send(log, one, 0, ['1:a'])
    await send(log, two, 0, ['2:a'])
    expect([log.lastStableOffset, log.highWatermark]).toEqual([1, 3])
    await end(log, 'COMMIT', 2)
    expect(log.lastStableOffset).toBe(1)
    await end(log, 'COMMIT', 1)
    expect(log.lastStableOffset).toBe(5)
    expect(await committedValues(log)).toEqual(['0:x', '1:a', '2:a'])
  })

  test('aborted ones are named to readers', async () => {
    const log = await openPartition()
    await send(log, one, 0, ['1:a'])
    await send(log, two, 0, ['2:a'])
    await end(log, 'ABORT', 1)
    await end(log, 'COMMIT', 2)
    const read = await log.read(0, 1_000_000, 'read_committed')
    expect(read.abortedTransactions).toEqual([expect.objectContaining({ producerId: 1, firstOffset: 0 })])
    expect(await committedValues(log)).toEqual(['2:a'])
    expect((await log.read(0, 1000, 'read_uncommitted')).abortedTransactions).toBeNull()
    expect((await log.read(3, 1000, 'read_committed')).abortedTransactions).toEqual([])
  })

  test('a reader that starts within an aborted one is told of it, and one behind it is not', async () => {
    const log = await openPartition()
    for (let i = 0; i < 3; i++) await send(log, { producerId: 1, transactional: true }, i, [`1:${i}`])
    await end(log, 'ABORT', 1)
    await send(log, { producerId: 2 }, 0, ['2:a'])
    const told = async (offset: number) => (await log.read(offset, 1, 'read_committed')).abortedTransactions
    for (const offset of [0, 1, 2, 3]) {
      expect(await told(offset)).toEqual([expect.objectContaining({ producerId: 1, firstOffset: 0 })])
    }
    expect(await told(4)).toEqual([])
  })

  test('a write outside of the open transaction and a marker of an old coordinator are refused', async () => {
    const log = await openPartition()
    await send(log, one, 0, ['1:a'])
    await expect(send(log, { producerId: 1 }, 1, ['1:b'])).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' })
    await end(log, 'COMMIT', 1, 0, 5)
    await expect(end(log, 'COMMIT', 1, 0, 4)).rejects.toMatchObject({ code: 'TRANSACTION_COORDINATOR_FENCED' })
    await expect(end(log, 'ABORT', 1, -1, 6)).rejects.toMatchObject({ code: 'INVALID_RECORD' })
  })

  test('a marker with a newer epoch fences', async () => {
    const log = await openPartition()
    await send(log, one, 0, ['1:a'])
    await end(log, 'ABORT', 1, 1)
    await expect(send(log, one, 1, ['1:b'])).rejects.toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' })
    expect(await send(log, { ...one, producerEpoch: 1 }, 0, ['1:c'])).toMatchObject({ baseOffset: 2 })
  })
})

describe('restart', () => {
  const reopen = async (manager: LogManager, dir: string, how: 'clean' | 'unclean') => {
    await manager.close()
    if (how === 'unclean') {
      rmSync(`${dir}/.clean_shutdown`)
      rmSync(`${dir}/recovery-point-offset-checkpoint`)
    }
    return openLog(dir)
  }

  test.each(['clean', 'unclean'] as const)('lost indexes bring no aborted records back (%s)', async (how) => {
    const dir = temporaryDirectory()
    const first = await openLog(dir)
    await first.createTopic('t', 1, { 'index.interval.bytes': '100' })
    const log = first.partition('t', 0)!
    for (let i = 0; i < 10; i++) {
      await send(log, { producerId: 1, transactional: true }, i, [`1:${i}`.padEnd(100)])
      await end(log, 'ABORT', 1)
    }
    await first.close()
    if (how === 'unclean') rmSync(`${dir}/.clean_shutdown`)
    for (const suffix of ['index', 'timeindex']) {
      if (how === 'clean') rmSync(`${dir}/t-0/00000000000000000000.${suffix}`)
      else writeFileSync(`${dir}/t-0/00000000000000000000.${suffix}`, Buffer.alloc(24, 1))
    }
    const again = (await openLog(dir)).partition('t', 0)!
    expect((await again.read(0, 1_000_000, 'read_committed')).abortedTransactions).toHaveLength(10)
    expect(await committedValues(again)).toEqual([])
  })

  test.each(['clean', 'unclean'] as const)('what is known of producers survives a %s one', async (how) => {
    const dir = temporaryDirectory()
    const first = await openLog(dir)
    await first.createTopic('t', 1, { 'segment.bytes': '1024', 'index.interval.bytes': '100' })
    let log = first.partition('t', 0)!
    for (let i = 0; i < 30; i++) await send(log, { producerId: 7 }, i, [`7:${i}`.padEnd(100)])
    await send(log, { producerId: 1, transactional: true }, 0, ['1:a'])
    await end(log, 'ABORT', 1)
    await send(log, { producerId: 1, transactional: true }, 1, ['1:b'])
    const stable = log.lastStableOffset
    const producers = log.producers()

    log = (await reopen(first, dir, how)).partition('t', 0)!
    expect(log.producers()).toEqual(producers)
    expect([log.lastStableOffset, log.logEndOffset]).toEqual([stable, 33])
    for (const sequence of [25, 26, 27, 28, 29]) {
      expect(await send(log, { producerId: 7 }, sequence, [`7:${sequence}`.padEnd(100)])).toMatchObject({
        baseOffset: sequence,
        duplicate: true,
      })
    }
    const { abortedTransactions } = await log.read(30, 1_000_000, 'read_committed')
    expect(abortedTransactions).toEqual([expect.objectContaining({ producerId: 1, firstOffset: 30 })])
    await end(log, 'COMMIT', 1)
    expect(log.lastStableOffset).toBe(34)
    expect(await send(log, { producerId: 7 }, 30, ['7:30'])).toMatchObject({ baseOffset: 34, duplicate: false })
  })

  test.each(['clean', 'unclean'] as const)(
    'it is learnt from the batches where there is no snapshot (%s)',
    async (how) => {
      const dir = temporaryDirectory()
      const first = await openLog(dir)
      await first.createTopic('t', 1, { 'segment.bytes': '1024' })
      const log = first.partition('t', 0)!
      for (let i = 0; i < 20; i++) await send(log, { producerId: 7 }, i, [`7:${i}`.padEnd(100)])
      await send(log, { producerId: 1, transactional: true }, 0, ['1:a'])
      await end(log, 'ABORT', 1)
      await send(log, { producerId: 2, transactional: true }, 0, ['2:a'])
      const producers = log.producers()
      await first.close()
      const lost = how === 'clean' ? /\.snapshot$/ : /\.(snapshot|txnindex)$/
      const files = readdirSync(`${dir}/t-0`)
      for (const name of files) if (lost.test(name)) rmSync(`${dir}/t-0/${name}`)
      // A segment that was just begun when the process was killed.
      writeFileSync(`${dir}/t-0/00000000000000000023.log`, '')
      if (how === 'unclean') rmSync(`${dir}/.clean_shutdown`)
      const again = (await openLog(dir)).partition('t', 0)!
      expect(again.producers()).toEqual(producers)
      expect([again.lastStableOffset, again.logEndOffset]).toEqual([22, 23])
      const { abortedTransactions } = await again.read(20, 1_000_000, 'read_committed')
      expect(abortedTransactions).toEqual([expect.objectContaining({ producerId: 1, firstOffset: 20 })])
      // Once: a second one would hide what the producer commits later.
      await end(again, 'COMMIT', 2)
      const later = await again.read(20, 1_000_000, 'read_committed')
      expect(later.abortedTransactions).toEqual(abortedTransactions)
    },
  )
})
