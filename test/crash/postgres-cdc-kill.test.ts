/**
 * Change data capture while everything is killed: the platform (worker and log) and the database, in turn at random, under
 * writes. The topic then makes the table, and no event is there twice.
 */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { seededRandom, seedOfRun, type Random } from '../support/random.ts'
import { readTopic } from '../support/read-topic.ts'
import { replayChanges } from '../support/replay-changes.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const kills = Number(process.env['TIDEWIRE_KILLS'] ?? 6)
const seed = seedOfRun()
const missing = await postgresMissing()

/** Writes transactions of a few rows until it is stopped, through every end of the server. */
class Writer {
  transactions = 0
  readonly #postgres: TestPostgres
  readonly #random: Random
  readonly #done: Promise<void>
  #isStopped = false

  constructor(postgres: TestPostgres, random: Random) {
    this.#postgres = postgres
    this.#random = random
    this.#done = this.#write()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
  }

  async #write(): Promise<void> {
    while (!this.#isStopped) {
      let client: pg.Client | undefined
      try {
        client = await this.#postgres.connect()
        while (!this.#isStopped) {
          await client.query(this.#transaction())
          this.transactions++
        }
      } catch {
        // The server was killed. Whether the last transaction was committed does not matter: the table is compared with as it is.
        await new Promise((resolve) => setTimeout(resolve, 50))
      } finally {
        await client?.end().catch(() => undefined)
      }
    }
  }

  #transaction(): string {
    const statements = Array.from({ length: this.#random.between(1, 8) }, () => {
      const id = this.#random.below(3000)
      const what = this.#random.below(10)
      if (what < 4) return `INSERT INTO account VALUES (${id}, 0, 'new') ON CONFLICT (id) DO NOTHING`
      if (what < 8) return `UPDATE account SET balance = balance + 1, note = md5(random()::text) WHERE id = ${id}`
      if (what < 9)
        return `UPDATE account SET id = id + 100000 WHERE id = ${id} AND NOT EXISTS (SELECT FROM account WHERE id = ${id + 100_000})`
      return `DELETE FROM account WHERE id = ${id}`
    })
    return `BEGIN; ${statements.join('; ')}; ${this.#random.below(10) < 9 ? 'COMMIT' : 'ROLLBACK'}`
  }
}

describe.skipIf(missing !== undefined)(`with seed ${seed}${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let place: Place & { remove: () => Promise<void> }
  let platform: Platform

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    await postgres.sql(`
      CREATE TABLE account (id int PRIMARY KEY, balance int, note text) WITH (fillfactor = 10);
      INSERT INTO account SELECT i, 0, 'old' FROM generate_series(1, 20000) i`)
    place = await newPlace()
    platform = await startPlatform(place, { args: ['--empty'] })
  })
  afterAll(async () => {
    await platform.stop()
    await place.remove()
    await postgres.close()
  })

  test(`after ${kills} kills the topic makes the table, with no event twice`, async () => {
    const random = seededRandom(seed)
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
          'max.batch.size': '200',
          'key.converter': 'json',
          'key.converter.schemas.enable': 'false',
          'value.converter': 'json',
          'value.converter.schemas.enable': 'false',
        },
      },
    })
    expect(JSON.stringify(posted)).toContain('201')
    const writers = [new Writer(postgres, seededRandom(seed + 1)), new Writer(postgres, seededRandom(seed + 2))]
    for (let kill = 0; kill < kills; kill++) {
      // From within the snapshot to long after it.
      await new Promise((resolve) => setTimeout(resolve, random.between(300, 3300)))
      if (random.below(10) < 6) {
        await platform.stop('SIGKILL')
        platform = await startPlatform(place, { args: ['--empty'] })
      } else {
        await postgres.kill()
        await postgres.start()
      }
    }
    await Promise.all(writers.map((writer) => writer.stop()))
    expect(Math.min(...writers.map(({ transactions }) => transactions))).toBeGreaterThan(0)
    // The last event tells that all before it is there.
    await postgres.sql("INSERT INTO account VALUES (-1, 0, 'end')")
    const records = await readTopic(
      place.logPort,
      'bank.public.account',
      (seen) => seen.slice(-5000).some(({ key }) => key === '{"id":-1}'),
      120_000,
    )
    const { table, twice } = replayChanges(records)
    const rows = await postgres.sql('SELECT id, balance, note FROM account')
    expect(table).toEqual(new Map(rows.map((row) => [JSON.stringify({ id: row['id'] }), row])))
    expect(twice).toEqual([])
    await until('the slot to be confirmed to the end', async () => {
      const [slot] = await postgres.sql(
        "SELECT confirmed_flush_lsn >= pg_current_wal_lsn() - 1000000 AS near FROM pg_replication_slots WHERE slot_name = 'bank'",
      )
      return slot?.['near'] === true
    })
  })
})
