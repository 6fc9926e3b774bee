/** What can go wrong between a client and an S3 server: answers that break off, and answers that refuse. */
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface BreakingProxy {
  readonly endpoint: string
  /** How many answers it broke off. */
  readonly broken: number
  /** Each answer ends, with its connection, after so many bytes of its body; undefined: none does. */
  breakAfter(bytes: number | undefined): void
  /** So many requests are answered with an error of S3's kind, and not passed on. */
  refuseNext(count: number, status?: number, code?: string): void
  close(): Promise<void>
}

/** @param target the server's endpoint. Requests keep their Host header, by which they are signed. */
export async function breakingProxy(target: string): Promise<BreakingProxy> {
  const { hostname, port: targetPort } = new URL(target)
  const sockets = new Set<Socket>()
  let limit: number | undefined
  let broken = 0
  let refusal = { left: 0, status: 503, code: 'SlowDown' }
  const pass = (from: IncomingMessage, to: ServerResponse): void => {
    if (refusal.left > 0) {
      refusal.left--
      from.resume()
      to.writeHead(refusal.status, { 'content-type': 'application/xml' })
      to.end(`<?xml version="1.0"?><Error><Code>${refusal.code}</Code><Message>not now</Message></Error>`)
      return
    }
    const { method, url, headers } = from
    const on = request({ hostname, port: targetPort, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers)
      let left = limit ?? Infinity
      answer.on('data', (chunk: Buffer) => {
        const piece = chunk.subarray(0, left)
        left -= piece.length
        if (!to.write(piece)) answer.pause()
        if (left > 0) return
        broken++
        answer.destroy()
        // What was written arrives, and then nothing.
        to.socket?.end()
      })
      to.on('drain', () => answer.resume())
      answer.on('end', () => to.end())
      answer.on('error', () => to.destroy())
    })
    on.on('error', () => to.destroy())
    to.on('close', () => on.destroy())
    from.pipe(on)
  }
  const server = createServer(pass)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  // Asked before a large body is sent.
  server.on('checkContinue', (from: IncomingMessage, to: ServerResponse) => {
    to.writeContinue()
    pass(from, to)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get broken() {
      return broken
    },
    breakAfter: (bytes) => (limit = bytes),
    refuseNext: (left, status = 503, code = 'SlowDown') => (refusal = { left, status, code }),
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
