import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogManager } from '../log/log-manager.ts'
import { silentLogger } from '../logging/logger.ts'
import { RecordBatchBuilder } from '../protocol/record-batch.ts'
import { ManualClock } from './clock.ts'
import { brokerConfig } from './config.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { GroupSettings } from './group-settings.ts'
import { InternalTopic } from './internal-topic.ts'
import { ProducerIds } from './producer-ids.ts'
import { TopicCatalog } from './topic-catalog.ts'
import { transactionTopic } from './topic-catalog.ts'
import { TransactionCoordinator, type ProducerIdentity } from './transaction-coordinator.ts'
import { transactionRecord, type TransactionState } from './transaction-log.ts'

const timeoutMs = 60_000
const nobody = { producerId: -1, producerEpoch: -1 }

let dir: string
let clock: ManualClock
let log: LogManager
let groups: GroupCoordinator
let transactions: TransactionCoordinator

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  clock = new ManualClock()
  await start()
  await log.createTopic('t', 2)
})
afterEach(async () => {
  await stop()
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  const config = brokerConfig()
  const logger = silentLogger
  log = await LogManager.open({ dir, logger, clock: () => clock.now() })
  const settings = { topics: new TopicCatalog(log, config), groupSettings: new GroupSettings(config, dir) }
  groups = new GroupCoordinator({ config, clock, log, logger, ...settings })
  transactions = new TransactionCoordinator({ config, clock, log, logger, groups, producerIds: new ProducerIds(dir) })
  await groups.load()
  await transactions.load()
}

async function stop(): Promise<void> {
  groups.close()
  await transactions.close()
  await log.close()
}

const end = async (producer: ProducerIdentity, committed: boolean) =>
  (await transactions.end('tx', producer, committed, false)).error

const init = async (id = 'tx', claim: ProducerIdentity = nobody) => transactions.init(id, timeoutMs, claim)

/** A producer with an open transaction in t-0. */
async function opened(id = 'tx'): Promise<ProducerIdentity> {
  const { error, ...producer } = await init(id)
  expect(error).toBe('NONE')
  expect(await transactions.addPartitions(id, producer, [{ topic: 't', partition: 0 }])).toBe('NONE')
  return producer
}

function batch(producer: ProducerIdentity, baseSequence: number): Buffer {
  const builder = new RecordBatchBuilder({ ...producer, baseSequence, isTransactional: true })
  builder.tryAppend(null, 'value', undefined, clock.now())
  return builder.build()
}

const write = (producer: ProducerIdentity, sequence = 0) =>
  log.partition('t', 0)!.append(batch(producer, sequence), { acks: -1, origin: 'client' })

/** Offsets of what read_committed may read now. */
const stableEnd = () => log.partition('t', 0)!.lastStableOffset

test('a commit marks every partition and lets readers on', async () => {
  const producer = await opened()
  await transactions.addPartitions('tx', producer, [{ topic: 't', partition: 1 }])
  await write(producer)
  expect(stableEnd()).toBe(0)
  expect(await end(producer, true)).toBe('NONE')
  await transactions.close()
  expect(stableEnd()).toBe(2)
  expect(log.partition('t', 1)!.logEndOffset).toBe(1)
  expect(transactions.get('tx')).toMatchObject({ status: 'CompleteCommit', ...producer })
})

test('an abort is told to readers', async () => {
  const producer = await opened()
  await write(producer)
  expect(await end(producer, false)).toBe('NONE')
  await transactions.close()
  const { abortedTransactions } = await log.partition('t', 0)!.read(0, 10_000, 'read_committed')
  expect(abortedTransactions).toMatchObject([{ producerId: producer.producerId, firstOffset: 0 }])
})

test('a repeated end is answered as the first one, a contradicting one refused', async () => {
  const producer = await opened()
  expect(await end(producer, true)).toBe('NONE')
  expect(await end(producer, true)).toBe('NONE')
  expect(await end(producer, false)).toBe('INVALID_TXN_STATE')
})

test('one producer after the other: each start gives a new epoch and aborts what was left open', async () => {
  const older = await opened()
  await write(older)
  const newer = await init()
  expect(newer).toMatchObject({ error: 'NONE', producerId: older.producerId })
  expect(newer.producerEpoch).toBeGreaterThan(older.producerEpoch)
  expect(stableEnd()).toBe(2)
  expect(await transactions.addPartitions('tx', older, [{ topic: 't', partition: 0 }])).toBe('PRODUCER_FENCED')
  expect(await end(older, true)).toBe('PRODUCER_FENCED')
  expect(transactions.verify('tx', older, { topic: 't', partition: 0 })).toBe('INVALID_PRODUCER_EPOCH')
  await expect(write(older, 1)).rejects.toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' })
})

test('only what was added may be written', async () => {
  const producer = await opened()
  expect(transactions.verify('tx', producer, { topic: 't', partition: 0 })).toBe('NONE')
  expect(transactions.verify('tx', producer, { topic: 't', partition: 1 })).toBe('INVALID_TXN_STATE')
  await end(producer, true)
  expect(transactions.verify('tx', producer, { topic: 't', partition: 0 })).toBe('INVALID_TXN_STATE')
  expect(transactions.verify('other', producer, { topic: 't', partition: 0 })).toBe('INVALID_PRODUCER_ID_MAPPING')
})

test('a producer that recovers shows its epoch, and may ask again when the answer got lost (KIP-360)', async () => {
  const first = await init()
  const bumped = await init('tx', first)
  expect(bumped).toMatchObject({ error: 'NONE', producerEpoch: first.producerEpoch + 1 })
  expect(await init('tx', first)).toEqual(bumped)
  const third = await init('tx', bumped)
  expect((await init('tx', first)).error).toBe('PRODUCER_FENCED')
  expect((await init('tx', { producerId: 999, producerEpoch: 0 })).error).toBe('PRODUCER_FENCED')
  expect(third.producerEpoch).toBe(bumped.producerEpoch + 1)
})

test('a transaction past its timeout is aborted, its producer fenced, and may come back (KIP-588)', async () => {
  const producer = await opened()
  await write(producer)
  clock.advance(timeoutMs + 2000)
  await transactions.close()
  expect(stableEnd()).toBe(2)
  expect(transactions.get('tx')?.status).toBe('CompleteAbort')
  expect(await end(producer, true)).toBe('PRODUCER_FENCED')
  expect((await init('tx', producer)).error).toBe('NONE')
})

test('an exhausted epoch gives a new producer id', async () => {
  const first = await init()
  await stop()
  await overwrite({ ...state('Empty'), producerId: first.producerId, producerEpoch: 32_766 })
  const next = await init()
  expect(next).toMatchObject({ error: 'NONE', producerEpoch: 0 })
  expect(next.producerId).not.toBe(first.producerId)
})

test('refuses timeouts that are too long', async () => {
  expect((await transactions.init('tx', 900_001, nobody)).error).toBe('INVALID_TRANSACTION_TIMEOUT')
  expect((await transactions.init('tx', 0, nobody)).error).toBe('INVALID_TRANSACTION_TIMEOUT')
})

test('producer ids are given out once, over restarts too', async () => {
  const ids = new Set<number>()
  for (let i = 0; i < 3; i++) {
    const source = new ProducerIds(dir)
    const given = await Promise.all(Array.from({ length: 1500 }, () => source.next()))
    for (const id of given) ids.add(id)
  }
  expect(ids.size).toBe(4500)
})

test('a transactional id that nobody uses is forgotten', async () => {
  await init()
  clock.advance(604_800_000 + 2000)
  await transactions.close()
  expect(transactions.get('tx')).toBeUndefined()
})

describe('with an epoch for each transaction (KIP-890)', () => {
  const endAndBump = (producer: ProducerIdentity, committed: boolean) =>
    transactions.end('tx', producer, committed, true)

  test('the next transaction has the next epoch; late batches of the last one are refused', async () => {
    const first = await opened()
    await write(first)
    const { error, ...second } = await endAndBump(first, true)
    expect(error).toBe('NONE')
    expect(second).toEqual({ ...first, producerEpoch: first.producerEpoch + 1 })
    expect(await transactions.addPartitions('tx', second, [{ topic: 't', partition: 0 }])).toBe('NONE')
    expect(transactions.verify('tx', first, { topic: 't', partition: 0 })).toBe('INVALID_PRODUCER_EPOCH')
    await expect(write(first, 1)).rejects.toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' })
    await write(second)
    expect((await endAndBump(second, false)).error).toBe('NONE')
    await transactions.close()
    expect(stableEnd()).toBe(4)
  })

  test('a repeated end is answered as the first one, after a restart too', async () => {
    const first = await opened()
    const answer = await endAndBump(first, true)
    expect(await endAndBump(first, true)).toEqual(answer)
    await stop()
    await start()
    expect(await endAndBump(first, true)).toEqual(answer)
    expect((await endAndBump(first, false)).error).toBe('INVALID_TXN_STATE')
    // With the new epoch it would be another transaction, and there is none to commit.
    expect((await endAndBump(answer, true)).error).toBe('INVALID_TXN_STATE')
  })

  test('an abort of nothing gives a new epoch', async () => {
    const { producerId, producerEpoch } = await init()
    const first = { producerId, producerEpoch }
    const second = await endAndBump(first, false)
    expect(second).toEqual({ error: 'NONE', ...first, producerEpoch: first.producerEpoch + 1 })
    expect((await endAndBump(second, false)).producerEpoch).toBe(first.producerEpoch + 2)
  })

  test('the last epoch leads to a new producer id', async () => {
    const { producerId } = await init()
    await stop()
    await overwrite({
      ...state('Ongoing'),
      producerId,
      producerEpoch: 32_766,
      partitions: new Map([['t', new Set([0])]]),
    })
    const last = { producerId, producerEpoch: 32_766 }
    await write(last)
    const answer = await endAndBump(last, true)
    expect(answer).toMatchObject({ error: 'NONE', producerEpoch: 0 })
    expect(answer.producerId).not.toBe(producerId)
    expect(await endAndBump(last, true)).toEqual(answer)
    await transactions.close()
    expect(stableEnd()).toBe(2)
    expect(await transactions.addPartitions('tx', answer, [{ topic: 't', partition: 0 }])).toBe('NONE')
  })
})

describe('offsets in a transaction', () => {
  const key = { group: 'g', topic: 't', partition: 0 }
  const claim = { memberId: '', groupInstanceId: null, generationId: -1 }
  const offset = { topic: 't', partition: 0, value: { offset: 5, leaderEpoch: -1, metadata: '' } }

  test.for([
    ['count when it is committed', true, 5],
    ['never count when it is aborted', false, undefined],
  ] as const)('%s, after a restart too', async ([, committed, expected]) => {
    const { error, ...producer } = await init()
    expect(error).toBe('NONE')
    expect(await transactions.addOffsets('tx', producer, 'g')).toBe('NONE')
    expect(await transactions.verifyOffsets('tx', producer, 'g')).toBe('NONE')
    expect(await groups.commit('g', claim, [offset], producer)).toEqual(['NONE'])
    expect(groups.isUndecided(key)).toBe(true)
    expect(groups.committed(key)).toBeUndefined()
    await end(producer, committed)
    await transactions.close()
    expect(groups.isUndecided(key)).toBe(false)
    expect(groups.committed(key)?.offset).toBe(expected)
    await stop()
    await start()
    expect(groups.committed(key)?.offset).toBe(expected)
    expect(groups.isUndecided(key)).toBe(false)
  })

  test('stay undecided over a restart', async () => {
    const { error, ...producer } = await init()
    expect(error).toBe('NONE')
    await transactions.addOffsets('tx', producer, 'g')
    await groups.commit('g', claim, [offset], producer)
    await stop()
    await start()
    expect(groups.isUndecided(key)).toBe(true)
    await end(producer, true)
    await transactions.close()
    expect(groups.committed(key)?.offset).toBe(5)
  })
})

describe('after a crash', () => {
  test('an open transaction goes on', async () => {
    const producer = await opened()
    await write(producer)
    await stop()
    await start()
    expect(transactions.get('tx')).toMatchObject({ status: 'Ongoing', ...producer })
    await write(producer, 1)
    expect(await end(producer, true)).toBe('NONE')
    await transactions.close()
    expect(stableEnd()).toBe(3)
  })

  test.for([
    ['PrepareCommit', 'CompleteCommit'],
    ['PrepareAbort', 'CompleteAbort'],
  ] as const)('%s is carried out', async ([prepared, completed]) => {
    const producer = await opened()
    await write(producer)
    await stop()
    await overwrite({ ...state(prepared), ...producer, partitions: new Map([['t', new Set([0, 1])]]) })
    expect(transactions.get('tx')?.status).toBe(completed)
    expect(stableEnd()).toBe(2)
    const { abortedTransactions } = await log.partition('t', 0)!.read(0, 10_000, 'read_committed')
    expect(abortedTransactions).toHaveLength(prepared === 'PrepareAbort' ? 1 : 0)
  })

  test('a partition deleted meanwhile needs no marker', async () => {
    const producer = await opened()
    await write(producer)
    await log.deleteTopic('t')
    expect(await end(producer, true)).toBe('NONE')
    await transactions.close()
    expect(transactions.get('tx')?.status).toBe('CompleteCommit')
  })
})

const state = (status: TransactionState['status']): TransactionState => ({
  transactionalId: 'tx',
  ...nobody,
  lastProducerId: -1,
  nextProducerId: -1,
  bumpsEpoch: false,
  timeoutMs,
  status,
  partitions: new Map(),
  startedAt: clock.now(),
  updatedAt: clock.now(),
})

/** Starts again with this as the last thing in the log, as a crash may have left it. */
async function overwrite(last: TransactionState): Promise<void> {
  log = await LogManager.open({ dir, logger: silentLogger })
  await new InternalTopic(transactionTopic, log, 1, () => clock.now()).append('tx', [transactionRecord(last)])
  await log.close()
  await start()
}
