/**
 * Has the real Debezium show every type of PostgreSQL, in each mode, and writes what it made of them:
 *
 *     node test/vectors/debezium-postgres/generate.ts [mode …]
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import { capture, debeziumStack } from '../../support/change-capture.ts'
import type { ChangeEvent, ConnectSchema } from '../../support/change-events.ts'
import { DEBEZIUM_VERSION } from '../../support/debezium.ts'
import { startPostgres } from '../../support/postgres.ts'
import { casesOf, firstStreamedKey, scriptOf, typeModes } from '../../support/postgres-modes.ts'
import { rowsOf, tableOf, type TypeCase } from '../../support/postgres-types.ts'

type Row = Readonly<Record<string, unknown>>

const asked = process.argv.slice(2)
const postgres = await startPostgres({ version: 'debian' })
const debezium = await debeziumStack()
try {
  const [{ server_version: version }] = (await postgres.sql('SHOW server_version')) as [{ server_version: string }]
  for (const mode of typeModes.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
    const script = scriptOf(mode, true)
    const [events] = await capture(postgres, [debezium], script)
    const tables = casesOf(mode.types ?? /./, true).map((each) =>
      vectorOf(each, events!.get(`${script.name}.public.t_${each.name}`) ?? []),
    )
    const madeBy = `Debezium ${DEBEZIUM_VERSION} on PostgreSQL ${version}`
    const lines = tables.map((table) => `  ${stringifyExact(table)}`)
    const file = join(import.meta.dirname, `${mode.name.replaceAll('_', '-')}.json`)
    const head = `"madeBy": ${JSON.stringify(madeBy)},\n"config": ${JSON.stringify(script.config)}`
    await writeFile(file, `{\n${head},\n"tables": [\n${lines.join(',\n')}\n]\n}\n`)
    process.stdout.write(`${file}\n`)
  }
} finally {
  await debezium.close()
  await postgres.close()
}

/** A table with its rows, and what the snapshot and the stream showed of each; null where the event was left out. */
function vectorOf(each: TypeCase, events: readonly ChangeEvent[]) {
  const seen = events.map(({ value }) => ({
    row: (value!.payload as { readonly after: Row }).after,
    fields: rowSchemaOf(value!.schema),
  }))
  const showed = (pk: number) => seen.find(({ row }) => row['pk'] === pk)
  const rows = rowsOf(each, 1).map((sql, i) => {
    const [snapshot, stream] = [showed(1 + i)?.row ?? null, showed(firstStreamedKey + i)?.row ?? null]
    return { sql, snapshot, stream }
  })
  const schemas = [...new Set(seen.map(({ fields }) => stringifyExact(fields)))].map((text) =>
    parseExact(text, 'integers'),
  )
  // Rows of one table that had other fields than the first: there are none, unless the version has a fault.
  const more = schemas.length > 1 ? { moreFields: schemas.slice(1) } : {}
  return { name: each.name, type: each.type, sql: tableOf(each), fields: schemas[0] ?? null, ...more, rows }
}

function rowSchemaOf(envelope: ConnectSchema): readonly ConnectSchema[] {
  return envelope.fields!.find(({ field }) => field === 'after')!.fields!
}
