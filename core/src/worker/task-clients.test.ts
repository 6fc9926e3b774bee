import { expect, test } from 'vitest'
import type { LogClient } from '../client/client.ts'
import type { OwnClient } from './log-clients.ts'
import { openTaskClients } from './task-clients.ts'
import type { TaskSpec } from './task-spec.ts'

const shared = {} as LogClient

async function clientsOf(config: Record<string, string>, admin: Record<string, unknown> = {}) {
  const opened: OwnClient[] = []
  const open = (own: OwnClient): LogClient => {
    opened.push(own)
    return { ...shared }
  }
  const worker = { security: { 'security.protocol': 'PLAINTEXT' }, producer: {}, consumer: {}, admin }
  const spec = { connector: 'c', task: 0, config } as unknown as TaskSpec
  return { clients: await openTaskClients(spec, worker, shared, open), opened }
}

test('a task that says nothing has the clients of its thread', async () => {
  const { clients, opened } = await clientsOf({})
  expect(opened).toEqual([])
  for (const client of [clients.producer, clients.consumer, clients.admin]) expect(client).toBe(shared)
})

test('the admin client goes by its name and time limit, and is a client of its own then', async () => {
  const { clients, opened } = await clientsOf(
    { 'admin.override.client.id': 'mine', 'producer.override.client.id': 'other' },
    { 'client.id': 'worker', 'request.timeout.ms': 500 },
  )
  expect(opened).toEqual([{ clientId: 'mine', requestTimeoutMs: 500 }])
  expect(clients.admin).not.toBe(shared)
  expect([clients.producer, clients.consumer]).toEqual([shared, shared])
  expect(clients.producerOptions.clientId).toBe('other')
})
