import { schema, type ConnectRecord } from '@tidewire/sdk'
import { runTransform } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { eventRouter } from './event-router.ts'

const row = schema.struct({
  id: schema.string(),
  aggregatetype: schema.string(),
  aggregateid: schema.string(),
  payload: schema.string(),
})
const valueSchema = schema.struct({ after: row, op: schema.string() }, { name: 'db.outbox.Envelope' })
const event = (payload: string): ConnectRecord => ({
  topic: 'db.outbox',
  value: { after: { id: 'e', aggregatetype: 'order', aggregateid: '7', payload }, op: 'c' },
  valueSchema,
})

test('expanded payloads of one form have one schema, so that converters know it', async () => {
  const run = runTransform(eventRouter, { 'table.expand.json.payload': 'true' })
  const made = await run.applyAll(['{"a":1}', '{"a":2}', '{"a":"x"}', '{"a":3}'].map(event))
  expect(made.map(({ value }) => value)).toEqual([{ a: 1 }, { a: 2 }, { a: 'x' }, { a: 3 }])
  const [first, second, other, last] = made.map((each) => each.valueSchema)
  expect(second).toBe(first)
  expect(last).toBe(first)
  expect(other).not.toBe(first)
  await run.close()
})

test('a payload that is no JSON stays as it is, and none of it is logged', async () => {
  const run = runTransform(eventRouter, { 'table.expand.json.payload': 'true' })
  expect(await run.apply(event('{"pin": hunter2}'))).toMatchObject({ value: '{"pin": hunter2}' })
  expect(run.logs).toEqual([
    { level: 'warn', message: 'a payload cannot be expanded', details: { error: 'it is no JSON' } },
  ])
  await run.close()
})
