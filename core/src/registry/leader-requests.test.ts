import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { LeaderRequests } from './leader-requests.ts'

async function withLeader(handle: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer({ keepAliveTimeout: 60_000 }, handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const remove = { method: 'DELETE', path: '/subjects/a', headers: {}, body: '' }

test('a leader that closes connections after an answer is asked again all the same', async () => {
  const answered = new WeakSet<object>()
  let requests = 0
  const requestsMade = new LeaderRequests({ connectTimeoutMs: 5000, readTimeoutMs: 5000 })
  await withLeader(
    (request, response) => {
      // As when its time for idle connections ends in the moment in which the next request comes.
      if (answered.has(request.socket)) return void request.socket.destroy()
      answered.add(request.socket)
      requests++
      response.end('[1]')
    },
    async (url) => {
      for (let i = 0; i < 3; i++) {
        expect(await requestsMade.ask(url, remove, () => true)).toEqual({ status: 200, body: '[1]' })
      }
    },
  )
  expect(requests).toBe(3)
  requestsMade.close()
})

test('whether the leader may have got the request is told', async () => {
  const requests = new LeaderRequests({ connectTimeoutMs: 5000, readTimeoutMs: 5000 })
  await withLeader(
    (request) => request.socket.destroy(),
    async (url) => {
      await expect(requests.ask(url, remove, () => true)).rejects.toMatchObject({ wasSent: true })
    },
  )
  await expect(requests.ask('http://127.0.0.1:1', remove, () => true)).rejects.toMatchObject({ wasSent: false })
  requests.close()
})
