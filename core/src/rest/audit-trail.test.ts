import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { restSettings } from '../config/rest-settings.ts'
import { compileSettings } from '../config/settings.ts'
import { startHerder, until, type Fixture } from '../herder/testing/fixture.ts'
import { silentLogger } from '../logging/logger.ts'
import { startRest, type RestServer } from './server.ts'

let server: RestServer
let fixture: Fixture
afterEach(async () => {
  await server.close()
  await fixture.herder.close()
})

async function start(given: Record<string, unknown> = {}): Promise<void> {
  const { config } = compileSettings(restSettings)(given)
  server = await startRest({ logger: silentLogger, version: '1', config })
  fixture = await startHerder()
  server.serve(fixture.herder)
}

const source = { 'connector.class': 'test-source', url: 'tcp://x' }

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<number> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  return (await fetch(server.url + path, { method, headers: { ...type, ...headers }, ...sent })).status
}

/** What the topic holds once it has the given write, which comes after all others. */
async function audited(last: string): Promise<Record<string, unknown>[]> {
  expect(await ask('DELETE', `/connectors/${last}`)).toBe(404)
  const records = () =>
    fixture.log.records('connect-audit').map(({ value }) => JSON.parse(value!) as Record<string, unknown>)
  await until(() => records().some(({ connector }) => connector === last))
  return records().filter(({ connector }) => connector !== last)
}

test('what is only tried out is no write, and leaves no record of one', async () => {
  await start()
  for (const query of ['dryRun', 'dryRun=true', 'delete=true&dryRun=true']) {
    expect(await ask('PUT', `/connectors?${query}`, { one: source })).toBe(200)
  }
  expect(await ask('PUT', '/connectors?dryRun=false', { one: source })).toBe(200)
  // Not taken for a dry run by the one and for a write by the other.
  expect(await ask('PUT', '/connectors?dryRun=maybe', { one: source })).toBe(400)
  expect(await ask('PUT', '/connectors?dryRun=true&dryRun=false', { one: source })).toBe(400)
  expect(await ask('POST', '/connectors/one/dlq/redrive', { dryRun: true })).toBe(404)
  expect(await ask('POST', '/connectors/one/dlq/redrive', { dryRun: 'true' })).toBe(400)
  const records = await audited('end')
  expect(records.map(({ method, path, status }) => [method, path, status])).toEqual([
    ['PUT', '/connectors', 200],
    ['PUT', '/connectors', 400],
    ['PUT', '/connectors', 400],
    ['POST', '/connectors/one/dlq/redrive', 400],
  ])
})

test('where a request comes from is what a trusted proxy says, and never what a client says', async () => {
  await start({ 'rest.trusted.proxies': '127.0.0.1,10.9.0.0/16' })
  const told = ['203.0.113.7', '198.51.100.1, 203.0.113.7', '127.0.0.1, 203.0.113.7, 10.9.0.4', 'x', '', '10.9.1.1']
  for (const [i, forwarded] of told.entries()) {
    await ask('DELETE', `/connectors/${i}`, undefined, { 'x-forwarded-for': forwarded })
  }
  const records = await audited('end')
  expect(records.map(({ address }) => address)).toEqual([
    ...['203.0.113.7', '203.0.113.7', '203.0.113.7', 'x', '127.0.0.1', '10.9.1.1'],
  ])
})

test('nobody is a proxy by default', async () => {
  await start()
  await ask('DELETE', '/connectors/one', undefined, { 'x-forwarded-for': '203.0.113.7' })
  expect((await audited('end')).map(({ address }) => address)).toEqual(['127.0.0.1'])
})

test('each client of a proxy has a limit of its own, and cannot claim to be of this machine', async () => {
  await start({ 'rest.trusted.proxies': '127.0.0.0/8', 'rest.max.requests.per.second.per.ip': 1 })
  const statuses = async (forwarded: string) => {
    const all: number[] = []
    for (let i = 0; i < 4; i++) {
      all.push(await ask('GET', '/connectors', undefined, { 'x-forwarded-for': forwarded }))
    }
    return all
  }
  expect(await statuses('203.0.113.7:4001')).toContain(429)
  // Another port is no other client.
  expect(await ask('GET', '/connectors', undefined, { 'x-forwarded-for': '203.0.113.7:4002' })).toBe(429)
  expect((await statuses('203.0.113.8'))[0]).toBe(200)
  expect(await statuses('127.0.0.1, 127.0.0.2')).toContain(429)
  // Without the header it is this machine itself.
  expect(await Promise.all(Array.from({ length: 5 }, () => ask('GET', '/connectors')))).toEqual(Array(5).fill(200))
})

test('a header of many addresses is no burden', async () => {
  await start({ 'rest.trusted.proxies': '0.0.0.0/0' })
  const socket = connect(server.listeners[0]!.port, '127.0.0.1')
  const addresses = Array(1000).fill('10.0.0.1').join(',')
  socket.end(
    `GET /connectors HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: ${addresses}\r\nconnection: close\r\n\r\n`,
  )
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200/)
})
