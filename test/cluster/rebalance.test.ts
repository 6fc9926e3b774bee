import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { bundledLog } from '../support/killable-log.ts'
import { freePorts, startTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { ConnectorsModel } from './connectors-model.ts'
import { journalOf } from './flows.ts'
import { JournalJudge, type JournalLine } from './journal-judge.ts'
import { unsettled } from './settled.ts'
import { TestCluster, type TestWorkerProcess } from './test-cluster.ts'

// What moves when workers come and go, and what does not. The delay for a worker that vanished is longer than any of
// these tests waits.

const connectors = ['a', 'b', 'c', 'd', 'e', 'f']
const tasksEach = 4
const tasks = connectors.length * tasksEach

let cluster: TestCluster
let model: ConnectorsModel

beforeEach(async () => {
  model = new ConnectorsModel()
  cluster = await TestCluster.open(await bundledLog(), 3, {
    'session.timeout.ms': '4000',
    'heartbeat.interval.ms': '1000',
    'scheduled.rebalance.max.delay.ms': '600000',
  })
  const first = await cluster.start(0)
  await cluster.start(1)
  for (const name of connectors) {
    const config = {
      'connector.class': 'counted-source',
      topic: 'many',
      'source.partitions': String(tasksEach),
      'tasks.max': String(tasksEach),
      rate: '20',
      'batch.size': '1',
      // Whoever takes over too early does so for all to see.
      'stop.ms': '1500',
      journal: journalOf(cluster),
    }
    expect(await model.create(first.url, name, config), model.violations.join()).toBe(true)
  }
  await settled()
})

afterEach(async () => {
  const judge = new JournalJudge(journalOf(cluster), cluster.suspicions)
  await judge.look()
  await cluster.close(false)
  expect(judge.violations).toEqual([])
})

async function settled(): Promise<void> {
  let problems: string[] = []
  try {
    await until(
      'the cluster to settle',
      async () => {
        problems = await unsettled(cluster, model)
        return problems.length === 0
      },
      90_000,
    )
  } catch (error) {
    throw new Error([(error as Error).message, ...problems, cluster.logs()].join('\n'), { cause: error })
  }
}

async function journal(): Promise<JournalLine[]> {
  const text = await readFile(journalOf(cluster), 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalLine)
}

const taskOf = ({ connector, task }: JournalLine): string => `${connector}-${task}`

/** Tasks that stopped and started since the journal had so many lines. */
async function movedSince(mark: number): Promise<{ stopped: string[]; started: string[]; kept: Set<string> }> {
  const lines = (await journal()).slice(mark)
  const of = (event: JournalLine['event']): string[] =>
    lines
      .filter((line) => line.event === event)
      .map(taskOf)
      .sort()
  const [stopped, started] = [of('stop'), of('start')]
  const moved = new Set([...stopped, ...started])
  const kept = new Set(of('give').filter((task) => !moved.has(task)))
  return { stopped, started, kept }
}

const mark = async (): Promise<number> => (await journal()).length

interface TaskStatus {
  readonly id: number
  readonly state: string
  readonly worker_id: string
}

/** The tasks of which this holds, as the worker at the address knows them. */
async function tasksWhere(url: string, holds: (task: TaskStatus) => boolean): Promise<string[]> {
  const { body } = await askRest(url, 'GET', '/connectors?expand=status')
  const all = body as Record<string, { status: { tasks: TaskStatus[] } }>
  return Object.entries(all)
    .flatMap(([name, { status }]) => status.tasks.filter(holds).map((task) => `${name}-${task.id}`))
    .sort()
}

const ownedBy = async ({ id, url }: TestWorkerProcess): Promise<string[]> =>
  tasksWhere(url, (task) => task.worker_id === id)

describe('a cluster', () => {
  test('gives a worker that joins its fair share, and nothing else stops', async () => {
    const before = await mark()
    await cluster.start(2)
    await settled()
    const { stopped, started, kept } = await movedSince(before)
    expect(stopped).toHaveLength(tasks / 3)
    expect(started).toEqual(stopped)
    expect(kept.size).toBe((tasks * 2) / 3)
  })

  test('takes over at once from a worker that stops cleanly, however long it would wait for one that vanished', async () => {
    const [first, second] = cluster.workers
    const moving = await ownedBy(second!)
    const before = await mark()
    await cluster.end(second!, 'SIGTERM')
    await settled()
    const { stopped, started } = await movedSince(before)
    expect(stopped).toEqual(moving)
    expect(started).toEqual(moving)
    expect(await ownedBy(first!)).toHaveLength(tasks)
  })

  test('waits for a worker that was killed, and gives it back what it had', async () => {
    const [first, second] = cluster.workers as [TestWorkerProcess, TestWorkerProcess]
    const had = await ownedBy(second)
    const before = await mark()
    await cluster.end(second, 'SIGKILL')
    const missed = async () => tasksWhere(first.url, ({ state }) => state === 'UNASSIGNED')
    await until('it to be missed', async () => (await missed()).join() === had.join())
    // And the leader, who waits for it, to have decided what it would.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    expect((await movedSince(before)).started).toEqual([])
    const again = await cluster.start(second.slot)
    await settled()
    expect(await ownedBy(again)).toEqual(had)
    const { stopped, started } = await movedSince(before)
    expect(stopped).toEqual([])
    expect(started).toEqual(had)
  })

  test('drains a worker before its planned restart, and nothing is left to move when it goes', async () => {
    const second = cluster.workers[1]!
    const moving = await ownedBy(second)
    const before = await mark()
    expect(await askRest(second.url, 'PUT', '/admin/drain')).toMatchObject({ status: 204 })
    expect((await movedSince(before)).stopped).toEqual(moving)
    await until('the others to say that they run it', async () => (await ownedBy(second)).length === 0)
    const drained = await mark()
    await cluster.end(second, 'SIGTERM')
    await settled()
    expect((await movedSince(drained)).stopped).toEqual([])
  })

  test('ends a worker whose name another has taken, and says so', async () => {
    const second = cluster.workers[1]!
    const [port] = await freePorts(1)
    const usurper = await startTidewire([
      ...['worker', `${cluster.folder}/worker-1.properties`, '--set', `listeners=http://127.0.0.1:${port}`],
      `rest.advertised.port=${new URL(second.url).port}`,
    ])
    try {
      await until('the end of the first', () => cluster.hasEnded(second))
      expect(cluster.logs()).toContain('Another worker of the cluster')
    } finally {
      await usurper.stop('SIGKILL')
    }
  })
})
