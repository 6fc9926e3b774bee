/** Two workers of one cluster, over one log in memory: what is asked of the one that does not lead. */
import { once } from 'node:events'
import { createServer, request as forward, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startHerder, until, type Fixture } from '../herder/testing/fixture.ts'
import { MemoryLog } from '../herder/testing/memory-log.ts'
import { silentLogger } from '../logging/logger.ts'
import { startRest, type RestServer } from './server.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }

interface Worker extends Fixture {
  readonly rest: RestServer
}

let log: MemoryLog
let leader: Worker
let follower: Worker
const proxies: Server[] = []

beforeEach(async () => {
  log = new MemoryLog()
  leader = await worker()
  follower = await worker()
  // All that there is runs on the leader.
  follower.cluster.ownsConnector = () => false
  follower.cluster.ownsTask = () => false
  await follower.cluster.lead(false)
  follower.cluster.leaderUrl = leader.rest.url
  follower.cluster.othersUrl = leader.rest.url
  await until(() => log.records('connect-configs').some(({ key }) => key === 'session-key'))
  await follower.herder.catchUp()
})
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close()
  for (const { rest, herder } of [follower, leader]) {
    await rest.close()
    await herder.close()
  }
})

async function worker(): Promise<Worker> {
  const rest = await startRest({ logger: silentLogger, version: '1', writeHoldMs: 1500 })
  const fixture = await startHerder(log)
  rest.serve(fixture.herder)
  return { ...fixture, rest }
}

async function ask(
  { rest }: Worker,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(rest.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as unknown,
  }
}

const written = (key: string): number => log.records('connect-configs').filter((record) => record.key === key).length

/** In front of the leader: carries requests to it, and loses the first so many answers. */
async function losesAnswers(count: number): Promise<string> {
  let left = count
  const proxy = createServer((asked, answer) => {
    const { method, url, headers } = asked
    const onward = forward(leader.rest.url + url!, { method, headers }, (got) => {
      if (left-- > 0) {
        got.resume()
        got.on('end', () => answer.destroy())
      } else {
        answer.writeHead(got.statusCode!, got.headers)
        got.pipe(answer)
      }
    })
    asked.pipe(onward)
  })
  proxies.push(proxy)
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

describe('a write asked of a worker that does not lead', () => {
  test('is carried out by the leader; the worker asked shows it at once', async () => {
    const created = await ask(follower, 'POST', '/connectors', { name: 'a', config: { ...source, 'batch.sise': 1 } })
    expect(created).toMatchObject({ status: 201, body: { name: 'a', type: 'source' } })
    expect(created.headers.get('location')).toBe('/connectors/a')
    expect(created.headers.get('warning')).toContain('batch.size')
    expect((await ask(follower, 'GET', '/connectors/a')).status).toBe(200)
    const invalid = await ask(follower, 'PUT', '/connectors/a/config', { ...source, mode: 'x' })
    expect(invalid).toMatchObject({ status: 400, body: { error_code: 400 } })
    expect((await ask(follower, 'POST', '/connectors', { name: 'a', config: source })).status).toBe(409)
    expect((await ask(follower, 'PUT', '/connectors/a/pause')).status).toBe(202)
    expect((await ask(follower, 'POST', '/connectors/a/restart?includeTasks=true')).status).toBe(202)
    expect((await ask(follower, 'DELETE', '/connectors/a')).status).toBe(204)
    expect((await ask(follower, 'DELETE', '/connectors/a')).status).toBe(404)
  })

  test('whose answer is lost is carried out once, and answered as if it had not been', async () => {
    follower.cluster.leaderUrl = await losesAnswers(2)
    expect((await ask(follower, 'POST', '/connectors', { name: 'a', config: source })).status).toBe(201)
    expect(written('connector-a')).toBe(1)
    follower.cluster.leaderUrl = await losesAnswers(2)
    expect((await ask(follower, 'POST', '/connectors/a/restart')).status).toBe(204)
    expect(written('restart-connector-a')).toBe(1)
    follower.cluster.leaderUrl = await losesAnswers(2)
    expect((await ask(follower, 'DELETE', '/connectors/a')).status).toBe(204)
    expect(written('connector-a')).toBe(2)
  })

  test('waits for a leader, and for one that cannot be reached', async () => {
    for (const url of [undefined, 'http://127.0.0.1:1']) {
      follower.cluster.leaderUrl = url
      const asking = ask(follower, 'PUT', '/connectors/a/config', source)
      await new Promise((resolve) => setTimeout(resolve, 200))
      follower.cluster.leaderUrl = leader.rest.url
      expect((await asking).status).toBeLessThan(300)
    }
    expect(written('connector-a')).toBe(2)
  })

  test('is given up when that takes too long, in the words of Kafka Connect', async () => {
    follower.cluster.leaderUrl = undefined
    const unknown = await ask(follower, 'PUT', '/connectors/a/config', source)
    expect(unknown).toMatchObject({ status: 409, body: { message: expect.stringContaining('no known leader URL') } })
    expect(unknown.headers.get('retry-after')).toBe('1')
    follower.cluster.leaderUrl = follower.rest.url
    const circling = await ask(follower, 'PUT', '/connectors/a/config', source)
    expect(circling).toMatchObject({
      status: 409,
      body: { message: 'Cannot complete request because of a conflicting operation (e.g. worker rebalance)' },
    })
    expect(written('connector-a')).toBe(0)
  })

  test('restarts a task where it runs', async () => {
    await ask(leader, 'POST', '/connectors', { name: 'a', config: source })
    await until(() => leader.runner.running.has('a-0'))
    leader.runner.calls.length = 0
    follower.cluster.othersUrl = await losesAnswers(1)
    expect((await ask(follower, 'POST', '/connectors/a/tasks/0/restart')).status).toBe(204)
    await until(() => leader.runner.calls.length >= 2)
    expect(leader.runner.calls).toEqual(['stop a-0', 'start a-0'])
    expect((await ask(follower, 'POST', '/connectors/a/tasks/7/restart')).status).toBe(404)
  })
})

describe('what workers ask of one another', () => {
  test.each([
    ['POST', '/connectors/a/tasks'],
    ['PUT', '/connectors/a/fence'],
  ])('%s %s is refused without a signature of the cluster', async (method, path) => {
    const body = method === 'POST' ? [] : undefined
    const text = method === 'POST' ? '[]' : ''
    expect(await ask(leader, method, path, body)).toMatchObject({
      status: 400,
      body: { message: 'Internal request missing required signature' },
    })
    const signed = (algorithm: string, mac: string) => ({
      'x-connect-authorization': mac,
      'x-connect-request-signature-algorithm': algorithm,
    })
    expect((await ask(leader, method, path, body, signed('HmacMD5', 'AAAA'))).status).toBe(400)
    expect((await ask(leader, method, path, body, signed('HmacSHA256', 'AAAA'))).status).toBe(403)
    const right = await ask(leader, method, path, body, {
      ...follower.herder.keys.sign(text),
      'x-tidewire-planned-from': 'x',
    })
    expect(right.status).toBe(method === 'POST' ? 409 : 404)
  })

  test('a request that another worker is said to have passed on must be signed', async () => {
    const headers = { 'x-tidewire-request': 'r1' }
    expect((await ask(leader, 'PUT', '/connectors/a/pause?forward=true', undefined, headers)).status).toBe(400)
  })
})

test('drain is answered when nothing is left here', async () => {
  expect((await ask(leader, 'PUT', '/admin/drain')).status).toBe(204)
  expect((await ask(leader, 'GET', '/admin/workers')).body).toEqual([])
})
