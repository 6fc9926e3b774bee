/** Schema registries that speak https with their clients and with each other, on a log that asks for a log-in. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secureBroker, testUser, type SecureBroker } from '../support/security.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

let broker: SecureBroker
const registries: TestRegistry[] = []

beforeAll(async () => {
  broker = await secureBroker()
  const { username, password } = testUser
  const settings = {
    listeners: 'https://127.0.0.1:0',
    'inter.instance.protocol': 'https',
    'listeners.https.ssl.keystore.location': broker.serverFile,
    'listeners.https.ssl.truststore.location': broker.caFile,
    'kafkastore.security.protocol': 'SASL_SSL',
    'kafkastore.sasl.mechanism': 'SCRAM-SHA-512',
    'kafkastore.sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="${username}" password="${password}";`,
    'kafkastore.ssl.truststore.location': broker.caFile,
  }
  const address = broker.on('SASL_SSL')
  registries.push(await testRegistry(address, settings))
  registries.push(await testRegistry(address, { ...settings, 'leader.eligibility': 'false' }))
})

afterAll(async () => {
  await Promise.all(registries.map((each) => each.close()))
  await broker.close()
})

async function ask(url: string, method: string, path: string, body?: object) {
  const headers = { 'content-type': 'application/json' }
  const asked = request(url + path, { method, ca: broker.ca, agent: false, headers })
  asked.end(body === undefined ? undefined : JSON.stringify(body))
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode, body: JSON.parse(await text(answer)) as unknown }
}

test('a write finds the leader', async () => {
  const [leader, follower] = registries as [TestRegistry, TestRegistry]
  expect(follower.url).toMatch(/^https:/)
  const written = await ask(follower.url, 'POST', '/subjects/a/versions', { schema: '"int"' })
  expect(written).toMatchObject({ status: 200, body: { id: 1 } })
  expect(await ask(leader.url, 'GET', '/subjects/a/versions')).toEqual({ status: 200, body: [1] })
  expect(await ask(follower.url, 'DELETE', '/subjects/a')).toEqual({ status: 200, body: [1] })
})
