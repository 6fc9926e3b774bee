import { expect, onTestFinished, test } from 'vitest'
import type { ClusterWorker } from '../cluster/cluster.ts'
import { secretMask } from '../config/secrets.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x', password: 'hunter22' }

async function listening(log?: MemoryLog): Promise<Fixture & { readonly told: string[] }> {
  const fixture = await startHerder(log)
  onTestFinished(() => fixture.herder.close())
  const told: string[] = []
  fixture.herder.events.ring.listen(({ event, data }) => void told.push(`${event} ${data}`))
  return { ...fixture, told }
}

const statusOf = (state: string, task?: number): string =>
  `status ${JSON.stringify({
    connector: 'one',
    ...(task === undefined ? {} : { task }),
    state,
    worker_id: '127.0.0.1:8083',
    version: '1.2.3',
  })}`

test('what becomes of a connector is told once, without its secrets', async () => {
  const { herder, told, runner } = await listening()
  await herder.writes.putConfig('one', source)
  await until(() => told.includes(statusOf('RUNNING', 0)))
  const config = JSON.stringify({ ...source, password: secretMask, name: 'one' })
  expect(told).toContain(`config {"connector":"one","change":"created","config":${config}}`)
  expect(told).toContain('tasks {"connector":"one","tasks":1}')
  expect(told).toContain(statusOf('RUNNING'))
  await herder.writes.setTargetState('one', 'PAUSED')
  await until(() => told.includes(statusOf('PAUSED', 0)))
  expect(told).toContain('target-state {"connector":"one","state":"PAUSED"}')
  await herder.writes.patchConfig('one', { mode: 'fast' })
  await until(() => told.some((text) => text.includes('"updated"')))
  await herder.writes.delete('one')
  await until(() => told.includes('config {"connector":"one","change":"deleted"}') && runner.running.size === 0)
  expect(told.join()).not.toContain('hunter')
  const changes = told.filter((text) => text.startsWith('config'))
  expect(changes.map((text) => /"change":"(\w+)"/.exec(text)![1])).toEqual(['created', 'updated', 'deleted'])
})

test('what a worker finds when it starts is no change', async () => {
  const log = new MemoryLog()
  const first = await startHerder(log)
  await first.herder.writes.putConfig('old', source)
  await until(() => first.herder.views.status('old').tasks[0]?.state === 'RUNNING')
  await first.herder.close()
  const { herder, told } = await listening(log)
  await herder.writes.putConfig('new', source)
  await until(() => told.some((text) => text.startsWith('config')))
  expect(told.filter((text) => text.startsWith('config') && text.includes('"old"'))).toEqual([])
})

test('a worker that vanishes is told, with what it ran; and so is its return', async () => {
  const { herder, cluster, told } = await listening()
  await herder.writes.putConfig('one', source)
  await until(() => told.includes(statusOf('RUNNING', 0)) && told.includes(statusOf('RUNNING')))
  const worker: ClusterWorker = {
    workerId: '127.0.0.1:8083',
    url: 'http://127.0.0.1:8083',
    draining: false,
    connectors: 1,
    tasks: 1,
  }
  cluster.assign([worker])
  cluster.assign([{ ...worker, tasks: 2 }])
  const workers = (more: object): string =>
    `workers ${JSON.stringify({ workers: [{ worker_id: worker.workerId, leader: true, draining: false, ...more }] })}`
  expect(told.filter((text) => text.startsWith('workers'))).toEqual([workers({})])
  told.length = 0
  const vanishedUntil = Date.parse('2026-01-02T03:04:05.000Z')
  cluster.awayUntil = vanishedUntil
  cluster.assign([{ ...worker, awayUntil: vanishedUntil }])
  expect(told[0]).toBe(workers({ away_until: '2026-01-02T03:04:05.000Z' }))
  expect(told.slice(1)).toEqual([
    expect.stringMatching(/^status \{"connector":"one","state":"UNASSIGNED".*has vanished/),
    expect.stringMatching(/^status \{"connector":"one","task":0,"state":"UNASSIGNED".*has vanished/),
  ])
  told.length = 0
  cluster.awayUntil = undefined
  cluster.assign([worker])
  expect(told).toEqual([workers({}), statusOf('RUNNING'), statusOf('RUNNING', 0)])
})
