/** The schema registry on Apache Kafka: its topic, its group, its transactions. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaMissing, testKafka, type TestKafka } from '../support/kafka.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

const missing = await kafkaMissing()

describe.skipIf(missing !== undefined)(`on Apache Kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  let kafka: TestKafka
  let registries: TestRegistry[]
  // A Kafka that others use too may have topics of these names.
  const own = { 'kafkastore.topic': `_schemas-${process.pid}`, 'schema.registry.group.id': `registry-${process.pid}` }

  beforeAll(async () => {
    kafka = await testKafka()
    registries = [await testRegistry(kafka.address, own)]
    registries.push(await testRegistry(kafka.address, own))
  })
  afterAll(async () => {
    await Promise.all(registries.map((each) => each.close()))
    await kafka.close()
  })

  test('two registries: what is registered with one is there with the other, and after a change of leaders', async () => {
    const [first, second] = registries as [TestRegistry, TestRegistry]
    const schema = (name: string) => ({ schema: JSON.stringify({ type: 'record', name, fields: [] }) })
    expect((await second.ask('POST', '/subjects/a/versions', schema('A'))).body).toMatchObject({ id: 1, version: 1 })
    expect((await second.ask('GET', '/subjects/a/versions/1')).body).toMatchObject({ id: 1 })
    expect((await first.ask('POST', '/subjects/b/versions', schema('A'))).body).toMatchObject({ id: 1, version: 1 })
    expect((await first.ask('GET', '/schemas/ids/1/subjects')).body).toEqual(['a', 'b'])
    expect((await second.ask('DELETE', '/subjects/b')).body).toEqual([1])
    expect((await first.ask('PUT', '/config/a', { compatibility: 'NONE' })).status).toBe(200)
    expect((await second.ask('GET', '/config/a')).body).toEqual({ compatibilityLevel: 'NONE' })

    await first.close()
    registries.shift()
    expect((await second.ask('POST', '/subjects/a/versions', schema('B'))).body).toMatchObject({ id: 2, version: 2 })
    const third = await testRegistry(kafka.address, own)
    registries.push(third)
    expect((await third.ask('GET', '/subjects?deleted=true')).body).toEqual(['a', 'b'])
    expect((await third.ask('GET', '/subjects/a/versions')).body).toEqual([1, 2])
  })
})
