import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { exitCodes } from './cli-error.ts'
import { withLog } from './log-connection.ts'

const sockets: Socket[] = []
let close = (): void => undefined
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  close()
})

/** Takes connections, and says nothing. */
async function silent(): Promise<string> {
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  close = () => void server.close()
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const never = (): Promise<void> => Promise.reject(new Error('not reached'))

test('a log that says nothing is told with its address, and how to wait longer', async () => {
  const bootstrap = await silent()
  await expect(withLog({ bootstrap, timeout: 2000 }, never)).rejects.toMatchObject({
    exitCode: exitCodes.unreachable,
    message: expect.stringMatching(
      `^${bootstrap} takes connections, and has not answered as a log for 2 s: --timeout`,
    ) as string,
  })
})

test('where nobody listens each address is told with what was wrong there', async () => {
  const bootstrap = await silent()
  close()
  await expect(withLog({ bootstrap: `${bootstrap}, localhost:1` }, never)).rejects.toMatchObject({
    exitCode: exitCodes.unreachable,
    message: expect.stringContaining(`no log answers at ${bootstrap} (ECONNREFUSED), localhost:1 (`) as string,
  })
})

test('what is no address is an error of the command line', async () => {
  await expect(withLog({ bootstrap: 'somewhere' }, never)).rejects.toMatchObject({
    exitCode: exitCodes.usage,
    message: '--bootstrap: somewhere is not host:port',
  })
})
