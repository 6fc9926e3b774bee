/** A network that breaks: connections through it end in the middle of whatever they carry. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface BreakingProxy {
  readonly port: number
  /** How many connections it has broken so far. */
  readonly broken: number
  /** From now on it breaks nothing. */
  heal(): void
  close(): Promise<void>
}

/** @param lifeBytes how many bytes, both ways together, a connection may carry before it is cut */
export async function breakingProxy(target: string, lifeBytes: () => number): Promise<BreakingProxy> {
  const separator = target.lastIndexOf(':')
  const to = { host: target.slice(0, separator), port: Number(target.slice(separator + 1)) }
  const sockets = new Set<Socket>()
  let broken = 0
  let healed = false
  const server = createServer((from) => {
    const on = connect(to)
    let left = lifeBytes()
    const cut = (): void => {
      for (const socket of [from, on]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    const pass = (target: Socket) => (chunk: Buffer) => {
      left -= chunk.length
      if (healed || left > 0) {
        target.write(chunk)
        return
      }
      target.write(chunk.subarray(0, Math.max(0, chunk.length + left)))
      broken++
      cut()
    }
    from.on('data', pass(on))
    on.on('data', pass(from))
    for (const socket of [from, on]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', cut)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get broken() {
      return broken
    },
    heal: () => {
      healed = true
    },
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
