/** What the log has on disk, read by Kafka's own dump tool. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchOf, openLog, temporaryDirectory, type TestBatch } from '../../core/src/log/testing/test-log.ts'
import { encodeControlBatch } from '../../core/src/protocol/record-batch.ts'
import { appendAndKill } from '../crash/append-and-kill.ts'
import { brokerProcess, temporaryFolder } from '../support/broker.ts'
import { javaMissing, javaTools, type JavaTools } from '../support/java-tools.ts'

const missing = await javaMissing()

describe.skipIf(missing !== undefined)(`kafka-dump-log${missing === undefined ? '' : ` (${missing})`}`, () => {
  let dataDir: string
  let tools: JavaTools

  beforeAll(async () => {
    dataDir = await temporaryFolder()
    const [shell, broker] = await Promise.all([javaTools(), brokerProcess(dataDir)])
    tools = shell
    await write(broker.address)
    await broker.stop()
  })
  afterAll(async () => {
    await tools.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  const run = async (main: string, args: readonly string[]): Promise<{ out: string; err: string }> => {
    const { code, out, err } = await tools.run(main, args)
    expect(code, `${main} ${args.join(' ')}\n${out}${err}`).toBe(0)
    return { out, err }
  }

  /** Several segments with and without compression, transactions that end either way, a group's offsets. */
  async function write(address: string): Promise<void> {
    const load = (topic: string, ...args: string[]) =>
      run('org.apache.kafka.tools.ProducerPerformance', [
        ...['--bootstrap-server', address, '--topic', topic, '--num-records', '15000', '--record-size', '100'],
        ...['--throughput', '-1', ...args],
      ])
    await run('org.apache.kafka.tools.TopicCommand', [
      ...['--bootstrap-server', address, '--create', '--topic', 'segments', '--partitions', '1'],
      ...['--config', 'segment.bytes=1048576', '--config', 'index.interval.bytes=500'],
    ])
    await load('segments', '--command-property', 'batch.size=2000')
    await load('segments', '--command-property', 'compression.type=lz4', '--transactional-id', 'load')
    const steps = ['a', 'b', 'commit', 'c', 'offset:group:7', 'abort', 'd', 'offset:group:4', 'commit', 'e', 'abort']
    await run('TransactionalWriter', [address, 'segments', 'writer', ...steps])
  }

  const filesOf = async (partition: string, dir = dataDir): Promise<string[]> => {
    const isRead = /\.(log|index|timeindex|snapshot|txnindex)$/
    const names = (await readdir(join(dir, partition))).filter((name) => isRead.test(name)).sort()
    return names.map((name) => join(dir, partition, name))
  }
  const dump = (files: readonly string[], ...args: string[]) =>
    run('org.apache.kafka.tools.DumpLogSegments', ['--files', files.join(','), ...args])

  const expectSane = async (files: readonly string[]): Promise<void> => {
    const { out, err } = await dump(files, '--index-sanity-check')
    expect(err).toBe('')
    for (const file of files.filter((each) => /\.(time)?index$/.test(each))) {
      expect(out).toMatch(new RegExp(`${file} (passed sanity check|is empty)`))
    }
    // Each segment that does not begin at 0 is said to follow offset -1: the tool's own slip, there with Kafka's files too.
    const verified = await dump(files, '--deep-iteration', '--verify-index-only')
    const complaints = verified.err.split('\n').filter((line) => line !== '' && !line.startsWith('Non-consecutive'))
    const starts = files.filter((each) => each.endsWith('.log')).map((each) => Number(/(\d+)\.log$/.exec(each)![1]))
    expect(complaints.sort()).toEqual(
      starts
        .filter((start) => start > 0)
        .map((start) => `  -1 is followed by ${start}`)
        .sort(),
    )
  }
  const expectValid = (out: string): void => {
    expect(out.match(/^baseOffset: .* isvalid: true$/gm)!.length).toBe(out.match(/^baseOffset: /gm)!.length)
  }

  test('the indexes are sane, and each entry points at what it says', async () => {
    for (const partition of ['segments-0', '__consumer_offsets-0', '__transaction_state-0']) {
      await expectSane(await filesOf(partition))
    }
    const kinds = (await filesOf('segments-0')).map((file) => file.slice(file.lastIndexOf('.') + 1))
    expect(kinds.filter((kind) => kind === 'log').length).toBeGreaterThan(2)
    expect(new Set(kinds)).toEqual(new Set(['index', 'log', 'snapshot', 'timeindex', 'txnindex']))
  })

  test('records, markers, aborted transactions and producers are what was written', async () => {
    const files = await filesOf('segments-0')
    const { out } = await dump(files, '--deep-iteration', '--print-data-log')
    expectValid(out)
    // 30,000 of the load, then a b C c A d C e A; the load's own transaction ended in one marker or more.
    const offsets = [...out.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => Number(offset))
    expect(offsets).toEqual(offsets.map((_, i) => i))
    const tail = out.split('\n').filter((line) => line.startsWith('| '))
    expect(tail.slice(-9).map((line) => / (endTxnMarker: \w+|payload: .*)/.exec(line)![1])).toEqual([
      ...['payload: a', 'payload: b', 'endTxnMarker: COMMIT', 'payload: c', 'endTxnMarker: ABORT'],
      ...['payload: d', 'endTxnMarker: COMMIT', 'payload: e', 'endTxnMarker: ABORT'],
    ])
    const end = offsets.length
    const aborted = [...out.matchAll(/^version: 0 .* firstOffset: (\d+) lastOffset: (\d+) lastStableOffset: (\d+)$/gm)]
    expect(aborted.map((each) => each.slice(1).map((offset) => Number(offset) - end))).toEqual([
      [-6, -5, -4],
      [-2, -1, 0],
    ])
    const snapshots = [...out.matchAll(/^producerId: .*/gm)].map(([line]) => line)
    expect(snapshots.some((line) => line.includes('lastSequence: 14999 lastOffset: 14999'))).toBe(true)
    expect(snapshots.every((line) => /coordinatorEpoch: -?\d+ currentTxnFirstOffset: Optional/.test(line))).toBe(true)
  })

  test('group offsets and transaction states decode as Kafka’s own', async () => {
    const logs = async (partition: string) => (await filesOf(partition)).filter((file) => file.endsWith('.log'))
    const offsets = await dump(await logs('__consumer_offsets-0'), '--deep-iteration', '--offsets-decoder')
    expect(offsets.out).toContain(
      'key: {"type":"1","data":{"group":"group","topic":"segments","partition":0}} payload: {"version":"3","data":{"offset":4,',
    )
    const states = await dump(await logs('__transaction_state-0'), '--deep-iteration', '--transaction-log-decoder')
    const ofWriter = states.out.split('\n').filter((line) => line.includes('{"transactionalId":"writer"}'))
    const statuses = ofWriter.map((line) => /"transactionStatus":(\d)/.exec(line)![1])
    // Empty, then each transaction from Ongoing over Prepare… to Complete….
    expect(statuses.filter((status, i) => status !== statuses[i - 1]).join('')).toBe('0124135124135')
    expect(states.out).toMatch(/"transactionPartitions":\[\{"topic":"segments","partitionIds":\[0\]\}/)
  })

  test('compacted segments: last values, tombstones, batches without records, markers', async () => {
    const dir = temporaryDirectory()
    await writeCompacted(dir)
    const files = await filesOf('compacted-0', dir)
    // What follows a gap is no slip of the log here: compaction makes gaps.
    const { out, err } = await dump(files, '--index-sanity-check')
    expect([err, out]).toEqual(['', expect.stringContaining('passed sanity check')])
    const { out: dumped } = await dump(files, '--deep-iteration', '--print-data-log')
    expectValid(dumped)
    const records = [...dumped.matchAll(/^\| offset: (\d+) .* key: (\S+)(?: payload: (\S*))?$/gm)]
    const last = new Map(records.map(([, , key, value]) => [key, value ?? 'a tombstone']))
    expect(Object.fromEntries(last)).toMatchObject({ k0: 'v90', k9: 'v99', committed: 'yes', gone: 'a tombstone' })
    // Of what is compacted, one record a key; and no record of an aborted transaction.
    expect(records.filter(([, , key]) => key === 'k3')).toHaveLength(1)
    expect(records.filter(([, , key]) => key === 'aborted')).toEqual([])
    expect(dumped).toMatch(/endTxnMarker: COMMIT/)
    expect(dumped).toMatch(/deleteHorizonMs: OptionalLong\[\d+\]/)
    expect(dumped).toMatch(/^baseOffset: \d+ lastOffset: \d+ count: 0 /m)
    expect(dumped).toMatch(/^producerId: 7 .* lastSequence: 0 /m)
  })

  test('what a killed process leaves, once it is recovered', async () => {
    const dir = temporaryDirectory()
    for (let cycle = 1; cycle <= 3; cycle++) await appendAndKill(dir, cycle, 700)
    const manager = await openLog(dir)
    await manager.recovered()
    const ends = [0, 1, 2].map((partition) => manager.partition('t', partition)!.logEndOffset)
    await manager.close()
    for (const [partition, end] of ends.entries()) {
      const files = await filesOf(`t-${partition}`, dir)
      await expectSane(files)
      const { out } = await dump(files, '--deep-iteration', '--print-data-log')
      expectValid(out)
      const offsets = [...out.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => Number(offset))
      expect(offsets).toEqual(Array.from({ length: end }, (_, i) => i))
      expect(out).toMatch(/^version: 0 producerId: \d+ firstOffset/m)
    }
  })
})

