import { describe, expect, test } from 'vitest'
import { defineConfig } from '../config.ts'
import { defineSink, defineSource, type Sink, type SinkTask, type Source } from '../connector.ts'
import type { SinkRecord } from '../record.ts'
import { type ConformanceCase } from './conformance.ts'
import { sinkConformance } from './sink-conformance.ts'
import { sourceConformance } from './source-conformance.ts'

// The suite is tried on connectors over arrays: right ones pass, and each fault is found by the case that looks for it.

const config = defineConfig({ id: { type: 'string', required: true, doc: 'Which array' } })
const systems = new Map<string, string[]>()
let made = 0

function newSystem() {
  const id = String(made++)
  const entries: string[] = []
  systems.set(id, entries)
  return { id, entries }
}

async function failures(cases: ConformanceCase[]): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of cases) await run().catch(() => failed.push(name))
  return failed
}

type Read = Source<typeof config>['read']

const sourceFailures = (
  read: Read,
  exactlyOnce = true,
  timeoutMs = 4_000,
  hooks: Pick<Source<typeof config>, 'alterOffsets'> = {},
) =>
  failures(
    sourceConformance({
      source: defineSource({ name: 'array-source', doc: 'Reads an array', config, exactlyOnce, read, ...hooks }),
      timeoutMs,
      system: () => {
        const { id, entries } = newSystem()
        return {
          config: { id },
          add: (count) => {
            const added = Array.from({ length: count }, (_, n) => `${id}:${entries.length + n}`)
            entries.push(...added)
            return added
          },
        }
      },
    }),
  )

const partition = { array: 'only' }

