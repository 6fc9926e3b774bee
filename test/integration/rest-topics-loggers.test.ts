/** What workers tell of topics in use and of their loggers, and where the calls for administrators are, on the bundled log. */
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { createProcessLogger, levelsFrom } from '../../core/src/logging/logger.ts'
import { startWorker } from '../../core/src/main/worker.ts'
import { askRest } from '../support/ask-rest.ts'
import { readTopic } from '../support/read-topic.ts'
import { freePorts } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import type { TestWorker } from '../support/worker.ts'
import { workerSet } from '../support/worker-set.ts'

const cluster = workerSet()

const topicsOf = async (on: TestWorker, name: string): Promise<unknown> => {
  const { body } = await on.ask('GET', `/connectors/${name}/topics`)
  return (body as Record<string, { topics: unknown }>)[name]?.topics
}

const lines = (input: string) => ({
  'connector.class': 'file-source',
  file: input,
  topic: 'lines',
  'value.converter': 'string',
})

describe('topics in use', () => {
  test('are told by any worker, go with a reset asked of any, and come back as they are used', async () => {
    const input = join(cluster.folder, 'in.txt')
    await writeFile(input, 'a\n')
    const { leader, other } = await cluster.pair()
    await leader.deploy('in', lines(input))
    await leader.deploy('out', {
      'connector.class': 'file-sink',
      file: join(cluster.folder, 'out.txt'),
      topics: 'lines,empty',
      'value.converter': 'string',
    })
    for (const [name, on] of [
      ['in', other],
      ['in', leader],
      ['out', other],
      ['out', leader],
    ] as const) {
      await until(`topics of ${name}`, async () => JSON.stringify(await topicsOf(on, name)) === '["lines"]')
    }
    for (const on of [leader, other]) {
      expect((await on.ask('PUT', '/connectors/in/topics/reset')).status).toBe(202)
      expect((await on.ask('PUT', '/connectors/out/topics/reset')).status).toBe(202)
      for (const each of [leader, other]) {
        await until('nothing', async () => JSON.stringify(await topicsOf(each, 'out')) === '[]')
      }
      await appendFile(input, 'b\n')
      for (const each of [leader, other]) {
        await until('what is used', async () => JSON.stringify(await topicsOf(each, 'out')) === '["lines"]')
        await until('what is used', async () => JSON.stringify(await topicsOf(each, 'in')) === '["lines"]')
      }
    }
    const key = 'status-topic-lines:connector-in'
    const written = await readTopic(cluster.broker.port, 'connect-status', (records) =>
      records.some((record) => record.key === key),
    )
    expect(JSON.parse(written.find((record) => record.key === key)!.value)).toEqual({
      topic: { name: 'lines', connector: 'in', task: 0, discoverTimestamp: expect.any(Number) as number },
    })
    expect((await other.ask('DELETE', '/connectors/in')).status).toBe(204)
    for (const each of [leader, other]) {
      await until('nothing of what is deleted', async () => JSON.stringify(await topicsOf(each, 'in')) === '[]')
    }
  })

  test('are neither told nor kept with topic.tracking.enable=false', async () => {
    const input = join(cluster.folder, 'in.txt')
    await writeFile(input, 'a\n')
    const running = await cluster.start({ 'topic.tracking.enable': 'false' })
    await running.deploy('in', lines(input))
    await readTopic(cluster.broker.port, 'lines', (records) => records.length > 0)
    for (const [method, path] of [
      ['GET', 'topics'],
      ['PUT', 'topics/reset'],
    ] as const) {
      expect(await running.ask(method, `/connectors/in/${path}`)).toEqual({
        status: 403,
        body: { error_code: 403, message: 'Topic tracking is disabled.' },
      })
    }
    expect(running.herder.topics.of('in')).toEqual([])
  })

  test('are told and not reset with topic.tracking.allow.reset=false', async () => {
    const running = await cluster.start({ 'topic.tracking.allow.reset': 'false' })
    expect(await topicsOf(running, 'none')).toEqual([])
    expect(await running.ask('PUT', '/connectors/none/topics/reset')).toEqual({
      status: 403,
      body: { error_code: 403, message: 'Topic tracking reset is disabled.' },
    })
  })
})

