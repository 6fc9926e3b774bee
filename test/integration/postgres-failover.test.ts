/** postgres-cdc with a primary and a standby: streaming from the standby, and what is told of one that takes over with less. */
import type { SourceRecord } from '@tidewire/sdk'
import { runSource, type OffsetStore, type SourceRun } from '@tidewire/sdk/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { postgresCdc } from '../../connectors/postgres/cdc/source.ts'
import { movingAddress, type MovingAddress } from '../support/moving-address.ts'
import {
  postgresMissing,
  startPostgres,
  startStandby,
  type PostgresVersion,
  type TestPostgres,
} from '../support/postgres.ts'
import { until } from '../support/until.ts'

interface Event {
  readonly op: string
  readonly source: { readonly snapshot: string | null }
}

const idOf = ({ key }: SourceRecord): number => (key as { id: number }).id

for (const version of ['debian', 'npm'] satisfies PostgresVersion[]) {
  const missing = await postgresMissing(version)
  describe.skipIf(missing !== undefined)(
    `postgres-cdc and a standby on ${version}${missing === undefined ? '' : ` (${missing})`}`,
    () => {
      let primary: TestPostgres
      let standby: TestPostgres
      /** What the standby streams from the primary over. */
      let link: MovingAddress
      const runs: SourceRun[] = []

      beforeAll(async () => {
        primary = await startPostgres({ version })
        await primary.sql('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 10)')
        link = await movingAddress(primary.port)
        standby = await startStandby({ version, primary, primaryPort: link.port })
      })
      afterEach(async () => {
        for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
      })
      afterAll(async () => {
        await standby.close()
        await primary.close()
        await link.close()
      })

      function start(
        server: TestPostgres,
        config: Record<string, string | number> = {},
        offsets?: OffsetStore,
      ): SourceRun {
        const run = runSource(
          postgresCdc,
          {
            ...{ 'database.hostname': server.host, 'database.port': server.port, 'database.user': server.user },
            ...{ 'database.dbname': server.database, 'topic.prefix': 'shop', 'slot.name': 'shop', ...config },
          },
          { timeoutMs: 60_000, ...(offsets === undefined ? {} : { offsets }) },
        )
        runs.push(run)
        return run
      }

      /** Takes events, acknowledging each batch, until one is as asked; gives their keys. */
      async function takeUntil(run: SourceRun, isLast: (event: Event, id: number) => boolean): Promise<number[]> {
        const ids: number[] = []
        for (;;) {
          const records = await run.take()
          await run.acknowledge()
          ids.push(...records.map(idOf))
          if (records.some((record) => isLast(record.value as Event, idOf(record)))) return ids
        }
      }

      const isEndOfSnapshot = ({ source }: Event): boolean => source.snapshot === 'last'
      const lsnOf = async (server: TestPostgres, lsn: string): Promise<number> =>
        Number((await server.sql(`SELECT ${lsn} - '0/0' AS lsn`))[0]!['lsn'])
      const allReplayed = async (): Promise<void> => {
        const lsn = await lsnOf(primary, 'pg_current_wal_lsn()')
        await until('the standby to have all', async () => (await lsnOf(standby, 'pg_last_wal_replay_lsn()')) >= lsn)
      }

      test.runIf(version === 'npm')('rows and changes are read from the standby', async () => {
        const own = { 'topic.prefix': 'copy', 'slot.name': 'copy', 'publication.name': 'copy' }
        // A standby can have no publication made.
        await expect(start(standby, own).take()).rejects.toMatchObject({
          code: 'PG_PUBLICATION_MISSING',
          message: expect.stringContaining('create it on the primary') as string,
        })
        await primary.sql('CREATE PUBLICATION copy FOR ALL TABLES')
        await allReplayed()
        const run = start(standby, own)
        const reading = takeUntil(run, isEndOfSnapshot)
        // A new slot on a standby waits for the primary to say which transactions are under way.
        let isRead = false
        const ended = (): void => {
          isRead = true
        }
        reading.then(ended, ended)
        await until('the rows to be read', async () => {
          await primary.sql('SELECT pg_log_standby_snapshot()')
          return isRead
        })
        expect((await reading).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        await primary.sql('INSERT INTO item VALUES (11); INSERT INTO item VALUES (12)')
        expect(await takeUntil(run, (_, id) => id === 12)).toEqual([11, 12])
        await run.stop()
        await primary.sql('INSERT INTO item VALUES (13)')
        expect(await takeUntil(start(standby, own, run.offsets), (_, id) => id === 13)).toEqual([13])
        await primary.sql('DELETE FROM item WHERE id > 10')
      })

      test('a standby that takes over with less than was delivered is told, however far it has come since', async () => {
        const before = start(primary)
        await takeUntil(before, isEndOfSnapshot)
        await allReplayed()
        link.moveTo(undefined)
        await primary.sql('INSERT INTO item SELECT generate_series(1001, 3000)')
        await takeUntil(before, (_, id) => id === 3000)
        await before.stop()
        await primary.kill()
        const delivered = before.offsets.get({ server: 'shop' })!['lsn_commit'] as number
        if (version === 'debian') {
          // In the middle of a failover that passes: the task waits.
          await expect(start(standby, {}, before.offsets).take()).rejects.toMatchObject({
            ...{ name: 'RetriableError', code: 'PG_SERVER_STANDBY' },
          })
        }
        await standby.sql('SELECT pg_promote()')
        // As tools for failover make it, where the server does not.
        await standby.sql("SELECT pg_create_logical_replication_slot('shop', 'pgoutput')")
        await standby.sql('INSERT INTO item SELECT generate_series(2001, 2010)')
        await until('its log to be longer than what was delivered', async () => {
          await standby.sql("SELECT pg_logical_emit_message(true, 'x', repeat('x', 100000))")
          return (await lsnOf(standby, 'pg_current_wal_lsn()')) > delivered
        })
        await expect(start(standby, {}, before.offsets).take()).rejects.toMatchObject({
          ...{ name: 'ConfigError', code: 'PG_SERVER_BEHIND' },
          message: expect.stringContaining('when_needed') as string,
        })
        const again = start(standby, { 'snapshot.mode': 'when_needed' }, before.offsets)
        const ids = await takeUntil(again, isEndOfSnapshot)
        const rows = (await standby.sql('SELECT id FROM item ORDER BY id')).map(({ id }) => id)
        expect(ids.sort((a, b) => a - b)).toEqual(rows)
        await standby.sql('INSERT INTO item VALUES (5000)')
        expect(await takeUntil(again, (_, id) => id === 5000)).toEqual([5000])
        // The old primary, started by somebody: what it tells is not what the new one has written since.
        await again.stop()
        await primary.start()
        await expect(start(primary, {}, again.offsets).take()).rejects.toMatchObject({ code: 'PG_SERVER_OTHER' })
      })
    },
  )
}
