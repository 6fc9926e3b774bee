/** What tasks say of how they get on, and signals to them, on a cluster over the bundled log. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readTopic } from '../support/read-topic.ts'
import { runTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import type { TestWorker } from '../support/worker.ts'
import { workerSet } from '../support/worker-set.ts'

const set = workerSet({
  defaults: { 'plugin.path': join(import.meta.dirname, '../fixtures/plugins/signalled'), 'key.converter': 'string' },
})

const config = { 'connector.class': 'signalled', topic: 'out', 'value.converter': 'string' }
const withSignals = { ...config, 'signal.topic': 'signals', 'signal.key': 'mine' }

interface Progress {
  readonly text: string
  readonly figures: Readonly<Record<string, number>>
  readonly at: string
}

const progressOn = async (worker: TestWorker, name: string): Promise<Progress | undefined> =>
  ((await worker.status(name)).tasks[0] as { readonly progress?: Progress } | undefined)?.progress

const send = (worker: TestWorker, body: unknown, name = 'a') => worker.ask('POST', `/connectors/${name}/signals`, body)

test('the command line sends signals, and shows how tasks get on', async () => {
  const worker = await set.start()
  await worker.deploy('a', withSignals)
  await until('that it reads', async () => (await progressOn(worker, 'a'))?.text === '0 signals')
  const command = ['connector', 'signal', 'a', 'log', '--url', worker.url]
  const sent = await runTidewire([...command, '--id', 'x', '--data', '{"n": 1}'])
  expect(sent).toEqual({ code: 0, stdout: 'signal x is sent to connector a\n', stderr: '' })
  const wrong = await runTidewire([...command, '--data', '[1]'])
  expect({ code: wrong.code, stdout: wrong.stdout }).toEqual({ code: 2, stdout: '' })
  expect(wrong.stderr).toContain('--data must be a JSON object')
  const [record] = await readTopic(set.broker.port, 'signals', (records) => records.length === 1)
  expect(record?.value).toBe('{"id":"x","type":"log","data":{"n":1}}')
  await until('progress', async () => (await progressOn(worker, 'a'))?.text === '1 signals')
  const { stdout } = await runTidewire(['connector', 'describe', 'a', '--url', worker.url])
  expect(stdout).toMatch(/TASK +STATE +WORKER +PROGRESS\n +0 +RUNNING +\S+ +1 signals\n/)
})

describe('a signal', () => {
  test('comes to the task by way of any worker, once, also where it is stopped; how the task gets on is seen on all', async () => {
    const { leader, other } = await set.pair()
    await leader.deploy('a', withSignals)
    await until('that it reads', async () => (await progressOn(leader, 'a'))?.text === '0 signals')
    expect(await send(leader, { id: 'one', type: 'log', data: { big: 1 } })).toEqual({
      status: 202,
      body: { id: 'one' },
    })
    const second = await send(other, { type: 'log' })
    expect(second).toEqual({ status: 202, body: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string } })
    const { id } = second.body as { readonly id: string }
    const written = await readTopic(set.broker.port, 'signals', (records) => records.length === 2)
    expect(written.map(({ key, value }) => [key, value])).toEqual([
      ['mine', '{"id":"one","type":"log","data":{"big":1}}'],
      ['mine', `{"id":"${id}","type":"log","data":{}}`],
    ])
    await readTopic(set.broker.port, 'out', (records) => records.length === 2)
    for (const worker of [leader, other]) {
      await until('progress', async () => (await progressOn(worker, 'a'))?.figures['signals'] === 2)
      expect(await progressOn(worker, 'a')).toMatchObject({
        text: '2 signals',
        at: expect.stringMatching(/Z$/) as string,
      })
    }
    const expected = [
      'kafka_connect_source_task_source_record_write_total{connector="a",task="0"} 2',
      'tidewire_task_signals{connector="a",task="0"} 2',
      'kafka_connect_connector_task_status{connector="a",task="0",status="running"} 1',
    ]
    // Each tells of what is its own; a thread that is busy for long is left out.
    await until('metrics of one of them', async () => {
      const texts = await Promise.all([leader, other].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()))
      const tellers = expected.map((line) => texts.filter((text) => text.split('\n').includes(line)).length)
      return tellers.every((count) => count === 1)
    })
    const { body } = await other.ask('GET', '/connectors?expand=status')
    expect(body).toMatchObject({ a: { status: { tasks: [{ progress: { text: '2 signals' } }] } } })

    expect((await other.ask('PUT', '/connectors/a/stop')).status).toBe(204)
    await leader.reaches('a', 'STOPPED')
    expect((await send(leader, { id: 'three', type: 'log' })).status).toBe(202)
    expect((await leader.ask('PUT', '/connectors/a/resume')).status).toBe(202)
    const all = await readTopic(set.broker.port, 'out', (records) => records.length >= 3)
    expect(all.map(({ value }) => (JSON.parse(value) as { id: string }).id)).toEqual(['one', id, 'three'])
    await until('progress of the new run', async () => (await progressOn(other, 'a'))?.text === '1 signals')
  })

  test('with digits beyond a float64 keeps them', async () => {
    const worker = await set.start()
    await worker.deploy('a', withSignals)
    const text = '{"type":"log","id":"x","data":{"lsn":12345678901234567891,"share":1.50}}'
    const answer = await fetch(`${worker.url}/connectors/a/signals`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text,
    })
    expect(answer.status).toBe(202)
    const [record] = await readTopic(set.broker.port, 'signals', (records) => records.length === 1)
    expect(record?.value).toBe('{"id":"x","type":"log","data":{"lsn":12345678901234567891,"share":1.50}}')
  })

  test('is refused where it is none, or where nobody reads it', async () => {
    const worker = await set.start()
    await worker.deploy('a', withSignals)
    await worker.deploy('deaf', config)
    await worker.deploy('within', { ...config, 'signal.topic': 'connect-configs' })
    await worker.deploy('file', { 'connector.class': 'file-source', file: '/dev/null', topic: 'f' })
    const refused: [body: unknown, name: string, status: number, message: RegExp][] = [
      [{}, 'a', 400, /^type must be a name/],
      [{ type: 'no name' }, 'a', 400, /^type must be a name/],
      [{ type: 'x'.repeat(65) }, 'a', 400, /^type must be a name/],
      [{ type: 'log', id: '' }, 'a', 400, /^id must be/],
      [{ type: 'log', id: 'a\nb' }, 'a', 400, /^id must be/],
      [{ type: 'log', data: [] }, 'a', 400, /^data must be/],
      [{ type: 'log', more: 1 }, 'a', 400, /^Unrecognized field more/],
      [{ type: 'log', data: { x: 'x'.repeat(70_000) } }, 'a', 413, /at most 65536 bytes/],
      [{ type: 'log' }, 'nobody', 404, /^Connector nobody not found/],
      [{ type: 'log' }, 'file', 409, /^Connector file takes no signals: file-source knows none/],
      [{ type: 'log' }, 'deaf', 409, /^Connector deaf takes no signals as it is configured/],
      [{ type: 'log' }, 'within', 409, /topic connect-configs is internal/],
    ]
    for (const [body, name, status, message] of refused) {
      const answer = await send(worker, body, name)
      expect([name, answer.status, (answer.body as { message: string }).message]).toEqual([
        name,
        status,
        expect.stringMatching(message),
      ])
    }
    await set.client.admin.createTopics([{ topic: 'wide', partitions: 2, replicationFactor: 1 }])
    await worker.deploy('wide', { ...config, 'signal.topic': 'wide' })
    expect(await send(worker, { type: 'log' }, 'wide')).toMatchObject({
      status: 409,
      body: { message: expect.stringMatching(/has 2 partitions: it must have one$/) as string },
    })
    const { body } = await worker.ask('GET', '/connector-plugins')
    const takers = (body as { name: string; signals?: true }[]).filter(({ signals }) => signals === true)
    expect(takers.map(({ name }) => name)).toContain('signalled')
    expect(takers.map(({ name }) => name)).not.toContain('file-source')
  })
})

test('a task that has failed has no progress any more', async () => {
  const worker = await set.start()
  await worker.deploy('a', { ...withSignals, 'errors.retry.timeout': '0' })
  await until('progress', async () => (await progressOn(worker, 'a'))?.text === '0 signals')
  await send(worker, { type: 'fail' })
  await until('a task that ended', async () => {
    const [task] = (await worker.status('a')).tasks
    return task !== undefined && task.state !== 'RUNNING' && (await progressOn(worker, 'a')) === undefined
  })
})
