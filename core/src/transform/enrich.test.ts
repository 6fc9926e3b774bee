import { schema, type ConnectRecord } from '@tidewire/sdk'
import { runTransform, type TransformRunOptions } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
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
const base = { 'table.topic': 'customers', key: 'value.customer' }
const run = (raw: Readonly<Record<string, string>>, topics = customers) =>
  runTransform(enrich, { ...base, ...raw }, { topics: topics })
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
  const withField = run({ field: 'who', 'table.schemas.enable': 'true' }, topics)
  const [none, one] = (await withField.applyAll([record(9), record(1)])) as [ConnectRecord, ConnectRecord]
  expect([none.value, one.value]).toEqual([
    { customer: 9, who: null },
    { customer: 1, who: { name: 'Al' } },
  ])
  expect(none.valueSchema).toEqual(schema.struct({ customer: schema.int32(), who: customer }, { name: 'Order' }))
  expect(one.valueSchema).toEqual(none.valueSchema)
  await withField.close()
  const merged = run({ 'table.schemas.enable': 'true' }, topics)
  expect(await merged.apply(record(1))).toMatchObject({ value: { customer: 1, name: 'Al' } })
  await merged.close()
  const schemaless = run({ field: 'who' })
  await expect(schemaless.apply(record(1))).rejects.toThrow('table.schemas.enable')
  await schemaless.close()
})

test('a table that does not fit its memory is an error that says so', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => ({ key: String(i), value: 'x'.repeat(100) }))
  const small = run({ 'max.bytes': '2048' }, { customers: rows })
  await expect(small.apply(order(1))).rejects.toThrow('max.bytes')
})
