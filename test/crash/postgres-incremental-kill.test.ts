/**
 * A snapshot that is asked for over REST while a table is written to, and the platform (worker and log) is killed in the midst
 * of it, again and again. The topic then makes the table, and no event is there twice.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { readTopic } from '../support/read-topic.ts'
import { replayChanges } from '../support/replay-changes.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const kills = Number(process.env['TIDEWIRE_KILLS'] ?? 3)
const rowCount = 50_000
const missing = await postgresMissing()

interface Offsets {
  readonly offsets: readonly {
    readonly partition: Readonly<Record<string, unknown>>
    readonly offset: Readonly<Record<string, unknown>>
  }[]
}

describe.skipIf(missing !== undefined)(`incremental snapshots${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let place: Place & { remove: () => Promise<void> }
  let platform: Platform

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    await postgres.sql(`
      CREATE TABLE account (id int PRIMARY KEY, state text);
      INSERT INTO account SELECT i, 'old' FROM generate_series(1, ${rowCount}) i`)
    place = await newPlace()
    platform = await startPlatform(place, { args: ['--empty'] })
  })
  afterAll(async () => {
    await platform.stop()
    await place.remove()
    await postgres.close()
  })

  /** How many rows have been told; undefined: all. */
  async function rowsTold(): Promise<number | undefined> {
    const { status, body } = await askRest(platform.rest, 'GET', '/connectors/accounts/offsets')
    if (status !== 200) return 0
    const found = (body as Offsets).offsets.find(({ partition }) => partition['incremental'] === 'snapshot')
    if (found === undefined) return 0
    const tables = JSON.parse(String(found.offset['tables'])) as { rows: number }[]
    const signals = JSON.parse(String(found.offset['signals'])) as unknown[]
    return tables.length === 0 && signals.length === 0 ? undefined : (tables[0]?.rows ?? 0)
  }

  test(`${kills} kills in the midst of one`, { timeout: 300_000 }, async () => {
    const posted = await askRest(platform.rest, 'POST', '/connectors', {
      body: {
        name: 'accounts',
        config: {
          'connector.class': 'postgres-cdc',
          'database.hostname': postgres.host,
          'database.port': String(postgres.port),
          'database.user': postgres.user,
          'database.dbname': postgres.database,
          'topic.prefix': 'bank',
          'slot.name': 'bank',
          'snapshot.mode': 'no_data',
          'incremental.snapshot.chunk.size': '500',
          'key.converter': 'json',
          'key.converter.schemas.enable': 'false',
          'value.converter': 'json',
          'value.converter.schemas.enable': 'false',
        },
      },
    })
    expect(posted.status).toBe(201)
    const signal = {
      type: 'execute-snapshot',
      data: { 'data-collections': ['public.account'], type: 'incremental' },
    }
    // Taken though the connector has hardly begun.
    const signalled = await askRest(platform.rest, 'POST', '/connectors/accounts/signals', { body: signal })
    expect(signalled.status).toBe(202)
    const writing = new AbortController()
    const writer = (async () => {
      const client = await postgres.connect()
      // No row is written twice, so that no later event mends what an earlier one has told wrong.
      for (let id = 1; !writing.signal.aborted && id < rowCount; id += 10) {
        await client.query(`
          BEGIN;
          UPDATE account SET state = 'updated' WHERE id = ${id};
          DELETE FROM account WHERE id = ${id + 1};
          UPDATE account SET id = ${1_000_000 + id} WHERE id = ${id + 2};
          COMMIT`)
      }
      await client.end()
    })()
    for (let kill = 1; kill <= kills; kill++) {
      const enough = (rowCount * kill) / (kills + 1) / 2
      await until(`${enough} rows to be told`, async () => ((await rowsTold()) ?? rowCount) >= enough, 120_000)
      await platform.stop('SIGKILL')
      platform = await startPlatform(place, { args: ['--empty'] })
    }
    await until('the snapshot to be complete', async () => (await rowsTold()) === undefined, 120_000)
    writing.abort()
    await writer
    await postgres.sql("INSERT INTO account VALUES (-1, 'end')")
    const records = await readTopic(
      place.logPort,
      'bank.public.account',
      (seen) => seen.slice(-5000).some(({ key }) => key === '{"id":-1}'),
      120_000,
    )
    const { table, twice } = replayChanges(records)
    const rows = await postgres.sql('SELECT id, state FROM account')
    expect(table).toEqual(new Map(rows.map((row) => [JSON.stringify({ id: row['id'] }), row])))
    expect(twice).toEqual([])
  })
})
