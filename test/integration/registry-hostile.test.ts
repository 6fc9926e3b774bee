/** The schema registry with clients that mean no good, clients that are turned away, and many subjects. */
import { connect } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { schemaRecord } from '../../core/src/registry/schema-records.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

let broker: TestBroker
let registry: TestRegistry

beforeAll(async () => {
  broker = await testBroker()
  registry = await testRegistry(broker.address)
})

afterAll(async () => {
  await registry.close()
  await broker.close()
})

const put = (schema: string, schemaType = 'AVRO') =>
  registry.ask('POST', '/subjects/hostile/versions', { schema, schemaType })

test('schemas that are deep, huge, or turn in circles are refused, and the registry lives on', async () => {
  const deep = (open: string, close: string, n: number) => open.repeat(n) + close.repeat(n)
  const bad: [string, string][] = [
    ['AVRO', deep('[', ']', 100_000)],
    ['AVRO', `${'{"type":"array","items":'.repeat(20_000)}"int"${'}'.repeat(20_000)}`],
    ['AVRO', '{"type":"A"}'],
    ['JSON', deep('{"not":', '}', 50_000).replace('}', '{}}')],
    ['JSON', '{"$ref":"#/definitions/nowhere"}'],
    ['PROTOBUF', `syntax = "proto3"; ${deep('message A {', '}', 20_000)}`],
    ['PROTOBUF', 'syntax = "proto3"; message A { B b = 1; }'],
    ['AVRO', '\u0000'],
    ['AVRO', '{"type":"record","name":"__proto__","fields":[{"name":"constructor","type":"nothing"}]}'],
  ]
  for (const [type, schema] of bad) {
    const { status, body } = await put(schema, type)
    expect([type, schema.slice(0, 60), status, body.error_code]).toEqual([type, schema.slice(0, 60), 422, 42201])
  }
  expect((await registry.ask('GET', '/subjects')).body).toEqual([])
})

test('what is larger than a record of the log may be, is told to be', async () => {
  const doc = 'd'.repeat(1_200_000)
  expect(await put(`{"type":"record","name":"R","doc":"${doc}","fields":[]}`)).toMatchObject({
    status: 422,
    body: { error_code: 42209 },
  })
  expect((await put('x'.repeat(5_000_000))).status).toBe(413)
  expect((await put('"int"')).status).toBe(200)
})

test('bodies, paths and headers that nobody should send', async () => {
  const { ask } = registry
  const to = '/subjects/x/versions'
  for (const body of ['[', '"text"', '[]', '7', '['.repeat(200_000), '{"schema":1e999,"references":{}}']) {
    expect((await ask('POST', to, body)).status).toBeGreaterThanOrEqual(400)
    expect((await ask('POST', to, body)).status).toBeLessThan(500)
  }
  const references = Array.from({ length: 5000 }, (_, i) => ({ name: `n${i}`, subject: `s${i}`, version: 1 }))
  expect(await ask('POST', to, { schema: '"int"', references })).toMatchObject({ body: { error_code: 42201 } })
  const prototype = '{"schema":"\\"int\\"","metadata":{"properties":{"__proto__":"p"}},"__proto__":{"id":5}}'
  expect((await ask('POST', '/subjects/proto/versions', prototype)).status).toBe(200)
  expect((await ask('GET', '/subjects/proto/versions/1')).body.metadata.properties).toEqual({ ['__proto__']: 'p' })
  expect((await ask('GET', '/subjects/%E0%A4%A/versions')).status).toBe(400)
  expect((await ask('GET', `/subjects/${'s'.repeat(15_000)}/versions`)).status).toBeGreaterThanOrEqual(400)
  expect((await ask('GET', '/subjects?limit=many')).status).toBe(404)
  // A page of another site that is open in somebody's browser.
  const foreign = { origin: 'https://elsewhere.example' }
  expect((await ask('PUT', '/config', { compatibility: 'NONE' }, foreign)).status).toBe(403)
  expect((await ask('DELETE', '/subjects/proto', undefined, foreign)).status).toBe(403)
})

test('references that go round are passed once', async () => {
  const { ask } = registry
  await ask('PUT', '/mode/ring', { mode: 'IMPORT' })
  const link = (version: number, to: number) => ({
    schema: `{"type":"fixed","name":"F${version}","size":1}`,
    references: [{ name: `F${to}`, subject: 'ring', version: to }],
    id: 500 + version,
    version,
  })
  await ask('POST', '/subjects/ring/versions', { ...link(1, 2), references: [] })
  expect((await ask('POST', '/subjects/ring/versions', link(2, 1))).status).toBe(200)
  // Put there by another hand: in the topic nothing keeps two schemas from referring to each other.
  const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  const value = { ...link(1, 2), subject: 'ring', schemaType: 'AVRO', deleted: false } as const
  await client.producer().produce([{ topic: '_schemas', partition: 0, ...schemaRecord(value) }])
  await client.close()
  await ask('DELETE', '/mode/ring')
  const { status } = await ask('POST', '/compatibility/subjects/ring/versions', {
    schema: '"int"',
    references: [{ name: 'F1', subject: 'ring', version: 1 }],
  })
  expect([200, 422]).toContain(status)
})

