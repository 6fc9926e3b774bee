/** Secrets of connectors, from config providers and from configs: where they are used, and that they are nowhere else. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { createLogger, type Logger } from '../../core/src/logging/logger.ts'
import { startWorker, type RunningWorker } from '../../core/src/main/worker.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { readTopic, type SeenRecord } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import { restClient, type TestWorker } from '../support/worker.ts'

const secret = 'pa$$word/of "scott"'
const hidden = 'db.internal.example:5432'
const mask = '********'

let broker: TestBroker
let folder: string
let worker: TestWorker
let lines: string[]

const logger: Logger = createLogger({
  write: (level, message, details) => lines.push(`${level} ${message} ${JSON.stringify(details)}`),
})

async function startWith(settings: Readonly<Record<string, string>> = {}): Promise<TestWorker> {
  const parsed = parseWorkerConfig({
    'bootstrap.servers': broker.address,
    listeners: 'http://127.0.0.1:0',
    'plugin.path': join(import.meta.dirname, '../fixtures/plugins/leaky'),
    'value.converter.schemas.enable': 'false',
    'config.providers': 'file,env',
    'config.providers.file.param.allowed.paths': folder,
    'config.providers.env.param.allowlist.pattern': 'LEAKY_.*',
    ...settings,
  })
  expect(parsed.errors).toEqual({})
  const running: RunningWorker = await startWorker(parsed, logger)
  return { ...running, ...restClient(running.url) }
}

beforeEach(async () => {
  lines = []
  broker = await testBroker()
  folder = await mkdtemp(join(tmpdir(), 'tidewire-secrets-'))
  await writeFile(join(folder, 'db.properties'), `password=${secret.replaceAll('\\', '\\\\')}\nurl=${hidden}\n`)
  worker = await startWith()
})
afterEach(async () => {
  await worker.close()
  await broker.close()
  await rm(folder, { recursive: true })
})

const references = () => ({
  'connector.class': 'leaky',
  topic: 'out',
  'value.converter': 'string',
  password: `\${file:${folder}/db.properties:password}`,
  url: `\${file:${folder}/db.properties:url}`,
})
const digest = (password: string, url: string): string =>
  createHash('sha256').update(`${password} ${url}`).digest('hex')

/** In no form of it. */
function expectNoSecret(text: string): void {
  for (const each of [secret, hidden]) {
    expect(text).not.toContain(each)
    expect(text).not.toContain(JSON.stringify(each).slice(1, -1))
    expect(text).not.toContain(encodeURIComponent(each))
  }
}

async function everyAnswer(name: string): Promise<string> {
  const paths = ['', '/config', '/status', '/tasks', '/tasks/0/status']
  const answers = await Promise.all([
    ...paths.map((path) => worker.ask('GET', `/connectors/${name}${path}`)),
    worker.ask('GET', '/connectors?expand=info&expand=status'),
    worker.ask('PUT', '/connector-plugins/leaky/config/validate', { name, ...references() }),
    worker.ask('PUT', '/connectors?dryRun=true', { [name]: { ...references(), topic: 'other' } }),
  ])
  return JSON.stringify(answers)
}

const read = (topic: string, enough: (records: readonly SeenRecord[]) => boolean): Promise<SeenRecord[]> =>
  readTopic(Number(broker.address.split(':').at(-1)), topic, enough)
const texts = (records: readonly SeenRecord[]): string => records.map(({ value }) => value).join('\n')

