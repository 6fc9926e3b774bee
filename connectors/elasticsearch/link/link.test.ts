import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { parseConfig, type RawConfig } from '@tidewire/sdk/testing'
import { expect, onTestFinished, test } from 'vitest'
import { elasticsearchSink } from '../sink/sink.ts'
import { openLink, pathOf, type ElasticsearchLink } from './link.ts'
import { askServer } from './server.ts'
import { checkLink, nodeUrls } from './settings.ts'

interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

type Respond = (request: Seen, response: ServerResponse) => void

async function listen(respond: Respond): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method, url, headers } = request
      const one = { method, url, headers, body: Buffer.concat(parts) }
      seen.push(one)
      respond(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const configOf = (config: RawConfig) => parseConfig(elasticsearchSink, config)

async function linkTo(config: RawConfig): Promise<ElasticsearchLink> {
  const link = await openLink(configOf(config))
  onTestFinished(() => link.close())
  return link
}

const json: Respond = (_, response) => {
  response.setHeader('content-type', 'application/json')
  response.end('{"n":9007199254740993}')
}
const signal = new AbortController().signal
const get = { method: 'GET', path: '/', what: 'looking' } as const

test('answers come as they are, of plain media types', async () => {
  const { url, seen } = await listen(json)
  const link = await linkTo({ 'connection.url': `${url}/under/` })
  expect(await link.get({ ...get, path: pathOf('a b', '_search'), query: { q: 1 } })).toBe('{"n":9007199254740993}')
  await link.ask({ method: 'POST', path: '/_bulk', body: Buffer.from('{}\n'), what: 'writing' })
  await link.ask({ method: 'PUT', path: '/x', body: '{}', what: 'making' })
  expect(seen.map(({ url }) => url)).toEqual(['/under/a%20b/_search?q=1', '/under/_bulk', '/under/x'])
  expect(seen.map(({ headers }) => headers.accept)).toEqual(Array(3).fill('application/json'))
  expect(seen.map(({ headers }) => headers['content-type']).slice(1)).toEqual([
    'application/x-ndjson',
    'application/json',
  ])
})

test.each([
  [{ 'connection.username': 'me', 'connection.password': 'p:w' }, `Basic ${btoa('me:p:w')}`],
  [{ 'connection.api.key': 'aWQ6a2V5' }, 'ApiKey aWQ6a2V5'],
])('logs in', async (login, header) => {
  const { url, seen } = await listen(json)
  const link = await linkTo({ 'connection.url': url, ...login })
  await link.get(get)
  expect(seen[0]!.headers.authorization).toBe(header)
})

test('requests are gzipped where that is asked for', async () => {
  const { url, seen } = await listen(json)
  const link = await linkTo({ 'connection.url': url, 'connection.compression': true })
  await link.ask({ method: 'POST', path: '/_bulk', body: Buffer.from('{"a":1}\n'), what: 'writing' })
  expect(seen[0]!.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(seen[0]!.body).toString()).toBe('{"a":1}\n')
})

test('a proxy is gone through, with its own login', async () => {
  const { url, seen } = await listen(json)
  const tunnels: [to: string | undefined, login: string | undefined][] = []
  const proxy = createServer().on('connect', (request, socket: Socket) => {
    tunnels.push([request.url, request.headers['proxy-authorization']])
    const onward = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    socket.on('error', () => onward.destroy())
    onward.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  const address = { 'proxy.host': '127.0.0.1', 'proxy.port': (proxy.address() as AddressInfo).port }
  const login = { 'proxy.username': 'p', 'proxy.password': 'w' }
  const link = await linkTo({ 'connection.url': 'http://search.example:9200', ...address, ...login })
  await link.get(get)
  expect(seen).toHaveLength(1)
  expect(tunnels).toEqual([['search.example:9200', `Basic ${btoa('p:w')}`]])
})

test('nodes that fail are asked less often than the others', async () => {
  const { url, seen } = await listen(json)
  const link = await linkTo({ 'connection.url': `http://127.0.0.1:1,${url}` })
  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => link.get(get)))
  expect(seen.length).toBeGreaterThan(0)
  expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { name: 'RetriableError', code: 'ELASTICSEARCH_UNREACHABLE' },
  })
})

test.each([
  ['no answer', (): void => undefined],
  [
    'one that stops in its middle',
    (_: Seen, response: ServerResponse): void => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
      response.write('{"a":')
    },
  ],
])('silence has a limit: %s', async (_, respond) => {
  const { url } = await listen(respond)
  const link = await linkTo({ 'connection.url': url, 'read.timeout.ms': 50 })
  await expect(link.get(get)).rejects.toMatchObject({ name: 'RetriableError' })
})

test('closing ends what is under way', async () => {
  const { url, seen } = await listen(() => undefined)
  const link = await linkTo({ 'connection.url': url })
  const asked = link.get(get)
  asked.catch(() => undefined)
  await expect.poll(() => seen.length).toBe(1)
  await link.close()
  await expect(asked).rejects.toThrow()
})

