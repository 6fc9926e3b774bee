/**
 * Kafka Connect's transforms, each alone, on records with a schema and without one, beside a copy of the record and, with
 * `--java`, beside Kafka Connect's own classes on the same records.
 *
 *     node bench/transforms/transforms.ts [records] [--java] [--write]
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { changed, schema, type SinkRecord, type Transform } from '@tidewire/sdk'
import { compileSettings } from '../../core/src/config/settings.ts'
import plugin from '../../core/src/transform/plugin.ts'
import { kafkaConnectLibs } from '../../test/support/kafka.ts'
import { report, table } from '../support/report.ts'

const count = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 300_000)
const cases = JSON.parse(await readFile(new URL('cases.json', import.meta.url), 'utf8')) as [
  string,
  Record<string, string>,
][]

const reading = schema.struct(
  {
    device: schema.string(),
    at: schema.int64(),
    temperature: schema.float64(),
    humidity: schema.float64({ optional: true }),
    battery: schema.int32(),
    online: schema.boolean(),
    note: schema.string({ optional: true }),
    position: schema.struct({ x: schema.float64(), y: schema.float64() }, { name: 'bench.Position' }),
  },
  { name: 'bench.Reading' },
)

const withSchema = Array.from({ length: 1000 }, (_, i): SinkRecord => {
  const at = 1_700_000_000_000 + i * 60_000
  return {
    topic: 'plant.readings',
    partition: 0,
    offset: 17,
    key: 'k',
    keySchema: schema.string(),
    value: {
      device: `device-${i % 100}`,
      at,
      temperature: 20 + (i % 150) / 10,
      humidity: i % 3 === 0 ? null : 40.5 + (i % 37),
      battery: i % 101,
      online: i % 7 !== 0,
      note: 'nothing to report from here today',
      position: { x: 1.5, y: 2.5 },
    },
    valueSchema: reading,
    headers: [
      { key: 'trace', value: 'abc', schema: schema.string() },
      { key: 'kind', value: 'reading', schema: schema.string() },
    ],
    timestamp: at,
  }
})
const schemaless = withSchema.map((record) => ({ ...record, valueSchema: undefined }))

/**
 * Best of five runs, after one to warm up; records in a second of the thread's processor time, which a machine that others
 * work on changes less than the time by the clock.
 */
function measure(transform: Transform, records: readonly SinkRecord[]): number {
  let best = Infinity
  for (let round = 0; round < 6; round++) {
    const start = process.threadCpuUsage()
    for (let i = 0; i < count; i++) last = transform.apply(records[i % 1000]!)
    const { user, system } = process.threadCpuUsage(start)
    if (round > 0) best = Math.min(best, (user + system) / 1e6)
  }
  return Math.round(count / best)
}

/** So that no run is for nothing. */
let last: unknown

const inJava = new Map<string, readonly number[]>()
if (process.argv.includes('--java')) {
  const bench = join(import.meta.dirname, 'Bench.java')
  const args = ['-Xmx512M', '-cp', join(await kafkaConnectLibs(), '*'), bench]
  const { stdout } = await promisify(execFile)('java', [
    ...args,
    join(import.meta.dirname, 'cases.json'),
    String(count),
  ])
  for (const line of stdout.split('\n')) {
    const [name = '', ...figures] = line.split(' ')
    if (figures.length === 2) inJava.set(name, figures.map(Number))
  }
}

const figure = (perSecond: number | undefined): string => {
  if (perSecond === undefined || perSecond === 0) return '–'
  return perSecond > 50e6 ? 'more than 50 million' : perSecond.toLocaleString('en')
}
const row = (name: string, transform: Transform): string[] => {
  const noSchema = name.startsWith('SetSchemaMetadata') ? 0 : measure(transform, schemaless)
  const beside = inJava.size === 0 ? [] : (inJava.get(name) ?? [0, 0]).map(figure)
  return [name, figure(measure(transform, withSchema)), figure(noSchema), ...beside]
}

const rows = [row('(a copy of the record)', { apply: (record) => changed(record, { topic: 'other' }) })]
for (const [name, raw] of cases) {
  const definition = plugin.transforms!.find(({ aliases }) => aliases?.includes(name))!
  const { config } = compileSettings(definition.config)(raw)
  rows.push(row(name, await definition.create(config, {} as Parameters<typeof definition.create>[1])))
}

const head = ['', 'with a schema', 'without']
if (inJava.size > 0) head.push('Kafka Connect, with', 'without')
await report(
  'transforms',
  `node bench/transforms/transforms.ts ${count}${inJava.size > 0 ? ' --java' : ''}`,
  `Records in a second of processor time; a struct of 8 fields, two headers.\n\n${table(head, rows)}`,
)
if (last === undefined) throw new Error('nothing was done')
