/**
 * `kill -9` of the broker under load, again and again: every acknowledged record is there, once, in order; what was
 * committed is visible as a whole, what was aborted is not. TIDEWIRE_SOAK=1 makes it 50 kills instead of 5.
 */
import { expect, test } from 'vitest'
import { addPartitionsToTxn } from '../../core/src/protocol/messages/add-partitions-to-txn.ts'
import { createTopics } from '../../core/src/protocol/messages/create-topics.ts'
import { endTxn } from '../../core/src/protocol/messages/end-txn.ts'
import { fetch } from '../../core/src/protocol/messages/fetch.ts'
import { findCoordinator } from '../../core/src/protocol/messages/find-coordinator.ts'
import { initProducerId } from '../../core/src/protocol/messages/init-producer-id.ts'
import { produce } from '../../core/src/protocol/messages/produce.ts'
import { decodeRecords, iterateBatches, RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'
import { RawClient } from '../support/raw-client.ts'
import { killedBroker, kills, pause, random } from './killed-broker.ts'

const broker = killedBroker()

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** Set when the load has to come to its end. */
const load = { stopping: false }

/** A connection that is opened anew until there is one; the broker may be dead at any time. */
async function connected(): Promise<RawClient> {
  for (;;) {
    try {
      return await RawClient.connect(broker.port)
    } catch {
      await pause(20)
    }
  }
}

function batchOf(
  values: readonly string[],
  producer: Identity,
  baseSequence: number,
  isTransactional: boolean,
): Buffer {
  const builder = new RecordBatchBuilder({ ...producer, baseSequence, isTransactional })
  for (const value of values) builder.tryAppend(null, value, undefined, Date.now())
  return builder.build()
}

async function send(
  client: RawClient,
  topic: string,
  index: number,
  records: Buffer,
  transactionalId: string | null,
): Promise<number> {
  const topicData = [{ name: topic, partitionData: [{ index, records }] }]
  const { responses } = await client.request(produce, 9, { transactionalId, acks: -1, timeoutMs: 10_000, topicData })
  return responses[0]!.partitionResponses[0]!.errorCode
}

/** Writes numbered records to one partition; a batch whose answer did not come is sent again as it was. */
async function idempotentLoad(partition: number): Promise<string[]> {
  const acknowledged: string[] = []
  let client = await connected()
  let identity: Identity | undefined
  for (let sequence = 0; !load.stopping;) {
    const values = Array.from({ length: random(1, 20) }, (_, i) => `${partition}:${sequence + i}`)
    for (;;) {
      try {
        identity ??= await client.request(initProducerId, 2, { transactionalId: null, transactionTimeoutMs: 0 })
        const code = await send(client, 'idempotent', partition, batchOf(values, identity, sequence, false), null)
        // 46: it had arrived.
        if (code !== 0 && code !== 46) throw new Error(`produce was answered with ${code}`)
        break
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes('closed')) throw error
        client = await connected()
      }
    }
    acknowledged.push(...values)
    sequence += values.length
  }
  client.close()
  return acknowledged
}

interface Transaction {
  readonly values: readonly string[]
  /** `unknown`: the broker died before it answered. */
  readonly outcome: 'committed' | 'aborted' | 'unknown'
}

