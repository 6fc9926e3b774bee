import { Decimal, schema, type Converter, type Schema } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileSettings } from '../../config/settings.ts'
import { FakeRegistry } from '../../registry-client/testing/fake-registry.ts'
import { avroConverter } from './avro-converter.ts'

let registry: FakeRegistry
beforeAll(async () => {
  registry = await FakeRegistry.start()
})
afterAll(() => registry[Symbol.asyncDispose]())

function converter(settings: Record<string, unknown> = {}): Converter {
  const { config, errors } = compileSettings(avroConverter.config)({ 'schema.registry.url': registry.url, ...settings })
  expect(errors).toEqual({})
  return avroConverter.create(config, 'value')
}

async function roundTrip(of: Schema | undefined, value: unknown, settings: Record<string, unknown> = {}) {
  const topic = `t${Math.random()}`
  const bytes = (await converter(settings).fromConnect(topic, of, value)) as Uint8Array
  const back = await converter(settings).toConnect(topic, bytes)
  return { bytes: Buffer.from(bytes), text: registry.textOf(`${topic}-value`), ...back }
}

test('a record as Confluent writes it: header, schema with its connect properties, values in order', async () => {
  const order = schema.struct(
    {
      id: schema.int64(),
      note: schema.string({ optional: true }),
      price: schema.decimal(2),
      small: schema.int8({ default: 3 }),
      at: schema.timestamp({ optional: true, default: 7 }),
    },
    { name: 'shop.Order', version: 2, doc: 'An order.' },
  )
  const value = { id: 3_000_000_000, note: null, price: new Decimal(-1234n, 2), small: null, at: 5 }
  const { bytes, text, value: back, schema: backSchema } = await roundTrip(order, value)
  expect(text).toBe(
    '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},' +
      '{"name":"note","type":["null","string"],"default":null},' +
      '{"name":"price","type":{"type":"bytes","scale":2,"precision":64,"connect.version":1,' +
      '"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}},' +
      '{"name":"small","type":{"type":"int","connect.default":3,"connect.type":"int8"},"default":3},' +
      '{"name":"at","type":[{"type":"long","connect.version":1,"connect.default":7,' +
      '"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"},"null"],"default":7}],' +
      '"connect.doc":"An order.","connect.version":2,"connect.name":"shop.Order"}',
  )
  expect(bytes[0]).toBe(0)
  expect(bytes.subarray(5).toString('hex')).toBe('80f882ad16' + '00' + '04fb2e' + '06' + '000a')
  expect(back).toEqual({ ...value, small: 3 })
  expect(backSchema).toEqual(order)
})

describe('what is written is read again', () => {
  const point = schema.struct({ x: schema.float64(), y: schema.float32() }, { name: 'P' })
  test.each<[string, Schema, unknown]>([
    ['int8', schema.int8(), -128],
    ['int16', schema.int16(), 32767],
    ['int32', schema.int32(), -2147483648],
    ['int64', schema.int64(), -9223372036854775808n],
    ['int64 in a double', schema.int64(), 9007199254740991],
    ['float32', schema.float32(), 0.5],
    ['float64', schema.float64(), -1e300],
    ['boolean', schema.boolean(), true],
    ['string', schema.string(), 'größe 😀'],
    ['long string', schema.string(), 'ä'.repeat(5000)],
    ['bytes', schema.bytes(), Buffer.from([1, 2, 255])],
    ['decimal', schema.decimal(3), new Decimal(-123456789012345678901234567890n, 3)],
    ['date', schema.date(), -1],
    ['time', schema.time(), 86399999],
    ['array', schema.array(schema.string({ optional: true })), ['a', null]],
    ['map', schema.map(schema.string(), point), new Map([['a', { x: 1, y: 2 }]])],
    ['map with other keys', schema.map(schema.int32(), schema.string()), new Map([[1, 'a'], [2, 'b']])], // prettier-ignore
    ['optional struct', schema.struct({ x: schema.int8() }, { name: 'x.Y', optional: true }), { x: 1 }],
    ['struct without name', schema.struct({ p: point, q: schema.struct({ a: schema.int8() }) }), { p: { x: 1, y: 0 }, q: { a: 1 } }], // prettier-ignore
    ['optional with default', schema.string({ optional: true, default: 'd' }), 'x'],
  ])('%s', async (_name, of, value) => {
    const { value: back, schema: backSchema } = await roundTrip(of, value)
    expect(back).toEqual(value)
    // One without a version gets that of the subject.
    expect(backSchema).toEqual({ ...of, version: of.version ?? backSchema!.version })
  })

  test('values without a schema', async () => {
    const value = { a: [1, 2.5, 'x', null, true], b: { big: 2n ** 60n }, c: Buffer.from('x') }
    expect(await roundTrip(undefined, value)).toMatchObject({ value, schema: undefined })
  })
})
