/** Server-sent events of changes, by the client that the command line uses. */
import { connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { startHerder, until, type Fixture } from '../../core/src/herder/testing/fixture.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { RestClient } from '../../core/src/rest-client/rest-client.ts'
import type { ServerEvent } from '../../core/src/rest-client/server-events.ts'
import { startRest, type RestServer } from '../../core/src/rest/server.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
let fixture: Fixture
let server: RestServer
let client: RestClient

beforeEach(async () => {
  server = await startRest({ logger: silentLogger, version: '1' })
  fixture = await startHerder()
  server.serve(fixture.herder)
  client = new RestClient({ url: server.url })
})
afterEach(async () => {
  await server.close()
  await fixture.herder.close()
})

/** What comes, as it comes. */
function listen(options: { connector?: string[]; lastEventId?: string } = {}) {
  const { connector, lastEventId } = options
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const events: ServerEvent[] = []
  const listening = (async () => {
    const input = { signal: stop.signal, ...(lastEventId === undefined ? {} : { lastEventId }) }
    const query = connector === undefined ? {} : { connector }
    for await (const event of client.events('GET /events', { ...input, query })) events.push(event)
  })()
  // Aborted at the end of the test.
  listening.catch(() => undefined)
  return { events, listening, stop: () => stop.abort() }
}

const kinds = (events: readonly ServerEvent[]): string[] =>
  events.map(({ event, data }) => `${event} ${(JSON.parse(data) as { connector?: string }).connector ?? ''}`.trim())

test('changes come as events, from now on, of the connectors asked for', async () => {
  await fixture.herder.writes.putConfig('before', source)
  const all = listen()
  const some = listen({ connector: ['b', 'c'] })
  await until(() => all.events.length > 0 && some.events.length > 0)
  expect(kinds(all.events)[0]).toBe('ready')
  await fixture.herder.writes.putConfig('a', source)
  await fixture.herder.writes.putConfig('b', source)
  await until(() => kinds(all.events).includes('config b') && kinds(some.events).includes('config b'))
  expect(kinds(all.events)).toContain('config a')
  expect(kinds(all.events)).not.toContain('config before')
  expect(kinds(some.events).filter((kind) => kind.endsWith(' a'))).toEqual([])
})

test('who was away gets what was missed; who was away for too long, word of it', async () => {
  const first = listen()
  await until(() => first.events.length > 0)
  await fixture.herder.writes.putConfig('a', source)
  await until(() => kinds(first.events).includes('config a'))
  first.stop()
  await fixture.herder.writes.putConfig('b', source)
  await fixture.herder.writes.delete('b')
  const again = listen({ lastEventId: first.events.at(-1)!.id })
  await until(() => again.events.some(({ data }) => data.includes('deleted')))
  const told = again.events.map(({ event, data }) => `${event} ${data}`)
  expect(told[0]).toBe('ready {}')
  expect(told.filter((text) => text.startsWith('config'))).toEqual([
    expect.stringContaining('"connector":"b","change":"created"'),
    'config {"connector":"b","change":"deleted"}',
  ])
  const stranger = listen({ lastEventId: '00000000-7' })
  await until(() => stranger.events.length > 0)
  expect(kinds(stranger.events)).toEqual(['reset'])
})

test('the streams end when the worker stops', async () => {
  const { events, listening } = listen()
  await until(() => events.length > 0)
  await server.close()
  await listening
})

test('more listeners than may are refused, and the place of one that goes is free', async () => {
  const listeners = Array.from({ length: 100 }, () => listen())
  await until(() => listeners.every(({ events }) => events.length > 0))
  const ask = async (): Promise<string> => {
    for await (const { event } of client.events('GET /events')) return event
    return 'ended'
  }
  await expect(ask()).rejects.toMatchObject({ status: 503, message: expect.stringContaining('100 clients') })
  listeners[0]!.stop()
  await expect.poll(() => ask().catch(() => 'refused')).toBe('ready')
})

test('a client that does not read is let go', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(socket, 'data')
  socket.pause()
  const { ring } = fixture.herder.events
  const text = 'x'.repeat(100_000)
  // Not by events.once, which would take a reset for a failure.
  const gone = new Promise((resolve) => socket.once('close', resolve))
  // Far more than the sockets of both sides and the stream hold.
  for (let i = 0; i < 1000; i++) {
    ring.add('config', 'a', { text })
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.resume()
  await gone
})
