/**
 * The JSON converter beside plain JSON.stringify and JSON.parse of the same values, bytes to bytes.
 *
 *     node bench/convert/json.ts [records] [--write]
 */
import { schema, type Converter, type SchemaAndValue } from '@tidewire/sdk'
import { jsonConverter } from '../../core/src/convert/json-converter.ts'
import { report, table } from '../support/report.ts'

const count = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 300_000)
const rows: string[][] = []

const reading = schema.struct(
  {
    device: schema.string(),
    at: schema.int64(),
    temperature: schema.float64(),
    humidity: schema.float64({ optional: true }),
    battery: schema.int32(),
    online: schema.boolean(),
    note: schema.string({ optional: true }),
  },
  { name: 'bench.Reading' },
)

const readings = Array.from({ length: 1000 }, (_, i) => ({
  device: `device-${i % 100}`,
  at: 1_700_000_000_000 + i,
  temperature: 20 + (i % 150) / 10,
  humidity: i % 3 === 0 ? null : 40 + (i % 37),
  battery: i % 101,
  online: i % 7 !== 0,
  note: i % 5 === 0 ? 'a note with "quotes" in it' : 'nothing to report from here today',
}))

const make = (schemasEnable: boolean): Converter =>
  jsonConverter.create(
    {
      'schemas.enable': schemasEnable,
      'schemas.cache.size': 1000,
      'decimal.format': 'BASE64',
      'replace.null.with.default': true,
      'schema.content': undefined,
    },
    'value',
  )

/** Best of five runs, after one to warm up; records a second. */
function measure(name: string, run: (i: number) => unknown): void {
  let best = Infinity
  let sink = 0
  for (let round = 0; round < 6; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < count; i++) if (run(i % 1000) !== undefined) sink++
    const seconds = Number(process.hrtime.bigint() - start) / 1e9
    if (round > 0) best = Math.min(best, seconds)
  }
  if (sink === 0) throw new Error('nothing was done')
  rows.push([name, Math.round(count / best).toLocaleString('en'), ((best / count) * 1e6).toFixed(2)])
}

const plain = make(false)
const envelope = make(true)
const plainBytes = readings.map((value) => Buffer.from(JSON.stringify(value)))
const envelopeBytes = readings.map((value) => Buffer.from(envelope.fromConnect('t', reading, value) as string))
const bigBytes = readings.map((value, i) =>
  Buffer.from(JSON.stringify(value).replace(/"at":\d+/, `"at":92233720368547${i + 10000}`)),
)

const value = (answer: SchemaAndValue | Promise<SchemaAndValue>): unknown => (answer as SchemaAndValue).value

measure('write  JSON.stringify', (i) => Buffer.from(JSON.stringify(readings[i])))
measure('write  json, schemaless', (i) => Buffer.from(plain.fromConnect('t', undefined, readings[i]) as string))
measure('write  json, schema, no envelope', (i) => Buffer.from(plain.fromConnect('t', reading, readings[i]) as string))
measure('write  json, schema and envelope', (i) =>
  Buffer.from(envelope.fromConnect('t', reading, readings[i]) as string),
)
measure('read   JSON.parse', (i) => JSON.parse(plainBytes[i]!.toString()) as unknown)
measure('read   json, schemaless', (i) => value(plain.toConnect('t', plainBytes[i]!)))
measure('read   json, schemaless, int64 beyond 2^53', (i) => value(plain.toConnect('t', bigBytes[i]!)))
measure('read   JSON.parse of the envelope', (i) => JSON.parse(envelopeBytes[i]!.toString()) as unknown)
measure('read   json, schema and envelope', (i) => value(envelope.toConnect('t', envelopeBytes[i]!)))
await report(
  'convert-json',
  `node bench/convert/json.ts ${count}`,
  `A struct of 7 fields: plain ${plainBytes[1]!.length} bytes, with envelope ${envelopeBytes[1]!.length} bytes.\n\n` +
    table(['', 'records/s', 'µs/record'], rows),
)
