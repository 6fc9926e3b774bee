import { schema, type ConnectRecord, type Schema, type Settings } from '@tidewire/sdk'
import { runTransform, type TransformRunOptions } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { compileSettings } from '../config/settings.ts'
import { secretNames } from '../config/secrets.ts'
import { avroConverter } from '../convert/avro/avro-converter.ts'
import converters from '../convert/plugin.ts'
import { FakeRegistry } from '../registry-client/testing/fake-registry.ts'
import { enrich } from './enrich.ts'

const customers: TransformRunOptions['topics'] = {
  customers: [
    { key: '1', value: '{"name":"old"}' },
    { key: '2', value: '{"name":"Bo","vip":true}' },
    { key: '1', value: '{"name":"Al"}' },
    { key: '3', value: '{"name":"Cy"}' },
    { key: '3', value: null },
    { value: '{"name":"nobody"}' },
  ],
}
const schemas = 'table.value.converter.schemas.enable'
const base = { 'table.topic': 'customers', key: 'value.customer', [schemas]: 'false' }
const run = (raw: Readonly<Record<string, string>>, topics = customers) =>
  runTransform(enrich, { ...base, ...raw }, { topics })
const order = (customer: unknown): ConnectRecord => ({ topic: 'orders', value: { customer, total: 5 } })

test('the newest value of the key goes into a field, null where there is none', async () => {
  const left = run({ field: 'who' })
  const made = await left.applyAll([order(1), order('2'), order(3), order(null)])
  expect(made.map(({ value }) => (value as { who: unknown }).who)).toEqual([
    { name: 'Al' },
    { name: 'Bo', vip: true },
    null,
    null,
  ])
  expect(left.heldBytes).toBeGreaterThan(300)
  await left.close()
})

test('inner: records without a match are dropped; a null value passes', async () => {
  const inner = run({ field: 'who', join: 'inner' })
  expect(await inner.applyAll([order(1), order(3), { topic: 'orders', value: null }])).toHaveLength(2)
  await inner.close()
})

test('without a field its fields are put among those of the record, which stay as they are', async () => {
  const merged = run({ prefix: 'c_' })
  const given = { topic: 'orders', value: { customer: 2, c_name: 'mine' } }
  expect(await merged.apply(given)).toEqual({ topic: 'orders', value: { customer: 2, c_name: 'mine', c_vip: true } })
  await merged.close()
})

test('with schemas all records get one, with a match or not', async () => {
  const text = JSON.stringify({
    schema: { type: 'struct', name: 'Customer', fields: [{ field: 'name', type: 'string', optional: false }] },
    payload: { name: 'Al' },
  })
  const valueSchema = schema.struct({ customer: schema.int32() }, { name: 'Order' })
  const record = (customer: number): ConnectRecord => ({ topic: 'orders', value: { customer }, valueSchema })
  const customer = schema.struct({ name: schema.string() }, { name: 'Customer', optional: true })
  const topics = { customers: [{ key: '1', value: text }] }
  const withField = run({ field: 'who', [schemas]: 'true' }, topics)
  const [none, one] = (await withField.applyAll([record(9), record(1)])) as [ConnectRecord, ConnectRecord]
  expect([none.value, one.value]).toEqual([
    { customer: 9, who: null },
    { customer: 1, who: { name: 'Al' } },
  ])
  expect(none.valueSchema).toEqual(schema.struct({ customer: schema.int32(), who: customer }, { name: 'Order' }))
  expect(one.valueSchema).toEqual(none.valueSchema)
  await withField.close()
  const merged = run({ [schemas]: 'true' }, topics)
  expect(await merged.apply(record(1))).toMatchObject({ value: { customer: 1, name: 'Al' } })
  await merged.close()
  const schemaless = run({ field: 'who' })
  await expect(schemaless.apply(record(1))).rejects.toThrow(schemas)
  await schemaless.close()
})

test('a table that does not fit its memory is an error that says so', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => ({ key: String(i), value: 'x'.repeat(100) }))
  const small = run({ 'max.bytes': '2048' }, { customers: rows })
  await expect(small.apply(order(1))).rejects.toThrow('max.bytes')
})

