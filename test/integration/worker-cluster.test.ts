/** Workers of one cluster on the bundled log: what clients of REST see of it. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { UserError } from '../../core/src/main/fatal.ts'
import { startWorker } from '../../core/src/main/worker.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { freePorts, startTidewire, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { restClient, testWorker, type TestWorker } from '../support/worker.ts'

let broker: TestBroker
let folder: string
const workers: TestWorker[] = []
const processes: Running[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  broker = await testBroker()
})
afterEach(async () => {
  await Promise.all(processes.splice(0).map(async (running) => running.stop('SIGKILL')))
  for (const worker of workers.splice(0)) await worker.close()
  await broker.close()
  await rm(folder, { recursive: true, force: true })
})

const quick = { 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '500', 'scheduled.rebalance.max.delay.ms': '0' }

async function worker(settings: Readonly<Record<string, string>> = {}): Promise<TestWorker> {
  const started = await testWorker(broker.address, { ...quick, ...settings })
  workers.push(started)
  return started
}

/** A worker as a process of its own. */
async function workerProcess(
  more: Readonly<Record<string, string>> = {},
  given?: number,
): Promise<Running & ReturnType<typeof restClient> & { readonly url: string; readonly port: number }> {
  const port = given ?? (await freePorts(1))[0]!
  const file = join(folder, `${port}.properties`)
  const settings = { ...quick, ...more, 'bootstrap.servers': broker.address, listeners: `http://127.0.0.1:${port}` }
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(file, text.join(''))
  const running = await startTidewire(['worker', file])
  processes.push(running)
  const url = `http://127.0.0.1:${port}`
  return { ...running, ...restClient(url), url, port }
}

async function close(worker: TestWorker): Promise<void> {
  workers.splice(workers.indexOf(worker), 1)
  await worker.close()
}

const lines = (file: string, topic: string) => ({ 'connector.class': 'file-source', file, topic })
const hostOf = ({ url }: { readonly url: string }): string => new URL(url).host