async function transactionalLoad(partition: number): Promise<Transaction[]> {
  const transactionalId = `tx-${partition}`
  const done: Transaction[] = []
  let client = await connected()
  let identity: Identity | undefined
  let sequence = 0
  while (!load.stopping) {
    const values = Array.from({ length: random(1, 20) }, (_, i) => `${partition}:${done.length}:${i}`)
    const commit = Math.random() < 0.7
    let outcome: Transaction['outcome'] = 'aborted'
    try {
      if (identity === undefined) {
        await client.request(findCoordinator, 2, { key: transactionalId, keyType: 1 })
        const given = await client.request(initProducerId, 2, { transactionalId, transactionTimeoutMs: 60_000 })
        if (given.errorCode !== 0) throw new Error(`no producer id: ${given.errorCode}`)
        identity = given
        sequence = 0
      }
      const added = await client.request(addPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: identity.producerId,
        v3AndBelowProducerEpoch: identity.producerEpoch,
        v3AndBelowTopics: [{ name: 'transactional', partitions: [partition] }],
      })
      expect(added.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode).toBe(0)
      const records = batchOf(values, identity, sequence, true)
      expect(await send(client, 'transactional', partition, records, transactionalId)).toBe(0)
      sequence += values.length
      if (commit) outcome = 'unknown'
      const ended = await client.request(endTxn, 3, { transactionalId, ...identity, committed: commit })
      expect(ended.errorCode).toBe(0)
      outcome = commit ? 'committed' : 'aborted'
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('closed')) throw error
      // Its successor aborts what is open.
      identity = undefined
      client = await connected()
    }
    done.push({ values, outcome })
  }
  client.close()
  return done
}

/** Everything that read_committed shows of a partition. */
async function readCommitted(client: RawClient, topic: string, partition: number): Promise<string[]> {
  const values: string[] = []
  for (let fetchOffset = 0; ;) {
    const { responses } = await client.request(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      isolationLevel: 1,
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
      forgottenTopicsData: [],
    })
    const answer = responses[0]!.partitions[0]!
    expect(answer.errorCode).toBe(0)
    const aborted = [...(answer.abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    const inAborted = new Set<number>()
    const from = fetchOffset
    for (const { at, header } of iterateBatches(answer.records ?? Buffer.alloc(0))) {
      fetchOffset = header.baseOffset + header.lastOffsetDelta + 1
      while (aborted[0] !== undefined && aborted[0].firstOffset <= header.baseOffset) {
        inAborted.add(aborted.shift()!.producerId)
      }
      if (header.isControl) inAborted.delete(header.producerId)
      else if (!header.isTransactional || !inAborted.has(header.producerId)) {
        for (const { value } of decodeRecords(answer.records!, at)) values.push(value!.toString())
      }
    }
    if (fetchOffset === from) {
      // Nothing is left open for ever.
      expect(answer.lastStableOffset).toBe(answer.highWatermark)
      return values
    }
  }
}

test(`${kills} kills under load lose nothing and double nothing`, { timeout: kills * 20_000 }, async () => {
  const admin = await connected()
  const topic = (name: string, numPartitions: number) => ({
    name,
    numPartitions,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  })
  await admin.request(createTopics, 4, { topics: [topic('idempotent', 3), topic('transactional', 2)] })
  admin.close()

  const idempotent = [0, 1, 2].map(idempotentLoad)
  const transactional = [0, 1].map(transactionalLoad)
  const all = Promise.all([...idempotent, ...transactional])
  for (let i = 0; i < kills; i++) {
    await Promise.race([pause(random(100, 1000)), all])
    await broker.killAndRestart()
  }
  await Promise.race([pause(500), all])
  load.stopping = true
  await all

  const client = await connected()
  // What a dead producer left open is aborted by its successor.
  for (const partition of [0, 1]) {
    const body = { transactionalId: `tx-${partition}`, transactionTimeoutMs: 60_000 }
    expect((await client.request(initProducerId, 2, body)).errorCode).toBe(0)
  }
  for (const [partition, running] of idempotent.entries()) {
    const acknowledged = await running
    expect(acknowledged.length).toBeGreaterThan(0)
    expect(await readCommitted(client, 'idempotent', partition)).toEqual(acknowledged)
  }
  for (const [partition, running] of transactional.entries()) {
    const transactions = await running
    expect(transactions.some(({ outcome }) => outcome === 'committed')).toBe(true)
    const seen = await readCommitted(client, 'transactional', partition)
    const seenOf = new Set(seen)
    const expected = transactions.filter(
      ({ outcome, values }) => outcome === 'committed' || (outcome === 'unknown' && values.some((v) => seenOf.has(v))),
    )
    expect(seen).toEqual(expected.flatMap(({ values }) => values))
  }
  client.close()
})
