import { describe, expect, test } from 'vitest'
import { defineConfig } from '../config.ts'
import { defineSink, type SinkTask, type SinkTaskContext } from '../connector.ts'
import { RetriableError } from '../errors.ts'
import { runSink, sinkRecord, sinkRecords } from './sink-run.ts'

function sink(write: (context: SinkTaskContext<object>) => SinkTask) {
  return defineSink({ name: 'sink', doc: 'x', config: defineConfig({}), write })
}

const at = (offset: number, partition = 0) => ({ topic: 'topic', partition, offset })

describe('a run of a sink', () => {
  test('opens partitions before their first records, and calls in order', async () => {
    const calls: string[] = []
    const run = runSink(
      sink(() => ({
        open: (partitions) => void calls.push(`open ${partitions.map(({ partition }) => partition).join()}`),
        put: (records) => void calls.push(`put ${records.length}`),
        flush: (offsets) => void calls.push(`flush ${offsets.map(({ offset }) => offset).join()}`),
        close: (partitions) => void calls.push(`close ${partitions.length}`),
        stop: () => void calls.push('stop'),
      })),
      {},
    )
    await run.put([...sinkRecords(['a', 'b']), sinkRecord({ partition: 1, offset: 7 })])
    await run.put([])
    await run.close([at(0, 1)])
    await run.stop()
    await run.stop()
    expect(calls).toEqual(['open 0,1', 'put 3', 'put 0', 'flush 2,8', 'close 1', 'stop'])
    expect([...run.committed]).toEqual([at(2), at(8, 1)])
    await expect(run.put([])).rejects.toThrow('stopped')
  })

  test('delivers from the committed offset, or from where the task seeks to', async () => {
    const seen: unknown[] = []
    const collecting = (seek?: number) =>
      sink((context) => ({
        open: () => {
          if (seek !== undefined) context.seek(at(seek))
        },
        put: (records) => void seen.push(...records.map(({ offset }) => offset)),
      }))
    await runSink(collecting(), {}, { committed: [at(2)] }).put(sinkRecords(['a', 'b', 'c']))
    expect(seen.splice(0)).toEqual([2])
    await runSink(collecting(1), {}, { committed: [at(2)] }).put(sinkRecords(['a', 'b', 'c']))
    expect(seen).toEqual([1, 2])
  })

  test('puts again what is to be retried, and tells what was rejected', async () => {
    const puts: number[] = []
    const run = runSink(
      sink(() => ({
        put: (records) => {
          puts.push(records.length)
          const [first, ...retry] = records
          return { rejected: [{ record: first!, error: new Error('bad') }], retry }
        },
      })),
      {},
    )
    expect((await run.put(sinkRecords(['a', 'b', 'c']))).rejected).toHaveLength(3)
    expect(puts).toEqual([3, 2, 1])
  })

  test('lets the same batch be put again after an error', async () => {
    let fail = true
    const seen: unknown[] = []
    const run = runSink(
      sink(() => ({
        put: (records) => {
          if (fail) throw new RetriableError('later')
          seen.push(...records)
        },
      })),
      {},
    )
    await expect(run.put(sinkRecords(['a']))).rejects.toThrow('later')
    fail = false
    await run.put(sinkRecords(['a']))
    expect(seen).toHaveLength(1)
  })

  test('commits only what flush says', async () => {
    const run = runSink(
      sink((context) => ({ put: () => context.requestCommit(), flush: () => [at(1)] })),
      {},
    )
    await run.put(sinkRecords(['a', 'b']))
    expect(run.commitRequested).toBe(true)
    await run.flush()
    expect(run.commitRequested).toBe(false)
    expect([...run.committed]).toEqual([at(1)])
  })

  test('says which call does not end', async () => {
    const run = runSink(
      sink(() => ({ put: () => new Promise(() => undefined) })),
      {},
      { timeoutMs: 10 },
    )
    await expect(run.put([])).rejects.toThrow('waited 10 ms: put of sink did not end')
  })

  test('stops after a failed start', async () => {
    const run = runSink(
      sink(() => {
        throw new Error('no connection')
      }),
      {},
    )
    await expect(run.put([])).rejects.toThrow('no connection')
    await run.stop()
  })
})
