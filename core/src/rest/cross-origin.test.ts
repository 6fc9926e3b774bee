import { hostname } from 'node:os'
import { request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { restSettings } from '../config/rest-settings.ts'
import { compileSettings } from '../config/settings.ts'
import { startHerder, type Fixture } from '../herder/testing/fixture.ts'
import { silentLogger } from '../logging/logger.ts'
import { Access } from './access.ts'
import type { ListenerOptions } from './listeners.ts'
import { parseHeaderRules } from './response-headers.ts'
import { startRest, type RestOptions, type RestServer } from './server.ts'

let server: RestServer
let fixture: Fixture
afterEach(async () => {
  await server.close()
  await fixture.herder.close()
})

async function start(
  settings: Record<string, unknown>,
  headers = '',
  options: Partial<RestOptions> = {},
): Promise<void> {
  const { config, errors } = compileSettings(restSettings)(settings)
  expect(errors).toEqual({})
  server = await startRest({
    logger: silentLogger,
    version: '1',
    config,
    headers: parseHeaderRules(headers),
    ...options,
  })
  fixture = await startHerder()
  server.serve(fixture.herder)
}

const ask = (method: string, origin: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/connectors`, { method, headers: { origin, ...headers } })
const preflight = (origin: string) => ask('OPTIONS', origin, { 'access-control-request-method': 'POST' })
const allowed = ({ headers }: Response) => [
  headers.get('access-control-allow-origin'),
  headers.get('access-control-allow-credentials'),
]

test('pages of other sites get nothing by default', async () => {
  await start({})
  expect(allowed(await ask('GET', 'https://a.example'))).toEqual([null, null])
  expect((await ask('POST', 'https://a.example')).status).toBe(403)
  const before = await preflight('https://a.example')
  expect([before.status, ...allowed(before)]).toEqual([403, null, null])
})

test('those that are named may do what is named', async () => {
  await start({ 'access.control.allow.origin': 'https://a.example,https://*.b.example' })
  for (const origin of ['https://a.example', 'https://x.y.b.example']) {
    expect(allowed(await ask('GET', origin))).toEqual([origin, 'true'])
    const before = await preflight(origin)
    expect([before.status, ...allowed(before)]).toEqual([200, origin, 'true'])
    expect(before.headers.get('access-control-allow-methods')).toBe('GET, POST, HEAD')
    // Let in, and then told what is wrong with it.
    expect((await ask('POST', origin)).status).toBe(400)
    expect((await ask('DELETE', origin)).status).toBe(403)
  }
  for (const origin of [
    'https://aXexample',
    'https://evil.example',
    'https://a.example.evil',
    'http://a.example',
    'https://evil/.b.example',
    'null',
  ]) {
    expect([origin, ...allowed(await ask('GET', origin))]).toEqual([origin, null, null])
    expect([origin, (await ask('POST', origin)).status]).toEqual([origin, 403])
  }
})

test('all of them, but never with a log-in that the browser keeps', async () => {
  await start({ 'access.control.allow.origin': '*', 'access.control.allow.methods': 'GET,PUT,DELETE' })
  expect(allowed(await ask('GET', 'https://any.example'))).toEqual(['*', null])
  expect((await ask('POST', 'https://any.example')).status).toBe(403)
  expect((await ask('DELETE', 'https://any.example')).status).toBe(405)
})

test('headers of every answer', async () => {
  await start(
    {},
    'set X-Frame-Options:DENY, add Cache-Control: no-store, set content-type: text/evil, setDate Expires: 0',
  )
  for (const path of ['/connectors', '/nope', '/connectors/none']) {
    const { headers } = await fetch(server.url + path)
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(Date.parse(headers.get('expires')!)).toBeGreaterThan(0)
  }
})

test('too many requests are turned away, and health never is', async () => {
  await start({ 'rest.max.requests.per.second': 2 })
  const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(`${server.url}/connectors`)))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(0)
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(4)
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused[0]!.json()).toMatchObject({ error_code: 429 })
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
})

/** Of a GET whose Host header says this; fetch does not let it be set. */
const statusFor = (host: string) =>
  new Promise<number>((resolve, reject) => {
    const { port } = server.listeners[0]!
    const asked = request({ host: '127.0.0.1', port, path: '/connectors', headers: { host } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    })
    asked.on('error', reject).end()
  })
const http = (host: string): ListenerOptions => ({ protocol: 'http', host, port: 0 })
const rebinding = [
  'evil.example',
  'evil.example:8083',
  'a.evil.example.',
  '127.0.0.1.evil.example',
  'localhost.evil.io',
]

test('a page cannot have a worker on all addresses act for it by a name of its own', async () => {
  await start({ 'rest.allowed.hosts': 'Connect.acme.com,*.svc.local' }, '', {
    listeners: [http('0.0.0.0')],
    advertisedHost: 'w1.acme.com',
  })
  for (const name of [...rebinding, 'w2.acme.com', 'svc.local', 'x.connect.acme.com']) {
    expect([name, await statusFor(name)]).toEqual([name, 403])
  }
  const own = ['localhost', 'x.localhost:8083', '10.0.0.1', '[fd00::1]:8083', 'W1.acme.com.', hostname()]
  for (const name of [...own, 'tidewire:8083', 'connect.acme.com:80', 'a.b.svc.local']) {
    expect([name, await statusFor(name)]).toEqual([name, 200])
  }
})

test('on loopback even less is known; one setting opens all', async () => {
  await start({})
  for (const name of [...rebinding, 'tidewire']) expect([name, await statusFor(name)]).toEqual([name, 403])
  await server.close()
  await fixture.herder.close()
  await start({ 'rest.allowed.hosts': '*' })
  for (const name of rebinding) expect([name, await statusFor(name)]).toEqual([name, 200])
})

test('where clients log in, a name is as good as any: 401, as for all', async () => {
  await start({}, '', { listeners: [http('0.0.0.0')], access: new Access({ healthOpen: true }) })
  expect(await statusFor('connect.acme.com')).toBe(401)
})
