import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type pg from 'pg'
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts'
import { copyRows } from '../cdc/snapshot/copy-rows.ts'

const missing = await postgresMissing()

describe.skipIf(missing !== undefined)(`copyRows${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let client: pg.Client

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    client = await postgres.connect()
  })
  afterAll(async () => {
    await client.end()
    await postgres.close()
  })

  async function linesOf(query: string): Promise<string[]> {
    const lines: string[] = []
    for await (const { bytes, starts } of copyRows(client, query)) {
      for (let line = 0; line + 1 < starts.length; line++)
        lines.push(bytes.toString('utf8', starts[line], starts[line + 1]! - 1))
    }
    return lines
  }

  test('gives whole lines, short ones and such as come in many pieces', async () => {
    const lines = await linesOf(
      "SELECT i, repeat('x', CASE WHEN i = 500 THEN 3000000 ELSE i END) FROM generate_series(1, 1000) i ORDER BY i",
    )
    expect(lines).toHaveLength(1000)
    expect(lines.map((line) => line.split('\t')[1]!.length)).toEqual(
      Array.from({ length: 1000 }, (_, index) => (index === 499 ? 3_000_000 : index + 1)),
    )
  })

  test('a line break in a value ends no line, and no rows are no lines', async () => {
    expect(await linesOf("SELECT E'a\\nb', NULL::text")).toEqual(['a\\nb\t\\N'])
    expect(await linesOf('SELECT 1 WHERE false')).toEqual([])
  })

  test('what the server refuses in the middle is thrown', async () => {
    await expect(linesOf('SELECT 1 / (500 - i) FROM generate_series(1, 1000) i')).rejects.toMatchObject({
      code: '22012',
    })
    expect(await linesOf('SELECT 1')).toEqual(['1'])
  })
})
