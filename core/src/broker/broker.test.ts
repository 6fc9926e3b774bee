import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger, silentLogger } from '../logging/logger.ts'
import { startBroker, type BrokerOptions } from './broker.ts'
import { startBrokerThread } from './start-broker-thread.ts'
import { handlers } from './handlers/registry.ts'

let dir: string
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const options = (changes: Partial<BrokerOptions> = {}): BrokerOptions => ({
  host: '127.0.0.1',
  port: 0,
  dataDir: join(dir, 'data'),
  logger: silentLogger,
  ...changes,
})

test.for([
  ['in this thread', startBroker],
  ['in a thread of its own', startBrokerThread],
] as const)('starts and stops %s, again and again on the same data', async ([, start]) => {
  for (let i = 0; i < 3; i++) {
    const broker = await start(options())
    const socket = connect(broker.port, broker.host)
    // One that nobody has greeted yet may be reset.
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.resume()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await broker.close()
    await closed
  }
})

test.for([
  ['in this thread', startBroker],
  ['in a thread of its own', startBrokerThread],
] as const)('says in one line why it cannot start %s', async ([, start]) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await expect(start(options({ port }))).rejects.toMatchObject({
    name: 'BrokerStartError',
    code: 'EADDRINUSE',
    message: `port ${port} on 127.0.0.1 is in use by another process`,
  })
  other.close()

  const first = await startBroker(options())
  const error = await start(options()).catch((reason: unknown) => reason as Error & { code: string })
  expect(error).toMatchObject({ name: 'BrokerStartError', code: 'DATA_DIRECTORY' })
  expect((error as Error).message).toContain(join(dir, 'data'))
  expect((error as Error).message).not.toContain('\n')
  await first.close()

  await writeFile(join(dir, 'file'), '')
  await expect(start(options({ dataDir: join(dir, 'file') }))).rejects.toMatchObject({
    name: 'BrokerStartError',
    message: expect.stringContaining(join(dir, 'file')),
  })
  await expect(start(options({ host: '203.0.113.1' }))).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  // What failed before has left nothing behind.
  await (await start(options())).close()
})

test('log lines of the thread come to the logger given', async () => {
  const lines: string[] = []
  const logger = createLogger({ write: (level, message) => lines.push(`${level} ${message}`) })
  const broker = await startBrokerThread(options({ logger }))
  const socket = connect(broker.port, broker.host)
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET / HTTP/1.1\r\n\r\n')
  socket.resume()
  await closed
  await expect.poll(() => lines.some((line) => line.startsWith('warn Closed the connection of /127.0.0.1'))).toBe(true)
  await broker.close()
})

test('every handler serves versions that its API declares', () => {
  for (const { api, versions, announcedFrom } of handlers) {
    expect(versions[0], api.name).toBeGreaterThanOrEqual(api.versions[0])
    expect(versions[1], api.name).toBeLessThanOrEqual(api.versions[1])
    expect(announcedFrom, api.name).toBeLessThanOrEqual(versions[0])
  }
  expect(new Set(handlers.map(({ api }) => api.key)).size).toBe(handlers.length)
})
