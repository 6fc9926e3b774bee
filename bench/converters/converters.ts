/**
 * The converters in both directions, on a small and a large record, beside JSON.stringify and JSON.parse of the same values
 * and, with `--java`, beside Kafka Connect's JsonConverter and Avro's and Protobuf's Java libraries. Bytes to values and back; the registry answers once.
 *
 *     node bench/converters/converters.ts [records] [--java] [--write]
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  Decimal,
  schema,
  type Converter,
  type ConverterDefinition,
  type Schema,
  type SchemaAndValue,
} from '@tidewire/sdk'
import { compileSettings } from '../../core/src/config/settings.ts'
import plugin from '../../core/src/convert/plugin.ts'
import { FakeRegistry } from '../../core/src/registry-client/testing/fake-registry.ts'
import { formatLibs } from '../../test/support/kafka.ts'
import { report, table } from '../support/report.ts'

const count = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 200_000)
const withJava = process.argv.includes('--java')

interface Records {
  readonly name: string
  readonly schema: Schema
  readonly values: readonly object[]
  readonly count: number
}

const optional = { optional: true } as const
const readingFields = {
  device: schema.string(),
  at: schema.int64(),
  temperature: schema.float64(),
  humidity: schema.float64(optional),
  battery: schema.int32(),
  online: schema.boolean(),
  note: schema.string(optional),
}

const reading = (i: number) => ({
  device: `device-${i % 100}`,
  at: 1_700_000_000_000 + i,
  temperature: 20 + (i % 150) / 10,
  humidity: i % 3 === 0 ? null : 40.5 + (i % 37),
  battery: i % 101,
  online: i % 7 !== 0,
  note: i % 5 === 0 ? 'a note with "quotes" in it' : 'nothing to report from here today',
})

const small: Records = {
  name: 'small',
  schema: schema.struct(readingFields, { name: 'bench.Reading' }),
  values: Array.from({ length: 1000 }, (_, i) => reading(i)),
  count,
}

const large: Records = {
  name: 'large',
  schema: schema.struct(
    {
      id: schema.int64(),
      site: schema.string(),
      opened: schema.timestamp(),
      price: schema.decimal(2),
      tags: schema.array(schema.string()),
      totals: schema.map(schema.string(), schema.float64(), { name: 'Totals' }),
      payload: schema.bytes(),
      readings: schema.array(schema.struct(readingFields, { name: 'bench.Item' })),
    },
    { name: 'bench.Batch' },
  ),
  values: Array.from({ length: 100 }, (_, i) => ({
    id: 2 ** 40 + i,
    site: `site number ${i}, Größenordnung`,
    opened: 1_700_000_000_000 + i,
    price: new Decimal(123_456_789n + BigInt(i), 2),
    tags: ['red', 'green', `blue-${i}`],
    totals: new Map(Array.from({ length: 10 }, (_each, key) => [`total-${key}`, key * 1.25 + i])),
    payload: Buffer.alloc(200, i),
    readings: Array.from({ length: 25 }, (_each, at) => reading(i * 25 + at)),
  })),
  count: Math.ceil(count / 20),
}

/** So that no run is for nothing. */
let last: unknown

/**
 * Best of five runs, after one to warm up; records in a second of the thread's processor time, which a machine that others
 * work on changes less than the time by the clock.
 */
function measure(rounds: number, run: (i: number) => unknown): number {
  let best = Infinity
  for (let round = 0; round < 6; round++) {
    const start = process.threadCpuUsage()
    for (let i = 0; i < rounds; i++) last = run(i)
    const { user, system } = process.threadCpuUsage(start)
    if (round > 0) best = Math.min(best, (user + system) / 1e6)
  }
  return Math.round(rounds / best)
}

function make(name: string, settings: Record<string, unknown>): Converter {
  const definition = plugin.converters!.find((each) => each.name === name) as ConverterDefinition
  return definition.create(compileSettings(definition.config)(settings).config, 'value')
}

type Values = Omit<Records, 'schema'> & { readonly schema?: Schema }

