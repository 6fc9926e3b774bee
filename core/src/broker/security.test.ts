import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { startBroker } from './broker.ts'
import { brokerConfig, type BrokerConfig } from './config.ts'
import { DynamicSettings } from './dynamic-settings.ts'
import { startBrokerThread } from './start-broker-thread.ts'
import { describeBrokerSettings } from './described-settings.ts'

let dir: string
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const options = (config: Partial<BrokerConfig>) => ({
  host: '127.0.0.1',
  port: 0,
  dataDir: join(dir, 'data'),
  logger: silentLogger,
  config,
})

test.each<[Partial<BrokerConfig>, string]>([
  [{ 'log.listeners': ['SSL://127.0.0.1:0'] }, 'ssl.keystore.location'],
  [{ 'log.listeners': ['SSL://127.0.0.1:0'], 'ssl.keystore.location': '/nowhere' }, '/nowhere cannot be read: ENOENT'],
  [{ 'log.listeners': ['SSL://127.0.0.1:0'], 'ssl.keystore.key': 'x' }, 'private key'],
  [{ 'log.security.protocol': 'SASL_PLAINTEXT' }, 'nobody could log in'],
  [{ 'log.security.protocol': 'SASL_PLAINTEXT', 'sasl.users.file': '/nowhere' }, 'sasl.users.file /nowhere'],
  [{ 'log.listeners': ['SASL://127.0.0.1:0'] }, 'is not PROTOCOL://host:port'],
  [{ 'log.listeners': ['PLAINTEXT://127.0.0.1:70000'] }, 'is not PROTOCOL://host:port'],
])('says in one line what is missing: %j', async (config, message) => {
  const failed = startBroker(options(config))
  await expect(failed).rejects.toMatchObject({ name: 'BrokerStartError' })
  await expect(failed).rejects.toThrow(message)
  // Nothing is left behind.
  await (await startBroker(options({}))).close()
})

test('listens on all that is named, in a thread too', async () => {
  await writeFile(join(dir, 'users'), '')
  const broker = await startBrokerThread(
    options({
      'log.listeners': ['PLAINTEXT://127.0.0.1:0', 'SASL_PLAINTEXT://:0'],
      'sasl.users.file': join(dir, 'users'),
    }),
  )
  expect(broker.listeners.map((each) => each.replace(/\d+$/, 'port'))).toEqual([
    'PLAINTEXT://127.0.0.1:port',
    'PLAINTEXT://127.0.0.1:port',
    'SASL_PLAINTEXT://:port',
  ])
  expect(broker.listeners[0]).toBe(`PLAINTEXT://127.0.0.1:${broker.port}`)
  await broker.close()
})

test('secrets are not described', () => {
  const config = brokerConfig({ 'ssl.key.password': 'hidden', 'ssl.keystore.key': 'hidden' })
  const described = describeBrokerSettings(new DynamicSettings(config, dir, silentLogger), null)
  expect(JSON.stringify(described)).not.toContain('hidden')
  expect(described.find(({ name }) => name === 'ssl.key.password')).toMatchObject({
    value: null,
    isSensitive: true,
    configSource: 4,
  })
})