test('clients that dawdle and clients that speak no HTTP are cut off; others are answered', async () => {
  const { hostname, port } = new URL(registry.url)
  const socket = connect(Number(port), hostname)
  socket.write('\x16\x03\x01 no HTTP\r\n\r\n')
  const said = await new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('close', () => resolve(text))
  })
  expect(said).toContain('400')
  expect((await registry.ask('GET', '/subjects')).status).toBe(200)
})

test('10,000 subjects are listed, and paged', async () => {
  const many = await testBroker()
  const client = createClient({ bootstrapServers: [many.address], clientId: 'test' })
  await client.admin.createTopics([
    { topic: '_schemas', partitions: 1, replicationFactor: 1, config: { 'cleanup.policy': 'compact' } },
  ])
  const records = Array.from({ length: 10_000 }, (_, i) => {
    const value = {
      subject: `s-${i}`,
      version: 1,
      id: i + 1,
      schemaType: 'AVRO',
      references: [],
      deleted: false,
    } as const
    return {
      topic: '_schemas',
      partition: 0,
      ...schemaRecord({ ...value, schema: `{"type":"fixed","name":"F","size":${i}}` }),
    }
  })
  const { failures } = await client.producer().produce(records)
  expect(failures).toEqual([])
  await client.close()
  const one = await testRegistry(many.address)
  try {
    expect((await one.ask('GET', '/subjects')).body).toHaveLength(10_000)
    expect((await one.ask('GET', '/subjects?subjectPrefix=s-99&limit=5')).body).toEqual([
      's-99',
      's-990',
      's-9900',
      's-9901',
      's-9902',
    ])
    expect((await one.ask('GET', '/schemas')).body).toHaveLength(1000)
    expect((await one.ask('GET', '/schemas/ids/9999')).body.schema).toContain('9998')
    expect((await one.ask('POST', '/subjects/next/versions', { schema: '"int"' })).body.id).toBe(10_001)
  } finally {
    await one.close()
    await many.close()
  }
})

test('with users: view looks, operate registers, admin does the rest; a follower passes log-ins on', async () => {
  const file = join(broker.dataDir, 'registry-users')
  const lines = await Promise.all(['vera', 'otto', 'ada'].map((name) => credentialLines(name, `${name}'s`)))
  await writeFile(file, lines.flat().join('\n'))
  const settings = { 'rest.users.file': file, 'rest.users.operate': 'otto', 'rest.users.admin': 'ada' }
  const group = { 'schema.registry.group.id': 'with-users', 'kafkastore.topic': '_with_users' }
  const leader = await testRegistry(broker.address, { ...settings, ...group })
  const follower = await testRegistry(broker.address, { ...settings, ...group, 'leader.eligibility': 'false' })
  const as = (name: string) => ({
    authorization: `Basic ${Buffer.from(`${name}:${name}'s`).toString('base64')}`,
  })
  try {
    for (const { ask } of [leader, follower]) {
      const schema = { schema: '"int"' }
      expect(await ask('GET', '/subjects')).toMatchObject({ status: 401, body: { error_code: 401 } })
      expect((await ask('GET', '/subjects', undefined, as('vera'))).status).toBe(200)
      expect((await ask('POST', '/compatibility/subjects/a/versions', schema, as('vera'))).status).toBe(200)
      expect((await ask('POST', '/subjects/a/versions', schema, as('vera'))).status).toBe(403)
      expect((await ask('POST', '/subjects/a/versions', schema, as('otto'))).status).toBe(200)
      expect((await ask('PUT', '/config', { compatibility: 'FULL' }, as('otto'))).status).toBe(403)
      expect((await ask('DELETE', '/subjects/a', undefined, as('otto'))).status).toBe(403)
      expect((await ask('PUT', '/config', { compatibility: 'FULL' }, as('ada'))).status).toBe(200)
      expect((await ask('GET', '/nothing', undefined, as('vera'))).status).toBe(404)
      expect((await ask('GET', '/nothing')).status).toBe(401)
    }
  } finally {
    await follower.close()
    await leader.close()
  }
})
