import type { SourceBatch } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { IngestQueue, type MessageOrigin, noTicket } from './ingest-queue.ts'

class Origin implements MessageOrigin {
  heldBytes = 0
  flushDue = false
  readonly events: string[] = []

  acknowledge(ticket: number): void {
    this.events.push(`ack ${ticket}`)
  }

  flush(): void {
    this.events.push('flush')
  }

  resume(): void {
    this.events.push('resume')
  }
}

const record = (value: string) => ({ topic: 't', value })

async function next(batches: AsyncGenerator<SourceBatch>): Promise<SourceBatch> {
  const result = await batches.next()
  if (result.done === true) throw new Error('ended')
  return result.value
}

const queueOf = (maxBufferedBytes: number, shares?: number): IngestQueue =>
  new IngestQueue({ maxBufferedBytes, holds: () => true }, shares)

describe('IngestQueue', () => {
  test('says what waits to be taken, and holds origins back while the worker has no memory left', async () => {
    const told: number[] = []
    let hasRoom = true
    const holds = (bytes: number): boolean => {
      told.push(bytes)
      return hasRoom
    }
    const queue = new IngestQueue({ maxBufferedBytes: 1e9, holds })
    const origin = new Origin()
    expect(queue.add(origin, record('1'), 20_000, 1)).toBe(true)
    hasRoom = false
    expect(queue.add(origin, record('2'), 20_000, 2)).toBe(false)
    expect(told).toEqual([20_000, 40_000])
    const batches = queue.batches()
    const first = await next(batches)
    expect(told.at(-1)).toBe(0)
    queue.add(origin, record('3'), 10, 3)
    await first.durable!()
    // There is still none, and something is under way whose end is worth waiting for.
    expect(origin.events).not.toContain('resume')
    const second = await next(batches)
    queue.add(origin, record('4'), 10, 4)
    hasRoom = true
    await second.durable!()
    expect(origin.events.at(-1)).toBe('resume')
  })

  test('lets origins go on once it holds nothing, whatever the worker has left', async () => {
    const queue = new IngestQueue({ maxBufferedBytes: 1e9, holds: () => false })
    const origin = new Origin()
    expect(queue.add(origin, record('1'), 20_000, 1)).toBe(false)
    await (
      await next(queue.batches())
    ).durable!()
    expect(origin.events.at(-1)).toBe('resume')
  })

  test('hands on whatever came since, and acknowledges in order with one flush for each origin', async () => {
    const queue = queueOf(1000)
    const [a, b] = [new Origin(), new Origin()]
    const batches = queue.batches()
    const first = next(batches)
    queue.add(a, record('1'), 10, 1)
    queue.add(b, record('2'), 10, 7)
    queue.add(a, record('3'), 10, 2)
    queue.add(a, record('4'), 10, noTicket)
    const batch = await first
    expect(batch.records.map(({ value }) => value)).toEqual(['1', '2', '3', '4'])
    expect(a.events).toEqual([])
    await batch.durable!()
    expect(a.events).toEqual(['ack 1', 'ack 2', 'flush'])
    expect(b.events).toEqual(['ack 7', 'flush'])
    expect(queue.heldBytes).toBe(0)
    expect(a.heldBytes).toBe(0)
  })

  test('does not wait for a batch to fill, nor make one too large', async () => {
    const queue = queueOf(1e9)
    const origin = new Origin()
    const batches = queue.batches()
    for (let index = 0; index < 1200; index++) queue.add(origin, record('x'), 1, noTicket)
    const sizes = [await next(batches), await next(batches), await next(batches)].map(({ records }) => records.length)
    expect(sizes).toEqual([500, 500, 200])
  })

  test('holds origins back when full, and lets them go on when half is free', async () => {
    const queue = queueOf(100, 2)
    const [greedy, other] = [new Origin(), new Origin()]
    const batches = queue.batches()
    expect(queue.add(greedy, record('1'), 30, 1)).toBe(true)
    // Half is its share.
    expect(queue.add(greedy, record('2'), 30, 2)).toBe(false)
    const first = await next(batches)
    expect(queue.add(other, record('3'), 30, 3)).toBe(true)
    expect(queue.add(other, record('4'), 15, 4)).toBe(false)
    await first.durable!()
    expect(greedy.events).toContain('resume')
    expect(other.events).not.toContain('resume')
    await (
      await next(batches)
    ).durable!()
    expect(other.events).toContain('resume')
  })

  test('does not resume what has gone', async () => {
    const queue = queueOf(10)
    const origin = new Origin()
    const batches = queue.batches()
    expect(queue.add(origin, record('1'), 30, 1)).toBe(false)
    queue.forget(origin)
    await (
      await next(batches)
    ).durable!()
    expect(origin.events).not.toContain('resume')
  })

  test('a refusal keeps its place in the order, without a record', async () => {
    const queue = queueOf(1000)
    const origin = new Origin()
    queue.add(origin, record('1'), 10, 1)
    queue.add(origin, undefined, 10, 2)
    const batch = await next(queue.batches())
    expect(batch.records).toHaveLength(1)
    await batch.durable!()
    expect(origin.events).toEqual(['ack 1', 'ack 2', 'flush'])
  })

  test('gives what is left after the end, then ends', async () => {
    const queue = queueOf(1000)
    queue.add(new Origin(), record('1'), 10, 1)
    queue.end()
    const batches = queue.batches()
    expect((await next(batches)).records).toHaveLength(1)
    expect((await batches.next()).done).toBe(true)
  })

  test('wakes a waiting reader at the end, and with a failure', async () => {
    const ended = queueOf(1000)
    const end = ended.batches().next()
    ended.end()
    expect((await end).done).toBe(true)
    const failed = queueOf(1000)
    const failure = failed.batches().next()
    failed.fail(new Error('broken'))
    await expect(failure).rejects.toThrow('broken')
  })

  test('tells when everything is settled', async () => {
    const queue = queueOf(1000)
    expect(await queue.whenSettled(1)).toBe(true)
    queue.add(new Origin(), record('1'), 10, 1)
    expect(await queue.whenSettled(1)).toBe(false)
    const batch = await next(queue.batches())
    const settled = queue.whenSettled(10_000)
    await batch.durable!()
    expect(await settled).toBe(true)
  })
})
