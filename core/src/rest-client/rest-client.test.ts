import { createServer, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { NoAnswerError, RestClient, RestClientError } from './rest-client.ts'
import { eventsOf, linesOf } from './server-events.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function clientOf(listener: RequestListener, options: { authorization?: string } = {}): Promise<RestClient> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new RestClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ...options })
}

async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text, 'latin1')
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('a call', () => {
  test('fills in path, query and body, and gives the answer', async () => {
    const seen: unknown[] = []
    const client = await clientOf(
      (request, response) => {
        void request.toArray().then((body: Buffer[]) => {
          seen.push([request.method, request.url, request.headers.authorization, Buffer.concat(body).toString()])
          response.end('{"name":"x"}')
        })
      },
      { authorization: 'Bearer t' },
    )
    const path = { name: 'a/b ü' }
    expect(await client.call('PUT /connectors/{name}/config', { path, body: { 'tasks.max': 1 } })).toEqual({
      name: 'x',
    })
    await client.call('GET /connectors', { query: { expand: ['status', 'info'] } })
    await client.call('POST /connectors/{name}/restart', { path, query: { includeTasks: true } })
    expect(seen).toEqual([
      ['PUT', '/connectors/a%2Fb%20%C3%BC/config', 'Bearer t', '{"tasks.max":1}'],
      ['GET', '/connectors?expand=status&expand=info', 'Bearer t', ''],
      ['POST', '/connectors/a%2Fb%20%C3%BC/restart?includeTasks=true', 'Bearer t', ''],
    ])
  })

  test('without a body in the answer gives undefined', async () => {
    const client = await clientOf((_, response) => response.writeHead(204).end())
    expect(await client.call('PUT /admin/drain')).toBeUndefined()
  })

  test('fails with what the worker said, and when to try again', async () => {
    const client = await clientOf((request, response) => {
      if (request.url === '/') response.writeHead(502).end('bad gateway')
      else response.writeHead(409, { 'retry-after': '3' }).end('{"error_code":409,"message":"a rebalance"}')
    })
    const failing = client.call('GET /connectors')
    await expect(failing).rejects.toBeInstanceOf(RestClientError)
    await expect(failing).rejects.toMatchObject({ status: 409, errorCode: 409, retryAfter: 3, message: 'a rebalance' })
    // What stands between may answer in its own way.
    await expect(client.call('GET /')).rejects.toMatchObject({
      status: 502,
      errorCode: undefined,
      message: 'bad gateway',
    })
  })

  test('to where nobody listens names the URL', async () => {
    const client = await clientOf(() => undefined)
    server!.close()
    const failing = client.call('GET /')
    await expect(failing).rejects.toBeInstanceOf(NoAnswerError)
    await expect(failing).rejects.toThrow(/^no answer from http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/)
  })

  test('ends with the reason of its signal', async () => {
    const client = await clientOf(() => undefined)
    const given = new AbortController()
    const failing = client.call('GET /', { signal: given.signal })
    given.abort(new Error('enough'))
    await expect(failing).rejects.toThrow('enough')
  })

  test('tells warnings', async () => {
    const told: string[] = []
    const { url } = await clientOf((_, response) => {
      response.setHeader('warning', `299 tidewire "a, b", 299 tidewire "c"`)
      response.end('{}')
    })
    await new RestClient({ url, onWarning: (text) => void told.push(text) }).call('GET /')
    expect(told).toEqual(['a, b', 'c'])
  })
})

describe('what comes piece by piece', () => {
  test('is given line by line', async () => {
    const client = await clientOf((_, response) => response.end('{"offset":1}\n{"done":true}\n'))
    const path = { name: 'x' }
    expect(await all(client.lines('POST /connectors/{name}/dlq/redrive', { path }))).toEqual([
      { offset: 1 },
      { done: true },
    ])
  })

  test('that breaks off is an error', async () => {
    const client = await clientOf((_, response) => {
      response.write('{"offset":1}\n', () => response.destroy())
    })
    const lines = client.lines('POST /connectors/{name}/dlq/redrive', { path: { name: 'x' } })
    await expect(all(lines)).rejects.toBeInstanceOf(NoAnswerError)
  })

  test('is not sent on to one who has stopped reading', async () => {
    const gone = Promise.withResolvers<void>()
    const client = await clientOf((_, response) => {
      response.once('close', () => gone.resolve())
      response.write('{"offset":1}\n')
    })
    for await (const line of client.lines('POST /connectors/{name}/dlq/redrive', { path: { name: 'x' } })) {
      expect(line).toEqual({ offset: 1 })
      break
    }
    await gone.promise
  })

  test('lines are whole, wherever the chunks end', async () => {
    const bytes = Buffer.from('größe\r\nb\n\nc').toString('latin1')
    expect(await all(linesOf(chunksOf(...bytes.split(''))))).toEqual(['größe', 'b', '', 'c'])
  })

  test('events have id, name and data', async () => {
    const text = ': heartbeat\n\nid: 7\nevent: status\ndata: {"a":\ndata: 1}\n\ndata:x\n\nevent: cut\ndata: off'
    const events = [
      { id: '7', event: 'status', data: '{"a":\n1}' },
      { id: '7', event: 'message', data: 'x' },
    ]
    expect(await all(eventsOf(chunksOf(text)))).toEqual(events)
    expect(await all(eventsOf(chunksOf(...text.split(''))))).toEqual(events)
  })
})
