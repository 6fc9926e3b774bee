/** Clients of REST that mean harm, or are broken: what each is answered, and that the worker goes on. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const maxConnections = 80
let broker: TestBroker
let worker: TestWorker
let port: number
const sockets: Socket[] = []

beforeAll(async () => {
  broker = await testBroker()
  worker = await testWorker(broker.address, {
    'rest.header.timeout.ms': '1000',
    'rest.request.timeout.ms': '2000',
    'rest.idle.timeout.ms': '1500',
    'rest.max.connections': String(maxConnections),
  })
  port = Number(new URL(worker.url).port)
  await worker.deploy('kept', source)
})
afterAll(async () => {
  await worker.close()
  await broker.close()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await until('the worker to answer as ever', async () => {
    const { status, body } = await worker.ask('GET', '/connectors').catch(() => ({ status: 0, body: undefined }))
    return status === 200 && (body as string[]).includes('kept')
  })
})

const source = { 'connector.class': 'file-source', file: '/nowhere/in', topic: 'lines' }

function open(): Socket {
  const socket = connect(port, '127.0.0.1')
  // A reset is an answer too.
  socket.on('error', () => undefined)
  sockets.push(socket)
  return socket
}

/** Everything that comes until the other side closes. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  // Not by events.once, which would take a reset for a failure.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString('latin1')
}

/** Sends this and no more; all that is answered until the connection is closed. */
async function exchange(...parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = open()
  for (const part of parts) socket.write(part)
  return untilClosed(socket)
}

const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
const head = (line: string, ...headers: readonly string[]): string =>
  [`${line} HTTP/1.1`, 'host: localhost', ...headers, '', ''].join('\r\n')