describe('a cluster of workers', () => {
  test('answers every call at every worker, and shares what there is to do', async () => {
    const [first, second] = [await worker(), await worker()]
    await second.deploy('a', lines(join(folder, 'a'), 'ta'))
    await second.deploy('b', lines(join(folder, 'b'), 'tb'))
    await Promise.all(['a', 'b'].map(async (name) => first.reaches(name, 'RUNNING', 1)))
    const homes = new Set(
      (await Promise.all(['a', 'b'].map(async (name) => first.status(name)))).map(
        ({ connector }) => connector.worker_id,
      ),
    )
    expect(homes).toEqual(new Set([hostOf(first), hostOf(second)]))
    for (const each of [first, second]) {
      expect((await each.ask('POST', '/connectors/a/tasks/0/restart')).status).toBe(204)
      expect((await each.ask('POST', '/connectors', { name: 'a', config: lines('x', 'y') })).status).toBe(409)
    }
    await second.reaches('a', 'RUNNING', 1)
  })

  test('a worker that stops in order hands its work over at once; one that is drained does so before', async () => {
    const settings = { 'scheduled.rebalance.max.delay.ms': '300000' }
    const [first, second, third] = [await worker(settings), await worker(settings), await worker(settings)]
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await third.deploy(name, lines(join(folder, name), name))
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await third.reaches(name, 'RUNNING', 1)
    expect((await first.ask('PUT', '/admin/drain')).status).toBe(204)
    await until('others to know that it has nothing', async () => {
      const { body } = await second.ask('GET', '/admin/workers')
      const all = body as { worker_id: string; tasks: number; connectors: number }[]
      const drained = all.find(({ worker_id }) => worker_id === hostOf(first))
      return drained?.tasks === 0 && drained.connectors === 0
    })
    expect((await first.ask('GET', '/connectors')).status).toBe(200)
    await close(first)
    await close(second)
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await until(`${name} on the worker that is left`, async () => {
        const { connector, tasks } = await third.status(name)
        return connector.worker_id === hostOf(third) && connector.state === 'RUNNING' && tasks[0]?.state === 'RUNNING'
      })
    }
  })

  test('a connector that is deleted while its worker is away leaves nothing behind', async () => {
    const first = await worker()
    const second = await workerProcess()
    await first.deploy('a', lines(join(folder, 'a'), 'ta'))
    await first.deploy('b', lines(join(folder, 'b'), 'tb'))
    await Promise.all(['a', 'b'].map(async (name) => first.reaches(name, 'RUNNING', 1)))
    const { connector } = await first.status('a')
    const name = connector.worker_id === hostOf(second) ? 'a' : 'b'
    await second.stop('SIGKILL')
    expect((await first.ask('DELETE', `/connectors/${name}`)).status).toBe(204)
    expect((await first.ask('GET', `/connectors/${name}/status`)).status).toBe(404)
    await first.deploy(name, lines(join(folder, name), 'again'))
    await first.reaches(name, 'RUNNING', 1)
  })

  test('one that is killed and started again under its name goes on with source and sink: no session has to end first', async () => {
    // Longer than anything here waits.
    const long = { 'session.timeout.ms': '600000', 'consumer.session.timeout.ms': '600000' }
    const first = await workerProcess(long)
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    await writeFile(from, 'a\n')
    const strings = { 'key.converter': 'string', 'value.converter': 'string' }
    await first.deploy('in', { ...lines(from, 'ta'), ...strings })
    await first.deploy('out', { 'connector.class': 'file-sink', file: to, topics: 'ta', ...strings })
    const written = async () => (await readFile(to, 'utf8').catch(() => '')).split('\n')
    await until('a', async () => (await written()).includes('a'))
    await first.stop('SIGKILL')
    await workerProcess(long, first.port)
    await appendFile(from, 'b\n')
    await until('b', async () => (await written()).includes('b'))
  })

  test('a log that does not answer is told soon, with its address; the worker goes on trying', async () => {
    const [port] = await freePorts(1)
    const folderOfLog = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
    const lines: string[] = []
    const warn = (message: string, details?: Readonly<Record<string, unknown>>): void =>
      void lines.push(`${message} ${JSON.stringify(details)}`)
    const parsed = parseWorkerConfig({ 'bootstrap.servers': `127.0.0.1:${port}`, listeners: 'http://127.0.0.1:0' })
    const starting = startWorker(parsed, { ...silentLogger, warn })
    await until('a line', async () => Promise.resolve(lines.length > 0))
    expect(lines[0]).toBe(`no answer from the log yet; going on trying {"bootstrap.servers":["127.0.0.1:${port}"]}`)
    const log = await startTidewire(['log', '--data-dir', folderOfLog, '--log-port', String(port)])
    processes.push(log)
    await (await starting).close()
    await log.stop()
    await rm(folderOfLog, { recursive: true, force: true })
  })

  test('topics that are another cluster’s are told', async () => {
    await close(await worker())
    const lines: string[] = []
    const warn = (_: string, details?: Readonly<Record<string, unknown>>): void =>
      void lines.push(JSON.stringify(details))
    const settings = { 'bootstrap.servers': broker.address, listeners: 'http://127.0.0.1:0', 'group.id': 'mine' }
    const mine = await startWorker(parseWorkerConfig({ ...quick, ...settings }), { ...silentLogger, warn })
    await mine.close()
    const told = { topic: 'connect-assignments', group: 'mine', other: 'connect-cluster' }
    // A slow machine may have been a reason for others.
    expect(lines.filter((line) => line.includes('"other"'))).toEqual([JSON.stringify(told)])
  })

  test('a topic that does not keep what is written to it is refused, in words for its user', async () => {
    const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
    await client.admin.createTopics([{ topic: 'plain', partitions: 1, replicationFactor: 1 }])
    await client.close()
    const starting = worker({ 'config.storage.topic': 'plain' })
    await expect(starting).rejects.toThrow(UserError)
    await expect(starting).rejects.toThrow("Topic 'plain' (config.storage.topic) has cleanup.policy=delete")
  })

  test('a leader that is killed takes no write with it', async () => {
    const leader = await workerProcess()
    const other = await worker()
    let next = 0
    const written: string[] = []
    let killed: Promise<unknown> | undefined
    while (next < 60) {
      const names = Array.from({ length: 6 }, () => `c${next++}`)
      if (next === 30) killed = leader.stop('SIGKILL')
      const answers = await Promise.all(
        names.map(async (name) =>
          other.ask('POST', '/connectors', { name, config: { ...lines(join(folder, name), 't'), 'tasks.max': '1' } }),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201))
      written.push(...names)
    }
    await killed
    expect(new Set((await other.ask('GET', '/connectors')).body as string[])).toEqual(new Set(written))
  })

  test('a config of before a stricter policy for overrides: its task fails, and runs where the policy allows it', async () => {
    const policy = (name: string) => ({ 'connector.client.config.override.policy': name })
    const lenient = await worker(policy('All'))
    await lenient.deploy('a', { ...lines(join(folder, 'a'), 'ta'), 'producer.override.compression.type': 'gzip' })
    await lenient.reaches('a', 'RUNNING', 1)
    await close(lenient)
    const strict = await worker(policy('Principal'))
    const { tasks } = await until('the failure', async () => {
      const status = await strict.status('a')
      return status.tasks[0]?.state === 'FAILED' ? status : undefined
    })
    expect(tasks[0]!.trace).toContain(
      "producer.override.compression.type: The 'Principal' policy does not allow 'compression.type' to be overridden",
    )
    await close(strict)
    const again = await worker(policy('All'))
    await again.reaches('a', 'RUNNING', 1)
  })

  test('two workers of the same name are told so', async () => {
    const [port] = await freePorts(1)
    const settings = { ...quick, 'rest.advertised.port': String(port) }
    const fatal: Error[] = []
    const parsed = parseWorkerConfig({
      'bootstrap.servers': broker.address,
      listeners: 'http://127.0.0.1:0',
      ...settings,
    })
    const first = await startWorker(parsed, silentLogger, (error) => fatal.push(error))
    const second = await startWorker(parsed, silentLogger, (error) => fatal.push(error))
    await until('one of the two gives way', () => fatal.length > 0)
    expect(fatal[0]).toMatchObject({ name: 'UserError', message: expect.stringContaining('rest.advertised') as string })
    await Promise.all([first.close(), second.close()])
  })
})
