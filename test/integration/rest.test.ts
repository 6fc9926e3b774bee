/** The worker with all its parts over the bundled log, driven through REST as a user does. */
import { mkdir, readFile, rm, writeFile, appendFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { startWorker } from '../../core/src/main/worker.ts'
import { testBroker } from '../support/broker.ts'
import { kafkajs, readTopic } from '../support/read-topic.ts'
import { freePorts } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { restClient } from '../support/worker.ts'
import { workerSet } from '../support/worker-set.ts'

const set = workerSet()

async function write(name: string, text: string): Promise<string> {
  const path = join(set.folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  return path
}

const linesOf = async (path: string) => (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1)
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`)

describe('a pipeline', () => {
  test('runs from file to file, and goes on after a restart of the worker with nothing posted again', async () => {
    const input = await write('in.txt', `${numbers(0, 100).join('\n')}\n`)
    const output = join(set.folder, 'out.txt')
    const first = await set.start()
    const created = await first.ask('POST', '/connectors', {
      name: 'in',
      config: { 'connector.class': 'FileStreamSource', file: input, topic: 'lines', 'value.converter': 'string' },
    })
    expect(created).toMatchObject({ status: 201, body: { name: 'in', type: 'source' } })
    await first.deploy('out', {
      'connector.class': 'file-sink',
      file: output,
      topics: 'lines',
      'value.converter': 'string',
    })
    await first.reaches('in', 'RUNNING', 1)
    await first.reaches('out', 'RUNNING', 1)
    await until('100 lines', async () => (await linesOf(output)).length === 100)
    await set.stop(first)

    const second = await set.start()
    expect((await second.ask('GET', '/connectors')).body).toEqual(['in', 'out'])
    await second.reaches('in', 'RUNNING', 1)
    await appendFile(input, `${numbers(100, 200).join('\n')}\n`)
    await until('200 lines', async () => (await linesOf(output)).length >= 200)
    expect(await linesOf(output)).toEqual(numbers(0, 200))
  })

  test('pauses, resumes, stops and is deleted', async () => {
    const input = await write('in.txt', 'a\n')
    const running = await set.start()
    await running.deploy('in', {
      'connector.class': 'file-source',
      file: input,
      topic: 'lines',
      'value.converter': 'string',
    })
    await running.reaches('in', 'RUNNING', 1)
    expect((await running.ask('PUT', '/connectors/in/pause')).status).toBe(202)
    await running.reaches('in', 'PAUSED', 1)
    await appendFile(input, 'b\n')
    expect((await running.ask('PUT', '/connectors/in/resume')).status).toBe(202)
    await running.reaches('in', 'RUNNING', 1)
    const values = await readTopic(set.broker.port, 'lines', (records) => records.length === 2)
    expect(values.map(({ value }) => value)).toEqual(['a', 'b'])
    expect((await running.ask('POST', '/connectors/in/restart?includeTasks=true')).status).toBe(202)
    await running.reaches('in', 'RUNNING', 1)
    expect((await running.ask('PUT', '/connectors/in/stop')).status).toBe(204)
    expect((await running.reaches('in', 'STOPPED')).tasks).toEqual([])
    expect((await running.ask('DELETE', '/connectors/in')).status).toBe(204)
    expect((await running.ask('GET', '/connectors/in/status')).status).toBe(404)
    expect((await running.ask('GET', '/connectors')).body).toEqual([])
  })

  test('writes the internal topics that Kafka Connect’s tools know', async () => {
    const running = await set.start()
    await running.deploy('in', { 'connector.class': 'file-source', file: join(set.folder, 'none'), topic: 'lines' })
    await running.reaches('in', 'RUNNING', 1)
    const written = await readTopic(set.broker.port, 'connect-configs', (records) =>
      records.some(({ key }) => key === 'tasks-fencing-in'),
    )
    const configs = written.filter(({ key }) => key !== 'session-key')
    expect(configs.map(({ key }) => key)).toEqual(['connector-in', 'task-in-0', 'commit-in', 'tasks-fencing-in'])
    expect(JSON.parse(configs[2]!.value)).toEqual({ tasks: 1 })
    expect(JSON.parse(configs[3]!.value)).toEqual({ 'task-count': 1 })
    const sessionKey = written.find(({ key }) => key === 'session-key')!.value
    expect(Object.keys(JSON.parse(sessionKey) as object)).toEqual(['key', 'algorithm', 'creation-timestamp'])
    const isRunning = (value: string) => (JSON.parse(value) as { state: string }).state === 'RUNNING'
    const statuses = await readTopic(
      set.broker.port,
      'connect-status',
      (records) => records.filter(({ value }) => isRunning(value)).length >= 2,
    )
    expect(new Set(statuses.map(({ key }) => key))).toEqual(new Set(['status-connector-in', 'status-task-in-0']))
  })
})

describe('a config', () => {
  test('that is wrong is refused with every field and its reason, before anything is stored', async () => {
    const running = await set.start()
    const { status, body } = await running.ask('POST', '/connectors', {
      name: 'x',
      config: { 'connector.class': 'mqtt-source', 'tasks.max': 'many', 'kafka.topic': 'x', 'mqtt.qos': '3' },
    })
    expect(status).toBe(400)
    const { message } = body as { message: string }
    expect(message).toContain('Invalid value many for configuration tasks.max: expected a whole number, at least 1')
    expect(message).toMatch(/Missing required configuration "mqtt\.[^"]+"/)
    expect(message).toContain('mqtt.qos')
    expect((await running.ask('GET', '/connectors')).body).toEqual([])
  })

  test('is validated for every built-in connector, with its defaults', async () => {
    const running = await set.start()
    const plugins = (await running.ask('GET', '/connector-plugins')).body as {
      name: string
      class: string
      error?: string
    }[]
    expect(plugins.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['file-source', 'file-sink', 'datagen-source', 'mqtt-source', 'mqtt-gateway']),
    )
    expect(plugins.filter(({ error }) => error !== undefined)).toEqual([])
    for (const plugin of plugins) {
      const config = await running.ask('GET', `/connector-plugins/${plugin.class}/config`)
      expect(config.status).toBe(200)
      const validated = await running.ask('PUT', `/connector-plugins/${plugin.name}/config/validate`, {
        name: 'x',
        'connector.class': plugin.class,
      })
      expect(validated).toMatchObject({ status: 200, body: { name: plugin.class } })
    }
  })

  test('is checked by the connector’s own rules, which run its code, in a thread', async () => {
    await write('plugins/picky/index.js', pickySource)
    const running = await set.start({ 'plugin.path': join(set.folder, 'plugins') })
    const { status, body } = await running.ask('PUT', '/connectors/picky/config', {
      'connector.class': 'picky',
      from: '5',
      to: '3',
    })
    expect(status).toBe(400)
    expect((body as { message: string }).message).toContain('from must not be above to')
  })
})

describe('plugins', () => {
  test('from elsewhere are found, changed and used with no restart of the worker', async () => {
    const running = await set.start({ 'plugin.path': join(set.folder, 'plugins') })
    expect(await running.ask('PUT', '/connectors/v/config', { 'connector.class': 'versioned' })).toMatchObject({
      status: 400,
    })
    await write('plugins/versioned/index.js', versionedSource('1.0.0'))
    await running.deploy('v', { 'connector.class': 'versioned', 'value.converter': 'string' })
    await readTopic(set.broker.port, 'versions', (records) => records.some(({ value }) => value === '1.0.0 one'))
    await write('plugins/versioned/word.js', "export const word = 'two'")
    await write('plugins/versioned/index.js', versionedSource('2.0.0'))
    expect((await running.ask('GET', '/connector-plugins')).body).toContainEqual(
      expect.objectContaining({ name: 'versioned', version: '2.0.0' }),
    )
    await running.ask('POST', '/connectors/v/restart?includeTasks=true')
    await readTopic(set.broker.port, 'versions', (records) => records.some(({ value }) => value === '2.0.0 two'))
  })

  test('that vanished leave their connectors FAILED with the reason, until they are back', async () => {
    await write('plugins/versioned/index.js', versionedSource('1.0.0'))
    const first = await set.start({ 'plugin.path': join(set.folder, 'plugins') })
    await first.deploy('v', { 'connector.class': 'versioned', 'value.converter': 'string' })
    await first.reaches('v', 'RUNNING', 1)
    await set.stop(first)
    await rm(join(set.folder, 'plugins'), { recursive: true })
    const second = await set.start({ 'plugin.path': join(set.folder, 'plugins') })
    const { connector } = await second.reaches('v', 'FAILED')
    expect(connector.trace).toContain('Failed to find any connector plugin with name versioned')
    await write('plugins/versioned/index.js', versionedSource('1.0.1'))
    await second.reaches('v', 'RUNNING', 1)
  })
})

describe('a worker', () => {
  test('waits for its log, saying that it is starting', async () => {
    await set.broker.close()
    const [port, restPort] = (await freePorts(2)) as [number, number]
    const listener = `http://127.0.0.1:${restPort}`
    const parsed = parseWorkerConfig({ 'bootstrap.servers': `127.0.0.1:${port}`, listeners: listener })
    const starting = startWorker(parsed, silentLogger)
    const { ask } = restClient(listener)
    const health = await until('health', () => ask('GET', '/health').catch(() => undefined))
    expect(health).toMatchObject({ status: 503, body: { status: 'starting' } })
    expect(await ask('GET', '/connectors')).toMatchObject({ status: 503 })
    set.broker = await testBroker({ dataDir: join(set.folder, 'log'), port })
    const started = await starting
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, body: { status: 'healthy' } })
    await started.close()
  })

  test('lives through a restart of its log', async () => {
    const input = await write('in.txt', 'a\n')
    const [port] = (await freePorts(1)) as [number]
    const dataDir = join(set.folder, 'log')
    await set.broker.close()
    set.broker = await testBroker({ dataDir, port })
    const running = await set.start()
    const config = { 'connector.class': 'file-source', file: input, topic: 'lines', 'value.converter': 'string' }
    await running.deploy('one', config)
    await running.reaches('one', 'RUNNING', 1)
    await set.broker.close()
    await appendFile(input, 'b\n')
    const waiting = running.deploy('two', { ...config, topic: 'others' })
    set.broker = await testBroker({ dataDir, port })
    await waiting
    await running.reaches('two', 'RUNNING', 1)
    const values = await readTopic(port, 'lines', (records) => records.length >= 2)
    expect(values.map(({ value }) => value)).toEqual(['a', 'b'])
  })

  test('refuses to start on internal topics that would lose its state', async () => {
    const admin = kafkajs(set.broker.port).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'connect-offsets', numPartitions: 25, replicationFactor: 1 }] })
    await admin.disconnect()
    await expect(set.start()).rejects.toThrow(/connect-offsets.*cleanup\.policy=delete/)
  })

  test('takes hundreds of connectors at once, and lists their states', async () => {
    const running = await set.start()
    const names = Array.from({ length: 200 }, (_, i) => `c${i}`)
    const config = { 'connector.class': 'file-source', file: join(set.folder, 'none'), topic: 'lines' }
    await Promise.all(names.map((name) => running.deploy(name, config)))
    await until('all running', async () => {
      const { body } = await running.ask('GET', '/connectors?expand=status')
      const states = Object.values(body as Record<string, { status: { tasks: { state: string }[] } }>)
      return states.length === 200 && states.every(({ status }) => status.tasks[0]?.state === 'RUNNING')
    })
  })
})

const versionedSource = (version: string) => `
  import { definePlugin, defineSource } from '@tidewire/sdk'
  const { word } = await import('./word.js').catch(() => ({ word: 'one' }))
  export default definePlugin({
    name: 'versioned', version: '${version}',
    connectors: [defineSource({
      name: 'versioned', doc: 'Tells its version.', config: {},
      async *read({ signal }) {
        yield [{ topic: 'versions', value: '${version} ' + word }]
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })],
  })`

const pickySource = `
  import { definePlugin, defineSource } from '@tidewire/sdk'
  export default definePlugin({
    name: 'picky', version: '1',
    connectors: [defineSource({
      name: 'picky', doc: 'Has rules.',
      config: { from: { type: 'int', required: true, doc: 'From.' }, to: { type: 'int', required: true, doc: 'To.' } },
      check: ({ from, to }) => (from > to ? { from: 'from must not be above to' } : {}),
      async *read() {},
    })],
  })`
