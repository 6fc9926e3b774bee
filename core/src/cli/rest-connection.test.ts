import { createServer, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { exitCodes } from './cli-error.ts'
import { Output } from './output.ts'
import { whereAndWho, withRest } from './rest-connection.ts'

const quiet = new Output({ format: 'json', stdout: { write: () => true, once: () => undefined } })

test('the address: with a scheme or without, with a path, and never with the password in it', () => {
  expect(whereAndWho('worker:8083', {}).url).toBe('http://worker:8083')
  expect(whereAndWho('https://proxy/connect/', {}).url).toBe('https://proxy/connect')
  expect(whereAndWho('http://me:a%20b@worker:1', {})).toEqual({
    url: 'http://worker:1',
    authorization: `Basic ${Buffer.from('me:a b').toString('base64')}`,
  })
  expect(() => whereAndWho('ftp://me:secret@worker', {})).toThrow(/^--url: expected http:\/\/host:port$/)
})

test('who asks: the user of the environment, else its token', () => {
  const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`
  expect(whereAndWho('worker:1', { TIDEWIRE_USER: 'me', TIDEWIRE_PASSWORD: 'pw' }).authorization).toBe(basic)
  expect(whereAndWho('worker:1', { TIDEWIRE_TOKEN: 'abc' }).authorization).toBe('Bearer abc')
  expect(whereAndWho('worker:1', {}).authorization).toBeUndefined()
})

async function answering(status: number, body: string) {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, close: () => server.close() }
}

test.each([
  [401, 'TIDEWIRE_USER', exitCodes.failed],
  [403, 'it was so', exitCodes.failed],
  [404, 'it was so', exitCodes.notFound],
  [503, 'cannot do this now', exitCodes.unreachable],
])('status %i', async (status, message, exitCode) => {
  const server = await answering(status, JSON.stringify({ error_code: status, message: 'it was so' }))
  const failing = withRest({ url: server.url }, quiet, (rest) => rest.call('GET /admin/workers'), {})
  await expect(failing).rejects.toMatchObject({ exitCode, message: expect.stringContaining(message) as string })
  server.close()
})

test('a token that has expired is to blame only where it was sent', async () => {
  const server = await answering(401, '{"error_code": 401, "message": "it was so"}')
  const claims = Buffer.from('{"exp": 1}').toString('base64url')
  const refused = async (env: Record<string, string>) =>
    withRest({ url: server.url }, quiet, (rest) => rest.call('GET /health'), {
      TIDEWIRE_TOKEN: `e.${claims}.s`,
      ...env,
    })
  await expect(refused({})).rejects.toThrow('the token in TIDEWIRE_TOKEN expired at 1970-01-01T00:00:01.000Z')
  const user = { TIDEWIRE_USER: 'me', TIDEWIRE_PASSWORD: 'wrong' }
  await expect(refused(user)).rejects.toThrow(/set TIDEWIRE_USER and TIDEWIRE_PASSWORD.*\(it was so\)$/)
  server.close()
})

test('nobody there: which address was tried, and how to start a worker', async () => {
  const server = await answering(200, '')
  server.close()
  const failing = withRest({ url: server.url }, quiet, (rest) => rest.call('GET /health'), {})
  await expect(failing).rejects.toMatchObject({
    exitCode: exitCodes.unreachable,
    message: expect.stringMatching(`no worker answers at ${server.url} .*ECONNREFUSED.*tidewire start`) as string,
  })
})

test('a worker that says nothing is told with its address; one that works on its answer is waited for', async () => {
  let questions = 0
  let answer: (() => void) | undefined
  const server = createServer((request, response) => {
    if (request.url !== '/') answer = () => response.end('[]')
    else if (answer !== undefined && ++questions < 2) response.end('{}')
    else answer?.()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const workers = async (timeout: number) =>
    withRest({ url, timeout }, quiet, (rest) => rest.call('GET /admin/workers'), {})
  expect(await workers(2_000)).toEqual([])
  server.removeAllListeners('request')
  await expect(workers(50)).rejects.toMatchObject({
    exitCode: exitCodes.unreachable,
    message: expect.stringContaining(
      `no worker answers at ${url} (nothing came within 0.05 s: see --timeout)`,
    ) as string,
  })
  server.closeAllConnections()
  server.close()
})

test('certificates that cannot be used are errors of the command line', async () => {
  const trying = (options: object) =>
    withRest({ url: 'https://127.0.0.1:1', ...options }, quiet, (rest) => rest.call('GET /health'), {})
  await expect(trying({ cert: '/nowhere' })).rejects.toMatchObject({
    exitCode: exitCodes.usage,
    message: expect.stringContaining('--cert: /nowhere cannot be read') as string,
  })
  await expect(trying({ cert: import.meta.filename })).rejects.toMatchObject({
    exitCode: exitCodes.usage,
    message: expect.stringContaining('--cert, --key, --ca: ') as string,
  })
})

test.each([
  [404, '<html>', exitCodes.failed],
  [502, 'bad gateway', exitCodes.unreachable],
])('what is no worker is named: %i %s', async (status, body, exitCode) => {
  const server = await answering(status, body)
  const failing = withRest({ url: server.url }, quiet, (rest) => rest.call('GET /connectors'), {})
  await expect(failing).rejects.toMatchObject({
    exitCode,
    message: `${server.url} answers with HTTP ${status}, and not as a worker: is it one’s address?`,
  })
  server.close()
})

test.each([
  [405, 'HTTP 405 Method Not Allowed', /^the worker at http:\S+ lacks this call \(HTTP 405 Method Not Allowed\)/],
  [404, 'HTTP 404 Not Found', /^the worker at http:\S+ lacks this call \(HTTP 404 Not Found\)/],
  [413, 'HTTP 413 Request Entity Too Large', /^HTTP 413 Request Entity Too Large$/],
])('what a worker says in the words of HTTP is its answer: %i', async (status, said, message) => {
  const server = await answering(status, JSON.stringify({ error_code: status, message: said }))
  const failing = withRest({ url: server.url }, quiet, (rest) => rest.call('GET /admin/workers'), {})
  await expect(failing).rejects.toMatchObject({
    exitCode: exitCodes.failed,
    message: expect.stringMatching(message) as string,
  })
  server.close()
})

test('the login goes along, and numbers keep their digits', async () => {
  const server = await answering(200, '[{"connectors": 9007199254740993, "tasks": 1.50}]')
  const workers = await withRest({ url: server.url }, quiet, (rest) => rest.call('GET /admin/workers'), {
    TIDEWIRE_TOKEN: 'abc',
  })
  expect(server.seen[0]!.authorization).toBe('Bearer abc')
  expect(JSON.stringify(workers)).toBe('[{"connectors":9007199254740993,"tasks":1.50}]')
  server.close()
})
