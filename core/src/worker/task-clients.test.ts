import { expect, test } from 'vitest'
import type { LogClient } from '../client/client.ts'
import type { OverridePolicy } from '../config/client-settings.ts'
import type { OwnClient } from './log-clients.ts'
import { openTaskClients } from './task-clients.ts'
import type { TaskSpec } from './task-spec.ts'

const shared = {} as LogClient

async function clientsOf(
  config: Record<string, string>,
  admin: Record<string, unknown> = {},
  overridePolicy: OverridePolicy = 'All',
) {
  const opened: OwnClient[] = []
  const open = (own: OwnClient): LogClient => {
    opened.push(own)
    return { ...shared }
  }
  const security = { 'security.protocol': 'PLAINTEXT' }
  const worker = { security, overridePolicy, producer: {}, consumer: {}, admin }
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

test('a config that the policy of the worker does not allow is refused, with the settings and the policy', async () => {
  const config = { 'producer.override.acks': '1', 'consumer.override.sasl.mechanism': 'PLAIN' }
  await expect(clientsOf(config, {}, 'None')).rejects.toThrow(
    "producer.override.acks: The 'None' policy does not allow 'acks' to be overridden in the connector configuration.\n" +
      "consumer.override.sasl.mechanism: The 'None' policy does not allow 'sasl.mechanism'",
  )
  const refused = await clientsOf(config, {}, 'Principal').catch((error: unknown) => error)
  expect(refused).toMatchObject({ name: 'ConfigError', setting: 'producer.override.acks' })
})