const json = (line: string, body: string | Buffer, ...headers: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(
      head(
        line,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(body)}`,
        'connection: close',
        ...headers,
      ),
    ),
    Buffer.from(body),
  ])

describe('bodies', () => {
  test.each([
    ['half of it', '{"name": "x", "config": {'],
    ['a number that is none', '{"name": 01}'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['a null byte', '{"name": "a\u0000b"}'],
    ['half a surrogate pair in a name', '{"name": "\\ud800", "config": {"connector.class": "file-source"}}'],
    ['depth in place of an object', `${'['.repeat(400_000)}${']'.repeat(400_000)}`],
    ['depth in place of a value', `{"name": "x", "config": {"a": ${'['.repeat(400_000)}${']'.repeat(400_000)}}}`],
    ['depth with no end', '{"a":'.repeat(200_000)],
    ['a prototype in place of a config', '{"name": "x", "config": null, "__proto__": {"config": {}}}'],
    ['nothing that is needed', '{"constructor": {"prototype": {"isAdmin": true}}}'],
  ])('%s: 400', async (_, body) => {
    const answer = await exchange(json('POST /connectors', body))
    expect(statuses(answer)).toEqual([400])
    expect(answer).toContain('{"error_code":400,"message":"')
    expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false)
  })

  test('a config with the names of what every object has is a config like any other', async () => {
    const config = `{"connector.class": "file-source", "file": "/nowhere/in", "topic": "lines", "__proto__": "a", "constructor": "b", "toString": "c"}`
    expect(statuses(await exchange(json('PUT /connectors/proto/config', config)))).toEqual([201])
    const { body } = await worker.ask('GET', '/connectors/proto/config')
    expect(Object.keys(body as object)).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'toString']))
    expect((await worker.ask('DELETE', '/connectors/proto')).status).toBe(204)
  })

  test('100 MB that are announced: 413 before they come', async () => {
    const socket = open()
    socket.write(head('POST /connectors', 'content-type: application/json', `content-length: ${100 * 1024 * 1024}`))
    const answer = await untilClosed(socket)
    expect(statuses(answer)).toEqual([413])
  })

  test.each(['content-length: 104857600', 'transfer-encoding: chunked'])(
    '100 MB that come, with %s: 413, and they are not kept',
    async (framing) => {
      const socket = open()
      const answered = untilClosed(socket)
      const part = Buffer.alloc(1024 * 1024, ' ')
      const chunk = framing.startsWith('t')
        ? Buffer.concat([Buffer.from('100000\r\n'), part, Buffer.from('\r\n')])
        : part
      socket.write(head('POST /connectors', 'content-type: application/json', framing))
      for (let sent = 0; sent < 100 && !socket.destroyed; sent++) {
        if (!socket.write(chunk))
          await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), answered])
      }
      expect(statuses(await answered)).toEqual([413])
    },
  )

  test('more large bodies than there is room for: those beyond are told to come again, the others go on', async () => {
    const large = Array.from({ length: 70 }, () => open())
    const answers = large.map((socket) => untilClosed(socket))
    const begun = head('POST /connectors', 'content-type: application/json', 'transfer-encoding: chunked')
    for (const socket of large) socket.write(`${begun}1\r\n \r\n`)
    const first = await Promise.race(large.map((socket) => new Promise<Buffer>((data) => socket.once('data', data))))
    expect(first.toString()).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 1\r\n/)
    expect((await worker.ask('GET', '/connectors')).status).toBe(200)
    expect((await Promise.all(answers)).map((answer) => statuses(answer)[0]).sort()).toEqual([
      ...(Array(64).fill(408) as number[]),
      ...(Array(6).fill(503) as number[]),
    ])
  })

  test.each([
    [
      'an end that never comes',
      head('POST /connectors', 'content-type: application/json', 'transfer-encoding: chunked') + '5\r\n{"a":\r\n',
    ],
    [
      'a length that is never reached',
      head('POST /connectors', 'content-type: application/json', 'content-length: 100') + '{',
    ],
  ])('%s: 408', async (_, text) => {
    expect(statuses(await exchange(text))).toEqual([408])
  })

  test('drop by drop: 408, whatever comes', async () => {
    const socket = open()
    socket.write(head('POST /connectors', 'content-type: application/json', 'content-length: 100000'))
    const answered = untilClosed(socket)
    while (!socket.closed) {
      socket.write(' ')
      await sleep(50)
    }
    expect(statuses(await answered)).toEqual([408])
  })
})

describe('heads', () => {
  test('drop by drop, on many connections: 408 for each, while others are answered', async () => {
    const dawdling = Array.from({ length: maxConnections / 2 }, () => open())
    const answers = dawdling.map((socket) => untilClosed(socket))
    for (const socket of dawdling) socket.write('GET /connectors HTTP/1.1\r\nhost: localhost\r\n')
    let answeredMeanwhile = 0
    while (dawdling.some((socket) => !socket.closed)) {
      for (const socket of dawdling) if (!socket.closed) socket.write('x: y\r\n')
      expect((await worker.ask('GET', '/connectors')).status).toBe(200)
      answeredMeanwhile++
      await sleep(20)
    }
    expect(answeredMeanwhile).toBeGreaterThan(1)
    expect((await Promise.all(answers)).map(statuses)).toEqual(dawdling.map(() => [408]))
  })

  test('connections that say nothing are closed', async () => {
    expect(statuses(await exchange())).toEqual([408])
  })

  test.each([
    ['one header', head('GET /connectors', `x: ${'y'.repeat(20_000)}`)],
    ['many headers', head('GET /connectors', ...Array.from({ length: 5000 }, (_, i) => `x${i}: y`))],
    ['the path', head(`GET /connectors/${'a'.repeat(20_000)}`)],
  ])('too large by %s: 431', async (_, text) => {
    const answer = await exchange(text)
    expect(statuses(answer)).toEqual([431])
    expect(answer).toContain('{"error_code":431,')
  })

  test('more connections than there may be: those beyond are closed, and there is room again when some end', async () => {
    const many = Array.from({ length: maxConnections + 20 }, () => open())
    await until('20 to be closed', () => many.filter((socket) => socket.closed).length >= 20)
    for (const socket of many) socket.destroy()
    await until('an answer', async () => (await worker.ask('GET', '/').catch(() => undefined))?.status === 200)
  })

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS handshake', Buffer.from('16030100a5010000a10303', 'hex')],
    ['no host', 'GET /connectors HTTP/1.1\r\n\r\n'],
    ['a header with a control character', head('GET /connectors', 'x: a\u0001b')],
    ['a method of its own', head('STEAL /connectors')],
    ['a space in the path', head('GET /connectors /kept')],
  ])('%s: 400', async (_, text) => {
    expect(statuses(await exchange(text))).toEqual([400])
  })

  test.each([
    ['TRACE', [404]],
    ['OPTIONS', [404]],
    // A tunnel to wherever: there is nobody to answer that.
    ['CONNECT', []],
  ])('%s', async (method, answered) => {
    expect(statuses(await exchange(head(`${method} /connectors/kept`, 'connection: close')))).toEqual(answered)
  })
})

describe('requests within requests', () => {
  const inner = head('DELETE /connectors/kept')
  const post = (...headers: readonly string[]): string =>
    head('POST /connectors', 'content-type: application/json', ...headers)
  test.each([
    ['both a length and chunks', `${post('content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n${inner}`],
    ['two lengths', `${post('content-length: 0', `content-length: ${inner.length}`)}${inner}`],
    ['a length with a sign', `${post('content-length: +4')}null${inner}`],
    ['a length that is none', `${post('content-length: 4, 4')}null${inner}`],
    ['chunks that are something else', `${post('transfer-encoding: xchunked')}${inner}`],
    ['chunks that are not the last', `${post('transfer-encoding: chunked, identity')}0\r\n\r\n${inner}`],
    ['a space before the colon', `${post('transfer-encoding : chunked')}0\r\n\r\n${inner}`],
    ['a folded header', `${post('x: y', ' transfer-encoding: chunked')}0\r\n\r\n${inner}`],
    ['a chunk larger than numbers are', `${post('transfer-encoding: chunked')}fffffffffffffffff\r\n${inner}`],
    ['a chunk with no size', `${post('transfer-encoding: chunked')}g\r\n${inner}`],
    ['lines that end in one character', `${post('content-length: 0').replaceAll('\r\n', '\n')}${inner}`],
    ['a carriage return alone', `${post('x: y\rcontent-length: 0')}${inner}`],
  ])('%s: 400 for all of it, and the one within is not carried out', async (_, text) => {
    const answer = await exchange(text)
    expect([...new Set(statuses(answer))]).toEqual([400])
    expect((await worker.ask('GET', '/connectors/kept')).status).toBe(200)
  })

  test.each([
    ['GET', 'x-http-method-override: DELETE'],
    ['GET', 'x-http-method: DELETE'],
    ['GET', 'x-method-override: DELETE'],
  ])('%s with %s is what it is', async (method, header) => {
    const answer = await exchange(head(`${method} /connectors/kept?_method=DELETE`, header, 'connection: close'))
    expect(statuses(answer)).toEqual([200])
    expect((await worker.ask('GET', '/connectors/kept')).status).toBe(200)
  })

  test('an offer to change the protocol is not taken', async () => {
    const offer = head('GET /connectors', 'connection: upgrade', 'upgrade: h2c')
    const socket = open()
    socket.write(offer)
    const [data] = (await once(socket, 'data')) as [Buffer]
    expect(statuses(data.toString())).toEqual([200])
  })

  test('a thousand requests in one go are answered one by one', async () => {
    const all = head('GET /connectors').repeat(999) + head('GET /connectors', 'connection: close')
    expect(statuses(await exchange(all))).toEqual(Array(1000).fill(200))
  })
})