describe('references to config providers', () => {
  test('are resolved in the task, and are all that is stored and shown', async () => {
    await worker.deploy('leak', references())
    await worker.reaches('leak', 'RUNNING', 1)
    const [record] = await read('out', (records) => records.length > 0)
    expect(record!.value).toBe(digest(secret, hidden))
    await until('the line of the task', () => lines.some((line) => line.includes('connecting to')) || undefined)
    expect((await worker.ask('GET', '/connectors/leak/config')).body).toMatchObject(references())
    const { body } = await worker.ask('GET', '/connectors/leak/tasks')
    expect((body as { config: Record<string, string> }[])[0]!.config['task.login']).toBe(
      `user:${references().password}@${references().url}`,
    )
    expectNoSecret(await everyAnswer('leak'))
    expectNoSecret(texts(await read('connect-configs', (records) => records.some(({ key }) => key === 'commit-leak'))))
    expectNoSecret(lines.join('\n'))
  })

  test('are read anew at each start of a task', async () => {
    await worker.deploy('leak', references())
    await worker.reaches('leak', 'RUNNING', 1)
    await writeFile(join(folder, 'db.properties'), 'password=changed-since\nurl=elsewhere\n')
    await worker.ask('POST', '/connectors/leak/restart?includeTasks=true')
    await read('out', (records) => records.some(({ value }) => value === digest('changed-since', 'elsewhere')))
  })

  test('have their connector restarted when the file changes, unless it is told not to', async () => {
    await worker.deploy('leak', references())
    await worker.deploy('same', { ...references(), topic: 'same', 'config.action.reload': 'none' })
    for (const name of ['leak', 'same']) await worker.reaches(name, 'RUNNING', 1)
    await read('same', (records) => records.length > 0)
    await writeFile(join(folder, 'db.properties'), 'password=changed-since\nurl=elsewhere\n')
    await read('out', (records) => records.some(({ value }) => value === digest('changed-since', 'elsewhere')))
    expect(await read('same', (records) => records.length > 0)).toHaveLength(1)
    expectNoSecret(lines.join('\n'))
    expect(lines.join('\n')).not.toContain('changed-since')
  })

  test('that cannot be resolved are a 400 by name, and fail a task that is started again', async () => {
    const wrong = { ...references(), password: '${env:LEAKY_MISSING}', url: '${env:PATH}' }
    const answer = await worker.ask('PUT', '/connectors/leak/config', wrong)
    expect(answer.status).toBe(400)
    const { message } = answer.body as { message: string }
    expect(message).toContain('${env:LEAKY_MISSING} cannot be resolved: environment variable LEAKY_MISSING is not set')
    expect(message).toContain('${env:PATH} cannot be resolved')
    expect(message).not.toContain(process.env['PATH'])

    await worker.deploy('leak', references())
    await worker.reaches('leak', 'RUNNING', 1)
    await rm(join(folder, 'db.properties'))
    await worker.ask('POST', '/connectors/leak/tasks/0/restart')
    const { tasks } = await until('a failed task', async () => {
      const status = await worker.status('leak')
      return status.tasks[0]?.state === 'FAILED' ? status : undefined
    })
    expect(tasks[0]!.trace).toContain(`\${file:${folder}/db.properties:password} cannot be resolved`)
  })

  test('to what decides which plugin runs, and how tasks are spread, are refused by name', async () => {
    const answer = await worker.ask('PUT', '/connectors/leak/config', {
      ...references(),
      'task.weight': '${env:LEAKY_W}',
    })
    expect(answer).toMatchObject({ status: 400 })
    expect(JSON.stringify(answer.body)).toContain('task.weight cannot refer to a config provider')
  })
})

describe('a connector that tells its secrets', () => {
  const plain = () => ({ ...references(), password: secret })
  test.for([
    ['by its check, from a provider', () => ({ ...references(), how: 'check' })],
    ['by its check, from the config', () => ({ ...plain(), how: 'check' })],
  ] as const)('%s: the answer has none', async ([, config]) => {
    const answer = await worker.ask('PUT', '/connectors/leak/config', config())
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(mask) as string } })
    expectNoSecret(JSON.stringify(answer))
    const validated = await worker.ask('PUT', '/connector-plugins/leaky/config/validate', config())
    expect(validated).toMatchObject({ status: 200, body: { error_count: 1 } })
    expectNoSecret(JSON.stringify(validated))
  })

  test.for(['plan', 'throw', 'later'])('when it fails (%s): trace, status topic and log have none', async (how) => {
    await worker.deploy('leak', { ...references(), how })
    await until('a trace', async () => {
      const { connector, tasks } = await worker.status('leak')
      return connector.trace ?? tasks[0]?.trace
    })
    const text = texts(await read('connect-status', (records) => texts(records).includes('"trace":"')))
    expect(text).toContain(mask)
    expectNoSecret(text)
    expectNoSecret(await everyAnswer('leak'))
    expectNoSecret(lines.join('\n'))
  })

  test('in a record that failed: the dead letter and its list have none', async () => {
    const config = {
      ...references(),
      how: 'reject',
      'errors.tolerance': 'all',
      'errors.log.enable': 'true',
      'errors.deadletterqueue.topic.name': 'letters',
      'errors.deadletterqueue.context.headers.enable': 'true',
    }
    await worker.deploy('leak', config)
    const [letter] = await read('letters', (records) => records.length > 0)
    const headers = JSON.stringify(letter!.headers)
    expect(headers).toContain(mask)
    expectNoSecret(headers)
    expectNoSecret(JSON.stringify(await worker.ask('GET', '/connectors/leak/dlq')))
    expectNoSecret(lines.join('\n'))
  })

  test.for(['not', 'throw', 'later', 'reject'])('in a preview (%s): records, errors and log have none', async (how) => {
    const answer = await worker.ask('POST', '/connectors/preview', {
      config: { ...references(), how },
      timeoutMs: 60_000,
      limit: 1,
    })
    expect(answer).toMatchObject({ status: 200 })
    expectNoSecret(JSON.stringify(answer))
    expectNoSecret(lines.join('\n'))
    expect(JSON.stringify(answer)).toContain(mask)
  })
})