describe('loggers', () => {
  const levelOf = async (on: TestWorker, logger: string) => {
    const { status, body } = await on.ask('GET', `/admin/loggers/${logger}`)
    return status === 404 ? undefined : (body as { level: string }).level
  }

  test('are set for one worker, or for all', async () => {
    const { leader, other } = await cluster.pair()
    expect(await other.ask('PUT', '/admin/loggers/tidewire.connectors.a', { level: 'debug' })).toEqual({
      status: 200,
      body: ['tidewire.connectors.a'],
    })
    expect(await levelOf(leader, 'tidewire.connectors.a')).toBeUndefined()
    expect((await other.ask('PUT', '/admin/loggers/org.example?scope=cluster', { level: 'TRACE' })).status).toBe(204)
    for (const each of [leader, other]) {
      await until('the level on each', async () => (await levelOf(each, 'org.example')) === 'TRACE')
    }
  })

  test('write what their level lets them, from the moment that it is set', async () => {
    const written: string[] = []
    const levels = levelsFrom('warn')
    const logger = createProcessLogger(levels, { write: (line) => written.push(line) })
    const parsed = parseWorkerConfig({ 'bootstrap.servers': cluster.broker.address, listeners: 'http://127.0.0.1:0' })
    const running = await startWorker(parsed, logger, undefined, { levels })
    try {
      const ofConnector = logger.child({ connector: 'a' })
      ofConnector.debug('before')
      await askRest(running.url, 'PUT', '/admin/loggers/tidewire.connectors', { body: { level: 'DEBUG' } })
      ofConnector.debug('after')
      logger.info('of the worker')
      const messages = written.map((line) => (JSON.parse(line) as { msg: string }).msg)
      expect(messages).toContain('after')
      expect(messages).not.toContain('before')
      expect(messages).not.toContain('of the worker')
    } finally {
      await running.close()
    }
  })
})

describe('admin.listeners', () => {
  test('answer /admin and nothing else, and others all but that; what workers pass on gets through', async () => {
    const ports = await freePorts(2)
    const admins = ports.map((port) => `http://127.0.0.1:${port}`)
    const { leader, other } = await cluster.pair(admins.map((admin) => ({ 'admin.listeners': admin })))
    const [ofLeader, ofOther] = cluster.workers[0] === leader ? admins : [...admins].reverse()
    expect((await leader.ask('GET', '/admin/loggers')).status).toBe(404)
    expect((await leader.ask('GET', '/admin/workers')).status).toBe(404)
    expect((await leader.ask('GET', '/connectors')).status).toBe(200)
    expect((await askRest(ofLeader!, 'GET', '/admin/workers')).status).toBe(200)
    expect((await askRest(ofLeader!, 'GET', '/connectors')).status).toBe(404)
    const set = await askRest(ofOther!, 'PUT', '/admin/loggers/org.example?scope=cluster', { body: { level: 'ERROR' } })
    expect(set.status).toBe(204)
    for (const each of [leader, other]) {
      await until('the level on each', () => each.herder.levels.get('org.example')?.level === 'ERROR')
    }
    const forged = '/admin/loggers/org.example?scope=worker&forward=true'
    expect((await leader.ask('PUT', forged, { level: 'ALL' })).status).toBe(400)
    expect((await leader.ask('GET', '/admin/workers?forward=true')).status).toBe(400)
    expect(leader.herder.levels.get('org.example')?.level).toBe('ERROR')
  })

  test('that are empty leave nothing of /admin', async () => {
    const running = await cluster.start({ 'admin.listeners': '' })
    for (const path of ['/admin/loggers', '/admin/workers', '/admin/loggers/root?forward=true']) {
      expect((await running.ask('GET', path)).status).toBe(404)
    }
    expect((await running.ask('GET', '/connectors')).status).toBe(200)
  })
})