describe('names and paths', () => {
  test.each([
    ['/connectors/../admin/workers', 404],
    ['/connectors/..%2fadmin%2fworkers', 404],
    ['/connectors/%2e%2e/%2e%2e/etc/passwd', 404],
    ['/connectors/kept/../../admin/workers', 404],
    ['/connectors/kept%2fconfig', 404],
    ['/connectors/kept%00', 404],
    ['/connectors/%00', 404],
    ['/connectors/%', 400],
    ['/connectors/%zz', 400],
    ['/connectors/%c3%28', 400],
    ['/connectors//kept', 404],
    ['//connectors', 404],
    ['/CONNECTORS', 404],
    ['/connectors/kept;jsessionid=1', 404],
    ['/connectors/kept\\config', 404],
    ['http://evil.example/connectors/none', 404],
    ['/connectors/__proto__', 404],
    ['/connector-plugins/..%2f..%2fpackage/config', 404],
    ['/connectors/kept/tasks/__proto__/status', 404],
    ['/connectors/kept/tasks/-1/status', 404],
    ['/connectors/kept?expand=%00&expand[]=x&__proto__[a]=b', 200],
  ])('GET %s: %i', async (path, status) => {
    expect(statuses(await exchange(head(`GET ${path}`, 'connection: close')))).toEqual([status])
  })

  test.each([
    '../../etc/passwd',
    'a/b',
    'a\\b',
    '..',
    '.',
    '%2f',
    '名前',
    '🌊',
    'ｅｖｉｌ',
    'a\u202eb',
    'a b',
    "'; DROP TABLE x; --",
    '<script>',
  ])('a connector may be named %j, and is reached by that name alone', async (name) => {
    const path = `/connectors/${encodeURIComponent(name).replaceAll('.', '%2E')}`
    const created = await exchange(json('POST /connectors', JSON.stringify({ name, config: source })))
    expect(statuses(created)).toEqual([201])
    expect(statuses(await exchange(head(`GET ${path}/status`, 'connection: close')))).toEqual([200])
    expect(statuses(await exchange(head(`DELETE ${path}`, 'connection: close')))).toEqual([204])
    expect((await worker.ask('GET', '/connectors')).body).toEqual(['kept'])
  })

  test.each(['', ' ', 'a\nb', 'a\r\nX-Evil: 1', '\u0007', 'x'.repeat(1001)])(
    'a connector cannot be named %j',
    async (name) => {
      const answer = await exchange(json('POST /connectors', JSON.stringify({ name, config: source })))
      expect(statuses(answer)).toEqual([400])
      expect(answer).not.toMatch(/^x-evil/im)
    },
  )

  test('many that create the same one at once: one does, the others are told that it is there', async () => {
    const all = await Promise.all(
      Array.from({ length: 30 }, () => worker.ask('POST', '/connectors', { name: 'same', config: source })),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...(Array(29).fill(409) as number[])])
    expect((await worker.ask('DELETE', '/connectors/same')).status).toBe(204)
  })

  test('many that write, change and delete the same one at once: it ends as one of them left it', async () => {
    const asked = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 5 === 4
          ? worker.ask('DELETE', '/connectors/shared')
          : worker.ask('PUT', '/connectors/shared/config', { ...source, topic: `t${i}`, 'batch.size': String(i + 1) }),
      ),
    )
    expect(asked.filter(({ status }) => ![200, 201, 204, 404].includes(status))).toEqual([])
    const last = await worker.ask('PUT', '/connectors/shared/config', { ...source, topic: 'last' })
    expect([200, 201]).toContain(last.status)
    const { body } = await worker.ask('GET', '/connectors/shared/config')
    expect(body).toEqual({ ...source, topic: 'last', name: 'shared' })
    await worker.reaches('shared', 'RUNNING', 1)
    expect((await worker.ask('DELETE', '/connectors/shared')).status).toBe(204)
  })
})