async function rowOf(title: string, converter: Converter, of: Values): Promise<string[]> {
  const bytesOf = async (value: unknown) =>
    Buffer.from((await converter.fromConnect(of.name, of.schema, value)) as string | Uint8Array as string)
  const bytes = await Promise.all(of.values.map(bytesOf))
  await converter.toConnect(of.name, bytes[0]!)
  const written = measure(of.count, (i) => {
    const made = converter.fromConnect(of.name, of.schema, of.values[i % of.values.length])
    return typeof made === 'string' ? Buffer.from(made) : made
  })
  const read = measure(
    of.count,
    (i) => (converter.toConnect(of.name, bytes[i % bytes.length]!) as SchemaAndValue).value,
  )
  return [title, String(bytes[1]!.length), written.toLocaleString('en'), read.toLocaleString('en')]
}

/** The same values without their Connect schemas: what JSON.stringify takes. */
function bare(converter: Converter, { values, schema: of, name }: Records): object[] {
  return values.map((value) => JSON.parse((converter.fromConnect(name, of, value) as Buffer).toString()) as object)
}

const registry = await FakeRegistry.start()
const withRegistry = { 'schema.registry.url': registry.url }
const converters: [string, Converter][] = [
  ['json, schema, no envelope', make('json', { 'schemas.enable': false })],
  ['json, envelope', make('json', {})],
  ['json-schema', make('json-schema', withRegistry)],
  ['avro', make('avro', withRegistry)],
  ['protobuf', make('protobuf', withRegistry)],
]

const rows = new Map<Records, string[][]>()
for (const records of [small, large]) {
  const plain = bare(make('json', { 'schemas.enable': false }), records)
  const texts = plain.map((value) => Buffer.from(JSON.stringify(value)))
  const stringify = measure(records.count, (i) => Buffer.from(JSON.stringify(plain[i % plain.length])))
  const parse = measure(records.count, (i) => JSON.parse(texts[i % texts.length]!.toString()) as unknown)
  const of = [
    [
      'JSON.stringify, JSON.parse',
      String(texts[1]!.length),
      stringify.toLocaleString('en'),
      parse.toLocaleString('en'),
    ],
  ]
  const json = make('json', { 'schemas.enable': false })
  const { name, count: rounds } = records
  const beyond = plain.map((value, i) => ({ ...value, beyond: 2n ** 62n + BigInt(i) }))
  of.push(await rowOf('json, no schema', json, { name, values: plain, count: rounds }))
  of.push(await rowOf('json, no schema, an int64 beyond 2^53', json, { name, values: beyond, count: rounds }))
  for (const [title, converter] of converters) of.push(await rowOf(title, converter, records))
  rows.set(records, of)
}
await registry[Symbol.asyncDispose]()

if (withJava) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-converters-'))
  const envelopes = make('json', {})
  const files: string[] = []
  for (const { name, schema: of, values } of [small, large]) {
    const file = join(folder, name)
    await writeFile(
      file,
      values.map((value) => (envelopes.fromConnect(name, of, value) as Buffer).toString()).join('\n'),
    )
    files.push(file)
  }
  const bench = join(import.meta.dirname, 'Bench.java')
  const libs = join(await formatLibs(), '*')
  for (const [index, records] of [small, large].entries()) {
    const args = ['-Xmx512M', '-cp', libs, bench, String(records.count), files[index]!]
    const { stdout } = await promisify(execFile)('java', args)
    for (const line of stdout.trim().split('\n')) {
      const [title = '', bytes = '', written, read] = line.split('\t')
      rows.get(records)!.push([title, bytes, Number(written).toLocaleString('en'), Number(read).toLocaleString('en')])
    }
  }
  await rm(folder, { recursive: true })
}

const head = ['', 'bytes', 'written', 'read']
await report(
  'converters',
  `npm run bench:converters -- ${count}${withJava ? ' --java' : ''}`,
  `Records in a second of processor time (load average ${loadavg()[0]!.toFixed(1)}). Small: a struct of 7 fields.\n\n${table(head, rows.get(small)!)}\n\n` +
    `Large: a struct with text, a timestamp, a decimal, a list, a map of 10, 200 bytes and 25 of the small ones.\n\n${table(head, rows.get(large)!)}`,
)
if (last === undefined) throw new Error('nothing was done')
