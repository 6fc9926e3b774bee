/**
 * The primary is killed under load while change data capture runs, and its standby takes over, at the same address or at
 * another one: with a slot that the standby has, nothing is lost and nothing comes twice; without one that is told, and
 * the rows are read anew.
 */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { movingAddress, type MovingAddress } from '../support/moving-address.ts'
import {
  postgresMissing,
  standbySlot,
  startPostgres,
  startStandby,
  type PostgresVersion,
  type TestPostgres,
} from '../support/postgres.ts'
import { readTopic } from '../support/read-topic.ts'
import { replayChanges } from '../support/replay-changes.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

interface Status {
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[]
}

/** Writes transactions of some rows, one after the other, until the server is gone. */
async function writeUntilGone(postgres: TestPostgres): Promise<number> {
  let transactions = 0
  let client: pg.Client | undefined
  try {
    client = await postgres.connect()
    for (;;) {
      const id = 1000 + 3 * transactions
      await client.query(`
        BEGIN; INSERT INTO account SELECT i, 0 FROM generate_series(${id}, ${id + 2}) i;
        UPDATE account SET balance = balance + 1 WHERE id % 7 = ${transactions % 7} AND id < 100;
        DELETE FROM account WHERE id = ${id + 1}; COMMIT`)
      transactions++
    }
  } catch {
    // Whether the last transaction was committed does not matter: the table is compared with as it is.
    return transactions
  } finally {
    await client?.end().catch(() => undefined)
  }
}

let place: Place & { remove: () => Promise<void> }
let platform: Platform

beforeAll(async () => {
  place = await newPlace()
  platform = await startPlatform(place, { args: ['--empty'] })
})
afterAll(async () => {
  await platform.stop()
  await place.remove()
})

for (const version of ['debian', 'npm'] satisfies PostgresVersion[]) {
  const missing = await postgresMissing(version)
  // From PostgreSQL 17 on a standby keeps copies of the primary's slots.
  const hasSlot = version === 'npm'
  describe.skipIf(missing !== undefined)(`${version}${missing === undefined ? '' : ` (${missing})`}`, () => {
    let primary: TestPostgres
    let standby: TestPostgres
    let address: MovingAddress

    beforeAll(async () => {
      primary = await startPostgres({ version })
      await primary.sql(
        'CREATE TABLE account (id int PRIMARY KEY, balance int); INSERT INTO account SELECT i, 0 FROM generate_series(1, 500) i',
      )
      standby = await startStandby({
        ...{ version, primary },
        settings: hasSlot ? { sync_replication_slots: 'on' } : {},
      })
      if (hasSlot) {
        // Not before: the slot that it waits for has to be there.
        await primary.sql(`ALTER SYSTEM SET synchronized_standby_slots = '${standbySlot}'`)
        await primary.sql('SELECT pg_reload_conf()')
      }
      address = await movingAddress(primary.port)
    })
    afterAll(async () => {
      await address.close()
      await standby.close()
      await primary.close()
    })

    const configOf = (port: number, more: Record<string, string> = {}) => ({
      'connector.class': 'postgres-cdc',
      'database.hostname': primary.host,
      'database.port': String(port),
      'database.user': primary.user,
      'database.dbname': primary.database,
      'topic.prefix': version,
      'slot.name': 'bank',
      'slot.failover': String(hasSlot),
      'status.update.interval.ms': '500',
      'key.converter': 'json',
      'key.converter.schemas.enable': 'false',
      'value.converter': 'json',
      'value.converter.schemas.enable': 'false',
      ...more,
    })
    const put = async (config: Record<string, string>): Promise<void> => {
      const { status, body } = await askRest(platform.rest, 'PUT', `/connectors/${version}/config`, { body: config })
      expect([200, 201], JSON.stringify(body)).toContain(status)
    }
    const topic = `${version}.public.account`
    const read = (enough: Parameters<typeof readTopic>[2]) => readTopic(place.logPort, topic, enough, 120_000)
    const statusOf = async (): Promise<Status> =>
      (await askRest(platform.rest, 'GET', `/connectors/${version}/status`)).body as Status

    test('the standby takes over', async () => {
      await put(configOf(address.port))
      await read((records) => records.length >= 500)
      if (hasSlot) {
        await until('the standby to have the slot', async () => {
          const [slot] = await standby.sql("SELECT temporary FROM pg_replication_slots WHERE slot_name = 'bank'")
          return slot?.['temporary'] === false
        })
      }
      const writing = writeUntilGone(primary)
      await read((records) => records.length >= 1500)
      await primary.kill()
      expect(await writing).toBeGreaterThan(10)
      // Before it is promoted, as load balancers do that only look whether it answers.
      if (!hasSlot) address.moveTo(standby.port)
      await standby.sql('SELECT pg_promote()')
      if (hasSlot) {
        await put(configOf(standby.port))
      } else {
        const failed = await until('the task to fail', async () =>
          (await statusOf()).tasks.find(({ state }) => state === 'FAILED'),
        )
        expect(failed.trace).toMatch(/slot "bank": it does not exist.*snapshot\.mode=when_needed/)
        await put(configOf(address.port, { 'snapshot.mode': 'when_needed' }))
        await until('the new snapshot to be complete', async () => {
          const { body } = await askRest(platform.rest, 'GET', `/connectors/${version}/offsets`)
          const text = JSON.stringify(body)
          return text.includes('"timeline":2') && !text.includes('"snapshot":"INITIAL"')
        })
      }
      await standby.sql('INSERT INTO account VALUES (-1, 0)')
      const records = await read((seen) => seen.slice(-5000).some(({ key }) => key === '{"id":-1}'))
      const { table, twice } = replayChanges(records)
      const rows = new Map(
        (await standby.sql('SELECT id, balance FROM account')).map((row) => [JSON.stringify({ id: row['id'] }), row]),
      )
      if (hasSlot) {
        expect(twice).toEqual([])
        expect(table).toEqual(rows)
        return
      }
      // What was deleted in the gap has no event; all that is there is told as it is.
      const told = new Map([...table].filter(([key]) => rows.has(key)))
      expect(told).toEqual(rows)
    })
  })
}