describe("the table's converters", () => {
  const problemsOf = (raw: Record<string, string>) => {
    const { config, errors } = compileSettings(enrich.config)({ ...base, ...raw })
    return { ...errors, ...enrich.check!(config) }
  }

  test.each(converters.converters!)('$name has all its settings, for keys and values', ({ config: own }) => {
    const declared: Settings = enrich.config
    for (const [name, { type, default: value }] of Object.entries(own as Settings)) {
      for (const use of ['key', 'value']) {
        expect(declared[`table.${use}.converter.${name}`]).toMatchObject({ type })
        expect(declared[`table.${use}.converter.${name}`]!.default).toEqual(value)
      }
    }
  })

  test('are any of the built-in ones; what is wrong has its full name', () => {
    expect(problemsOf({})).toEqual({})
    expect(problemsOf({ 'table.value.converter': 'org.apache.kafka.connect.storage.StringConverter' })).toEqual({})
    expect(Object.keys(problemsOf({ 'table.key.converter': 'xml' }))).toEqual(['table.key.converter'])
    const avro = { 'table.value.converter': 'avro' }
    const url = 'table.value.converter.schema.registry.url'
    expect(Object.keys(problemsOf(avro))).toEqual([url])
    expect(Object.keys(problemsOf({ ...avro, [url]: 'ftp://x' }))).toEqual([url])
    const source = 'table.value.converter.basic.auth.credentials.source'
    expect(Object.keys(problemsOf({ ...avro, [url]: 'http://x', [source]: 'USER_INFO' }))).toEqual([
      'table.value.converter.basic.auth.user.info',
    ])
  })

  test('have secrets that are known as such', () => {
    const names = ['basic.auth.user.info', 'schema.registry.ssl.keystore.key', 'schema.registry.url']
    const raw = Object.fromEntries(names.map((name) => [`table.key.converter.${name}`, `of ${name}`]))
    expect([...secretNames(raw, enrich.config, {})]).toEqual(
      names.slice(0, 2).map((name) => `table.key.converter.${name}`),
    )
  })

  test('Avro keys and values, from a registry that asks for a log-in and is away for a while', async () => {
    await using registry = await FakeRegistry.start()
    const id = schema.struct({ id: schema.int64() }, { name: 'Id' })
    const customer = schema.struct({ name: schema.string(), big: schema.int64() }, { name: 'Customer' })
    const written = async (use: 'key' | 'value', of: Schema, value: unknown) => {
      const { config } = compileSettings(avroConverter.config)({ 'schema.registry.url': registry.url })
      return (await avroConverter.create(config, use).fromConnect('customers', of, value)) as Uint8Array
    }
    const row = async (n: number, name: string) => ({
      key: await written('key', id, { id: n }),
      value: await written('value', customer, { name, big: 2n ** 60n }),
    })
    const topics = { customers: [await row(1, 'old'), await row(2, 'Bo'), await row(1, 'Al')] }
    registry.failures.push({ status: 503, body: {} }, { status: 503, body: {} })
    const avro = (use: 'key' | 'value') => ({
      [`table.${use}.converter`]: 'io.confluent.connect.avro.AvroConverter',
      [`table.${use}.converter.schema.registry.url`]: registry.url,
      [`table.${use}.converter.basic.auth.credentials.source`]: 'USER_INFO',
      [`table.${use}.converter.basic.auth.user.info`]: `${use}:secret`,
      [`table.${use}.converter.max.retries`]: '0',
    })
    const joined = run({ ...avro('key'), ...avro('value'), key: '{"id": value.customer}', field: 'who' }, topics)
    const valueSchema = schema.struct({ customer: schema.int32() }, { name: 'Order' })
    const order = (n: number): ConnectRecord => ({ topic: 'orders', value: { customer: n }, valueSchema })
    const [one, two, none] = await joined.applyAll([order(1), order(2), order(3)])
    expect(registry.authorization).toBe(`Basic ${Buffer.from('value:secret').toString('base64')}`)
    expect(one!.value).toEqual({ customer: 1, who: { name: 'Al', big: 2n ** 60n } })
    expect(two!.value).toEqual({ customer: 2, who: { name: 'Bo', big: 2n ** 60n } })
    expect(none!.value).toEqual({ customer: 3, who: null })
    expect(none!.valueSchema).toEqual(one!.valueSchema)
    expect(joined.logs.map(({ message }) => message)).toEqual(['cannot read a key of the table; trying again'])
    await joined.write('customers', await row(3, 'Cy'))
    expect(await joined.apply(order(3))).toMatchObject({ value: { who: { name: 'Cy' } } })
    await joined.close()
  })
})
