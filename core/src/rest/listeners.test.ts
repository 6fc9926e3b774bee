import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { restSettings } from '../config/rest-settings.ts'
import { compileSettings } from '../config/settings.ts'
import { silentLogger } from '../logging/logger.ts'
import { Listeners, type Listener } from './listeners.ts'
import { startRest } from './server.ts'

const run = promisify(execFile)
const sockets: Socket[] = []
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const close of closers.splice(0)) await close()
})

/** An address of this machine that is not loopback. */
const own = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address

function open(port: number, host = '127.0.0.1'): Socket {
  const socket = connect(port, host)
  socket.on('error', () => undefined)
  sockets.push(socket)
  return socket
}

const connections = {
  maxConnections: 100,
  maxConnectionsPerIp: 2,
  headerTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
}

describe.skipIf(own === undefined)('clients of the network', () => {
  test('have so many connections each; loopback has what there is', async () => {
    const listeners = new Listeners({
      listeners: [{ protocol: 'http', host: '0.0.0.0', port: 0 }],
      connections,
      logger: silentLogger,
    })
    const [{ port }] = (await listeners.open((_, response) => response.end())) as [Listener]
    closers.push(() => listeners.close())
    const near = Array.from({ length: 5 }, () => open(port))
    const far = Array.from({ length: 5 }, () => open(port, own))
    await expect.poll(() => far.filter((socket) => socket.closed).length).toBe(3)
    expect(near.filter((socket) => socket.closed)).toHaveLength(0)
    for (const socket of far) socket.destroy()
    const status = async () => (await fetch(`http://${own}:${port}/`, { headers: { connection: 'close' } })).status
    await expect.poll(() => status().catch(() => 'closed')).toBe(200)
  })

  test('have so many requests a second each; loopback has what there is', async () => {
    const { config } = compileSettings(restSettings)({ 'rest.max.requests.per.second.per.ip': 1 })
    const server = await startRest({
      listeners: [{ protocol: 'http', host: '0.0.0.0', port: 0 }],
      config,
      logger: silentLogger,
      version: '1',
    })
    closers.push(() => server.close())
    const { port } = server.listeners[0]!
    const statuses = async (host: string) =>
      Promise.all(Array.from({ length: 10 }, async () => (await fetch(`http://${host}:${port}/health/x`)).status))
    expect(new Set(await statuses('127.0.0.1'))).toEqual(new Set([404]))
    expect(new Set(await statuses(own!))).toEqual(new Set([404, 429]))
  })
})

test('the end waits for answers under way, and for nothing else', async () => {
  const listeners = new Listeners({
    listeners: [{ protocol: 'http', host: 'localhost', port: 0 }],
    connections,
    logger: silentLogger,
  })
  const asked = Promise.withResolvers<() => void>()
  const [{ port, url }] = (await listeners.open((_, response) => {
    response.setHeader('connection', 'close')
    asked.resolve(() => response.end('late'))
  })) as [Listener]
  const silent = open(port)
  const half = open(port)
  half.write('GET / HTTP/1.1\r\nhost:')
  await Promise.all([once(silent, 'connect'), once(half, 'connect')])
  const answer = fetch(url)
  const finish = await asked.promise
  const closed = listeners.close()
  finish()
  expect(await (await answer).text()).toBe('late')
  await closed
  await expect.poll(() => [silent.closed, half.closed]).toEqual([true, true])
})

test('certificates are renewed for connections to come, and not by a key that does not fit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-tls-'))
  closers.push(() => rm(folder, { recursive: true }))
  const made = async (name: string): Promise<{ key: string; certificate: string }> => {
    const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    await run('openssl', ['req', '-x509', ...curve, '-subj', `/CN=${name}`, '-keyout', key, '-out', certificate])
    return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') }
  }
  const [first, second] = await Promise.all([made('first'), made('second')])
  const versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const
  const listeners = new Listeners({
    listeners: [{ protocol: 'https', host: '127.0.0.1', port: 0 }],
    tls: { ...first, ...versions, clientAuth: 'none' },
    connections,
    logger: silentLogger,
  })
  const [{ port }] = (await listeners.open((_, response) => response.end())) as [Listener]
  closers.push(() => listeners.close())
  const shown = async (): Promise<unknown> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    sockets.push(socket)
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().subject.CN
  }
  expect(await shown()).toBe('first')
  expect(() => listeners.renewTls({ ...second, key: first.key, ...versions })).toThrow(/key/)
  expect(await shown()).toBe('first')
  listeners.renewTls({ ...second, ...versions })
  expect(await shown()).toBe('second')
})

test('where one of several addresses is taken, none is kept', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  closers.push(async () => {
    await once(taken.close(), 'close')
  })
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port: other } = free.address() as { port: number }
  await once(free.close(), 'close')
  const listener = (at: number) => ({ protocol: 'http', host: '127.0.0.1', port: at }) as const
  const listeners = new Listeners({ listeners: [listener(other), listener(port)], connections, logger: silentLogger })
  await expect(listeners.open(() => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const again = createServer().listen(other, '127.0.0.1')
  await once(again, 'listening')
  await once(again.close(), 'close')
})