test.each([
  [401, 'security_exception', { name: 'ConfigError', code: 'ELASTICSEARCH_LOGIN_REFUSED' }],
  [403, 'security_exception', { name: 'ConfigError', code: 'ELASTICSEARCH_FORBIDDEN' }],
  [403, 'cluster_block_exception', { name: 'RetriableError', code: 'ELASTICSEARCH_BLOCKED' }],
  [404, 'index_not_found_exception', { name: 'ConnectError', code: 'ELASTICSEARCH_NOT_FOUND' }],
  [429, 'es_rejected_execution_exception', { name: 'RetriableError', code: 'ELASTICSEARCH_BUSY' }],
  [503, 'master_not_discovered_exception', { name: 'RetriableError', code: 'ELASTICSEARCH_UNAVAILABLE' }],
  [400, 'illegal_argument_exception', { name: 'ConnectError', code: 'ELASTICSEARCH_REFUSED' }],
])('status %i, %s', async (status, type, problem) => {
  const { url } = await listen((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { type, reason: 'for a reason', caused_by: { reason: 'deep' } }, status }))
  })
  const link = await linkTo({ 'connection.url': url })
  await expect(link.get(get)).rejects.toMatchObject({
    ...problem,
    message: expect.stringContaining(`looking: ${type}: for a reason: deep (status ${status})`) as string,
  })
})

test('a gateway’s own page is told as it is', async () => {
  const { url } = await listen((_, response) => {
    response.writeHead(502, { 'content-type': 'text/html' })
    response.end('<h1>Bad Gateway</h1>')
  })
  const link = await linkTo({ 'connection.url': url })
  await expect(link.get(get)).rejects.toThrow('looking: <h1>Bad Gateway</h1> (status 502)')
})

test.each([
  ['{"version":{"number":"9.5.3"}}', { product: 'Elasticsearch', version: '9.5.3' }],
  ['{"version":{"number":"3.8.0","distribution":"opensearch"}}', { product: 'OpenSearch', version: '3.8.0' }],
])('who the server is: %s', async (text, server) => {
  const { url } = await listen((_, response) => response.setHeader('content-type', 'application/json').end(text))
  expect(await askServer(await linkTo({ 'connection.url': url }), signal)).toEqual(server)
})

test('a server without GET / counts as Elasticsearch, another kind of server does not', async () => {
  const without = await listen((_, response) => response.writeHead(405).end())
  expect(await askServer(await linkTo({ 'connection.url': without.url }), signal)).toEqual({ product: 'Elasticsearch' })
  const other = await listen((_, response) => response.end('Apache2 Debian Default Page'))
  await expect(askServer(await linkTo({ 'connection.url': other.url }), signal)).rejects.toThrow(
    /neither Elasticsearch nor OpenSearch: Apache2/,
  )
})

test('a connection that is not made in time fails', async () => {
  // It takes connections, and never says anything of TLS.
  const silent = createTcpServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  onTestFinished(() => void silent.close())
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const link = await linkTo({ 'connection.url': url, 'connection.timeout.ms': 50 })
  await expect(link.get(get)).rejects.toThrow(/no connection within 50 ms/)
})

test('addresses without a protocol are http; where one has TLS, all have', () => {
  const urls = (list: string, more: RawConfig = {}) =>
    nodeUrls(configOf({ 'connection.url': list, ...more })).map(({ href }) => href)
  expect(urls('es1:9200,http://es2')).toEqual(['http://es1:9200/', 'http://es2/'])
  expect(urls('es1:9200,https://es2')).toEqual(['https://es1:9200/', 'https://es2/'])
  expect(urls('es1:9200', { 'elastic.security.protocol': 'SSL' })).toEqual(['https://es1:9200/'])
})

test.each([
  [{ 'connection.url': 'http://user:secret@es' }, 'connection.url'],
  [{ 'connection.url': 'ftp://es' }, 'connection.url'],
  [{ 'connection.url': 'http://' }, 'connection.url'],
  [{ 'connection.username': 'me' }, 'connection.password'],
  [{ 'connection.password': 'pw' }, 'connection.username'],
  [{ 'connection.api.key': 'k', 'connection.username': 'me', 'connection.password': 'pw' }, 'connection.api.key'],
  [{ 'proxy.username': 'p', 'proxy.password': 'w' }, 'proxy.host'],
  [{ 'elastic.https.ssl.truststore.location': 'ca.pem' }, 'elastic.security.protocol'],
] as readonly [RawConfig, string][])('%o is not right', (config, setting) => {
  // parseConfig would refuse it already.
  const { 'connection.url': url = 'http://es', ...others } = config
  const sound = configOf({ 'connection.url': 'http://es' })
  const problems = checkLink({ ...sound, ...others, 'connection.url': [String(url)] })
  expect(Object.keys(problems)).toEqual([setting])
  expect(JSON.stringify(problems)).not.toContain('secret')
})

test('a file of TLS that cannot be used is told by its setting', async () => {
  const tls = { 'connection.url': 'https://es', 'elastic.security.protocol': 'SSL' }
  const location = 'elastic.https.ssl.truststore.location'
  await expect(openLink(configOf({ ...tls, [location]: '/nowhere.pem' }))).rejects.toMatchObject({ setting: location })
  await expect(openLink(configOf({ ...tls, [location]: import.meta.filename }))).rejects.toThrow(
    /no certificate in PEM/,
  )
})
