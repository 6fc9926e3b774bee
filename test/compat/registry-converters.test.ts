/** The converters against a registry of ours, with the serializers of confluent-kafka's Python client on the other side. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decimal, schema, type Converter, type Schema } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileSettings } from '../../core/src/config/settings.ts'
import { avroConverter } from '../../core/src/convert/avro/avro-converter.ts'
import { jsonSchemaConverter } from '../../core/src/convert/json-schema/json-schema-converter.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

const missing = await pythonMissing()

describe.skipIf(missing !== undefined)('confluent-kafka for Python', () => {
  let broker: TestBroker
  let registry: TestRegistry
  let python: Scenario
  let messages: string

  beforeAll(async () => {
    python = await pythonClients(['confluent-kafka[avro,json,schemaregistry]==2.16.0'])
    broker = await testBroker()
    registry = await testRegistry(broker.address)
    messages = await mkdtemp(join(tmpdir(), 'converters-'))
    await mkdir(messages, { recursive: true })
  }, 240_000)
  afterAll(async () => {
    await registry.close()
    await broker.close()
    await rm(messages, { recursive: true, force: true })
  })

  const converter = (definition: typeof avroConverter | typeof jsonSchemaConverter): Converter => {
    const { config } = compileSettings(definition.config)({ 'schema.registry.url': registry.url })
    return (definition.create as (config: unknown, use: string) => Converter)(config, 'value')
  }

  test('reads what ours write', async () => {
    const user = schema.struct({ name: schema.string(), born: schema.date({ optional: true }) }, { name: 'shop.User' })
    const order = schema.struct(
      {
        id: schema.int64(),
        small: schema.int8({ default: 1 }),
        price: schema.decimal(2),
        at: schema.timestamp(),
        tags: schema.array(schema.string()),
        counts: schema.map(schema.string(), schema.int32()),
        codes: schema.map(schema.int32(), schema.string()),
        user: { ...user, optional: true },
        friend: { ...user, optional: true },
        raw: schema.bytes(),
      },
      { name: 'shop.Order' },
    )
    const ada = { name: 'Ada', born: -1 }
    const value = {
      id: 9007199254740993n,
      small: null,
      price: new Decimal(1250n, 2),
      at: 1_700_000_000_123,
      tags: ['x', 'größe 😀'],
      counts: new Map([['k', -1]]),
      codes: new Map([[7, 'seven']]),
      user: ada,
      friend: null,
      raw: Uint8Array.of(0, 255),
    }
    const write = async (of: Converter, topic: string, withSchema: Schema | undefined, given: unknown) =>
      writeFile(join(messages, `${topic}.bin`), (await of.fromConnect(topic, withSchema, given)) as Uint8Array)
    await write(converter(avroConverter), 'avro-order', order, value)
    await write(converter(avroConverter), 'avro-bytes', schema.bytes(), Uint8Array.of(1, 2))
    await write(converter(avroConverter), 'avro-any', undefined, { a: [1, 'x'] })
    await write(converter(jsonSchemaConverter), 'json-order', order, value)
    const found = (await python('converter_scenarios.py', 'read', `${registry.url};${messages}`)) as Record<
      string,
      unknown
    >
    expect(found['avro-order.bin']).toMatchObject({
      small: 1,
      price: '12.50',
      at: '2023-11-14 22:13:20.123000+00:00',
      tags: ['x', 'größe 😀'],
      counts: { k: -1 },
      codes: [{ key: 7, value: 'seven' }],
      user: { name: 'Ada', born: '1969-12-31' },
      friend: null,
      raw: 'AP8=',
    })
    expect(found['avro-bytes.bin']).toBe('AQI=')
    expect(found['avro-any.bin']).toMatchObject({
      map: [{ key: { string: 'a' }, value: { array: [{ long: 1 }, {}] } }],
    })
    expect(found['json-order.bin']).toMatchObject({
      small: 1,
      price: 'BOI=',
      codes: [{ key: 7, value: 'seven' }],
      user: ada,
    })
  }, 120_000)

  test('writes what ours read', async () => {
    const written = (await python('converter_scenarios.py', 'write', `${registry.url};${messages}`)) as Record<
      string,
      string
    >
    const read = async (of: Converter, topic: string, name: string) =>
      of.toConnect(topic, Buffer.from(written[name]!, 'base64'))
    const order = await read(converter(avroConverter), 'their-order', 'avro')
    expect(order.value).toEqual({
      id: 9007199254740993n,
      state: 'PAID',
      price: new Decimal(-1234n, 2),
      tags: ['x', 'ü'],
      counts: new Map([['k', -1]]),
      note: null,
      who: { User: { name: 'Ada' } },
      raw: Buffer.from([1, 2, 255]),
      ratio: 0.1,
    })
    expect(order.schema).toMatchObject({ name: 'shop.Order', version: 1 })
    expect(await read(converter(avroConverter), 'their-string', 'avro string')).toMatchObject({ value: 'größe' })
    const item = await read(converter(jsonSchemaConverter), 'their-item', 'json')
    expect(item.value).toEqual({ a: 9007199254740993n, b: null, c: [1.5], d: { e: true } })
    expect(item.schema).toMatchObject({ name: 'Item', version: 1 })
    await read(converter(avroConverter), 'their-bytes', 'avro bytes').then(({ value }) =>
      expect(value).toEqual(Buffer.from([0, 1])),
    )
  }, 120_000)
})
