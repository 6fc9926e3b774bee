import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { Logger } from '@tidewire/sdk'
import { parseConfig } from '@tidewire/sdk/testing'
import { Aedes } from 'aedes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasMosquitto, startMosquitto, type Mosquitto } from '../../../test/support/mosquitto.ts'
import { sourceConfig, type SourceConfig } from '../source-config.ts'
import { tryBroker } from '../try-out.ts'

const ignore = (): void => undefined
const log: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

describe.skipIf(!hasMosquitto())('a broker is tried', () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto()
  })
  afterAll(async () => broker.stop())

  const tryWith = async (given: Readonly<Record<string, string>>, signal = new AbortController().signal) => {
    const raw = { 'mqtt.topics': 'open/#', 'kafka.topic': 't', ...given }
    const config: SourceConfig = parseConfig({ name: 'mqtt-source', config: sourceConfig }, raw)
    return tryBroker(config, { signal, log })
  }
  const login = (password: string) => ({
    'mqtt.server.uri': `tcp://127.0.0.1:${broker.passwordPort}`,
    'mqtt.username': 'user',
    'mqtt.password': password,
  })

  test('with the right login, in plain text and with TLS, by either version of the protocol', async () => {
    expect(await tryWith(login('secret'))).toEqual({})
    expect(await tryWith({ ...login('secret'), 'mqtt.version': '3.1.1' })).toEqual({})
    const tls = { 'mqtt.server.uri': `ssl://localhost:${broker.tlsPort}`, 'mqtt.ssl.ca.path': broker.file('ca.crt') }
    expect(await tryWith({ ...login('secret'), ...tls })).toEqual({})
  })

  test('and what it refuses is told by setting: the login, its certificate', async () => {
    const wrong = await tryWith(login('wrong-password'))
    expect(Object.keys(wrong)).toEqual(['mqtt.username'])
    expect(JSON.stringify(wrong)).toMatch(/check mqtt\.username and mqtt\.password/)
    expect(JSON.stringify(wrong)).not.toContain('wrong-password')
    const tls = {
      'mqtt.server.uri': `ssl://localhost:${broker.tlsPort}`,
      'mqtt.ssl.ca.path': broker.file('other-ca.crt'),
    }
    expect(await tryWith({ ...login('secret'), ...tls })).toHaveProperty(['mqtt.ssl.ca.path'])
  })

  test('and refused subscriptions are told', async () => {
    const strict = await Aedes.createBroker({
      authorizeSubscribe: (_client, _subscription, answer) => answer(null, null),
    })
    const server = createServer(strict.handle).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const uri = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
      const problems = await tryWith({ 'mqtt.server.uri': uri, 'mqtt.version': '3.1.1' })
      expect(problems['mqtt.topics']).toEqual([expect.stringContaining("refused the subscription to 'open/#'")])
    } finally {
      await new Promise<void>((closed) => strict.close(() => closed()))
      server.close()
    }
  })

  test('at each address until one will do; where none does, each is told', async () => {
    const good = `tcp://127.0.0.1:${broker.port}`
    expect(await tryWith({ 'mqtt.server.uri': `tcp://127.0.0.1:1,${good}` })).toEqual({})
    const { 'mqtt.server.uri': problems } = await tryWith({ 'mqtt.server.uri': 'tcp://127.0.0.1:1,tcp://127.0.0.1:2' })
    expect(problems).toEqual([
      expect.stringContaining('127.0.0.1:1 cannot be reached'),
      expect.stringContaining('127.0.0.1:2 cannot be reached'),
    ])
  })
})