/** A partition of which most is compacted, with transactions of either end. */
async function writeCompacted(dir: string): Promise<void> {
  const manager = await openLog(dir)
  const config = {
    'cleanup.policy': 'compact',
    'segment.bytes': '3000',
    'index.interval.bytes': '300',
    'min.cleanable.dirty.ratio': '0',
  }
  await manager.createTopic('compacted', 1, config)
  const log = manager.partition('compacted', 0)!
  const put = (key: string, value: string | null, options: TestBatch = {}) =>
    log.append(batchOf([value], { key, ...options }), { acks: -1, origin: 'client' })
  const transaction = async (type: 'COMMIT' | 'ABORT', producerId: number, key: string) => {
    const producer = { producerId, producerEpoch: 0 }
    await put(key, 'yes', { ...producer, baseSequence: 0, isTransactional: true })
    const marker = encodeControlBatch({ type, coordinatorEpoch: 0, ...producer, timestamp: Date.now() })
    await log.append(marker, { acks: -1, origin: 'coordinator' })
  }
  await put('gone', 'here')
  await transaction('COMMIT', 7, 'committed')
  await transaction('ABORT', 8, 'aborted')
  for (let i = 0; i < 100; i++) await put(`k${i % 10}`, `v${i}`, { compression: i % 2 === 0 ? 'lz4' : 'none' })
  await put('gone', null)
  for (let i = 0; i < 40; i++) await put('filler', 'f'.repeat(100))
  await manager.compact()
  await manager.close()
}
