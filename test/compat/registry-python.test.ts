/** confluent-kafka of Python: its schema registry client and its serializers, which nobody here wrote. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

const missing = await pythonMissing()

describe.skipIf(missing !== undefined)(`confluent-kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: TestBroker
  let registry: TestRegistry
  let scenario: Scenario
  const run = (name: string) => scenario('schema_registry_scenarios.py', name, registry.url)

  beforeAll(async () => {
    scenario = await pythonClients(['confluent-kafka[avro,json,schemaregistry]==2.16.0'])
    broker = await testBroker()
    registry = await testRegistry(broker.address)
  })
  afterAll(async () => {
    await registry.close()
    await broker.close()
  })

  test('Avro, there and back', async () => {
    expect(await run('avro')).toEqual({ magic: 0, value: { name: 'Ada' } })
    expect(await run('avro_references')).toEqual({ user: { name: 'Bo' } })
  })

  test('JSON Schema, there and back', async () => {
    expect(await run('json_schema')).toEqual({ magic: 0, value: { a: 1 } })
  })

  test('the client, call by call', async () => {
    expect(await run('registry')).toEqual({
      same: true,
      version: 1,
      'by id': true,
      subjects: expect.arrayContaining(['s']),
      versions: [1],
      compatible: [true, false],
      refused: [409, 40901],
      config: 'NONE',
      level: 'NONE',
      second: true,
      missing: [
        [404, 40401],
        [404, 40402],
        [404, 40403],
      ],
      deleted: [1, [2], [1, 2]],
    })
    expect(await run('metadata')).toEqual([1, { owner: 'me' }])
  })
})
