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

describe('IngestQueue', () => {
  test('hands on whatever came since, and acknowledges in order with one flush for each origin', async () => {
    const queue = new IngestQueue(1000)
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
    const queue = new IngestQueue(1e9)
    const origin = new Origin()
    const batches = queue.batches()
    for (let index = 0; index < 1200; index++) queue.add(origin, record('x'), 1, noTicket)
    const sizes = [await next(batches), await next(batches), await next(batches)].map(({ records }) => records.length)
    expect(sizes).toEqual([500, 500, 200])
  })

  test('holds origins back when full, and lets them go on when half is free', async () => {
    const queue = new IngestQueue(100, 2)
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
    const queue = new IngestQueue(10)
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
    const queue = new IngestQueue(1000)
    const origin = new Origin()
    queue.add(origin, record('1'), 10, 1)
    queue.add(origin, undefined, 10, 2)
    const batch = await next(queue.batches())
    expect(batch.records).toHaveLength(1)
    await batch.durable!()
    expect(origin.events).toEqual(['ack 1', 'ack 2', 'flush'])
  })

  test('gives what is left after the end, then ends', async () => {
    const queue = new IngestQueue(1000)
    queue.add(new Origin(), record('1'), 10, 1)
    queue.end()
    const batches = queue.batches()
    expect((await next(batches)).records).toHaveLength(1)
    expect((await batches.next()).done).toBe(true)
  })

  test('wakes a waiting reader at the end, and with a failure', async () => {
    const ended = new IngestQueue(1000)
    const end = ended.batches().next()
    ended.end()
    expect((await end).done).toBe(true)
    const failed = new IngestQueue(1000)
    const failure = failed.batches().next()
    failed.fail(new Error('broken'))
    await expect(failure).rejects.toThrow('broken')
  })

  test('tells when everything is settled', async () => {
    const queue = new IngestQueue(1000)
    expect(await queue.whenSettled(1)).toBe(true)
    queue.add(new Origin(), record('1'), 10, 1)
    expect(await queue.whenSettled(1)).toBe(false)
    const batch = await next(queue.batches())
    const settled = queue.whenSettled(10_000)
    await batch.durable!()
    expect(await settled).toBe(true)
  })
})
