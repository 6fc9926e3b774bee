/** What is looked up of tables for their events, against a real server. */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts'
import { eventConfig, topicNames, typeOptions } from './event-fixtures.ts'
import { EventTables } from '../cdc/events/event-tables.ts'
import type { EventConfig } from '../cdc/events/settings.ts'
import type { TableShape } from '../cdc/events/table-shape.ts'
import type { Relation } from '../cdc/replication/wal-message.ts'
import { TypeCatalog } from '../types/type-catalog.ts'

const missing = await postgresMissing()

describe.skipIf(missing !== undefined)(
  `tables of events${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let postgres: TestPostgres
    let client: pg.Client
    const warnings: string[] = []

    beforeAll(async () => {
      postgres = await startPostgres({ version: 'debian' })
      client = await postgres.connect()
    })

    afterAll(async () => {
      await client.end()
      await postgres.close()
    })

    async function eventTables(settings: Partial<EventConfig> = {}, viaRoot = false): Promise<EventTables> {
      const nothing = (): void => undefined
      const log = { debug: nothing, info: nothing, warn: (message: string) => warnings.push(message), error: nothing }
      const config = { ...eventConfig(settings), 'publish.via.partition.root': viaRoot, 'publication.name': 'p' }
      const catalog = await TypeCatalog.load(client)
      return new EventTables({ client, catalog, config, named: {}, types: typeOptions, topics: topicNames, log })
    }

    /** As the stream would announce the table now. */
    async function relationOf(table: string): Promise<Relation> {
      const { rows } = await client.query<{
        id: number
        identity: 'd' | 'n' | 'f' | 'i'
        columns: Relation['columns']
      }>(
        `SELECT c.oid::int8::float8 AS id, c.relreplident::text AS identity, (
         SELECT json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typeModifier', a.atttypmod,
           'isKey', c.relreplident = 'f' OR coalesce(a.attnum = ANY (i.indkey), false)) ORDER BY a.attnum)
         FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       ) AS columns
       FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary WHERE c.oid = $1::regclass`,
        [table],
      )
      const { id, identity, columns } = rows[0]!
      return { id, schema: 'public', table, replicaIdentity: identity, columns }
    }

    const keyOf = (shape: TableShape | undefined): string[] | undefined =>
      shape?.keySchema?.fields?.map(({ name }) => name)

    test('keys are primary keys, else the first unique index without expressions', async () => {
      await client.query(`
      CREATE TABLE k_primary (b int, a int, c int UNIQUE, PRIMARY KEY (a, b));
      CREATE TABLE k_unique (a int, b int NOT NULL, c int);
      CREATE UNIQUE INDEX k_1 ON k_unique ((a + 1));
      CREATE UNIQUE INDEX k_2 ON k_unique (b, a) INCLUDE (c);
      CREATE UNIQUE INDEX k_3 ON k_unique (c);
      CREATE TABLE k_none (a int)`)
      const tables = await eventTables()
      expect(keyOf(await tables.relation(await relationOf('k_primary')))).toEqual(['a', 'b'])
      expect(keyOf(await tables.relation(await relationOf('k_unique')))).toEqual(['b', 'a'])
      expect(keyOf(await tables.relation(await relationOf('k_none')))).toBeUndefined()
    })

    test('a key is the one at the change, though the catalog is ahead', async () => {
      await client.query('CREATE TABLE k_later (a int PRIMARY KEY, b int NOT NULL)')
      const before = await relationOf('k_later')
      await client.query('ALTER TABLE k_later DROP CONSTRAINT k_later_pkey, ADD PRIMARY KEY (b)')
      const tables = await eventTables()
      expect(keyOf(await tables.relation(before))).toEqual(['a'])
      expect(keyOf(await tables.relation(await relationOf('k_later')))).toEqual(['b'])
      await client.query('DROP TABLE k_later')
      expect(keyOf(await (await eventTables()).relation(before))).toEqual(['a'])
    })

    test('a shape stays the same object until the table changes', async () => {
      await client.query(`CREATE TABLE s (id int PRIMARY KEY, n int NOT NULL DEFAULT 7, d varchar(5))`)
      const tables = await eventTables({ 'table.include.list': 'public.s' })
      const [{ shape } = { shape: undefined }] = await tables.tables()
      expect(await tables.relation(await relationOf('s'))).toBe(shape)
      expect(
        shape?.rowSchema.fields?.map(({ name, schema }) => [name, schema.optional ?? false, schema.default]),
      ).toEqual([
        ['id', false, undefined],
        ['n', false, 7],
        ['d', true, undefined],
      ])
      await client.query('ALTER TABLE s ALTER n DROP NOT NULL, ALTER n SET DEFAULT 8')
      const altered = await tables.relation(await relationOf('s'))
      expect(altered?.rowSchema.fields?.[1]?.schema).toMatchObject({ optional: true, default: 8 })
      expect(await tables.relation(await relationOf('s'))).toBe(altered)
    })

    test('a table that is not captured has none', async () => {
      await client.query('CREATE TABLE unwanted (id int)')
      const tables = await eventTables({ 'table.exclude.list': 'public.unwanted' })
      expect(await tables.relation(await relationOf('unwanted'))).toBeUndefined()
    })

    test('types made since, and labels added since, are looked up', async () => {
      const tables = await eventTables()
      await client.query(`CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE moods (id int PRIMARY KEY, mood mood)`)
      const relation = await relationOf('moods')
      const shape = (await tables.relation(relation))!
      const allowed = (each: TableShape): unknown => each.rowSchema.fields?.[1]?.schema.parameters?.['allowed']
      expect(allowed(shape)).toBe('sad')
      await client.query(`ALTER TYPE mood ADD VALUE 'glad'`)
      const renewed = await tables.renew(shape)
      expect(allowed(renewed)).toBe('sad,glad')
      // One that has gone since would be looked up for ever.
      const trusting = await tables.renew(renewed)
      expect(trusting.columns[1]?.labels).toBeUndefined()
      expect(renewed.columns[1]?.labels).toEqual(new Set(['sad', 'glad']))
    })

    test('a snapshot reads tables and partitions, with generated columns, but no views', async () => {
      await client.query(`
      CREATE SCHEMA snap;
      CREATE TABLE snap.p (id int, at date) PARTITION BY RANGE (at);
      CREATE TABLE snap.p_1 PARTITION OF snap.p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
      CREATE TABLE snap.g (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, t text);
      INSERT INTO snap.g (id) SELECT generate_series(1, 10);
      CREATE VIEW snap.v AS SELECT 1 AS x`)
      const settings = { 'schema.include.list': 'snap' }
      const asLeaves = await (await eventTables(settings)).tables()
      expect(asLeaves.map(({ name, shape }) => [name, shape.name])).toEqual([
        ['snap.g', 'snap.g'],
        ['snap.p_1', 'snap.p_1'],
      ])
      expect(asLeaves[0]).toMatchObject({ blocks: 1, toastable: ['t'], statement: undefined })
      expect(asLeaves[0]?.shape.readColumns.map(({ name }) => name)).toEqual(['id', 'twice', 't'])
      const asRoot = await (await eventTables(settings, true)).tables()
      expect(asRoot.map(({ name, shape }) => [name, shape.topic])).toEqual([
        ['snap.g', 'server.snap.g'],
        ['snap.p_1', 'server.snap.p'],
      ])
    })

    test('what the database refuses is told with what was asked', async () => {
      const other = await postgres.connect()
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      const config = { ...eventConfig(), 'publish.via.partition.root': false, 'publication.name': 'p' }
      const catalog = await TypeCatalog.load(other)
      const tables = new EventTables({
        client: other,
        catalog,
        config,
        named: {},
        types: typeOptions,
        topics: topicNames,
        log,
      })
      const relation = await relationOf('k_none')
      await other.end()
      await expect(tables.relation(relation)).rejects.toThrow(/looking up table public\.k_none/)
    })
  },
)
