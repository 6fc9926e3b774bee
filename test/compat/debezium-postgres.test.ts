/**
 * The real Debezium and ours capture one database with the same config, each into its own log: snapshot first, then
 * changes. All events are the same, schema by schema and field by field, except for what is listed here, each for a reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  capture,
  debeziumStack,
  tidewireStack,
  type CaptureScript,
  type CaptureStack,
} from '../support/change-capture.ts'
import { changeDifferences } from '../support/change-differences.ts'
import { kafkaMissing } from '../support/kafka.ts'
import { changeScripts } from '../support/postgres-changes.ts'
import { scriptOf, typeModes } from '../support/postgres-modes.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'

interface Accepted {
  readonly reason: string
  /** Topic and path, as differences name them; `*` stands for any text. */
  readonly where: readonly string[]
  /** Of these scripts alone. */
  readonly scripts?: readonly string[]
}

const accepted: readonly Accepted[] = [
  {
    reason:
      'Rows of a partitioned table are read once, where their changes come from; Debezium reads them from the partitions and again from the whole.',
    where: ['public.measured record', 'public.measured_* record'],
  },
  {
    reason: 'A partitioned table that is one topic is read partition by partition, by their names.',
    where: ['public.measured key.*', 'public.measured value.after.*', 'public.measured value.source.snapshot'],
    scripts: ['by_root'],
  },
  {
    reason: 'Logical messages have a name in the counts of a transaction; Debezium has the address of an object there.',
    where: ['transaction value.data_collections.*.data_collection'],
    scripts: ['whole_changes'],
  },
  {
    reason:
      'Arrays of bits and of enums hold their values, and an element may be null; Debezium shows null for the whole, or an element that cannot be null.',
    where: ['array_bit', 'array_enum', 'array_composite'].map((name) => `public.t_${name} *`),
  },
  {
    reason:
      'These arrays are shown as those of other types are; Debezium leaves them out, or has bytes for their elements.',
    where: ['interval', 'money', 'name', 'point', 'varbit', 'xml', 'domain'].map((name) => `public.t_array_${name} *`),
  },
  {
    reason:
      'A column of the key may not be null, even where column.include.list leaves it out; in the stream Debezium forgets that.',
    where: ['public.measured_* key schema.*.optional'],
    scripts: ['included'],
  },
  {
    reason: 'The first row of a snapshot is told as such also where tables before its own are empty.',
    where: ['public.t_* value.source.snapshot'],
  },
  {
    reason: 'Ranges of all kinds are texts; Debezium does not know multiranges, nor those that somebody made.',
    where: ['public.t_int4multirange *', 'public.t_ownrange *'],
  },
  {
    reason: 'Keys of an hstore stay in its order; Debezium has that of a hash map.',
    where: ['public.t_hstore value.after.v', 'public.t_array_hstore value.after.v.0'],
  },
  {
    reason: "Arrays in an array of texts are shown as PostgreSQL writes them; Debezium has an object's address.",
    where: ['public.t_array_text value.after.v.*'],
  },
  { reason: 'Times in an array keep their microseconds.', where: ['public.t_array_time value.after.v.0*'] },
  {
    reason:
      'In a snapshot too, dates before 1582, before Christ and without end are what they are in the stream; Debezium reads them by the Julian calendar, without the era, and overflows.',
    where: [
      'public.t_date value.after.v*',
      'public.t_date_extreme value.after.v*',
      'public.t_date_infinity value.after.v*',
    ],
  },
  { reason: 'A name is shown by the stream too; Debezium has null.', where: ['public.t_name value.after.v'] },
  {
    reason: 'The scale of a numeric may be negative (PostgreSQL 15); Debezium reads 2046 for -2.',
    where: ['public.t_numeric_5_minus2 *'],
  },
  {
    reason:
      'What the source says of an unconstrained numeric is the same in a snapshot as in the stream; Debezium has another length, and no scale.',
    where: ['public.t_numeric* value schema.*.parameters.__debezium.source.column.*'],
    scripts: ['types_adaptive_us'],
  },
  {
    reason: '24:00:00 is the end of a day; as an ISO text Debezium shows its beginning, as a structure nothing.',
    where: ['public.t_time* value.after.v'],
    scripts: ['types_texts', 'types_structured'],
  },
  {
    reason: 'Intervals of days to seconds have microseconds; Debezium takes 65535 for their digits.',
    where: ['public.t_interval_day value.after.v.precision'],
    scripts: ['types_structured'],
  },
]

const scripts = [...typeModes.map((mode) => scriptOf(mode, true)), ...changeScripts]
// The current version: what differs by version, and no contrib modules.
const npmScripts = [
  scriptOf({ name: 'types_18', config: {} }, false),
  ...changeScripts.filter(({ name }) => name === 'changes').map((script) => ({ ...script, name: 'changes_18' })),
]
const missing = (await kafkaMissing()) ?? (await postgresMissing('debian')) ?? (await postgresMissing('npm'))

describe.skipIf(missing !== undefined)('events of a PostgreSQL database', () => {
  let debian: TestPostgres | undefined
  let npm: TestPostgres | undefined
  let stacks: readonly CaptureStack[] = []
  const seen = new Set<Accepted>()

  beforeAll(async () => {
    debian = await startPostgres({ version: 'debian' })
    npm = await startPostgres({ version: 'npm' })
    stacks = await Promise.all([debeziumStack(), tidewireStack()])
  }, 400_000)
  afterAll(async () => {
    await Promise.all(stacks.map((stack) => stack.close()))
    await debian?.close()
    await npm?.close()
  })

  const compare = async (postgres: TestPostgres, script: CaptureScript): Promise<void> => {
    const [theirs, ours] = await capture(postgres, stacks, script)
    const differences = changeDifferences(theirs!, ours!, `${script.name}.`).filter(({ where }) => {
      const row = accepted.find((each) => matches(each, script.name, where))
      if (row !== undefined) seen.add(row)
      return row === undefined
    })
    expect(differences).toEqual([])
  }
  test.each(scripts)('$name', { timeout: 400_000 }, (script) => compare(debian!, script))
  test.each(npmScripts)("$name, on npm's", { timeout: 400_000 }, (script) => compare(npm!, script))

  test('every difference that is listed is there', () => {
    expect(accepted.filter((row) => !seen.has(row)).map(({ reason }) => reason)).toEqual([])
  })
})

function matches({ where, scripts: only }: Accepted, script: string, path: string): boolean {
  return (only === undefined || only.includes(script)) && where.some((pattern) => globOf(pattern).test(path))
}

function globOf(pattern: string): RegExp {
  const literal = (text: string): string => text.replace(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`)
  return new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`)
}
