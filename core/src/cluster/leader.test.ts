import { describe, expect, test, vi } from 'vitest'
import type { LogClient, OutRecord, Producer } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import type { Unit } from './cluster.ts'
import { Leader, type LeaderOptions } from './leader.ts'

/** A log that keeps what is committed, and counts who fences whom. */
class CountingLog {
  fencings = 0
  readonly transactions: string[][] = []
  readonly values: string[] = []

  client(): LogClient {
    return { producer: () => this.#producer() } as unknown as LogClient
  }

  #producer(): Producer {
    let open: string[] = []
    return {
      initTransactions: async () => {
        await Promise.resolve()
        this.fencings++
      },
      begin: () => (open = []),
      produce: async (records: readonly OutRecord[]) => {
        await Promise.resolve()
        open.push(...records.map(({ key }) => String(key)))
        this.values.push(...records.map(({ value }) => String(value)))
        return { failures: [], offsets: [{ partition: 0, offset: 0 }] }
      },
      commit: async () => {
        await Promise.resolve()
        this.transactions.push(open)
      },
      close: async () => Promise.resolve(),
    } as unknown as Producer
  }
}

function leader(log: CountingLog, options: Partial<LeaderOptions> = {}): Leader {
  return new Leader({
    client: log.client(),
    topic: 'assignments',
    groupId: 'g',
    workerId: 'a',
    sessionTimeoutMs: 10_000,
    maxDelayMs: 0,
    logger: silentLogger,
    leadershipChanged: () => undefined,
    work: () => [],
    assignment: () => undefined,
    records: new Map(),
    readToEnd: async () => Promise.resolve(),
    checkRound: async () => Promise.resolve(),
    onDeposed: () => undefined,
    leaderUrl: () => undefined,
    ...options,
  })
}

const round = { generation: 1, members: new Map([['a', { url: 'http://a' }]]) }
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}
const turn = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('a leader', () => {
  test('that steps down fences nobody: by then another may lead', async () => {
    const log = new CountingLog()
    const deposed = leader(log)
    deposed.lead(round)
    await turn()
    expect(log.fencings).toBe(1)
    deposed.stepDown()
    await turn()
    expect(log.fencings).toBe(1)
    deposed.lead({ ...round, generation: 2 })
    await turn()
    expect(log.fencings).toBe(2)
    await deposed.close()
    await turn()
    expect(log.fencings).toBe(2)
  })

  test('writes its decision and what is asked of it meanwhile in one transaction', async () => {
    const log = new CountingLog()
    let work: Unit[] = []
    const leading = leader(log, { work: () => work })
    leading.lead(round)
    await turn()
    expect(log.transactions).toEqual([['assignment-g']])
    work = [{ connector: 'c', weight: 0 }]
    leading.decideAnew()
    await leading.write('configs', [{ key: 'k', value: 'v' }])
    expect(log.transactions.slice(1)).toEqual([['k', 'assignment-g']])
    await leading.close()
  })

  test('makes one decision of many changes that come faster than it decides', async () => {
    const log = new CountingLog()
    const work: Unit[] = []
    const slow = (): Unit[] => {
      const until = performance.now() + 20
      while (performance.now() < until);
      return [...work]
    }
    const leading = leader(log, { work: slow })
    leading.lead(round)
    await until(() => log.transactions.length === 1)
    const decisions = (): number => log.transactions.filter((keys) => keys.includes('assignment-g')).length
    for (let i = 0; i < 10; i++) {
      work.push({ connector: `c${i}`, weight: 0 })
      leading.decideAnew()
      await leading.write('configs', [{ key: `k${i}`, value: 'v' }])
    }
    expect(decisions()).toBeLessThan(6)
    // The last of them is not forgotten.
    await until(() => log.values.at(-1)!.includes('"c9"'))
    await leading.close()
  })

  test('gives away the work of one that vanished, also where its clock is behind its timers', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const log = new CountingLog()
    let looks = 0
    const work = (): Unit[] => {
      looks++
      return ['c', 'd'].map((connector) => ({ connector, weight: 0 }))
    }
    const leading = leader(log, { work, maxDelayMs: 20 })
    const both = new Map(['a', 'b'].map((id) => [id, { url: `http://${id}` }]))
    leading.lead({ generation: 1, members: both })
    await until(() => log.transactions.length === 1)
    leading.lead({ ...round, generation: 2 })
    await until(() => log.transactions.length === 2)
    const before = looks
    await until(() => looks > before)
    expect(log.transactions).toHaveLength(2)
    vi.setSystemTime(Date.now() + 20)
    await until(() => log.transactions.length === 3)
    expect(log.values.at(-1)).not.toContain('awayUntil')
    await leading.close()
    vi.useRealTimers()
  })

  test('says who comes, who vanishes and who does not come back', async () => {
    const log = new CountingLog()
    const lines: string[] = []
    const note = (message: string, details: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push(`${String(details['worker'])}: ${message}`)
    const logger = { ...silentLogger, info: note, warn: note }
    const leading = leader(log, { logger, work: () => units, maxDelayMs: 50 })
    const one = { url: 'http://x' }
    const units: Unit[] = ['c', 'd'].map((connector) => ({ connector, weight: 0 }))
    const other = 'b'
    leading.lead({
      generation: 1,
      members: new Map([
        ['a', one],
        [other, one],
      ]),
    })
    await turn()
    leading.lead({ generation: 2, members: new Map([['a', one]]) })
    await turn()
    leading.lead({
      generation: 3,
      members: new Map([
        ['a', one],
        [other, one],
      ]),
    })
    await turn()
    leading.lead({ generation: 4, members: new Map([['a', one]]) })
    await until(() => lines.some((line) => line.includes('others get its work')))
    expect(lines.filter((line) => line.startsWith('b:'))).toEqual([
      'b: a worker has joined the cluster',
      'b: a worker has vanished; its work waits for it',
      'b: a worker that had vanished is back',
      'b: a worker has vanished; its work waits for it',
      'b: a worker has vanished; others get its work',
    ])
    await leading.close()
  })
})