describe('the mask in place of a secret', () => {
  const given = () => ({ ...references(), password: secret, url: 'db' })

  test('is all that any answer has, and sent back by whatever route it keeps the secret', async () => {
    await worker.deploy('leak', given())
    await worker.reaches('leak', 'RUNNING', 1)
    expectNoSecret(await everyAnswer('leak'))
    const { body } = await worker.ask('GET', '/connectors/leak/config')
    const shown = body as Record<string, string>
    expect(shown['password']).toBe(mask)

    const validated = await worker.ask('PUT', '/connector-plugins/leaky/config/validate', shown)
    expect(validated).toMatchObject({ status: 200, body: { error_count: 0 } })
    expectNoSecret(JSON.stringify(validated))
    const preview = await worker.ask('POST', '/connectors/leak/preview', { config: shown, limit: 1 })
    expect(JSON.stringify(preview.body)).toContain(digest(secret, 'db'))
    const same = await worker.ask('PUT', '/connectors', { leak: shown })
    expect(same).toMatchObject({ status: 200, body: { connectors: { leak: { action: 'unchanged' } } } })

    const writes = [
      ['PUT', '/connectors/leak/config', { ...shown, url: 'db1' }],
      ['PATCH', '/connectors/leak/config', { password: mask, url: 'db2' }],
      ['PUT', '/connectors', { leak: { ...shown, url: 'db3' } }],
    ] as const
    for (const [i, [method, path, content]] of writes.entries()) {
      const answer = await worker.ask(method, path, content)
      expect(answer.status).toBe(200)
      expectNoSecret(JSON.stringify(answer))
      await read('out', (seen) => seen.some(({ value }) => value === digest(secret, `db${i + 1}`)))
    }
    expectNoSecret(lines.join('\n'))
  })

  test('is refused where nothing is stored for it', async () => {
    const answer = await worker.ask('POST', '/connectors', { name: 'other', config: { ...given(), password: mask } })
    expect(answer).toMatchObject({ status: 400 })
    expect(JSON.stringify(answer.body)).toContain('password holds the mask')
  })
})

describe('deep validation', () => {
  const deep = async (config: Readonly<Record<string, string>>, name = 'leaky') => {
    const answer = await worker.ask('PUT', `/connector-plugins/${name}/config/validate?deep=true`, config)
    expect(answer).toMatchObject({ status: 200 })
    expectNoSecret(JSON.stringify(answer))
    const { configs, ...rest } = answer.body as {
      error_count: number
      deep: { tried: boolean; reason?: string }
      configs: { value: { name: string; errors: string[] } }[]
    }
    const errors = configs.flatMap(({ value }) =>
      value.errors.length > 0 ? [[value.name, value.errors] as const] : [],
    )
    return { ...rest, errors: Object.fromEntries(errors) as Record<string, string[]> }
  }

  test('has the connector try with what the providers say, and tells what it found, secrets masked', async () => {
    expect(await deep({ ...references(), name: 'c' })).toMatchObject({ error_count: 0, deep: { tried: true } })
    expect(await deep({ ...references(), name: 'c', how: 'reject' })).toMatchObject({
      error_count: 1,
      errors: { url: [`${mask} does not take ${mask}`] },
      deep: { tried: true },
    })
    const thrown = await deep({ ...references(), name: 'c', how: 'try' })
    expect(thrown.errors).toEqual({
      'connector.class': [`The connector could not try the config: no login with ${mask} at ${mask}`],
    })
    expect(thrown.deep.tried).toBe(false)
    expectNoSecret(lines.join('\n'))
  })

  test('tries nothing where the config is wrong by itself, or the connector has nothing to try', async () => {
    expect(await deep({ ...references(), name: 'c', topic: '' })).toMatchObject({
      error_count: 1,
      deep: { tried: false },
    })
    const datagen = await deep({ name: 'c', 'kafka.topic': 't' }, 'datagen-source')
    expect(datagen).toMatchObject({ error_count: 0, deep: { tried: false } })
    expect(datagen.deep.reason).toContain('nothing to try')
  })

  test('ends a connector that blocks its thread; the worker answers meanwhile', async () => {
    const hanging = deep({ ...references(), name: 'c', how: 'hang' })
    expect(await deep({ ...references(), name: 'd' })).toMatchObject({ deep: { tried: true } })
    const { deep: cutOff, error_count } = await hanging
    expect([error_count, cutOff]).toEqual([
      1,
      { tried: false, reason: expect.stringContaining('did not end within 10 s, and blocks its thread') as string },
    ])
  })

  test('of files: what is there, and what may be done with it', async () => {
    const config = { name: 'c', topic: 't' }
    expect((await deep({ ...config, file: folder }, 'file-source')).errors).toHaveProperty('file')
    expect((await deep({ ...config, file: join(folder, 'in.txt') }, 'file-source')).errors).toEqual({})
    const sink = { name: 'c', topics: 't', file: join(folder, 'db.properties', 'out.txt') }
    expect((await deep(sink, 'file-sink')).errors).toHaveProperty('file')
  })

  test('of MQTT: whether a broker answers', async () => {
    const config = { name: 'c', 'mqtt.server.uri': 'tcp://127.0.0.1:1', 'mqtt.topics': 'a/#', 'kafka.topic': 't' }
    const { errors } = await deep(config, 'mqtt-source')
    expect(errors['mqtt.server.uri']?.join()).toContain('127.0.0.1:1 cannot be reached')
  })
})

