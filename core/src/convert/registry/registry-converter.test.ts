import { isErrorKind, isRetriable, schema, type Converter } from '@tidewire/sdk'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileSettings } from '../../config/settings.ts'
import { FakeRegistry } from '../../registry-client/testing/fake-registry.ts'
import { avroConverter } from '../avro/avro-converter.ts'
import { jsonSchemaConverter } from '../json-schema/json-schema-converter.ts'
import { protobufConverter } from '../protobuf/protobuf-converter.ts'

let registry: FakeRegistry
beforeEach(async () => {
  registry = await FakeRegistry.start()
})
afterEach(() => registry[Symbol.asyncDispose]())

type Definition = typeof avroConverter | typeof jsonSchemaConverter | typeof protobufConverter

function create(definition: Definition, settings: Record<string, unknown>, use: 'key' | 'value' = 'value'): Converter {
  const raw = { 'schema.registry.url': registry.url, 'retries.wait.ms': 0, ...settings }
  const { config, errors } = compileSettings(definition.config)(raw)
  expect(errors).toEqual({})
  return (definition.create as (config: unknown, use: string) => Converter)(config, use)
}
const avro = (settings: Record<string, unknown> = {}, use?: 'key' | 'value') => create(avroConverter, settings, use)

const point = schema.struct({ x: schema.int32(), y: schema.int32({ optional: true }) }, { name: 'geo.Point' })
const pointText =
  '{"type":"record","name":"Point","namespace":"geo","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","int"],"default":null}],"connect.name":"geo.Point"}'
const fails = async (work: () => unknown): Promise<unknown> => {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new Error('it went through')
}

test('a schema is registered once a topic; then records are converted at once', async () => {
  const converter = avro()
  const [first, second] = await Promise.all([
    converter.fromConnect('t', point, { x: 1 }),
    converter.fromConnect('t', point, { x: 2, y: null }),
  ])
  expect(Buffer.from(first as Uint8Array).toString('hex')).toBe('000000000102' + '00')
  expect(Buffer.from(second as Uint8Array).toString('hex')).toBe('000000000104' + '00')
  expect(converter.fromConnect('t', point, { x: 3 })).toBeInstanceOf(Uint8Array)
  const reader = avro()
  await reader.toConnect('t', first as Uint8Array)
  expect(reader.toConnect('t', first as Uint8Array)).toMatchObject({ value: { x: 1, y: null }, schema: { version: 1 } })
  expect(registry.requests.filter((request) => request.endsWith('versions?normalize=false'))).toHaveLength(1)
})

test('a schema that is made anew for each record is registered once', async () => {
  const converter = avro()
  for (let x = 0; x < 5; x++) {
    await converter.fromConnect('t', schema.struct({ x: schema.int32() }, { name: 'geo.Point' }), { x })
  }
  expect(registry.requests).toHaveLength(1)
})

test('null is a tombstone where the schema allows it', async () => {
  expect(avro().fromConnect('t', undefined, null)).toBeInstanceOf(Promise)
  const converter = avro()
  expect(await converter.fromConnect('t', undefined, null)).toBeNull()
  expect(converter.fromConnect('t', { ...point, optional: true }, null)).toBeNull()
  expect(() => converter.fromConnect('t', point, null)).toThrow(/not optional/)
  expect(converter.toConnect('t', null)).toEqual({ value: null })
  expect(registry.requests).toEqual([])
})

describe('subjects', () => {
  const prefix = 'io.confluent.kafka.serializers.subject.'
  test.each([
    ['TopicNameStrategy', 'key', 't-key'],
    [`${prefix}TopicNameStrategy`, 'value', 't-value'],
    ['RecordNameStrategy', 'value', 'geo.Point'],
    [`${prefix}TopicRecordNameStrategy`, 'value', 't-geo.Point'],
  ] as const)('%s of a %s: %s', async (strategy, use, subject) => {
    for (const definition of [avroConverter, jsonSchemaConverter]) {
      const converter = create(definition, { [`${use}.subject.name.strategy`]: strategy }, use)
      const bytes = (await converter.fromConnect('t', point, { x: 1 })) as Uint8Array
      expect(registry.textOf(subject)).toBeDefined()
      expect(await converter.toConnect('t', bytes)).toMatchObject({
        value: { x: 1 },
        schema: { version: expect.any(Number) },
      })
    }
  })

  test('a value without a record name has none of its own', async () => {
    const converter = avro({ 'value.subject.name.strategy': 'RecordNameStrategy' })
    expect(await fails(() => converter.fromConnect('t', schema.string(), 'x'))).toMatchObject({ name: 'DataError' })
  })

  test('strategies of others are refused at once', () => {
    expect(() => avro({ 'value.subject.name.strategy': 'com.acme.Mine' })).toThrow(/com\.acme\.Mine/)
  })
})

