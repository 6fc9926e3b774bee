/** A worker of many: what of a connector is this worker's, and what it does when that changes. */
import { afterEach, describe, expect, test } from 'vitest'
import { NotLeaderError } from '../cluster/cluster.ts'
import { NotOwnerError } from './connector-writes.ts'
import { configDigest } from './leader-requests.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
const exact = { 'connector.class': 'test-exact-source' }
const running: Fixture[] = []
const start: typeof startHerder = async (...args) => {
  const fixture = await startHerder(...args)
  running.push(fixture)
  return fixture
}
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ herder }) => herder.close()))
})

const taskStates = ({ herder }: Fixture, name: string) => herder.views.status(name).tasks.map(({ state }) => state)

async function deployed(fixture: Fixture, name: string, tasks: number, config: Record<string, string>): Promise<void> {
  fixture.runner.plan = async (_, max) => Array.from({ length: max }, (_, i) => ({ part: String(i) }))
  await fixture.herder.writes.putConfig(name, { ...config, 'tasks.max': String(tasks) })
  await until(() => fixture.runner.running.size === tasks && taskStates(fixture, name).every((s) => s === 'RUNNING'))
  await until(() => fixture.herder.views.status(name).connector.state === 'RUNNING')
}

describe('units', () => {
  test('run here where the assignment has them, the connector and each task by itself', async () => {
    const fixture = await start()
    fixture.cluster.give(['a', 'a-1'], true)
    await deployed({ ...fixture, runner: fixture.runner }, 'other', 0, source).catch(() => undefined)
    await fixture.herder.writes.create('a', { ...source, 'tasks.max': '2' })
    await fixture.herder.writes.commitTasks('a', configDigest({ ...source, 'tasks.max': '2', name: 'a' }), [
      { x: '0', ...source },
      { x: '1', ...source },
    ])
    await until(() => fixture.runner.running.has('a-0'))
    expect(fixture.runner.calls).not.toContain('plan a')
    expect(fixture.runner.running.has('a-1')).toBe(false)
  })

  test('that are taken away are stopped, told UNASSIGNED and only then released; the others go on undisturbed', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 3, source)
    fixture.runner.calls.length = 0
    let hasStopped = false
    const stopTask = fixture.runner.stopTask.bind(fixture.runner)
    fixture.runner.stopTask = async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      hasStopped = true
      await stopTask(id)
    }
    fixture.cluster.give(['a-1'], true)
    expect(fixture.cluster.releases).toEqual([])
    await until(() => fixture.cluster.releases.includes(fixture.cluster.generation))
    expect(hasStopped).toBe(true)
    expect(fixture.runner.calls).toEqual(['stop a-1'])
    const told = fixture.log.records('connect-status').findLast(({ key }) => key === 'status-task-a-1')
    expect(JSON.parse(told!.value!)).toMatchObject({ state: 'UNASSIGNED', generation: 1 })
    expect(taskStates(fixture, 'a')).toEqual(['RUNNING', 'UNASSIGNED', 'RUNNING'])
    fixture.cluster.give(['a-1'], false)
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING,RUNNING')
  })

  test('of a worker that others took for gone begin anew, though they are its own again when it hears of it', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, source)
    fixture.runner.calls.length = 0
    // The other had them, and has given them up.
    const told = { state: 'UNASSIGNED', trace: null, worker_id: 'other:1', generation: 2 }
    fixture.log.append('connect-status', 'status-task-a-1', JSON.stringify(told))
    await until(() => taskStates(fixture, 'a').includes('UNASSIGNED'))
    fixture.cluster.comeBack(['a'])
    await until(() => fixture.cluster.releases.includes(fixture.cluster.generation))
    expect(fixture.runner.calls.toSorted()).toEqual(['start a-0', 'start a-1', 'stop a-0', 'stop a-1'])
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING')
  })

  test('an assignment counts as carried out only when those before it are', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, source)
    const stops: (() => void)[] = []
    fixture.runner.stopTask = async ({ task }) => {
      if (task === 0) await new Promise<void>((resolve) => stops.push(resolve))
    }
    fixture.cluster.give(['a-0'], true)
    await until(() => stops.length === 1)
    fixture.cluster.give(['b'], true)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fixture.cluster.releases).toEqual([])
    stops[0]!()
    await until(() => fixture.cluster.releases.length === 2)
    expect(fixture.cluster.releases).toEqual([2, 3])
  })

  test('taken away while others of their connector stop are told UNASSIGNED as of the time they were here', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, source)
    const stopped = Promise.withResolvers<void>()
    const stopTask = fixture.runner.stopTask.bind(fixture.runner)
    fixture.runner.stopTask = async (id) => {
      if (id.task === 0) await stopped.promise
      await stopTask(id)
    }
    fixture.cluster.give(['a-0'], true)
    await new Promise((resolve) => setTimeout(resolve, 20))
    fixture.cluster.give(['a-1'], true)
    const newest = fixture.cluster.generation
    stopped.resolve()
    await until(() => fixture.cluster.releases.includes(newest))
    const told = fixture.log.records('connect-status').findLast(({ key }) => key === 'status-task-a-1')
    const { state, generation } = JSON.parse(told!.value!) as { state: string; generation: number }
    expect(state).toBe('UNASSIGNED')
    // Who has it by now told so under the newest, and that has to stand.
    expect(generation).toBeLessThan(newest)
  })

  test('that there is no such task stands only when it is so', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 1, source)
    fixture.log.append('connect-status', 'status-task-a-0', null)
    const last = () => fixture.log.records('connect-status').findLast(({ key }) => key === 'status-task-a-0')!.value
    await until(() => last() !== null)
    expect(taskStates(fixture, 'a')).toEqual(['RUNNING'])
    await fixture.herder.writes.delete('a')
    await until(() => last() === null)
  })

  test('a late UNASSIGNED of a task that is none any more is not shown', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 1, source)
    const late = { state: 'UNASSIGNED', trace: null, worker_id: 'other:1', generation: 1 }
    fixture.log.append('connect-status', 'status-task-a-1', JSON.stringify(late))
    fixture.log.append('connect-status', 'status-task-a-0', JSON.stringify({ ...late, state: 'FAILED' }))
    await until(() => taskStates(fixture, 'a')[0] === 'FAILED')
    expect(taskStates(fixture, 'a')).toEqual(['FAILED'])
  })

  test('of a connector that is deleted leave no state behind', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, source)
    fixture.cluster.give(['a'], true)
    await until(() => fixture.cluster.releases.length === 1)
    await fixture.herder.writes.delete('a')
    await until(() => fixture.runner.running.size === 0)
    await until(() => {
      const last = new Map(fixture.log.records('connect-status').map(({ key, value }) => [key, value]))
      return [...last.values()].every((value) => value === null)
    })
  })

  test('what the worker that had it before tells late does not stand', async () => {
    const fixture = await start()
    fixture.cluster.give([], true)
    await deployed(fixture, 'a', 1, source)
    const late = { state: 'RESTARTING', trace: 'fenced', worker_id: 'other:1', generation: 1 }
    fixture.log.append('connect-status', 'status-task-a-0', JSON.stringify(late))
    fixture.log.append('connect-status', 'status-task-a-0', JSON.stringify({ ...late, state: 'UNASSIGNED' }))
    await until(() => {
      const last = fixture.log.records('connect-status').findLast(({ key }) => key === 'status-task-a-0')!.value!
      return (JSON.parse(last) as { state: string }).state === 'RUNNING'
    })
    expect(taskStates(fixture, 'a')).toEqual(['RUNNING'])
  })

  test('have the weight that the connector or its task says', async () => {
    const fixture = await start()
    fixture.runner.plan = async () => [{}, { 'task.weight': '5' }, { 'task.weight': 'x' }]
    await fixture.herder.writes.create('a', { ...source, 'tasks.max': '3', 'task.weight': '2.5' })
    await until(() => fixture.cluster.work().length === 4)
    expect(fixture.cluster.work()).toEqual([
      { connector: 'a', weight: 0 },
      { connector: 'a', task: 0, weight: 2.5 },
      { connector: 'a', task: 1, weight: 5 },
      { connector: 'a', task: 2, weight: 1 },
    ])
  })
})