test('a client that asks for much and reads nothing of it is closed', async () => {
  const socket = open()
  await once(socket, 'connect')
  // More than the buffers of both sides hold.
  for (let i = 0; i < 500; i++) socket.write(head('GET /openapi.json'))
  await until('its end', () => {
    // Whoever does not read learns of the end by writing only.
    if (!socket.closed) socket.write('x')
    return socket.closed
  })
})

test('an answer that takes longer than a connection may be silent is waited for', async () => {
  const { status, body } = await worker.ask('POST', '/connectors/preview', {
    config: { ...source, name: 'slow' },
    timeoutMs: 2500,
  })
  expect([status, (body as { ended: string }).ended]).toEqual([200, 'timeout'])
})

test('a connection that is silent between two requests is closed', async () => {
  expect(statuses(await exchange(head('GET /connectors')))).toEqual([200])
})

test('a client that leaves before its answer: the write is carried out, and nothing is left behind', async () => {
  for (let i = 0; i < 20; i++) {
    const socket = open()
    socket.write(json('POST /connectors', JSON.stringify({ name: `left-${i}`, config: source })))
    socket.end()
    socket.destroySoon()
  }
  await until('all of them', async () => ((await worker.ask('GET', '/connectors')).body as string[]).length === 21)
  for (let i = 0; i < 20; i++) expect((await worker.ask('DELETE', `/connectors/left-${i}`)).status).toBe(204)
})