describe('settings of Confluent’s that are not there', () => {
  const errorsOf = (definition: Definition, settings: Record<string, string>) =>
    compileSettings(definition.config, { unsupported: definition.unsupported ?? {} })({
      'schema.registry.url': registry.url,
      ...settings,
    }).errors

  test.each<[Definition, string, string]>([
    [avroConverter, 'use.latest.with.metadata', 'a=b'],
    [avroConverter, 'request.header.X-Team', 'a'],
    [avroConverter, 'avro.fail.on.trailing.data', 'true'],
    [jsonSchemaConverter, 'json.fail.invalid.schema', 'true'],
    [jsonSchemaConverter, 'value.schema.id.serializer', 'HeaderSchemaIdSerializer'],
    [protobufConverter, 'reference.lookup.only', 'true'],
    [protobufConverter, 'skip.known.types', 'false'],
    [protobufConverter, 'reference.subject.name.strategy', 'com.acme.Mine'],
    [protobufConverter, 'bearer.auth.credentials.source', 'OAUTHBEARER'],
  ])('$0.name: $1 is refused by its name', (definition, name, value) => {
    const errors = errorsOf(definition, { [name]: value })
    expect(Object.keys(errors)).toEqual([name])
    expect(errors[name]![0]).toContain(name)
  })

  test('their defaults are taken where people write them', () => {
    const prefix = 'io.confluent.kafka.serializers.subject.'
    expect(
      errorsOf(protobufConverter, {
        'skip.known.types': 'true',
        'bearer.auth.credentials.source': 'STATIC_TOKEN',
        'reference.subject.name.strategy': `${prefix}QualifiedReferenceSubjectNameStrategy`,
      }),
    ).toEqual({})
  })
})

describe('which schema', () => {
  test('auto.register.schemas=false: it has to be there', async () => {
    const converter = avro({ 'auto.register.schemas': false, 'missing.id.cache.ttl.sec': 0 })
    expect(isErrorKind(await fails(() => converter.fromConnect('t', point, { x: 1 })), 'DataError')).toBe(true)
    const id = registry.add('t-value', pointText)
    expect(((await converter.fromConnect('t', point, { x: 1 })) as Uint8Array)[4]).toBe(id)
  })

  test('use.latest.version: in its order, with its defaults', async () => {
    const latest =
      '{"type":"record","name":"Point","namespace":"geo","fields":[{"name":"z","type":"string","default":"q"},{"name":"y","type":["int","null"]},{"name":"x","type":"long"}]}'
    registry.add('t-value', latest)
    const settings = { 'auto.register.schemas': false, 'use.latest.version': true }
    const bytes = (await avro({ ...settings, 'latest.compatibility.strict': false }).fromConnect('t', point, {
      x: 1,
    })) as Uint8Array
    expect(Buffer.from(bytes).subarray(5).toString('hex')).toBe('0271' + '02' + '02')
  })

  test('latest.compatibility.strict: what the latest cannot read is not written', async () => {
    registry.add(
      't-value',
      '{"type":"record","name":"Point","namespace":"geo","fields":[{"name":"x","type":"string"}]}',
    )
    const converter = avro({ 'auto.register.schemas': false, 'use.latest.version': true })
    expect(String(await fails(() => converter.fromConnect('t', point, { x: 1 })))).toMatch(
      /latest\.compatibility\.strict/,
    )
  })

  test('use.schema.id', async () => {
    registry.add('other', '"string"')
    const id = registry.add('elsewhere', pointText)
    const converter = avro({ 'auto.register.schemas': false, 'use.schema.id': id })
    expect(((await converter.fromConnect('t', point, { x: 1 })) as Uint8Array)[4]).toBe(2)
  })
})

