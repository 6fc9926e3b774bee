/** The schema registry client of kafkajs, which nobody here wrote. */
import { SchemaRegistry, SchemaType, COMPATIBILITY } from '@kafkajs/confluent-schema-registry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

let broker: TestBroker
let registry: TestRegistry
let client: SchemaRegistry

beforeAll(async () => {
  broker = await testBroker()
  registry = await testRegistry(broker.address)
  client = new SchemaRegistry({ host: registry.url })
})

afterAll(async () => {
  await registry.close()
  await broker.close()
})

const avro = (fields: readonly object[]) =>
  ({ type: SchemaType.AVRO, schema: JSON.stringify({ type: 'record', name: 'User', namespace: 'x', fields }) }) as const

test('Avro: registers, encodes, decodes, looks up', async () => {
  const schema = avro([{ name: 'name', type: 'string' }])
  const { id } = await client.register(schema, { subject: 'users-value', compatibility: COMPATIBILITY.FULL })
  expect((await registry.ask('GET', '/config/users-value')).body.compatibilityLevel).toBe('FULL')
  const bytes = await client.encode(id, { name: 'Ada' })
  expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, id])
  // Another client has to ask the registry for the schema.
  expect(await new SchemaRegistry({ host: registry.url }).decode(bytes)).toEqual({ name: 'Ada' })
  expect(await client.getLatestSchemaId('users-value')).toBe(id)
  expect(await client.getRegistryId('users-value', 1)).toBe(id)
  expect(await client.getRegistryIdBySchema('users-value', schema)).toBe(id)
})

test('Avro: an incompatible schema is refused in the words that the client knows', async () => {
  await client.register(avro([{ name: 'name', type: 'string' }]), { subject: 'strict' })
  const next = avro([
    { name: 'name', type: 'string' },
    { name: 'age', type: 'int' },
  ])
  await expect(client.register(next, { subject: 'strict' })).rejects.toThrow(/incompatible with an earlier schema/)
})

test('Avro: references', async () => {
  await client.register(avro([{ name: 'name', type: 'string' }]), { subject: 'inner' })
  const outer = {
    type: SchemaType.AVRO as const,
    schema: JSON.stringify({ type: 'record', name: 'Order', fields: [{ name: 'user', type: 'x.User' }] }),
    references: [{ name: 'x.User', subject: 'inner', version: 1 }],
  }
  const { id } = await client.register(outer, { subject: 'outer' })
  const bytes = await client.encode(id, { user: { name: 'Bo' } })
  expect(await new SchemaRegistry({ host: registry.url }).decode(bytes)).toEqual({ user: { name: 'Bo' } })
})

test('JSON Schema', async () => {
  const schema = JSON.stringify({ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] })
  const { id } = await client.register({ type: SchemaType.JSON, schema }, { subject: 'json' })
  const bytes = await client.encode(id, { a: 1 })
  expect(await new SchemaRegistry({ host: registry.url }).decode(bytes)).toEqual({ a: 1 })
})

test('Protobuf', async () => {
  const schema = 'syntax = "proto3"; package p; message M { string a = 1; repeated int32 n = 2; }'
  const { id } = await client.register({ type: SchemaType.PROTOBUF, schema }, { subject: 'proto' })
  const bytes = await client.encode(id, { a: 'z', n: [1, 2] })
  expect(await new SchemaRegistry({ host: registry.url }).decode(bytes)).toMatchObject({ a: 'z', n: [1, 2] })
})

test('what is not there has the status that the client looks for', async () => {
  await expect(client.getSchema(12_345)).rejects.toThrow(/not found/)
  await expect(client.getLatestSchemaId('nobody')).rejects.toThrow(/not found/)
})