describe('writes', () => {
  test('are the leader’s', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 1, source)
    await fixture.cluster.lead(false)
    await expect(fixture.herder.writes.putConfig('a', source)).rejects.toThrow(NotLeaderError)
    await expect(fixture.herder.fence('a')).rejects.toThrow(NotLeaderError)
    fixture.cluster.give(['a-0'], true)
    await expect(fixture.herder.writes.restartTask('a', 0)).rejects.toThrow(NotOwnerError)
  })

  test('of a request that was carried out already have the same answer, and happen once, at the next leader too', async () => {
    const first = await start()
    const { writes } = first.herder
    const created = await writes.create('a', source, undefined, 'r1')
    expect(await writes.create('a', source, undefined, 'r1')).toEqual(created)
    await expect(writes.create('a', source, undefined, 'r2')).rejects.toThrow('already exists')
    await writes.setTargetState('a', 'PAUSED', 'r3')
    await writes.setTargetState('a', 'STARTED', 'r4')
    await writes.setTargetState('a', 'PAUSED', 'r3')
    expect(first.log.records('connect-configs').filter(({ key }) => key === 'target-state-a')).toHaveLength(2)
    await first.herder.close()
    running.splice(0)
    const second = await start(first.log)
    expect((await second.herder.writes.create('a', source, undefined, 'r1')).created).toBe(true)
    expect((await second.herder.writes.putConfig('a', source, 'r5')).created).toBe(false)
    await second.herder.writes.delete('a', 'r6')
    await second.herder.writes.delete('a', 'r6')
    await expect(second.herder.writes.delete('a', 'r7')).rejects.toThrow('not found')
  })

  test('tasks planned from a config that has changed are not taken', async () => {
    const fixture = await start()
    fixture.cluster.give(['a'], true)
    await fixture.herder.writes.create('a', source)
    const planned = configDigest({ ...source, name: 'a' })
    await fixture.herder.writes.putConfig('a', { ...source, mode: 'fast' })
    await expect(fixture.herder.writes.commitTasks('a', planned, [{}])).rejects.toMatchObject({ retriable: true })
    expect(fixture.herder.views.tasks('a')).toEqual([])
  })
})

