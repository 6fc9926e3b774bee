import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schema } from '@tidewire/sdk'
import { runTransform, transformConformance } from '@tidewire/sdk/testing'
import { exampleTransform } from './transform.ts'

const config = { field: 'celsius', factor: '1.8' }

void test('multiplies the field, with a schema and without', async () => {
  const run = runTransform(exampleTransform, config)
  const bare = await run.apply({ topic: 't', value: { celsius: 10, room: 'a' } })
  assert.deepEqual(bare?.value, { celsius: 18, room: 'a' })
  const valueSchema = schema.struct({ celsius: schema.int32() })
  const made = await run.apply({ topic: 't', value: { celsius: 10 }, valueSchema })
  assert.deepEqual(made?.value, { celsius: 18 })
  assert.deepEqual(made.valueSchema, schema.struct({ celsius: schema.float64({ optional: false }) }))
  await run.close()
})

void test('lets what has no such field go by, and refuses what is no number', async () => {
  const run = runTransform(exampleTransform, config)
  const other = { topic: 't', value: { room: 'a' } }
  assert.equal(await run.apply(other), other)
  await assert.rejects(run.apply({ topic: 't', value: { celsius: 'warm' } }), { name: 'DataError' })
  await run.close()
})

// What every transform has to do.
const records = [{ topic: 't', value: { celsius: null } }]
for (const { name, run } of transformConformance({ transform: exampleTransform, config, records })) {
  void test(name, run)
}
