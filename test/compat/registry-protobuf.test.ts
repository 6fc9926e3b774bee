/** The Protobuf converter against a registry of ours, with the serializers of confluent-kafka's Python client on the other side. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { schema, type Converter } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileSettings } from '../../core/src/config/settings.ts'
import { protobufConverter } from '../../core/src/convert/protobuf/protobuf-converter.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'
import { testRegistry, type TestRegistry } from '../support/registry.ts'

const missing = await pythonMissing()

describe.skipIf(missing !== undefined)('confluent-kafka for Python: Protobuf', () => {
  let broker: TestBroker
  let registry: TestRegistry
  let python: Scenario
  let messages: string

  beforeAll(async () => {
    python = await pythonClients(['confluent-kafka[protobuf,schemaregistry]==2.16.0'])
    broker = await testBroker()
    registry = await testRegistry(broker.address)
    messages = await mkdtemp(join(tmpdir(), 'protobuf-'))
  }, 240_000)
  afterAll(async () => {
    await registry.close()
    await broker.close()
    await rm(messages, { recursive: true, force: true })
  })

  const converter = (): Converter => {
    const settings = { 'schema.registry.url': registry.url, 'optional.for.nullables': true }
    return protobufConverter.create(compileSettings(protobufConverter.config)(settings).config, 'value')
  }
  const run = (name: string) => python('protobuf_scenarios.py', name, `${registry.url};${messages}`)

  test('reads what ours writes', async () => {
    const order = schema.struct(
      {
        id: schema.int64(),
        small: schema.int8(),
        note: schema.string({ optional: true }),
        at: schema.timestamp(),
        tags: schema.array(schema.string()),
        numbers: schema.array(schema.int64()),
        counts: schema.map(schema.string(), schema.int32(), { name: 'Counts' }),
        user: schema.struct({ name: schema.string() }, { name: 'User' }),
        raw: schema.bytes(),
        ratio: schema.float64(),
      },
      { name: 'shop.Order' },
    )
    const value = {
      id: 9007199254740993n,
      small: -7,
      note: '',
      at: 1_700_000_000_123,
      tags: ['x', 'größe 😀'],
      numbers: [1, -1, 2 ** 40],
      counts: new Map([['k', -1]]),
      user: { name: 'Ada' },
      raw: Uint8Array.of(0, 255),
      ratio: -0.1,
    }
    await writeFile(join(messages, 'order.bin'), (await converter().fromConnect('order', order, value)) as Uint8Array)
    expect(await run('read')).toEqual({
      id: '9007199254740993',
      small: -7,
      note: '',
      at: '2023-11-14T22:13:20.123Z',
      tags: ['x', 'größe 😀'],
      numbers: ['1', '-1', '1099511627776'],
      counts: { k: -1 },
      user: { name: 'Ada' },
      raw: 'AP8=',
      ratio: -0.1,
    })
  })

  test('ours reads what it writes: a descriptor in base64, references, the second message of the file', async () => {
    expect(await run('write')).toBe(true)
    const { value } = await converter().toConnect('second', await readFile(join(messages, 'second.bin')))
    expect(value).toEqual({
      either_0: { number: null, word: 'größe' },
      u: -1,
      s: -9007199254740993n,
      f: 4294967295,
      packed: [1, -1, 0],
      who: { name: 'Ada' },
      at: Date.parse('2024-02-29T12:34:56.789Z'),
      wrapped: '',
      by: new Map([[-5, 'five']]),
    })
  })
})
