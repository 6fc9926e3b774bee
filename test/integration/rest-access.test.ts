/** Workers of one cluster with https, log-ins and an audit topic, as clients see them. */
import { request } from 'node:https'
import { connect } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { principalHeaders } from '../../core/src/rest/forwarded-principal.ts'
import { readTopic } from '../support/read-topic.ts'
import { makeCertificates, type TestCertificates } from '../support/security.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'
import { ownGroup, workerSet } from '../support/worker-set.ts'

const quick = { 'heartbeat.interval.ms': '500', 'scheduled.rebalance.max.delay.ms': '0' }
const set = workerSet({ sharesLog: true, defaults: quick })

let certificates: TestCertificates
beforeAll(async () => {
  certificates = await makeCertificates(set.folder)
})

let groups = 0
/** Settings of a cluster of its own. */
const cluster = (): Record<string, string> => {
  const name = `c${groups++}`
  return { ...ownGroup(name), 'audit.topic': `${name}-audit` }
}

const https = (clientAuth = 'none'): Record<string, string> => ({
  listeners: 'https://127.0.0.1:0',
  'listeners.https.ssl.keystore.location': certificates.serverFile,
  'listeners.https.ssl.truststore.location': certificates.caFile,
  'listeners.https.ssl.client.auth': clientAuth,
})

async function usersFile(name: string, users: Readonly<Record<string, string>>): Promise<string> {
  const lines = await Promise.all(Object.entries(users).map(([user, password]) => credentialLines(user, password)))
  await writeFile(join(set.folder, name), lines.flat().join('\n'))
  return join(set.folder, name)
}

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** @param shown what the client shows of itself: PEM of key and certificate */
async function ask(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body?: object,
  shown?: string,
): Promise<Answer> {
  const sent = body === undefined ? '' : JSON.stringify(body)
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const asked = request(url, {
    method,
    agent: false,
    ca: certificates.ca,
    ...(shown === undefined ? {} : { key: shown, cert: shown }),
    headers: { ...headers, ...type, 'content-length': String(Buffer.byteLength(sent)) },
  })
  asked.end(sent)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode!, headers: answer.headers, body: await text(answer) }
}

describe('two workers', () => {
  const source = (name: string) => ({ 'connector.class': 'file-source', file: join(set.folder, name), topic: 'lines' })

  async function pair(): Promise<{ leader: TestWorker; follower: TestWorker; audit: string }> {
    const shared = { ...cluster(), ...https() }
    // Who logs in at one worker need not be known to the other: it is told who asks.
    const leader = await set.start({
      ...shared,
      'rest.users.file': await usersFile('leaders', { someone: 'else' }),
    })
    const follower = await set.start({
      ...shared,
      'rest.users.file': await usersFile('followers', { ada: 'right', vera: 'looks' }),
      'rest.users.admin': 'ada',
    })
    await until('both to know the leader', () => follower.herder.cluster.leaderUrl === leader.url)
    return { leader, follower, audit: shared['audit.topic']! }
  }

  test('a write is passed on over https, in the name of who asked, and audited once', async () => {
    const { leader, follower, audit } = await pair()
    expect(leader.url).toMatch(/^https:/)
    const ada = basic('ada', 'right')
    expect((await ask('GET', `${leader.url}/connectors`, ada)).status).toBe(401)
    const put = await ask('PUT', `${follower.url}/connectors/in/config`, ada, { ...source('in'), 'no.such': 'S3CRET' })
    expect([put.status, put.body.includes('"name":"in"')]).toEqual([201, true])
    const request = put.headers['x-request-id']
    expect((await ask('DELETE', `${follower.url}/connectors/in?x=S3CRET`, basic('vera', 'looks'))).status).toBe(403)
    expect((await ask('DELETE', `${follower.url}/connectors/in`, basic('ada', 'wrong'))).status).toBe(401)
    expect((await ask('DELETE', `${follower.url}/connectors/none`, ada)).status).toBe(404)
    expect((await ask('GET', `${follower.url}/connectors`, ada)).status).toBe(200)
    expect((await ask('POST', `${follower.url}/connectors/in/restart?includeTasks=true`, ada)).status).toBe(202)

    const written = await readTopic(set.broker.port, audit, (records) => records.length >= 4)
    const records = written.map(({ value }) => JSON.parse(value) as Record<string, unknown>)
    const from = { login: 'basic', address: '127.0.0.1', worker: new URL(follower.url).host }
    expect(records).toEqual([
      expect.objectContaining({
        ...from,
        request,
        user: 'ada',
        role: 'admin',
        method: 'PUT',
        connector: 'in',
        status: 201,
      }),
      expect.objectContaining({
        ...from,
        user: 'vera',
        role: 'view',
        method: 'DELETE',
        path: '/connectors/in',
        status: 403,
      }),
      expect.objectContaining({ ...from, user: 'ada', path: '/connectors/none', status: 404 }),
      expect.objectContaining({
        ...from,
        path: '/connectors/in/restart',
        query: { includeTasks: 'true' },
        status: 202,
      }),
    ])
    expect(JSON.stringify(written)).not.toContain('S3CRET')
    // What it wrote into the config topic has the same name.
    const config = audit.replace('audit', 'config')
    const configs = await readTopic(set.broker.port, config, (seen) => seen.some(({ key }) => key === 'connector-in'))
    expect(configs.find(({ key }) => key === 'connector-in')!.headers).toMatchObject({ 'tidewire.request': request })
  })

  test('who says that a worker sent them is believed for the one request that it signed, and no other', async () => {
    const { leader, follower } = await pair()
    const { keys } = follower.herder
    await until('a session key', () => keys.hasKey)
    const said = (url: string, method = 'PUT', name = 'r1') => {
      const headers = { ...keys.sign(''), 'x-tidewire-request': name }
      const admin = { name: 'ada', login: 'basic', role: 'admin' } as const
      return { ...headers, ...principalHeaders(admin, { method, url, headers }, (line) => keys.sign(line)) }
    }
    const pause = '/connectors/none/pause?forward=true'
    const status = async (method: string, url: string, headers: Record<string, string>, body?: object) =>
      (await ask(method, leader.url + url, headers, body)).status
    expect(await status('PUT', pause, said(pause))).toBe(404)
    const forged = { 'x-tidewire-principal-signature': 'AAAA' }
    expect(await status('PUT', pause, { ...said(pause), ...forged })).toBe(401)
    expect(await status('PUT', pause.replace('none', 'other'), said(pause))).toBe(401)
    expect(await status('PUT', '/connectors/none/stop?forward=true', said(pause))).toBe(401)
    expect(await status('PUT', pause, { ...said(pause), 'x-tidewire-request': 'r2' })).toBe(401)
    const other = Buffer.from('{"name":"eve","login":"basic","role":"admin"}').toString('base64url')
    expect(await status('PUT', pause, { ...said(pause), 'x-tidewire-principal': other })).toBe(401)
    // The signature of the body is part of it, and the body must fit that.
    const put = '/connectors/none/config?forward=true'
    expect(await status('PUT', put, said(put), source('x'))).toBe(403)
    // A worker's signature over a body says nothing about who asked.
    expect(await status('PUT', pause, { ...keys.sign(''), 'x-tidewire-request': 'r3' })).toBe(401)
  })
})