describe('with a key for the config topic', () => {
  const [older, newer] = [randomBytes(32).toString('base64'), randomBytes(32).toString('hex')]
  const config = () => ({ ...references(), password: secret, url: 'db' })
  const restart = async (settings: Readonly<Record<string, string>>) => {
    await worker.close()
    worker = await startWith(settings)
  }
  const configRecords = async (since: number): Promise<SeenRecord[]> =>
    (
      await read('connect-configs', (all) => all.some(({ key, offset }) => key === 'commit-leak' && offset >= since))
    ).filter(({ key, offset }) => /^(connector|task)-leak/.test(key ?? '') && offset >= since)

  test('secrets are encrypted in it, task configs too, and the tasks have them, also after a restart', async () => {
    await restart({ 'config.storage.encryption.key': older })
    await worker.deploy('leak', config())
    await worker.reaches('leak', 'RUNNING', 1)
    const records = await configRecords(0)
    expect(records.map(({ key }) => key)).toEqual(['connector-leak', 'task-leak-0'])
    expectNoSecret(texts(records).replaceAll(hidden, ''))
    for (const { value } of records) {
      const { properties } = JSON.parse(value) as { properties: Record<string, string> }
      expect(properties).toMatchObject({ topic: 'out', url: 'db', 'connector.class': 'leaky' })
      expect(properties['password']).toMatch(/^\$tidewire-encrypted:1:/)
    }
    await restart({ 'config.storage.encryption.key': older })
    await worker.reaches('leak', 'RUNNING', 1)
    await read('out', (seen) => seen.filter(({ value }) => value === digest(secret, 'db')).length >= 2)
    expect((await worker.ask('GET', '/connectors/leak/config')).body).toMatchObject({ password: mask })
  })

  test('a worker without it says so, and goes on once it has the secret or the key', async () => {
    await restart({ 'config.storage.encryption.key': older })
    await worker.deploy('leak', config())
    await worker.reaches('leak', 'RUNNING', 1)
    await restart({})
    const { connector } = await worker.reaches('leak', 'FAILED')
    expect(connector.trace).toMatch(/ConfigError: Configuration password is stored encrypted with key [0-9a-f]{16}/)
    const { body: shown } = await worker.ask('GET', '/connectors/leak/config')
    expect(shown).toMatchObject({ password: mask })
    const back = await worker.ask('PUT', '/connectors/leak/config', shown)
    expect(back).toMatchObject({ status: 400 })
    expect(JSON.stringify(back.body)).toContain('set password anew')
    await worker.deploy('leak', { ...config(), password: 'another-one' })
    await worker.reaches('leak', 'RUNNING', 1)
    await read('out', (seen) => seen.some(({ value }) => value === digest('another-one', 'db')))
  })

  test('a new key encrypts what is written again, tasks included, and the old one is needed no more', async () => {
    await restart({ 'config.storage.encryption.key': older })
    await worker.deploy('leak', config())
    await worker.reaches('leak', 'RUNNING', 1)
    const before = await configRecords(0)
    await restart({ 'config.storage.encryption.key': `${newer},${older}` })
    await worker.reaches('leak', 'RUNNING', 1)
    const { body: shown } = await worker.ask('GET', '/connectors/leak/config')
    await worker.deploy('leak', shown as Record<string, string>)
    await configRecords(before.at(-1)!.offset + 2)
    await restart({ 'config.storage.encryption.key': newer })
    await worker.reaches('leak', 'RUNNING', 1)
    await read('out', (seen) => seen.filter(({ value }) => value === digest(secret, 'db')).length >= 3)
  })
})
