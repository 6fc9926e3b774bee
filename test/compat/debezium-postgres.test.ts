/**
 * The real Debezium and ours capture one database with the same config, each into its own log: snapshot first, then
 * changes. All events are the same, schema by schema and field by field, except for what is listed here, each for a reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { capture, debeziumStack, tidewireStack, type CaptureStack } from '../support/change-capture.ts'
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

const accepted: readonly Accepted[] = []

const scripts = [...typeModes.map((mode) => scriptOf(mode, true)), ...changeScripts]
const missing = (await kafkaMissing()) ?? (await postgresMissing('debian'))

describe.skipIf(missing !== undefined)('events of a PostgreSQL database', () => {
  let postgres: TestPostgres | undefined
  let stacks: readonly CaptureStack[] = []
  const seen = new Set<Accepted>()

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    stacks = await Promise.all([debeziumStack(), tidewireStack()])
  }, 400_000)
  afterAll(async () => {
    await Promise.all(stacks.map((stack) => stack.close()))
    await postgres?.close()
  })

  test.each(scripts)('$name', { timeout: 400_000 }, async (script) => {
    const [theirs, ours] = await capture(postgres!, stacks, script)
    const differences = changeDifferences(theirs!, ours!, `${script.name}.`).filter(({ where }) => {
      const row = accepted.find((each) => matches(each, script.name, where))
      if (row !== undefined) seen.add(row)
      return row === undefined
    })
    const told = differences.map(({ where, ...values }) => ({ where, ...values }))
    expect(told).toEqual([])
  })

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
