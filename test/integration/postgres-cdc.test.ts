/** postgres-cdc on a real server: from snapshot to stream, and what becomes of both when a task, a slot or the server ends. */
import { ConfigError, type SourceOffset, type SourcePartition, type SourceRecord } from '@tidewire/sdk'
import { parseConfig, runSource, runTransform, type OffsetStore, type SourceRun } from '@tidewire/sdk/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { checkOffsets } from '../../connectors/postgres/cdc/alter-offsets.ts'
import { postgresCdc } from '../../connectors/postgres/cdc/source.ts'
import { tryCapture } from '../../connectors/postgres/cdc/try-out.ts'
import { eventRouter } from '../../core/src/transform/event-router.ts'
import { postgresMissing, startPostgres, type PostgresVersion, type TestPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

type Row = Record<string, unknown>
interface Event {
  readonly op: string
  readonly before: Row | null
  readonly after: Row | null
  readonly source: { readonly snapshot: string | null; readonly table: string; readonly lsn: number }
}

const eventOf = ({ value }: SourceRecord): Event | null => value as Event | null

for (const version of ['debian', 'npm'] satisfies PostgresVersion[]) {
  const missing = await postgresMissing(version)
  describe.skipIf(missing !== undefined)(
    `postgres-cdc on ${version}${missing === undefined ? '' : ` (${missing})`}`,
    () => {
      let postgres: TestPostgres
      let database: string
      let count = 0
      const runs: SourceRun[] = []

      beforeAll(async () => {
        postgres = await startPostgres({ version })
      })
      afterAll(() => postgres.close())
      beforeEach(async () => {
        database = `db${count++}`
        await postgres.createDatabase(database)
      })
      afterEach(async () => {
        for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
      })

      const sql = (text: string) => postgres.sql(text, database)

      function start(
        config: Record<string, string | number | boolean> = {},
        offsets?: OffsetStore,
        preview = false,
      ): SourceRun {
        const run = runSource(
          postgresCdc,
          {
            'database.hostname': postgres.host,
            'database.port': postgres.port,
            'database.user': postgres.user,
            'database.dbname': database,
            'topic.prefix': 'shop',
            'slot.name': `slot_${database}`,
            'status.update.interval.ms': 100,
            ...config,
          },
          { timeoutMs: 30_000, preview, ...(offsets === undefined ? {} : { offsets }) },
        )
        runs.push(run)
        return run
      }

      /** Takes events, acknowledging each batch, until one is as asked. */
      async function takeUntil(run: SourceRun, isLast: (event: Event) => boolean): Promise<SourceRecord[]> {
        const all: SourceRecord[] = []
        for (;;) {
          const records = await run.take()
          await run.acknowledge()
          all.push(...records)
          if (records.some((record) => eventOf(record) !== null && isLast(eventOf(record)!))) return all
        }
      }

      const slot = async (): Promise<Row | undefined> =>
        (
          await sql(
            `SELECT *, confirmed_flush_lsn - '0/0' AS confirmed FROM pg_replication_slots WHERE slot_name = 'slot_${database}'`,
          )
        )[0]

      /** The table that the events make, applied in order. */
      function replay(records: readonly SourceRecord[]): Map<unknown, Row> {
        const rows = new Map<unknown, Row>()
        for (const record of records) {
          const event = eventOf(record)
          if (event === null) continue
          const id = (record.key as Row)['id']
          if (event.after === null) rows.delete(id)
          else rows.set(id, event.after)
        }
        return rows
      }

      test('rows, then their changes, each once', async () => {
        await sql(
          'CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, i::text FROM generate_series(1, 100) i',
        )
        const run = start()
        const rows = await takeUntil(run, ({ source }) => source.snapshot === 'last')
        await sql(
          "INSERT INTO item VALUES (101, 'x'); UPDATE item SET name = 'y' WHERE id = 1; DELETE FROM item WHERE id = 2",
        )
        const changes = await takeUntil(run, ({ op }) => op === 'd')
        expect(rows.map((record) => eventOf(record)!.op)).toEqual(Array.from({ length: 100 }, () => 'r'))
        expect(rows.map((record) => eventOf(record)!.source.snapshot)).toEqual([
          'first',
          ...Array.from({ length: 98 }, () => 'true'),
          'last',
        ])
        expect(changes.map((record) => eventOf(record)?.op ?? null)).toEqual(['c', 'u', 'd', null])
        expect(changes.map(({ key }) => (key as Row)['id'])).toEqual([101, 1, 2, 2])
      })

      test.each(['fail', 'warn', 'skip'])(
        'a change that no event can be made of, with event.processing.failure.handling.mode=%s',
        async (mode) => {
          await sql('CREATE TABLE price (id int PRIMARY KEY, amount numeric NOT NULL)')
          await sql('INSERT INTO price VALUES (0, 0)')
          const run = start({ 'event.processing.failure.handling.mode': mode })
          await takeUntil(run, ({ source }) => source.snapshot === 'last')
          // A Decimal has no NaN.
          await sql("INSERT INTO price VALUES (1, 1), (2, 'NaN'), (3, 3)")
          const taking = takeUntil(run, ({ after }) => after?.['id'] === 3)
          if (mode === 'fail') {
            await expect(taking).rejects.toThrow(/public\.price.*amount.*NaN/)
            return
          }
          expect((await taking).map((record) => eventOf(record)!.after!['id'])).toEqual([1, 3])
          const warnings = run.logs.filter(({ level, message }) => level === 'warn' && message.includes('left out'))
          expect(warnings).toHaveLength(mode === 'warn' ? 1 : 0)
        },
      )

      test('what is committed while the rows are read comes after them, and only so', async () => {
        await sql(
          'CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, i::text FROM generate_series(1, 5000) i',
        )
        const run = start({ 'max.batch.size': 100 })
        const first = await run.take(300)
        await sql(
          "UPDATE item SET name = 'new' WHERE id % 10 = 0; INSERT INTO item VALUES (6000, 'in'); DELETE FROM item WHERE id = 4999",
        )
        const rest = await takeUntil(run, ({ op }) => op === 'd')
        const read = [...first, ...rest].filter((record) => eventOf(record)?.op === 'r')
        expect(new Set(read.map(({ key }) => (key as Row)['id'])).size).toBe(5000)
        expect(read).toHaveLength(5000)
        expect(read.every((record) => eventOf(record)!.after!['name'] === String((record.key as Row)['id']))).toBe(true)
        const rows = await sql('SELECT id, name FROM item')
        expect(replay([...first, ...rest])).toEqual(new Map(rows.map((row) => [row['id'], row])))
      })

      test('a snapshot goes on where a crash left it, in a table and between tables', async () => {
        // A row a block, so that one table is read by several statements.
        await sql(`
        CREATE TABLE a (id int PRIMARY KEY, name text); INSERT INTO a SELECT i, 'a' FROM generate_series(1, 50) i;
        CREATE TABLE b (id int PRIMARY KEY, name text, filler text);
        ALTER TABLE b ALTER filler SET STORAGE PLAIN;
        INSERT INTO b SELECT i, 'b', repeat('x', 7000) FROM generate_series(1, 9000) i;
        CREATE TABLE c (id int PRIMARY KEY, name text); INSERT INTO c SELECT i, 'c' FROM generate_series(1, 50) i`)
        const config = { 'max.batch.size': 500, 'column.exclude.list': 'public.b.filler' }
        const before = start(config)
        const told: SourceRecord[] = []
        while (told.length < 6000) {
          const records = await before.take()
          await before.acknowledge()
          told.push(...records)
        }
        // Read by the task, and never acknowledged.
        await before.take()
        await before.stop()
        await sql(`
        UPDATE b SET name = 'changed' WHERE id IN (1, 8990); DELETE FROM b WHERE id IN (2, 8991);
        INSERT INTO b VALUES (9001, 'new', ''); UPDATE c SET name = 'changed' WHERE id = 1; INSERT INTO c VALUES (51, 'new')`)
        const after = start(config, before.offsets)
        const rest = await takeUntil(after, ({ source, after: row }) => source.table === 'c' && row?.['id'] === 51)
        const events = [...told, ...rest].filter((record) => eventOf(record) !== null)
        const reads = events
          .filter((record) => eventOf(record)!.op === 'r')
          .map((record) => `${record.topic} ${JSON.stringify(record.key)}`)
        expect(reads).toHaveLength(new Set(reads).size)
        expect(rest.filter((record) => eventOf(record)?.source.table === 'a')).toEqual([])
        for (const table of ['b', 'c']) {
          const rows = await sql(`SELECT id, name FROM ${table}`)
          const ours = replay(events.filter((record) => eventOf(record)!.source.table === table))
          expect(ours).toEqual(new Map(rows.map((row) => [row['id'], row])))
        }
        // Changed since the first snapshot: told by the stream alone.
        const ofB = (id: number) =>
          rest.filter((record) => eventOf(record)?.source.table === 'b' && (record.key as Row)['id'] === id)
        expect(ofB(8990).map((record) => eventOf(record)?.op)).toEqual(['u'])
        expect(ofB(9001).map((record) => eventOf(record)?.op)).toEqual(['c'])
        expect(ofB(8991).map((record) => eventOf(record)?.op)).toEqual(['d'])
      })

      test('what is written over between two runs of a snapshot is told with all its values', async () => {
        await sql(`
        CREATE TABLE a (id int PRIMARY KEY, name text); INSERT INTO a SELECT i, 'a' FROM generate_series(1, 900) i;
        CREATE TABLE b (id int PRIMARY KEY, n int, long text);
        ALTER TABLE b ALTER long SET STORAGE EXTERNAL;
        INSERT INTO b SELECT i, 0, repeat('long ' || i, 1000) FROM generate_series(1, 600) i;
        CREATE TABLE c (id int PRIMARY KEY, n int); INSERT INTO c SELECT i, i FROM generate_series(1, 300) i`)
        const config = { 'max.batch.size': 100, 'table.include.list': 'public.a,public.b,public.c' }
        const before = start(config)
        const told: SourceRecord[] = []
        while (told.length < 1200) {
          told.push(...(await before.take()))
          await before.acknowledge()
        }
        await before.stop()
        // Rows of b move, and do not tell their long values; c gets new rows for old ones, of which the stream says nothing.
        await sql('UPDATE b SET n = 1; ALTER TABLE c ALTER n TYPE bigint; INSERT INTO c VALUES (301, 301)')
        const rest = await takeUntil(
          start(config, before.offsets),
          ({ op, after }) => op === 'c' && after?.['id'] === 301,
        )
        const all = [...told, ...rest].filter((record) => eventOf(record) !== null)
        for (const table of ['b', 'c']) {
          const rows = new Map<unknown, Row>()
          for (const record of all) {
            const event = eventOf(record)!
            if (event.source.table !== table) continue
            const id = (record.key as Row)['id']
            const known = rows.get(id)
            // As a sink does: a value that was not sent is as it was.
            const isKept = event.after!['long'] === '__debezium_unavailable_value'
            rows.set(id, isKept ? { ...event.after, long: known?.['long'] } : event.after!)
          }
          const expected = await sql(`SELECT * FROM ${table}`)
          expect(rows.size).toBe(expected.length)
          for (const row of expected) expect(rows.get(row['id'])).toEqual({ ...row, n: Number(row['n']) })
        }
      })

      test('several readers share the tables, and each row comes once', async () => {
        await sql(`
        CREATE TABLE big (id int PRIMARY KEY, filler text); ALTER TABLE big ALTER filler SET STORAGE PLAIN;
        INSERT INTO big SELECT i, repeat('x', 7000) FROM generate_series(1, 7000) i;
        CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 10)`)
        const run = start({
          'snapshot.max.threads': 3,
          'column.exclude.list': 'public.big.filler',
          'snapshot.mode': 'initial_only',
        })
        const records = await run.takeAll()
        const keys = records.map(({ topic, key }) => `${topic} ${(key as Row)['id'] as number}`)
        expect(new Set(keys).size).toBe(7010)
        expect(keys).toHaveLength(7010)
        expect(records.filter((record) => eventOf(record)!.source.snapshot === 'last')).toHaveLength(1)
        // Without a stream there is no need of a slot.
        expect(await slot()).toBeUndefined()
      })

      test('of a transaction that was delivered in part, the rest comes', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY)')
        const config = { 'max.batch.size': 100, 'provide.transaction.metadata': true }
        const before = start(config)
        await before.take()
        await before.acknowledge()
        while ((await slot())?.['active'] !== true) {
          await before.take()
          await before.acknowledge()
        }
        await sql('INSERT INTO item SELECT generate_series(1, 2000)')
        const told: SourceRecord[] = []
        while (told.length < 700) {
          const records = await before.take()
          await before.acknowledge()
          told.push(...records)
        }
        await before.stop()
        const after = start(config, before.offsets)
        const rest: SourceRecord[] = []
        while (!rest.some(({ value }) => (value as Row)['status'] === 'END')) {
          rest.push(...(await after.take()))
          await after.acknowledge()
        }
        const all = [...told, ...rest]
        const inserts = all.filter(({ topic }) => topic === 'shop.public.item')
        expect(inserts.map(({ key }) => (key as Row)['id'])).toEqual(
          Array.from({ length: 2000 }, (_, index) => index + 1),
        )
        const orders = inserts.map(({ value }) => (value as { transaction: Row }).transaction['total_order'])
        expect(orders).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
        const marks = all
          .filter(({ topic }) => topic === 'shop.transaction')
          .map(({ value }) => (value as Row)['status'])
        expect(marks).toEqual(['BEGIN', 'END'])
      })

      test('a database whose changes nobody captures holds no WAL back', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY); CREATE TABLE other (id int)')
        const run = start({
          'table.include.list': 'public.item',
          'snapshot.mode': 'no_data',
          'publication.autocreate.mode': 'filtered',
        })
        const taking = (async () => {
          for (;;) {
            await run.take()
            await run.acknowledge()
          }
        })().catch(() => undefined)
        await until('the slot to stream', async () => (await slot())?.['active'] === true)
        await sql('INSERT INTO other SELECT generate_series(1, 10000)')
        const [row] = await sql("SELECT pg_current_wal_lsn() - '0/0' AS lsn")
        await until(
          'the slot to pass what nobody captures',
          async () => Number((await slot())!['confirmed']) >= Number(row!['lsn']),
        )
        await run.stop()
        await taking
        // What the server was told is stored.
        const stored = run.offsets.get({ server: 'shop' })!['lsn_commit'] as number
        expect(stored).toBeGreaterThanOrEqual(Number((await slot())!['confirmed']))
      })

      describe('when the slot is not where it was', () => {
        /** Streams one change, and ends. */
        async function streamed(): Promise<OffsetStore> {
          await sql('CREATE TABLE item (id int PRIMARY KEY)')
          await sql('INSERT INTO item VALUES (1)')
          const run = start()
          await takeUntil(run, ({ source }) => source.snapshot === 'last')
          await sql('INSERT INTO item VALUES (2)')
          await takeUntil(run, ({ op }) => op === 'c')
          await run.stop()
          return run.offsets
        }

        test('one that somebody dropped is told, and nothing is passed over in silence', async () => {
          const offsets = await streamed()
          await sql(`SELECT pg_drop_replication_slot('slot_${database}')`)
          await sql('INSERT INTO item VALUES (3)')
          await expect(start({}, offsets).take()).rejects.toMatchObject({
            name: 'ConfigError',
            code: 'PG_SLOT_MISSING',
            message: expect.stringContaining('when_needed') as string,
          })
          const again = await takeUntil(
            start({ 'snapshot.mode': 'when_needed' }, offsets),
            ({ source }) => source.snapshot === 'last',
          )
          expect(again.map(({ key }) => (key as Row)['id'])).toEqual([1, 2, 3])
        })

        test('one that somebody advanced is told, and followed where that is asked for', async () => {
          const offsets = await streamed()
          await sql('INSERT INTO item VALUES (3)')
          await sql(`SELECT pg_replication_slot_advance('slot_${database}', pg_current_wal_lsn())`)
          await expect(start({}, offsets).take()).rejects.toMatchObject({ name: 'ConfigError', code: 'PG_SLOT_AHEAD' })
          const trusting = start({ 'offset.mismatch.strategy': 'trust_slot' }, offsets)
          const taking = takeUntil(trusting, ({ op }) => op === 'c')
          await until('the slot to stream', async () => (await slot())?.['active'] === true)
          await sql('INSERT INTO item VALUES (4)')
          expect((await taking).map(({ key }) => (key as Row)['id'])).toEqual([4])
        })

        test('one that another session reads is waited for, then told with its process', async () => {
          const offsets = await streamed()
          const holder = start({}, offsets)
          const taking = holder.take().catch(() => undefined)
          await until('the slot to stream', async () => (await slot())?.['active'] === true)
          await expect(
            start({ 'slot.max.retries': 1, 'slot.retry.delay.ms': 100 }, offsets).take(),
          ).rejects.toMatchObject({
            code: 'PG_SLOT_ACTIVE',
            message: expect.stringMatching(/\d+/) as string,
          })
          await holder.stop()
          await taking
        })
      })

      test('a server that is killed is a passing fault, and nothing is lost by it', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY)')
        const run = start({ 'snapshot.mode': 'no_data' })
        const failing = (async () => {
          for (;;) {
            await run.take()
            await run.acknowledge()
          }
        })()
        failing.catch(() => undefined)
        await until('the slot to stream', async () => (await slot())?.['active'] === true)
        await postgres.kill()
        await expect(failing).rejects.toMatchObject({ name: 'RetriableError', retriable: true })
        await postgres.start()
        await sql('INSERT INTO item VALUES (1)')
        const after = await takeUntil(start({ 'snapshot.mode': 'no_data' }, run.offsets), ({ op }) => op === 'c')
        expect(after.map(({ key }) => (key as Row)['id'])).toEqual([1])
      })

      test('goes on from what Debezium has stored', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)')
        const first = start()
        await takeUntil(first, ({ source }) => source.snapshot === 'last')
        await first.stop()
        await sql('INSERT INTO item VALUES (2)')
        const lsn = (first.offsets.get({ server: 'shop' }) as Row)['lsn'] as number
        const debezium = {
          lsn,
          lsn_proc: lsn,
          lsn_commit: lsn,
          messageType: 'COMMIT',
          ts_usec: 1_700_000_000_000_000,
          txId: 700,
        }
        const run = start(
          {},
          new (first.offsets.constructor as new (stored: unknown) => OffsetStore)([
            { partition: { server: 'shop' }, offset: debezium },
          ]),
        )
        expect((await takeUntil(run, ({ op }) => op === 'c')).map(({ key }) => (key as Row)['id'])).toEqual([2])
      })

      test('heartbeats come at their interval, and carry out their statement', async () => {
        await sql('CREATE TABLE beat (n int)')
        const run = start({
          'snapshot.mode': 'no_data',
          'table.include.list': 'public.none',
          'heartbeat.interval.ms': 100,
          'heartbeat.action.query': 'INSERT INTO beat VALUES (1)',
        })
        const beats: SourceRecord[] = []
        while (beats.length < 3) {
          beats.push(...(await run.take()))
          await run.acknowledge()
        }
        expect(new Set(beats.map(({ topic }) => topic))).toEqual(new Set(['__debezium-heartbeat.shop']))
        expect(beats[0]!.key).toEqual({ serverName: 'shop' })
        expect((await sql('SELECT n FROM beat')).length).toBeGreaterThanOrEqual(2)
      })

      test('snapshot.mode=always reads the tables at each start, and the stream goes on after them', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)')
        const first = start({ 'snapshot.mode': 'always' })
        await takeUntil(first, ({ source }) => source.snapshot === 'last')
        await sql('INSERT INTO item VALUES (2)')
        await takeUntil(first, ({ op }) => op === 'c')
        await first.stop()
        await sql('INSERT INTO item VALUES (3)')
        const second = start({ 'snapshot.mode': 'always' }, first.offsets)
        const read = await takeUntil(second, ({ source }) => source.snapshot === 'last')
        await sql('INSERT INTO item VALUES (4)')
        const streamed = await takeUntil(second, ({ op }) => op === 'c')
        expect(read.map(({ key }) => (key as Row)['id'])).toEqual([1, 2, 3])
        // What the snapshot has is not told again.
        expect(streamed.map(({ key }) => (key as Row)['id'])).toEqual([4])
      })

      test('an outbox table becomes the messages that were put into it', async () => {
        await sql(
          'CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload jsonb)',
        )
        const run = start({ 'snapshot.mode': 'no_data' })
        const taking = takeUntil(run, ({ op }) => op === 'c')
        await until('the slot to stream', async () => (await slot())?.['active'] === true)
        await sql(
          `INSERT INTO outbox VALUES ('11111111-1111-1111-1111-111111111111', 'order', '42', 'OrderPlaced', '{"total": 7}')`,
        )
        const router = runTransform(eventRouter, {})
        const routed = await Promise.all((await taking).map((record) => router.apply(record)))
        expect(routed).toEqual([
          expect.objectContaining({ topic: 'outbox.event.order', key: '42', value: '{"total": 7}' }),
        ])
      })

      describe('a deep validation', () => {
        const base = () => ({
          'database.hostname': postgres.host,
          'database.port': postgres.port,
          'database.user': postgres.user,
          'database.dbname': database,
          'topic.prefix': 'shop',
        })
        const tried = (config: Record<string, string | number>) =>
          tryCapture(parseConfig(postgresCdc, { ...base(), ...config }), {
            signal: AbortSignal.timeout(30_000),
            log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
          })

        test('finds nothing wrong with what works, and makes nothing', async () => {
          await sql('CREATE TABLE item (id int PRIMARY KEY)')
          expect(await tried({})).toEqual({})
          expect(await sql('SELECT pubname FROM pg_publication')).toEqual([])
        })

        test('says which privileges are missing, and that no table passes the filters', async () => {
          await sql(`CREATE TABLE item (id int PRIMARY KEY); DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN`)
          const problems = await tried({ 'database.user': 'weak' })
          expect(problems['database.user']).toEqual([
            expect.stringContaining('REPLICATION'),
            expect.stringContaining('may not read "public"."item": GRANT SELECT'),
          ])
          expect(problems['publication.autocreate.mode']).toEqual([expect.stringContaining('superuser')])
          expect(await tried({ 'table.include.list': 'public.none' })).toEqual({
            'table.include.list': [expect.stringContaining('no table')],
          })
        })

        test('says what cannot be reached', async () => {
          expect(Object.keys(await tried({ 'database.port': 1 }))).toEqual(['database.hostname'])
          expect(Object.keys(await tried({ 'database.dbname': 'nowhere' }))).toEqual(['database.dbname'])
        })
      })

      test('changed offsets are looked at', () => {
        const config = parseConfig(postgresCdc, {
          'database.hostname': 'h',
          'database.user': 'u',
          'database.dbname': 'd',
          'topic.prefix': 'shop',
        })
        const change = (partition: SourcePartition, offset: SourceOffset | null) => () =>
          checkOffsets(config, [{ partition, offset }])
        expect(change({ server: 'shop' }, { lsn_commit: 1, lsn: 1 })()).toBe(true)
        expect(change({ server: 'other' }, null)()).toBe(true)
        expect(change({ server: 'other' }, { lsn: 1 })).toThrow(ConfigError)
        expect(change({ server: 'shop' }, { lsn: '0/1' })).toThrow(/"lsn" is no WAL position/)
        expect(change({ server: 'shop' }, {})).toThrow(/neither "lsn" nor "lsn_commit"/)
      })

      test('a preview shows rows and leaves no trace', async () => {
        await sql('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)')
        const run = start({}, undefined, true)
        expect((await run.takeAll()).map(({ key }) => (key as Row)['id'])).toEqual([1])
        expect(await sql('SELECT slot_name FROM pg_replication_slots WHERE database = current_database()')).toEqual([])
        expect(await sql('SELECT pubname FROM pg_publication')).toEqual([])
      })
    },
  )
}
