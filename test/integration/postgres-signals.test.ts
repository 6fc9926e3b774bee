/** Snapshots of postgres-cdc that are asked for while it streams, on a real server: in chunks beside the stream, and such that it waits for. */
import type { SourceRecord } from '@tidewire/sdk'
import { runSource, type OffsetStore, type SourceRun } from '@tidewire/sdk/testing'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresCdc } from '../../connectors/postgres/cdc/source.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

type Row = Record<string, unknown>
interface Event {
  readonly op: string
  readonly after: Row | null
  readonly source: { readonly snapshot: string | null; readonly table: string; readonly lsn: number | null }
  readonly transaction: unknown
}

const missing = await postgresMissing()
const topic = 'shop-signal'

const eventOf = ({ value }: SourceRecord): Event | null => value as Event | null
const opOf = (record: SourceRecord): string | undefined => eventOf(record)?.op
const keyOf = ({ key }: SourceRecord): string =>
  JSON.stringify(key, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

describe.skipIf(missing !== undefined)(`signals to postgres-cdc${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let database: string
  let count = 0
  let runs: SourceRun[] = []

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
  })
  afterAll(() => postgres.close())
  beforeEach(async () => {
    database = `db${count++}`
    await postgres.createDatabase(database)
  })
  afterEach(async () => {
    for (const run of runs) await run.stop().catch(() => undefined)
    runs = []
  })

  const sql = (text: string) => postgres.sql(text, database)

  /** Streams from now on, with no rows read. */
  async function start(
    config: Record<string, string | number | boolean> = {},
    offsets?: OffsetStore,
  ): Promise<SourceRun> {
    const run = runSource(
      postgresCdc,
      {
        'database.hostname': postgres.host,
        'database.port': postgres.port,
        'database.user': postgres.user,
        'database.dbname': database,
        'topic.prefix': 'shop',
        'slot.name': `slot_${database}`,
        'snapshot.mode': 'no_data',
        'status.update.interval.ms': 100,
        ...config,
      },
      { timeoutMs: 30_000, ...(offsets === undefined ? {} : { offsets }) },
    )
    runs.push(run)
    return run
  }

  /** Takes records, acknowledging each batch, until all that came is as asked. */
  async function takeUntil(
    run: SourceRun,
    isDone: (all: readonly SourceRecord[], fresh: readonly SourceRecord[]) => boolean,
  ): Promise<SourceRecord[]> {
    const all: SourceRecord[] = []
    for (;;) {
      const fresh = await run.take()
      await run.acknowledge()
      all.push(...fresh)
      if (isDone(all, fresh)) return all
    }
  }

  const streams = async (): Promise<boolean> =>
    (await sql(`SELECT FROM pg_replication_slots WHERE slot_name = 'slot_${database}' AND active`)).length === 1

  /** Starts the task, and takes what comes until it streams. */
  async function streaming(run: SourceRun): Promise<void> {
    await sql('CREATE TABLE IF NOT EXISTS marker (id int PRIMARY KEY)')
    const taken = run.take()
    await until('the slot to stream', streams)
    await sql('INSERT INTO marker SELECT coalesce(max(id), 0) + 1 FROM marker')
    let records = await taken
    while (!records.some((record) => eventOf(record)?.source.table === 'marker')) {
      await run.acknowledge()
      records = await run.take()
    }
    await run.acknowledge()
  }

  let sent = 0
  const signal = (run: SourceRun, type: string, data: object): Promise<void> =>
    run.write(topic, {
      key: 'shop',
      value: JSON.stringify({ id: String(sent++), type, data }),
      timestamp: Date.now(),
    })

  const snapshot = (run: SourceRun, tables: readonly string[], more: object = {}): Promise<void> =>
    signal(run, 'execute-snapshot', { 'data-collections': tables, type: 'incremental', ...more })

  const logged = (run: SourceRun, message: string): boolean => run.logs.some((line) => line.message.includes(message))
  const complete = 'the incremental snapshot of a table is complete'

  /** The table that the events make, applied in order. */
  function replay(records: readonly SourceRecord[], table: string): Map<string, Row> {
    const rows = new Map<string, Row>()
    for (const record of records) {
      const event = eventOf(record)
      if (event === null || event.source.table !== table) continue
      if (event.op === 't') rows.clear()
      else if (event.after === null) rows.delete(keyOf(record))
      else rows.set(keyOf(record), event.after)
    }
    return rows
  }

  async function stored(table: string, key: readonly string[]): Promise<Map<string, Row>> {
    const rows = await sql(`SELECT * FROM ${table}`)
    return new Map(rows.map((row) => [JSON.stringify(Object.fromEntries(key.map((name) => [name, row[name]]))), row]))
  }

  test('a table is read beside writes, and what is told makes it', async () => {
    await sql(`
      CREATE TABLE item (id int PRIMARY KEY, state text);
      INSERT INTO item SELECT i, 'old' FROM generate_series(1, 50000) i;
      CREATE TABLE signals (id text, type text, data text)`)
    const run = await start({ 'signal.data.collection': 'public.signals' })
    await streaming(run)
    let isWriting = true
    // No row is written twice, so that no later event mends what an earlier one has told wrong.
    const writer = async (of: number): Promise<void> => {
      const client = await postgres.connect({ database })
      for (let round = 0; isWriting && round < 5000; round++) {
        const id = round * 10 + 2 * of
        await client.query(`
          BEGIN;
          UPDATE item SET state = 'updated' WHERE id = ${id + 1};
          ${round % 3 === 0 ? `DELETE FROM item WHERE id = ${id + 2};` : ''}
          ${round % 3 === 1 ? `UPDATE item SET id = ${100_000 + id} WHERE id = ${id + 2};` : ''}
          ${round % 7 === 0 ? `INSERT INTO item VALUES (${200_000 + id}, 'inserted');` : ''}
          ${round % 50 === 49 ? 'ROLLBACK' : 'COMMIT'}`)
      }
      await client.end()
    }
    const writers = Promise.all([0, 1, 2, 3].map(writer))
    await sql(
      `INSERT INTO signals VALUES ('1', 'execute-snapshot', '{"data-collections": ["public\\\\.it.m"], "type": "INCREMENTAL"}')`,
    )
    const records = await takeUntil(run, () => logged(run, complete))
    isWriting = false
    await writers
    await sql("INSERT INTO item VALUES (-1, 'end')")
    records.push(...(await takeUntil(run, (_, fresh) => fresh.some((record) => keyOf(record) === '{"id":-1}'))))
    expect(replay(records, 'item')).toEqual(await stored('item', ['id']))
    const reads = records.filter((record) => opOf(record) === 'r')
    expect(new Set(reads.map(keyOf)).size).toBe(reads.length)
    expect(reads.length).toBeGreaterThan(30_000)
    expect(reads.every((record) => eventOf(record)!.source.snapshot === 'incremental')).toBe(true)
    // Changes were told in the midst of it, and the signal is an event too.
    const [first, last] = [records.indexOf(reads[0]!), records.indexOf(reads.at(-1)!)]
    expect(records.slice(first, last).some((record) => opOf(record) === 'u')).toBe(true)
    expect(records.filter(({ topic: to }) => to === 'shop.public.signals')).toHaveLength(1)
  }, 120_000)

  test('an idle server does not keep it waiting', async () => {
    await sql(
      "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, 'x' FROM generate_series(1, 10000) i",
    )
    const run = await start({ 'status.update.interval.ms': 10_000 })
    await streaming(run)
    const before = performance.now()
    await snapshot(run, ['public.item'])
    const records = await takeUntil(run, () => logged(run, complete))
    expect(records.filter((record) => opOf(record) === 'r')).toHaveLength(10_000)
    // Without asking, the server tells its position twice in its wal_sender_timeout of a minute.
    expect(performance.now() - before).toBeLessThan(25_000)
    expect(records.map((record) => (record.key as Row)['id'])).toEqual(
      Array.from({ length: 10_000 }, (_, index) => index + 1),
    )
    expect(eventOf(records[0]!)).toMatchObject({ op: 'r', transaction: null, source: { lsn: null } })
  })

  test('rows that are newer than the stream wait for it', async () => {
    await sql(
      "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, 'old' FROM generate_series(1, 300) i",
    )
    const run = await start({ 'max.batch.size': 10 })
    await streaming(run)
    const client = await postgres.connect({ database })
    for (let id = 1; id <= 300; id++) await client.query(`UPDATE item SET name = 'new' WHERE id = ${id}`)
    await client.end()
    await snapshot(run, ['public.item'])
    const records = [...(await run.take()), ...(await run.take())]
    // The stream waits for us, and does not keep the rows from being read.
    await until(
      'the rows to be read',
      async () =>
        (
          await sql(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tidewire%' AND query = 'COMMIT'",
          )
        ).length === 1,
    )
    records.push(...(await takeUntil(run, () => logged(run, complete))))
    expect(records.filter((record) => opOf(record) === 'u')).toHaveLength(300)
    // Each was changed while it was waited for, or told after its change.
    const told = new Set<string>()
    for (const record of records) {
      if (opOf(record) === 'r') told.add(keyOf(record))
      if (opOf(record) === 'u') expect(told.has(keyOf(record))).toBe(false)
    }
  })

  test('keys of several columns and of texts, whatever is in them', async () => {
    await sql(`
      CREATE TABLE "Odd ""name" (a text COLLATE "C", "b c" numeric(10,2), d timestamptz, v text, PRIMARY KEY (a, "b c", d));
      INSERT INTO "Odd ""name"
      SELECT (ARRAY[E'tab\\t', E'back\\\\slash', E'line\\nbreak', 'quote''s', 'ümlaut', '', E'\\\\N'])[1 + i % 7], i / 100.0,
             '2026-01-01'::timestamptz + i * interval '1 millisecond', 'v' FROM generate_series(1, 500) i`)
    const run = await start({ 'incremental.snapshot.chunk.size': 7 })
    await streaming(run)
    await snapshot(run, ['public.Odd "name'])
    const records = await takeUntil(run, () => logged(run, complete))
    expect(new Set(records.map(keyOf)).size).toBe(500)
    expect(records).toHaveLength(500)
  })

  test('goes on where a task ended, and takes no signal twice', async () => {
    await sql(
      "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, 'x' FROM generate_series(1, 2000) i",
    )
    const config = { 'incremental.snapshot.chunk.size': 100 }
    const before = await start(config)
    await streaming(before)
    await snapshot(before, ['public.item'])
    const told = await takeUntil(before, (all) => all.length >= 700)
    // Told, but not acknowledged.
    await before.take(100)
    await before.stop()
    const after = await start(config, before.offsets)
    const rest = await takeUntil(after, () => logged(after, complete))
    const ids = [...told, ...rest].map((record) => (record.key as Row)['id'])
    expect(ids).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
    await after.stop()
    const again = await start(config, after.offsets)
    await streaming(again)
    await sql("UPDATE item SET name = 'y' WHERE id = 1")
    const more = await takeUntil(again, (all) => all.some((record) => opOf(record) === 'u'))
    expect(more.filter((record) => opOf(record) === 'r')).toEqual([])
  })

  test('is paused, resumed and stopped', async () => {
    await sql(`
      CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000);
      CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 1000);
      CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c SELECT generate_series(1, 1000)`)
    const run = await start({ 'incremental.snapshot.chunk.size': 10 })
    await streaming(run)
    await signal(run, 'pause-snapshot', {})
    await snapshot(run, ['public.[abc]'])
    await signal(run, 'stop-snapshot', { 'data-collections': ['public.b'], type: 'incremental' })
    await sql('INSERT INTO marker VALUES (1000)')
    const paused = await takeUntil(run, () => logged(run, 'are stopped'))
    await sql('INSERT INTO marker VALUES (1001)')
    paused.push(...(await takeUntil(run, (_, fresh) => fresh.some((record) => keyOf(record) === '{"id":1001}'))))
    expect(paused.filter((record) => opOf(record) === 'r')).toEqual([])
    await signal(run, 'resume-snapshot', {})
    const resumed = await takeUntil(run, () => run.logs.filter((line) => line.message === complete).length === 2)
    const tables = resumed.filter((record) => opOf(record) === 'r').map((record) => eventOf(record)!.source.table)
    expect(tables.filter((table) => table === 'a')).toHaveLength(1000)
    expect(new Set(tables)).toEqual(new Set(['a', 'c']))
    await snapshot(run, ['public.a'])
    await takeUntil(run, (all) => all.length >= 50)
    await signal(run, 'stop-snapshot', {})
    const ended = await takeUntil(
      run,
      () => run.logs.filter((line) => line.message.includes('are stopped')).length === 2,
    )
    expect(ended.length).toBeLessThan(500)
    expect(run.offsets.get({ server: 'shop', incremental: 'snapshot' })).toMatchObject({ tables: '[]', signals: '[]' })
  })

  test('only rows under a condition; a column to read in the order of', async () => {
    await sql(`
      CREATE TABLE item (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), place int NOT NULL, name text);
      INSERT INTO item (place, name) SELECT i / 10, 'x' FROM generate_series(1, 1000) i`)
    const run = await start({ 'incremental.snapshot.chunk.size': 7 })
    await streaming(run)
    await snapshot(run, ['public.item'], {
      'additional-conditions': [{ 'data-collection': 'public.item', filter: 'place < 50 OR place = 99' }],
      'surrogate-key': 'place',
    })
    const records = await takeUntil(run, () => logged(run, complete))
    const places = records.map((record) => eventOf(record)!.after!['place'] as number)
    expect(places).toEqual(places.toSorted((one, other) => one - other))
    const [{ expected } = {}] = await sql('SELECT count(*)::int AS expected FROM item WHERE place < 50 OR place = 99')
    expect(new Set(records.map(keyOf)).size).toBe(expected)
    expect(records).toHaveLength(expected as number)
  })

  test('what cannot be read is passed over with the reason, and the stream goes on', async () => {
    await sql(`
      CREATE TABLE keyless (id int); INSERT INTO keyless VALUES (1);
      CREATE TABLE partial (id int NOT NULL); CREATE UNIQUE INDEX ON partial (id) WHERE id > 5; INSERT INTO partial VALUES (1), (1);
      CREATE TABLE empty (id int PRIMARY KEY);
      CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)`)
    const run = await start()
    await streaming(run)
    await run.write(topic, { key: 'shop', value: 'no JSON', timestamp: Date.now() })
    await run.write(topic, {
      key: 'another',
      value: '{"type":"log","data":{"message":"not ours"}}',
      timestamp: Date.now(),
    })
    await run.write(topic, { key: 'shop', value: '{"type":"log","data":{"message":"too old"}}', timestamp: 1 })
    await signal(run, 'make-coffee', {})
    await signal(run, 'execute-snapshot', { 'data-collections': [] })
    await snapshot(run, ['public.nowhere'])
    await snapshot(run, ['public.(keyless|partial|empty)'])
    await snapshot(run, ['public.item'], {
      'additional-conditions': [{ 'data-collection': 'public.item', filter: 'no_such_column = 1' }],
    })
    await signal(run, 'log', { message: 'we are at {}' })
    await snapshot(run, ['public.item'])
    const records = await takeUntil(run, () => run.logs.filter((line) => line.message === complete).length === 2)
    expect(records.filter((record) => opOf(record) === 'r').map(keyOf)).toEqual(['{"id":1}'])
    const lines = run.logs.filter(({ level }) => level === 'warn' || level === 'error').map(({ message }) => message)
    for (const part of [
      'offset 0 of topic shop-signal is passed over',
      'there is no signal "make-coffee"',
      '"data-collections" has to name tables',
      'no captured table is of that name',
      'passes over table public.keyless: it has neither a primary key',
      'passes over table public.partial: it has neither a primary key',
      'no_such_column',
    ]) {
      expect(lines.filter((line) => line.includes(part))).toHaveLength(1)
    }
    expect(run.logs.some(({ message }) => /^we are at [\dA-F]+\/[\dA-F]+$/.test(message))).toBe(true)
    expect(run.logs.some(({ message }) => /not ours|too old/.test(message))).toBe(false)
  })

  test('a table that is truncated, altered and given another key meanwhile', async () => {
    await sql(
      "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, 'x' FROM generate_series(1, 3000) i",
    )
    const run = await start({ 'incremental.snapshot.chunk.size': 50, 'skipped.operations': 'none' })
    await streaming(run)
    await snapshot(run, ['public.item'])
    const records = await takeUntil(run, (all) => all.length >= 500)
    await sql("ALTER TABLE item ADD COLUMN more int DEFAULT 5; UPDATE item SET name = 'y' WHERE id % 100 = 0")
    records.push(...(await takeUntil(run, (all) => all.length >= 500)))
    expect(eventOf(records.at(-1)!)!.after).toHaveProperty('more', 5)
    await sql("TRUNCATE item; INSERT INTO item SELECT i, 'z' FROM generate_series(2000, 4000) i")
    records.push(...(await takeUntil(run, (all) => all.length >= 2000)))
    await sql('ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item ADD PRIMARY KEY (name, id)')
    records.push(...(await takeUntil(run, () => logged(run, complete))))
    const ids = new Map<unknown, unknown>()
    for (const record of records) {
      const event = eventOf(record)
      if (event?.op === 't') ids.clear()
      else if (event !== null && event.source.table === 'item') ids.set(event.after!['id'], event.after!['name'])
    }
    const rows = await sql('SELECT id, name FROM item')
    expect(ids).toEqual(new Map(rows.map(({ id, name }) => [id, name])))
  })

  test('partitions that are told as of their root', async () => {
    await sql(`
      CREATE TABLE item (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
      CREATE TABLE item_1 PARTITION OF item FOR VALUES IN (1);
      CREATE TABLE item_2 PARTITION OF item FOR VALUES IN (2);
      INSERT INTO item SELECT i, 1 + i % 2 FROM generate_series(1, 500) i`)
    const run = await start({ 'publish.via.partition.root': true, 'incremental.snapshot.chunk.size': 30 })
    await streaming(run)
    await snapshot(run, ['public.item'])
    const records = await takeUntil(run, () => logged(run, complete))
    expect(new Set(records.map(keyOf)).size).toBe(500)
    expect(new Set(records.map((record) => record.topic))).toEqual(new Set(['shop.public.item']))
  })

  test('row filters of the publication hold for snapshots as for the stream, and a partitioned table stands for its partitions', async () => {
    await sql(`
      CREATE TABLE item (id int, part int, state int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
      CREATE TABLE item_1 PARTITION OF item FOR VALUES IN (1);
      CREATE TABLE item_2 PARTITION OF item FOR VALUES IN (2);
      INSERT INTO item SELECT i, 1 + i % 2, i FROM generate_series(1, 100) i;
      CREATE PUBLICATION filtering FOR TABLE item_1 WHERE (part = 1 AND id <= 20), item_2`)
    const config = { 'publication.name': 'filtering', 'publication.autocreate.mode': 'disabled' }
    const run = await start({ ...config, 'incremental.snapshot.chunk.size': 7, 'snapshot.mode': 'initial' })
    const ids = (records: readonly SourceRecord[]) =>
      records.filter((record) => opOf(record) === 'r').map((record) => (record.key as { id: number }).id)
    const odd = Array.from({ length: 50 }, (_, n) => 2 * n + 1)
    const passing = [...Array.from({ length: 10 }, (_, n) => 2 * n + 2), ...odd].toSorted((a, b) => a - b)
    const first = await takeUntil(run, (all) => ids(all).length === passing.length)
    expect(ids(first).toSorted((a, b) => a - b)).toEqual(passing)
    await sql('INSERT INTO item VALUES (102, 1, 0), (103, 2, 0)')
    const streamed = await takeUntil(run, (_, fresh) => fresh.some((record) => keyOf(record).includes('103')))
    expect(streamed.filter((record) => opOf(record) === 'c')).toHaveLength(1)

    await snapshot(run, ['public.item'], {
      'additional-conditions': [{ 'data-collection': 'public.item', filter: 'state > 10' }],
    })
    const chunks = await takeUntil(run, (all) => ids(all).includes(99))
    expect(ids(chunks).toSorted((a, b) => a - b)).toEqual(passing.filter((id) => id > 10))
    await snapshot(run, ['public.item'], {
      type: 'blocking',
      'additional-conditions': [{ 'data-collection': 'public.item', filter: 'state < 30' }],
    })
    const small = [...passing.filter((id) => id < 30), 103]
    const blocking = await takeUntil(run, (all) => ids(all).length >= small.length)
    expect(ids(blocking).toSorted((a, b) => a - b)).toEqual(small)
  })

  test('a blocking snapshot stands between what was committed before it and what after', async () => {
    await sql(`
      CREATE TABLE item (id int PRIMARY KEY, state int);
      INSERT INTO item SELECT i, 0 FROM generate_series(1, 5000) i;
      CREATE TABLE keyless (id int); INSERT INTO keyless SELECT generate_series(1, 10)`)
    const run = await start()
    await streaming(run)
    let isWriting = true
    const writer = (async () => {
      const client = await postgres.connect({ database })
      for (let round = 1; isWriting; round++) {
        await client.query(`UPDATE item SET state = ${round} WHERE id % 500 = ${round % 500}`)
      }
      await client.end()
    })()
    await takeUntil(run, (all) => all.length > 100)
    await snapshot(run, ['public.(item|keyless)'], {
      type: 'blocking',
      'additional-conditions': [{ 'data-collection': 'public.keyless', filter: 'SELECT * FROM keyless WHERE id > 4' }],
    })
    const records = await takeUntil(run, () => logged(run, 'the snapshot is complete'))
    isWriting = false
    await writer
    await sql('INSERT INTO item VALUES (-1, 0)')
    records.push(...(await takeUntil(run, (_, fresh) => fresh.some((record) => keyOf(record) === '{"id":-1}'))))
    const reads = records.filter((record) => opOf(record) === 'r')
    const [first, last] = [records.indexOf(reads[0]!), records.indexOf(reads.at(-1)!)]
    expect(last - first + 1).toBe(reads.length)
    expect(reads.filter((record) => eventOf(record)!.source.table === 'item')).toHaveLength(5000)
    expect(reads.filter((record) => eventOf(record)!.source.table === 'keyless')).toHaveLength(6)
    expect(
      ['first', 'last'].map((mark) => reads.filter((record) => eventOf(record)!.source.snapshot === mark).length),
    ).toEqual([1, 1])
    expect(replay(records, 'item')).toEqual(await stored('item', ['id']))
    // Each state goes up, and by one step of its row: nothing is told that the rows had already, and nothing is missing.
    const states = new Map<string, number>()
    for (const record of records.slice(first)) {
      const event = eventOf(record)
      if (event === null || event.source.table !== 'item') continue
      const before = states.get(keyOf(record))
      const state = event.after!['state'] as number
      if (before !== undefined && before > 0) expect(state - before).toBe(500)
      states.set(keyOf(record), state)
    }
    expect(await sql('SELECT FROM pg_replication_slots WHERE temporary AND database = current_database()')).toEqual([])
  })

  test('a blocking snapshot that a crash cut off begins anew', async () => {
    await sql('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 5000)')
    const before = await start({ 'max.batch.size': 100 })
    await streaming(before)
    await snapshot(before, ['public.item'], { type: 'blocking' })
    await takeUntil(before, (all) => all.length >= 1000)
    await before.stop()
    const after = await start({}, before.offsets)
    const records = await takeUntil(after, () => logged(after, 'the snapshot is complete'))
    expect(records.filter((record) => opOf(record) === 'r')).toHaveLength(5000)
    expect(after.offsets.get({ server: 'shop', incremental: 'snapshot' })).toMatchObject({ blocking: '[]' })
  })

  test('a transaction that was told, and is not yet visible, is waited for', async () => {
    await sql(
      "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, 'old' FROM generate_series(1, 10) i",
    )
    const run = await start()
    await streaming(run)
    const writer: pg.Client = await postgres.connect({ database })
    try {
      // Its commit is in the log and is told, while it waits for a standby that never comes.
      await postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
      await setting('nobody')
      const [{ pid } = {}] = (await writer.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows
      const update = writer.query("UPDATE item SET name = 'new' WHERE id = 5").catch(() => undefined)
      const told = await takeUntil(run, (all) => all.some((record) => opOf(record) === 'u'))
      expect(told.filter((record) => opOf(record) === 'r')).toEqual([])
      expect(await sql('SELECT name FROM item WHERE id = 5')).toEqual([{ name: 'old' }])
      await snapshot(run, ['public.item'])
      const taking = takeUntil(run, () => logged(run, complete))
      await until('it to be read again', () => Promise.resolve(logged(run, 'not yet visible')))
      expect(logged(run, complete)).toBe(false)
      await postgres.sql(`SELECT pg_cancel_backend(${pid})`)
      await update
      const rows = (await taking).filter((record) => opOf(record) === 'r')
      expect(rows).toHaveLength(10)
      expect(eventOf(rows[4]!)!.after).toEqual({ id: 5, name: 'new' })
    } finally {
      await postgres.sql('ALTER SYSTEM RESET synchronous_standby_names')
      await setting('')
      await writer.end()
    }

    async function setting(names: string): Promise<void> {
      await postgres.sql('SELECT pg_reload_conf()')
      await until('the setting to be taken', async () => {
        const [row] = await postgres.sql('SHOW synchronous_standby_names')
        return row?.['synchronous_standby_names'] === names
      })
    }
  })
})
