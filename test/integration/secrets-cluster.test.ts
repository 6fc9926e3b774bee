/** Workers of one cluster whose keys for the config topic are not the same: what is said, and that nothing is lost. */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { readTopic, type SeenRecord } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const secret = 'pa$$word-of-scott'
const [older, newer] = [randomBytes(32).toString('base64'), randomBytes(32).toString('hex')]

let broker: TestBroker
const workers: TestWorker[] = []
beforeEach(async () => (broker = await testBroker()))
afterEach(async () => {
  for (const worker of workers.splice(0).reverse()) await worker.close()
  await broker.close()
})

/** Undefined: without a key. */
async function start(keys: string | undefined): Promise<TestWorker> {
  const worker = await testWorker(broker.address, {
    'plugin.path': join(import.meta.dirname, '../fixtures/plugins/leaky'),
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '500',
    'scheduled.rebalance.max.delay.ms': '0',
    ...(keys === undefined ? {} : { 'config.storage.encryption.key': keys }),
  })
  workers.push(worker)
  return worker
}

async function close(worker: TestWorker): Promise<void> {
  workers.splice(workers.indexOf(worker), 1)
  await worker.close()
}

/** The first leads. */
async function pair(ofLeader: string | undefined, ofOther: string | undefined): Promise<[TestWorker, TestWorker]> {
  const [leader, other] = [await start(ofLeader), await start(ofOther)]
  await until('both to know the leader', () => other.herder.cluster.leaderUrl === leader.url)
  return [leader, other]
}

const config = (topic: string) => ({
  'connector.class': 'leaky',
  topic,
  'value.converter': 'string',
  password: secret,
  url: 'db',
})
const digest = createHash('sha256').update(`${secret} db`).digest('hex')
const read = (topic: string, enough: (records: readonly SeenRecord[]) => boolean) =>
  readTopic(broker.port, topic, enough)

/** What the config topic has for configs and tasks now, by key. */
async function stored(names: readonly string[]): Promise<Record<string, string>> {
  const marks = names.map((name) => `commit-${name}`)
  const seen = await read('connect-configs', (all) => marks.every((mark) => all.some(({ key }) => key === mark)))
  const kept = seen.filter(({ key }) => /^(connector|task)-/.test(key ?? ''))
  return Object.fromEntries(kept.map(({ key, value }) => [key!, value]))
}

const hostOf = ({ url }: TestWorker): string => new URL(url).host
const reencrypt = (worker: TestWorker) => worker.ask('PUT', '/admin/reencrypt')

test('a leader without the key stores in clear, and names the setting when asked to encrypt; a key that comes later is used for all, tasks too', async () => {
  const [leader, other] = await pair(undefined, older)
  await other.deploy('a', config('ta'))
  await other.reaches('a', 'RUNNING', 1)
  expect(JSON.stringify(await stored(['a']))).toContain(secret)
  const refused = await reencrypt(other)
  expect([refused.status, (refused.body as { message: string }).message]).toEqual([
    400,
    expect.stringMatching(/^config\.storage\.encryption\.key: the worker that leads has no key/),
  ])

  await close(leader)
  await until('another leader', () => other.herder.cluster.leads)
  const third = await start(older)
  await until('all to know it', () => third.herder.cluster.leaderUrl === other.url)
  expect(await reencrypt(third)).toEqual({ status: 200, body: { a: 'reencrypted' } })
  const records = await read('connect-configs', (all) => all.filter(({ key }) => key === 'commit-a').length >= 2)
  const now = new Map(records.map(({ key, value }) => [key, value]))
  for (const key of ['connector-a', 'task-a-0']) {
    expect(now.get(key)).toContain('$tidewire-encrypted:1:')
    expect(now.get(key)).not.toContain(secret)
  }
  expect(await reencrypt(other)).toEqual({ status: 200, body: { a: 'current' } })
  await third.reaches('a', 'RUNNING', 1)
})

test('workers with different keys: what one cannot read fails there, by name, until it has the key', async () => {
  const [leader, other] = await pair(older, newer)
  for (const name of ['a', 'b']) await other.deploy(name, config(`t${name}`))
  const failed = await until('one that fails on the worker without the key', async () => {
    for (const name of ['a', 'b']) {
      const { connector } = await leader.status(name)
      if (connector.state === 'FAILED') return { name, ...connector }
    }
    return undefined
  })
  expect(failed.worker_id).toBe(hostOf(other))
  expect(failed.trace).toMatch(
    /^ConfigError: Configuration password is stored encrypted with key [0-9a-f]{16}, .*config\.storage\.encryption\.key/,
  )
  // A read, change and write goes through the leader, which can.
  const { body: shown } = await other.ask('GET', `/connectors/${failed.name}/config`)
  expect(shown).toMatchObject({ password: '********' })
  await other.deploy(failed.name, shown as Record<string, string>)

  // Both keys on all; then the new one first; then it alone.
  await close(other)
  const second = await start(`${newer},${older}`)
  for (const name of ['a', 'b']) await second.reaches(name, 'RUNNING', 1)
  await close(leader)
  await until('another leader', () => second.herder.cluster.leads)
  expect((await reencrypt(second)).body).toEqual({ a: 'reencrypted', b: 'reencrypted' })
  await start(newer)
  await close(second)
  const last = workers[0]!
  for (const name of ['a', 'b']) {
    await last.reaches(name, 'RUNNING', 1)
    await last.ask('POST', `/connectors/${name}/restart?includeTasks=true`)
    const values = await read(`t${name}`, (all) => all.length >= 2)
    expect(new Set(values.map(({ value }) => value))).toEqual(new Set([digest]))
  }
})

test('a leader that lacks the key of what is stored changes nothing of it, and says what it stores in clear', async () => {
  const first = await start(older)
  await first.deploy('a', config('ta'))
  await first.reaches('a', 'RUNNING', 1)
  await close(first)
  const before = await stored(['a'])

  const [leader, other] = await pair(undefined, older)
  const { body: shown } = await other.ask('GET', '/connectors/a/config')
  for (const [method, body] of [
    ['PUT', shown],
    ['PATCH', { topic: 'other' }],
  ] as const) {
    const answer = await other.ask(method, '/connectors/a/config', body)
    expect([method, answer.status]).toEqual([method, 400])
    expect(JSON.stringify(answer.body)).toMatch(/config\.storage\.encryption\.key\), or set password anew/)
  }
  expect((await other.ask('PUT', '/connectors/a/pause')).status).toBe(202)
  expect((await other.ask('PUT', '/connectors/a/resume')).status).toBe(202)
  const put = await fetch(`${leader.url}/connectors/b/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(config('tb')),
  })
  expect([put.status, put.headers.get('warning')]).toEqual([
    201,
    expect.stringContaining('password stands in clear in the config topic'),
  ])

  await close(leader)
  await until('another leader', () => other.herder.cluster.leads)
  await other.reaches('a', 'RUNNING', 1)
  expect((await stored(['a']))['connector-a']).toBe(before['connector-a'])
  expect((await reencrypt(other)).body).toEqual({ a: 'current', b: 'reencrypted' })
})
