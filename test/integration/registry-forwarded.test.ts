/** Log-ins of clients whose requests a registry passes on to the one that leads. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { rm, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { temporaryFolder, testBroker, type TestBroker } from '../support/broker.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'
import { makeCertificates, type TestCertificates } from '../support/security.ts'
import { until } from '../support/until.ts'

let broker: TestBroker
let folder: string
let certificates: TestCertificates
let follower: TestRegistry
const registries: TestRegistry[] = []

beforeAll(async () => {
  folder = await temporaryFolder()
  certificates = await makeCertificates(folder)
  broker = await testBroker()
  const usersFile = join(folder, 'rest-users')
  const lines = await Promise.all(['admin', 'viewer'].map((name) => credentialLines(name, 'secret')))
  await writeFile(usersFile, lines.flat().join('\n'))
  const settings = {
    listeners: 'https://127.0.0.1:0',
    'inter.instance.protocol': 'https',
    'listeners.https.ssl.keystore.location': certificates.serverFile,
    'listeners.https.ssl.truststore.location': certificates.caFile,
    'listeners.https.ssl.client.auth': 'requested',
    // The registries' own certificate has no role.
    'rest.certificate.operate': 'client',
    'rest.users.file': usersFile,
    'rest.users.admin': 'admin',
    'rest.users.view': 'viewer',
  }
  registries.push(await testRegistry(broker.address, settings))
  follower = await testRegistry(broker.address, { ...settings, 'leader.eligibility': 'false' })
  registries.push(follower)
})

afterAll(async () => {
  await Promise.all(registries.map((each) => each.close()))
  await broker.close()
  await rm(folder, { recursive: true, force: true })
})

interface Asked {
  readonly body?: object
  readonly certificate?: string
  readonly user?: string
}

async function ask(url: string, method: string, path: string, { body, certificate, user }: Asked = {}) {
  const asked = request(url + path, {
    method,
    ca: certificates.ca,
    agent: false,
    ...(certificate === undefined ? {} : { key: certificate, cert: certificate }),
    ...(user === undefined ? {} : { auth: `${user}:secret` }),
    headers: { 'content-type': 'application/json' },
  })
  asked.end(body === undefined ? undefined : JSON.stringify(body))
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode, body: JSON.parse(await text(answer)) as { message?: string } }
}

const schema = (name: string) => ({ schema: JSON.stringify({ type: 'record', name, fields: [] }) })

test('a client’s certificate is good for what its registry passes on, and for no more', async () => {
  const certificate = certificates.client
  await until('a leader', async () => (await ask(follower.url, 'GET', '/subjects', { certificate })).status === 200)
  const versions = '/contexts/.c/subjects/größe%2Fa/versions?normalize=true'
    .replace('ö', '%C3%B6')
    .replace('ß', '%C3%9F')
  expect(await ask(follower.url, 'POST', versions, { certificate, body: schema('A') })).toMatchObject({
    status: 200,
    body: { id: 1 },
  })
  const refused = await ask(follower.url, 'DELETE', '/subjects/a', { certificate })
  expect(refused).toMatchObject({ status: 403 })
  expect(refused.body.message).toContain('client has the role operate')
})

test('so are names and passwords', async () => {
  const body = schema('B')
  expect((await ask(follower.url, 'POST', '/subjects/b/versions', { user: 'admin', body })).status).toBe(200)
  expect((await ask(follower.url, 'PUT', '/config/b', { user: 'viewer', body: {} })).status).toBe(403)
  expect(await ask(follower.url, 'DELETE', '/subjects/b', { user: 'admin' })).toEqual({ status: 200, body: [1] })
  expect((await ask(follower.url, 'POST', '/subjects/b/versions', { body })).status).toBe(401)
})
