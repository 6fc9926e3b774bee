import { schema, type Schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { unavailableTest } from './unavailable.ts'

const placeholder = '__debezium_unavailable_value'
const bytes = Buffer.from(placeholder)
/** Java's UUID.nameUUIDFromBytes of it. */
const uuid = 'b68a35a7-17ad-35b3-af2a-ae46edb4545a'

const isUnavailable = (value: unknown, of?: Schema) => unavailableTest(of, placeholder)?.(value)

describe('values that were not sent', () => {
  test.each([
    placeholder,
    bytes,
    bytes.toString('base64'),
    [placeholder],
    [bytes.toString('base64')],
    [...new Int8Array(bytes)],
    { [placeholder]: placeholder },
    new Map([[placeholder, placeholder]]),
    `{"${placeholder}":"${placeholder}"}`,
  ])('without a schema: %j', (value) => {
    expect(isUnavailable(value)).toBe(true)
  })

  test.each([
    'x',
    1,
    true,
    [],
    ['x'],
    [placeholder, placeholder],
    [...bytes, 1],
    {},
    { [placeholder]: 1, b: 2 },
    new Map(),
  ])('without a schema, a value: %j', (value) => {
    expect(isUnavailable(value)).toBe(false)
  })

  test('lists of UUIDs', () => {
    const uuids = schema.array(schema.string({ name: 'io.debezium.data.Uuid' }))
    expect(isUnavailable([uuid], uuids)).toBe(true)
    expect(isUnavailable([uuid])).toBe(true)
    expect(isUnavailable(['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'], uuids)).toBe(false)
  })

  test('types that cannot say so', () => {
    expect(unavailableTest(schema.array(schema.float64()), placeholder)).toBeUndefined()
  })
})