describe('reading', () => {
  test('a schema that is registered under other subjects alone is read without a version', async () => {
    const id = registry.add('elsewhere', pointText)
    const result = await avro().toConnect('t', Uint8Array.of(0, 0, 0, 0, id, 2, 0))
    expect(result.schema).toEqual(point)
  })

  test('use.latest.version: what is of an earlier version is not turned into the latest, which is said', async () => {
    const before = registry.add('t-value', '{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}')
    const latest = registry.add('t-value', '{"type":"record","name":"P","fields":[{"name":"x","type":"long"}]}')
    const converter = avro({ 'use.latest.version': true, 'auto.register.schemas': false })
    expect(await converter.toConnect('t', Uint8Array.of(0, 0, 0, 0, latest, 2))).toMatchObject({ value: { x: 1 } })
    const error = await fails(() => converter.toConnect('t', Uint8Array.of(0, 0, 0, 0, before, 2)))
    expect(isErrorKind(error, 'ConfigError')).toBe(true)
    expect(String(error)).toMatch(/latest version of t-value \(id 2\); one is written with id 1/)
  })

  test('references', async () => {
    registry.add('geo', pointText)
    const references = [{ name: 'geo.Point', subject: 'geo', version: 1 }]
    const id = registry.add('t-value', '{"type":"array","items":"geo.Point"}', 'AVRO', references)
    const result = await avro().toConnect('t', Uint8Array.of(0, 0, 0, 0, id, 2, 2, 0, 0))
    expect(result.value).toEqual([{ x: 1, y: null }])
    registry.add('p', '{"title":"P","type":"object","properties":{"a":{"type":"integer"}}}', 'JSON')
    const json = registry.add('t-value', '{"type":"array","items":{"$ref":"p.json"}}', 'JSON', [
      { name: 'p.json', subject: 'p', version: 1 },
    ])
    const message = Buffer.concat([Uint8Array.of(0, 0, 0, 0, json), Buffer.from('[{"a":9007199254740993}]')])
    expect((await create(jsonSchemaConverter, {}).toConnect('t', message)).value).toEqual([{ a: 9007199254740993n }])
  })

  test.each<[string, (id: number) => Uint8Array, RegExp]>([
    ['no header', () => Buffer.from('{"a":1}'), /not written with a schema registry/],
    ['too short for one', () => Uint8Array.of(0, 0, 0), /3 bytes/],
    ['an unknown id', () => Uint8Array.of(0, 0, 0, 1, 1, 0), /Schema not found/],
    ['bytes that end too early', (id) => Uint8Array.of(0, 0, 0, 0, id, 2), /ends before/],
    ['another branch than there is', (id) => Uint8Array.of(0, 0, 0, 0, id, 2, 8), /no branch 4/],
  ])('is refused: %s', async (_name, bytes, message) => {
    const id = registry.add('t-value', pointText)
    const converter = avro()
    const error = await fails(() => converter.toConnect('t', bytes(id)))
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect(String(error)).toMatch(message)
  })

  test('a schema of another type names its converter', async () => {
    const id = registry.add('t-value', '{"type":"string"}', 'JSON')
    expect(String(await fails(() => avro().toConnect('t', Uint8Array.of(0, 0, 0, 0, id))))).toMatch(/type JSON/)
  })

  test('types that contain themselves are refused, by name', async () => {
    const id = registry.add(
      't-value',
      '{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}',
    )
    expect(String(await fails(() => avro().toConnect('t', Uint8Array.of(0, 0, 0, 0, id, 0))))).toMatch(
      /Node contains itself/,
    )
    const properties = '"type":"object","properties":{"next":{"$ref":"#"}}'
    const json = registry.add('t-value', `{"title":"Node",${properties}}`, 'JSON')
    const message = Buffer.concat([Uint8Array.of(0, 0, 0, 0, json), Buffer.from('{}')])
    const converter = create(jsonSchemaConverter, {})
    expect(String(await fails(() => converter.toConnect('t', message)))).toMatch(
      /the type Node \(.*\.next\) contains itself/,
    )
    const unnamed = registry.add('t-value', `{${properties}}`, 'JSON')
    message.writeInt32BE(unnamed, 1)
    expect(String(await fails(() => converter.toConnect('t', message)))).toMatch(/the type of .*\.next contains itself/)
  })

  test('a registry that is away is a passing fault', async () => {
    registry.failures.push(undefined, undefined)
    const converter = avro({ 'max.retries': 0 })
    expect(isRetriable(await fails(() => converter.toConnect('t', Uint8Array.of(0, 0, 0, 0, 1))))).toBe(true)
    expect(isRetriable(await fails(() => converter.fromConnect('t', point, { x: 1 })))).toBe(true)
    expect(await converter.fromConnect('t', point, { x: 1 })).toBeInstanceOf(Uint8Array)
  })
})

test('values that are not of their schema are refused, with the place', async () => {
  const converter = avro()
  for (const [value, message] of [
    [{ x: 'a' }, /value\.x has to be int32/],
    [{ x: 2 ** 31 }, /value\.x has to be int32, not 2147483648/],
    [{ y: 1 }, /value\.x is null/],
    ['text', /value has to be struct/],
  ] as const) {
    const error = await fails(() => converter.fromConnect('t', point, value))
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect(String(error)).toMatch(message)
  }
})