describe('earlier producers', () => {
  const fencings = ({ log }: Fixture) => log.records('connect-configs').filter(({ key }) => key === 'tasks-fencing-a')

  test('of the first tasks there are none; those of the next are fenced before they start', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, exact)
    expect(fixture.log.fenced).toEqual([])
    expect(fencings(fixture).map(({ value }) => value)).toEqual(['{"task-count":2}'])
    await deployed(fixture, 'a', 3, exact)
    expect(fixture.log.fenced).toEqual([['connect-cluster-a-0', 'connect-cluster-a-1']])
    expect(fencings(fixture)).toHaveLength(2)
    await deployed(fixture, 'a', 1, exact)
    expect(fixture.log.fenced[1]).toHaveLength(3)
  })

  test('where there are none, that stands in the commit itself: such tasks need not ask before they start', async () => {
    const fixture = await start()
    const { log } = fixture
    const write = log.writeAtomically.bind(log)
    const writes: string[][] = []
    log.writeAtomically = async (topic, records) => {
      writes.push(records.map(({ key }) => key))
      return write(topic, records)
    }
    await deployed(fixture, 'a', 1, exact)
    expect(writes).toContainEqual(['task-a-0', 'commit-a', 'tasks-fencing-a'])
    expect(fencings(fixture)).toHaveLength(1)
  })

  test('of one task before one task fence themselves', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 1, exact)
    await deployed(fixture, 'a', 1, { ...exact, 'errors.tolerance': 'all' })
    await until(() => fencings(fixture).length === 2)
    expect(fixture.log.fenced).toEqual([])
  })

  test('are fenced in one round, however many ask', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 4, exact)
    fixture.cluster.give(['a-0', 'a-1', 'a-2', 'a-3'], true)
    await until(() => fixture.runner.running.size === 0)
    await fixture.herder.writes.putConfig('a', { ...exact, 'tasks.max': '3' })
    await until(() => fixture.herder.views.tasks('a').length === 3)
    await Promise.all([1, 2, 3].map(async () => fixture.herder.fence('a')))
    expect(fixture.log.fenced).toHaveLength(1)
    expect(fencings(fixture)).toHaveLength(2)
  })

  test('of what writes in no transactions are left alone', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2, source)
    await deployed(fixture, 'a', 3, source)
    expect(fixture.log.fenced).toEqual([])
    expect(fencings(fixture)).toEqual([])
  })

  test('of a worker that is gone are fenced by the next leader', async () => {
    const log = new MemoryLog()
    const first = await start(log)
    await deployed(first, 'a', 2, exact)
    await first.herder.close()
    running.splice(0)
    const second = await start(log)
    second.runner.plan = async () => [{}]
    await second.herder.writes.putConfig('a', { ...exact, 'tasks.max': '1' })
    await until(() => log.fenced.length > 0)
    expect(log.fenced[0]).toEqual(['connect-cluster-a-0', 'connect-cluster-a-1'])
  })
})

test('what a worker ran that has vanished is shown as UNASSIGNED, with how long it is waited for', async () => {
  const fixture = await start()
  const { herder, cluster } = fixture
  await deployed(fixture, 'a', 2, source)
  fixture.runner.tell('a-1', 'FAILED', 'no such table')
  await until(() => taskStates(fixture, 'a')[1] === 'FAILED')
  cluster.awayUntil = Date.UTC(2026, 0, 1)
  const { connector, tasks } = herder.views.status('a')
  expect(connector).toMatchObject({ state: 'UNASSIGNED', worker_id: '127.0.0.1:8083' })
  expect(connector.trace).toContain('Worker 127.0.0.1:8083 has vanished')
  expect(connector.trace).toContain('until 2026-01-01T00:00:00.000Z')
  expect(tasks.map(({ state }) => state)).toEqual(['UNASSIGNED', 'FAILED'])
  expect(herder.views.taskStatus('a', 0).state).toBe('UNASSIGNED')
  expect(tasks[1]!.trace).toBe('no such table')
  cluster.awayUntil = undefined
  expect(herder.views.status('a').connector.state).toBe('RUNNING')
})
