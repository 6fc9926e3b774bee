import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { reencrypt } from './cluster.ts'
import { Output } from './output.ts'
import { withRest } from './rest-connection.ts'

let close = (): void => undefined
afterEach(() => close())

/** What is printed where the worker answers so. */
async function reencrypted(answer: object): Promise<{ printed: string; failure: unknown }> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  close = () => {
    server.close()
    server.closeAllConnections()
  }
  let printed = ''
  const stdout = { once: () => undefined, write: (text: string) => ((printed += text), true) }
  const out = new Output({ format: 'table', stdout, env: {} })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const failure: unknown = await withRest({ url }, out, (rest) => reencrypt(rest, out), {}).catch(
    (error: unknown) => error,
  )
  return { printed, failure }
}

test('cluster reencrypt tells what became of each connector’s secrets', async () => {
  const { printed, failure } = await reencrypted({ a: 'reencrypted', b: 'current' })
  expect(printed.trim().split(/\n/)).toEqual([
    expect.stringMatching(/^CONNECTOR +SECRETS$/),
    expect.stringMatching(/^a +reencrypted$/),
    expect.stringMatching(/^b +current$/),
  ])
  expect(failure).toBeUndefined()
})

test('and fails where some are of a key that the leader does not have', async () => {
  const { printed, failure } = await reencrypted({ a: 'reencrypted', b: 'unreadable' })
  expect(printed).toMatch(/b +unreadable/)
  expect(String(failure)).toContain('secrets of b are encrypted with a key that the leader does not have')
})
