/** One connection that speaks the protocol and does nothing by itself: no retries, no metadata, no reconnect. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { decodeResponse, encodeRequest } from '../../core/src/protocol/codec.ts'
import type { Api, RequestInput, ResponseOf } from '../../core/src/protocol/message.ts'

export class RawClient {
  readonly #socket: Socket
  readonly #waiting: { resolve: (frame: Buffer) => void; reject: (error: Error) => void }[] = []
  #received: Buffer = Buffer.alloc(0)
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection is closed'))
    })
  }

  /** @throws Error where nobody listens */
  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    const client = new RawClient(socket)
    await once(socket, 'connect')
    return client
  }

  /** Answers come in the order of the requests. Rejects when the connection ends before. */
  async request<A extends Api>(api: A, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
    if (this.#socket.destroyed) throw new Error('the connection is closed')
    const id = ++this.#correlationId
    const answer = new Promise<Buffer>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#socket.cork()
    for (const chunk of encodeRequest(api, version, id, 'raw', body)) this.#socket.write(chunk)
    this.#socket.uncork()
    const response = decodeResponse(api, version, await answer)
    if (response.correlationId !== id) throw new Error(`answer ${response.correlationId} to request ${id}`)
    return response.body
  }

  close(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readInt32BE(0)) {
      const end = 4 + this.#received.readInt32BE(0)
      this.#waiting.shift()?.resolve(this.#received.subarray(4, end))
      this.#received = this.#received.subarray(end)
    }
  }
}