test('client certificates: needed for a connection, and a log-in by their name', async () => {
  const { url } = await set.start({ ...cluster(), ...https('required'), 'rest.certificate.operate': 'client' })
  await expect(ask('GET', `${url}/connectors`)).rejects.toMatchObject({
    code: expect.stringMatching(/ERR_SSL|ECONNRESET|EPIPE/),
  })
  expect((await ask('GET', `${url}/connectors`, {}, undefined, certificates.client)).status).toBe(200)
  const refused = await ask('DELETE', `${url}/connectors/x`, {}, undefined, certificates.client)
  expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('client has the role operate')])
})

test('client certificates asked for: none will do, one that nobody vouches for will not', async () => {
  const users = { 'rest.users.file': await usersFile('asked', { ada: 'right' }) }
  const { url } = await set.start({ ...cluster(), ...https('requested'), ...users, 'rest.certificate.view': '*' })
  expect((await ask('GET', `${url}/connectors`)).status).toBe(401)
  expect((await ask('GET', `${url}/connectors`, basic('ada', 'right'))).status).toBe(200)
  expect((await ask('GET', `${url}/connectors`, {}, undefined, certificates.client)).status).toBe(200)
  const strangers = await mkdtemp(join(set.folder, 'strangers-'))
  const { client: stranger } = await makeCertificates(strangers)
  await expect(ask('GET', `${url}/connectors`, {}, undefined, stranger)).rejects.toBeInstanceOf(Error)
})

test('http and https side by side; what is no TLS ends its own connection only', async () => {
  const { herder, url } = await set.start({
    ...cluster(),
    ...https(),
    listeners: 'https://127.0.0.1:0,http://localhost:0',
  })
  expect(herder.cluster.leaderUrl).toMatch(/^http:\/\/localhost:/)
  expect((await fetch(`${herder.cluster.leaderUrl}/connectors`)).status).toBe(200)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket.resume(), 'close').catch(() => undefined)
  expect((await ask('GET', `${url}/connectors`)).status).toBe(200)
})

test.each([
  [{ listeners: 'https://127.0.0.1:0' }, /^listeners\.https\.ssl\.keystore\.location: needed for https/],
  [
    { listeners: 'https://127.0.0.1:0', 'listeners.https.ssl.keystore.location': '/nowhere' },
    /^listeners\.https\.ssl\.keystore/,
  ],
  [{ 'rest.advertised.listener': 'https' }, /^rest\.advertised\.listener/],
  [{ 'rest.users.file': '/nowhere' }, /^rest\.users\.file \/nowhere cannot be read/],
  [{ 'rest.users.admin': 'ada' }, /^rest\.users\.file: needed/],
  [{ 'rest.certificate.admin': 'ada' }, /^rest\.certificate/],
  [{ 'rest.bearer.issuer': 'https://idp' }, /^rest\.bearer\.audience: needed/],
  [{ 'response.http.headers.config': 'x' }, /^response\.http\.headers\.config/],
  [{ listeners: 'http://0.0.0.0:0', 'rest.unprotected': 'refuse' }, /open to the network/],
])('%j ends the start', async (settings, message) => {
  await expect(testWorker(set.broker.address, settings)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(message) as string,
  })
})
