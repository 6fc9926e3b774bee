/**
 * Two versions of an Avro schema, written by the converter through the registry: each evolution that a level allows. What
 * the converter reads is as it was written; a client that nobody here wrote reads it by the other version.
 */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { schema, type Converter, type Schema } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileSettings } from '../../core/src/config/settings.ts'
import { avroConverter } from '../../core/src/convert/avro/avro-converter.ts'
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

type Value = Readonly<Record<string, unknown>>
type Side = readonly [schema: Schema, value: Value]

const record = (fields: Readonly<Record<string, Schema>>): Schema => schema.struct(fields, { name: 'x.R' })
const a = schema.int32()
const plain: Side = [record({ a }), { a: 1 }]
const withOptional: Side = [record({ a, b: schema.string({ optional: true }) }), { a: 2, b: 'two' }]
const withDefault: Side = [record({ a, b: schema.int32({ default: 7 }) }), { a: 2, b: 3 }]
const withRequired: Side = [record({ a, b: schema.string() }), { a: 2, b: 'two' }]
const wider: Side = [record({ a: schema.int64() }), { a: 2 }]
const float: Side = [record({ a: schema.float64() }), { a: 2.5 }]
const optional: Side = [record({ a: schema.int32({ optional: true }) }), { a: 2 }]
const nested = (inner: Side): Side => [
  record({ list: schema.array({ ...inner[0], name: 'x.Inner' }) }),
  { list: [inner[1]] },
]

/** What the new version makes of the old value, and the old version of the new value; undefined: the level does not say. */
interface Evolution {
  readonly what: string
  readonly level: string
  readonly from: Side
  readonly to: Side
  readonly oldByNew?: Value
  readonly newByOld?: Value
}

const evolutions: readonly Evolution[] = [
  ...['BACKWARD', 'BACKWARD_TRANSITIVE'].flatMap((level): Evolution[] => [
    { what: 'an optional field more', level, from: plain, to: withOptional, oldByNew: { a: 1, b: null } },
    { what: 'a field with a default more', level, from: plain, to: withDefault, oldByNew: { a: 1, b: 7 } },
    { what: 'a required field less', level, from: withRequired, to: plain, oldByNew: { a: 2 } },
    { what: 'int32 to int64', level, from: plain, to: wider, oldByNew: { a: 1 } },
    { what: 'int32 to float64', level, from: plain, to: float, oldByNew: { a: 1 } },
    { what: 'required to optional', level, from: plain, to: optional, oldByNew: { a: 1 } },
    {
      what: 'a field with a default more, in a list',
      level,
      from: nested(plain),
      to: nested(withDefault),
      oldByNew: { list: [{ a: 1, b: 7 }] },
    },
  ]),
  ...['FORWARD', 'FORWARD_TRANSITIVE'].flatMap((level): Evolution[] => [
    { what: 'a required field more', level, from: plain, to: withRequired, newByOld: { a: 2 } },
    { what: 'an optional field less', level, from: withOptional, to: plain, newByOld: { a: 1, b: null } },
    { what: 'a field with a default less', level, from: withDefault, to: plain, newByOld: { a: 1, b: 7 } },
    { what: 'int64 to int32', level, from: wider, to: plain, newByOld: { a: 1 } },
    { what: 'optional to required', level, from: optional, to: plain, newByOld: { a: 1 } },
  ]),
  ...['FULL', 'FULL_TRANSITIVE'].flatMap((level): Evolution[] => [
    {
      what: 'an optional field more',
      level,
      from: plain,
      to: withOptional,
      oldByNew: { a: 1, b: null },
      newByOld: { a: 2 },
    },
    {
      what: 'a field with a default less',
      level,
      from: withDefault,
      to: plain,
      oldByNew: { a: 2 },
      newByOld: { a: 1, b: 7 },
    },
  ]),
  { what: 'a required field more', level: 'NONE', from: plain, to: withRequired, newByOld: { a: 2 } },
]

const refused: readonly (readonly [what: string, level: string, from: Side, to: Side])[] = [
  ['a required field more', 'BACKWARD', plain, withRequired],
  ['int64 to int32', 'BACKWARD', wider, plain],
  ['optional to required', 'BACKWARD', optional, plain],
  ['a required field less', 'FORWARD', withRequired, plain],
  ['int32 to int64', 'FORWARD', plain, wider],
  ['int32 to int64', 'FULL', plain, wider],
  ['a required field more', 'FULL', plain, withRequired],
]

let topics = 0
async function topicAt(level: string): Promise<string> {
  const topic = `evolves-${topics++}`
  const { status } = await registry.ask('PUT', `/config/${topic}-value`, { compatibility: level })
  expect(status).toBe(200)
  return topic
}

/** One of its own: nothing is known to it. */
function converter(): Converter {
  return avroConverter.create(
    compileSettings(avroConverter.config)({ 'schema.registry.url': registry.url }).config,
    'value',
  )
}

const write = async (topic: string, [of, value]: Side) =>
  Buffer.from((await converter().fromConnect(topic, of, value)) as Uint8Array)

/** By kafkajs's client and avsc, which resolve the writer's schema against the reader's. */
async function readBy(topic: string, version: 1 | 2, message: Buffer): Promise<unknown> {
  const { body } = await registry.ask('GET', `/subjects/${topic}-value/versions/${version}`)
  const readerSchema = JSON.parse(body.schema as string) as object
  const client = new SchemaRegistry({ host: registry.url })
  const read: unknown = await client.decode(message, { [SchemaType.AVRO]: { readerSchema: readerSchema as never } })
  return JSON.parse(JSON.stringify(read))
}

describe('what a level allows', () => {
  test.each(evolutions)('$level: $what', async ({ level, from, to, oldByNew, newByOld }) => {
    const topic = await topicAt(level)
    const older = await write(topic, from)
    const newer = await write(topic, to)
    // A reader that begins with either, and goes back and forth.
    for (const order of [
      [older, newer, older],
      [newer, older, newer],
    ]) {
      const reader = converter()
      for (const message of order) {
        const [of, value] = message === older ? from : to
        const result = await reader.toConnect(topic, message)
        expect(result).toEqual({ value, schema: { ...of, version: message === older ? 1 : 2 } })
      }
    }
    if (oldByNew !== undefined) expect(await readBy(topic, 2, older)).toEqual(oldByNew)
    if (newByOld !== undefined) expect(await readBy(topic, 1, newer)).toEqual(newByOld)
  })
})

describe('what a level does not allow is the record’s fault, and the earlier version goes on', () => {
  test.each(refused)('%s, %s', async (_what, level, from, to) => {
    const topic = await topicAt(level)
    const ours = converter()
    await ours.fromConnect(topic, ...from)
    await expect((async () => ours.fromConnect(topic, ...to))()).rejects.toMatchObject({
      name: 'DataError',
      cause: { code: 'REGISTRY_40901' },
    })
    expect(await converter().toConnect(topic, await write(topic, from))).toMatchObject({ value: from[1] })
  })
})
