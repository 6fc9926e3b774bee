import { describe, expect, test } from 'vitest'
import { ConnectorsModel, noConnector } from './connectors-model.ts'
import { FaultDeck, type FaultContext } from './faults.ts'
import { JournalJudge, type JournalLine } from './journal-judge.ts'
import { seededRandom } from '../support/random.ts'
import { SequenceJudge, type Delivery } from './sequence-judge.ts'

// What judges the cluster is worth nothing if it cannot find fault.

describe('a judge of sequences', () => {
  const judged = (delivery: Delivery, taken: readonly string[], late = false): string[] => {
    const judge = new SequenceJudge('here', delivery, () => late)
    for (const each of taken) {
      const [value = '', instance = 'a'] = each.split(' ')
      judge.take(value, instance, 'x')
    }
    return judge.violations
  }

  test('finds nothing where there is nothing', () => {
    expect(judged('once', ['0:0', '1:0', '0:1 b', '0:2 b', '1:1'])).toEqual([])
    expect(judged('often', ['0:0', '0:1', '0:0 b', '0:1 b', '0:2 b'])).toEqual([])
  })

  test('finds what is missing, what came again, and who writes after his successor', () => {
    expect(judged('once', ['0:0', '0:2'])).toEqual(['here: 0:2 by a at x: 1 to 1 are missing'])
    expect(judged('often', ['0:1'])).toEqual(['here: 0:1 by a at x: 0 to 0 are missing'])
    expect(judged('once', ['0:0', '0:1', '0:1'])).toEqual(['here: 0:1 by a at x: came again'])
    expect(judged('often', ['0:0', '0:0 b', '0:1 a'])).toEqual(['here: 0:1 by a at x: was written after b had begun'])
    expect(judged('often', ['0:0', '0:0 b', '0:1 a'], true)).toEqual([])
  })
})

describe('a judge of the journal', () => {
  const line = (event: JournalLine['event'], instance: string, atMs: number, pid = 1): JournalLine => ({
    event,
    connector: 'c',
    task: 0,
    instance,
    pid,
    atMs,
  })
  const judged = (lines: readonly JournalLine[], suspect?: readonly [number, number]): string[] => {
    const judge = new JournalJudge(
      'none',
      suspect === undefined ? [] : [{ pid: 1, fromMs: suspect[0], untilMs: suspect[1] }],
    )
    for (const each of lines) judge.take(each)
    return judge.violations
  }

  test('finds nothing in a hand-over, and in a successor of one that was killed', () => {
    expect(judged([line('start', 'a', 1), line('give', 'a', 2), line('stop', 'a', 3), line('start', 'b', 4)])).toEqual(
      [],
    )
    expect(judged([line('start', 'a', 1), line('give', 'a', 2), line('start', 'b', 4), line('stop', 'b', 5)])).toEqual(
      [],
    )
  })

  test('finds a task that runs twice, and lets pass only one that could not know, while it writes nothing', () => {
    const twice = [line('start', 'a', 1), line('start', 'b', 5, 2), line('stop', 'a', 6)]
    expect(judged(twice)).toEqual(['c-0, a, stop at 6: was there 1 ms after its successor started'])
    expect(judged(twice, [4, 7])).toEqual([])
    expect(judged(twice, [6, 7])).toHaveLength(1)
    const writing = [line('start', 'a', 1), line('start', 'b', 5, 2), line('put', 'a', 6)]
    expect(judged(writing, [4, 7])).toEqual(['c-0, a, put at 6: wrote 1 ms after its successor started'])
  })
})

describe('the model of the connectors', () => {
  const nowhere = 'http://127.0.0.1:1'

  test('takes a write without an answer for possible, and nothing else', async () => {
    const model = new ConnectorsModel()
    const config = { name: 'x', note: '1' }
    expect(model.impossible('x', { config, target: 'RUNNING' })).toContain('could only be')
    expect(await model.create(nowhere, 'x', { note: '1' })).toBe(false)
    expect(model.impossible('x', { config, target: 'RUNNING' })).toBeUndefined()
    expect(model.impossible('x', noConnector)).toBeUndefined()
    expect(model.impossible('x', { config: { ...config, note: '2' }, target: 'RUNNING' })).toContain('could only be')
    expect(model.impossible('x', { config, target: 'PAUSED' })).toContain('could only be')
  })
})

test('the same seed deals the same faults', () => {
  const deal = (seed: number): string[] => {
    const present = [1, 2, 3]
    const context = { random: seededRandom(seed), cluster: { present, freeSlots: [] }, fewestWorkers: 2 }
    const deck = new FaultDeck()
    return Array.from({ length: 30 }, () => deck.next(context as unknown as FaultContext).name)
  }
  expect(deal(7)).toEqual(deal(7))
  expect(deal(7)).not.toEqual(deal(8))
  expect(deal(7)).not.toContain('a worker joins')
})
