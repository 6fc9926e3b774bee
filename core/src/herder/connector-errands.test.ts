import { afterEach, expect, test } from 'vitest'
import type { RedriveErrand } from '../worker/errand-messages.ts'
import type { RedriveRequest } from './connector-errands.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'

const running: Fixture[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ herder }) => herder.close()))
})

test('a re-drive has a stopped connector to itself only once no worker has a task of it', async () => {
  const fixture = await startHerder()
  running.push(fixture)
  const { herder, runner, cluster } = fixture
  const alone: boolean[] = []
  runner.errand = async (errand) => {
    alone.push((errand as RedriveErrand).alone)
    return Promise.resolve({ ended: 'end', redriven: [] })
  }
  await herder.writes.create('a', {
    'connector.class': 'test-sink',
    topics: 't',
    'errors.deadletterqueue.topic.name': 'letters',
  })
  await until(() => runner.running.size === 1)
  const request: RedriveRequest = { choice: { kind: 'since' }, limit: 1, timeoutMs: 1000, dryRun: false }
  const redrive = (signal = new AbortController().signal) =>
    herder.errands.redrive('a', request, () => undefined, signal)
  cluster.stopping.add('a')
  await redrive()
  await herder.writes.setTargetState('a', 'STOPPED')
  const waiting = redrive()
  await until(() => herder.views.status('a').connector.state === 'STOPPED')
  expect(alone).toEqual([false])
  cluster.stopping.delete('a')
  await waiting
  cluster.stopping.add('a')
  // Nobody waits any more.
  await redrive(AbortSignal.abort())
  expect(alone).toEqual([false, true, false])
})
