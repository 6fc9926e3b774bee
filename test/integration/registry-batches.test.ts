/** Writes that the registry carries out in one transaction: what each is answered rests on what is in the log alone. */
import { expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { parseRegistryConfig } from '../../core/src/config/registry-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { LeaderRequests } from '../../core/src/registry/leader-requests.ts'
import { Registry } from '../../core/src/registry/registry.ts'
import { loadFormat } from '../../core/src/schemas/load-format.ts'
import { testBroker } from '../support/broker.ts'
import { until } from '../support/until.ts'

test('a refusal for the sake of a write that the log then refuses is none', async () => {
  const broker = await testBroker()
  const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  const topic = { topic: '_schemas', partitions: 1, replicationFactor: 1 }
  await client.admin.createTopics([{ ...topic, config: { 'max.message.bytes': '2000' } }])
  const registry = new Registry({
    client,
    config: parseRegistryConfig({}).config,
    identity: { scheme: 'http', host: '127.0.0.1', port: 1, eligible: true },
    requests: new LeaderRequests({ connectTimeoutMs: 1000, readTimeoutMs: 1000 }),
    loadFormat,
    logger: silentLogger,
  })
  await registry.start()
  await registry.parser.load('AVRO')
  await until('it leads', () => registry.leads)

  const register = async (subject: string, schema: object) => {
    const given = { schemaType: 'AVRO', schema: JSON.stringify(schema), references: [], version: 0, id: -1 } as const
    const changed = await registry.change({
      passed: { method: 'POST', path: '/', headers: {}, body: '' },
      principal: undefined,
      isPassedOn: false,
      isIdempotent: true,
      decide: (writes) => writes.register(subject, given, { normalize: false, force: false }),
    })
    return 'answer' in changed ? changed.answer.version : undefined
  }
  // The first is written at once; the others gather meanwhile, and are decided together.
  const answers = await Promise.allSettled([
    register('first', { type: 'string' }),
    register('s', { type: 'record', name: 'R', fields: [], doc: 'd'.repeat(3000) }),
    // With the one before in the log it would be incompatible.
    register('s', { type: 'int' }),
    // With the one before it is.
    register('s', { type: 'string', name: 'S' }),
  ])
  expect(answers).toMatchObject([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: { code: 42209 } },
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: { code: 40901 } },
  ])
  expect(registry.state.versions('s', 'all').map(({ schema }) => schema)).toEqual(['"int"'])

  await registry.close()
  await client.close()
  await broker.close()
})