/** Entries from `from` on, two a batch, until stopped. */
const readFrom = (
  from: (stored: number) => number,
  record = (value: string, n: number): object => ({ value, sourceOffset: { n } }),
): Read =>
  async function* ({ config: { id }, offsets, signal }) {
    const entries = systems.get(id)!
    let at = from(Number((await offsets.get(partition))?.['n'] ?? 0))
    while (!signal.aborted) {
      const batch = entries.slice(at, at + 2)
      if (batch.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      else yield batch.map((value) => ({ topic: 't', value, sourcePartition: partition, ...record(value, ++at) }))
    }
  }

describe('sourceConformance', () => {
  test('passes a source that does all right', async () => {
    expect(await sourceFailures(readFrom((stored) => stored))).toEqual([])
  })

  test('lets a source repeat, where it does not promise otherwise', async () => {
    expect(
      await sourceFailures(
        readFrom((stored) => Math.max(0, stored - 1)),
        false,
      ),
    ).toEqual([])
  })

  test.each<[fault: string, read: Read, found: string]>([
    [
      'repeats though exactlyOnce',
      readFrom((stored) => Math.max(0, stored - 1)),
      'goes on after the acknowledged ones',
    ],
    ['skips one on a restart', readFrom((stored) => (stored > 0 ? stored + 1 : 0)), 'loses nothing over many restarts'],
    [
      'has nested offsets',
      readFrom(
        (n) => n,
        (value, n) => ({ value, sourceOffset: { n: { n } } }),
      ),
      'gives partition and offset together, both flat',
    ],
    [
      'has no offsets',
      readFrom(
        (n) => n,
        (value) => ({ value }),
      ),
      'gives partition and offset together, both flat',
    ],
    [
      'does not stop',
      async function* (context) {
        yield* readFrom((n) => n)({ ...context, signal: new AbortController().signal }) as AsyncGenerator<[]>
      },
      'stops while it waits',
    ],
    [
      'reads backwards',
      async function* (context) {
        yield systems
          .get(context.config.id)!
          .toReversed()
          .map((value, n) => ({ topic: 't', value, sourcePartition: partition, sourceOffset: { n } }))
      },
      'gives all entries, in order for each source partition',
    ],
  ])('finds a source that %s', async (_, read, found) => {
    expect(await sourceFailures(read, true, 50)).toContain(found)
  })

  test('finds a source that refuses offsets of its own, or to forget those that it has not', async () => {
    const altering = (alterOffsets: NonNullable<Source<typeof config>['alterOffsets']>) =>
      sourceFailures(
        readFrom((stored) => stored),
        true,
        4_000,
        { alterOffsets },
      )
    expect(await altering(() => true)).toEqual([])
    const refusing = (refused: boolean) => {
      if (refused) throw new Error('no such partition')
      return true
    }
    expect(await altering((_, offsets) => refusing(offsets.some(({ offset }) => offset !== null)))).toEqual([
      'goes on from offsets that it was set back to',
    ])
    expect(
      await altering((_, offsets) => refusing(offsets.some(({ partition: { array } }) => array !== 'only'))),
    ).toEqual(['lets offsets be forgotten, whatever they are'])
  })
})

const sinkFailures = (task: (entries: string[]) => Partial<SinkTask> & { exactlyOnce?: boolean }, timeoutMs = 4_000) =>
  failures(
    sinkConformance({
      sink: defineSink({
        name: 'array-sink',
        doc: 'Writes an array',
        config,
        write: ({ config: { id } }) => ({ put: () => undefined, ...task(systems.get(id)!) }),
      }),
      exactlyOnce: task([]).exactlyOnce ?? false,
      timeoutMs,
      system: () => {
        const { id, entries } = newSystem()
        return { config: { id }, read: () => [...entries] }
      },
    }),
  )

const texts = (records: readonly SinkRecord[]) => records.map(({ value }) => String(value))

/** Collects, and stores when flushed. */
const buffered = (entries: string[], stored = (buffer: string[]) => buffer) => {
  const buffer: string[] = []
  return {
    put: (records: readonly SinkRecord[]) => void buffer.push(...texts(records)),
    flush: () => void entries.push(...stored(buffer.splice(0))),
  }
}

describe('sinkConformance', () => {
  test('passes sinks that do all right', async () => {
    expect(await sinkFailures((entries) => buffered(entries))).toEqual([])
    expect(
      await sinkFailures((entries) => ({
        exactlyOnce: true,
        put: (records) => void entries.push(...texts(records).filter((text) => !entries.includes(text))),
      })),
    ).toEqual([])
  })

  test.each<[string, Parameters<typeof sinkFailures>[0], string]>([
    ['loses records', (entries) => buffered(entries, (all) => all.slice(1)), 'takes empty batches at any time'],
    [
      'changes the order',
      (entries) => buffered(entries, (all) => all.reverse()),
      'has made durable what was put when flush returns, in order',
    ],
    [
      'stores only when stopped',
      (entries) => ({ put: (all) => void entries.push(...texts(all)), flush: () => new Promise(() => undefined) }),
      'has made durable what was put when flush returns, in order',
    ],
    [
      'doubles, though exactly once',
      (entries) => ({ ...buffered(entries), exactlyOnce: true }),
      'takes again what it had flushed, when the commit was lost',
    ],
    [
      'commits what it never had',
      (entries) => ({ ...buffered(entries), flush: () => [{ topic: 'topic', partition: 0, offset: 11 }] }),
      'commits nothing that was not put',
    ],
    [
      'chokes on an empty batch',
      (entries) => ({ put: (all) => void entries.push(String(all[0]!.value)) }),
      'takes empty batches at any time',
    ],
    [
      'cannot stop without a record',
      () => ({ stop: () => Promise.reject(new Error('no file')) }),
      'ends without ever having had a record or a partition',
    ],
  ])('finds a sink that %s', async (_, task, found) => {
    expect(await sinkFailures(task, 50)).toContain(found)
  })

  test('finds a sink that keeps to offsets of its own though others were set', async () => {
    const keeping = (alter: (kept: Map<string, number>, id: string, offset: number) => void) => {
      const kept = new Map<string, number>()
      const alterOffsets: Sink<typeof config>['alterOffsets'] = ({ id }, [change]) => {
        alter(kept, id, change!.offset ?? 0)
        return true
      }
      const sink = defineSink({
        name: 'array-sink',
        doc: 'Writes an array, and knows how far it is',
        config,
        alterOffsets,
        write: (context) => ({
          open: (opened) => {
            const offset = kept.get(context.config.id)
            for (const each of opened) if (offset !== undefined) context.seek({ ...each, offset })
          },
          put: (records) => {
            const { id } = context.config
            systems.get(id)!.push(...texts(records))
            if (records.length > 0) kept.set(id, records.at(-1)!.offset + 1)
          },
        }),
      })
      const system = () => {
        const { id, entries } = newSystem()
        return { config: { id }, read: () => [...entries] }
      }
      return failures(
        sinkConformance({ sink, system }).filter(({ name }) => name === 'goes on from offsets that it was set to'),
      )
    }
    expect(await keeping((kept, id, offset) => kept.set(id, offset))).toEqual([])
    expect(await keeping(() => undefined)).toEqual(['goes on from offsets that it was set to'])
  })
})
