/** An address that stays while what is behind it changes, as a load balancer's or a virtual one does. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface MovingAddress {
  readonly port: number
  /** Ends the connections there are; new ones go to that port of loopback, or end at once where there is none. */
  moveTo(port: number | undefined): void
  close(): Promise<void>
}

export async function movingAddress(to: number): Promise<MovingAddress> {
  const sockets = new Set<Socket>()
  let target: number | undefined = to
  const server = createServer((from) => {
    if (target === undefined) {
      from.destroy()
      return
    }
    const on = connect(target, '127.0.0.1')
    const end = (): void => {
      for (const socket of [from, on]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    for (const socket of [from, on]) {
      sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    from.pipe(on)
    on.pipe(from)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    moveTo: (port) => {
      target = port
      endAll()
    },
    close: async () => {
      server.close()
      endAll()
      await once(server, 'close')
    },
  }
}
