/** The way to a store, with faults: requests that are refused, dropped, or done without an answer. */
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * `slow-down`: 503, as stores answer when they have too much to do. `drop`: the connection ends before the store has seen
 * the request. `lose-answer`: the store has done it, and the connection ends before the answer.
 */
export type S3Fault = 'pass' | 'slow-down' | 'drop' | 'lose-answer'

export interface S3Request {
  readonly method: string
  /** Path and query. */
  readonly url: string
}

export interface FaultyS3 {
  readonly endpoint: string
  /** All requests so far. */
  readonly requests: readonly S3Request[]
  /** What becomes of each request from now on. */
  decide(fault: (request: S3Request) => S3Fault): void
  close(): Promise<void>
}

export async function faultyS3(endpoint: string): Promise<FaultyS3> {
  const target = new URL(endpoint)
  const requests: S3Request[] = []
  let faultOf: (request: S3Request) => S3Fault = () => 'pass'
  const server = createServer((from, to) => {
    const seen = { method: from.method!, url: from.url! }
    requests.push(seen)
    const fault = faultOf(seen)
    if (fault === 'drop') from.socket.destroy()
    else if (fault === 'slow-down') refuse(from, to)
    else pass(target, from, to, fault === 'lose-answer')
  })
  // Bodies that are announced are asked for by whoever takes them.
  server.on('checkContinue', (from: IncomingMessage, to: ServerResponse) => {
    to.writeContinue()
    server.emit('request', from, to)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    decide: (fault) => {
      faultOf = fault
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function refuse(from: IncomingMessage, to: ServerResponse): void {
  from.resume()
  from.on('end', () => {
    to.writeHead(503, { 'content-type': 'application/xml' })
    to.end('<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>')
  })
}

function pass(target: URL, from: IncomingMessage, to: ServerResponse, isLost: boolean): void {
  const headers = { ...from.headers }
  delete headers.expect
  const on = request({ host: target.hostname, port: target.port, method: from.method, path: from.url, headers })
  on.on('response', (answer) => {
    if (isLost) {
      answer.resume()
      answer.on('end', () => from.socket.destroy())
      return
    }
    to.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(to)
  })
  on.on('error', () => from.socket.destroy())
  from.pipe(on)
}
