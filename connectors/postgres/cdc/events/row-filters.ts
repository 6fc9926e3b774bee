import type pg from 'pg'

/**
 * The row filters of a publication (PostgreSQL 15), as conditions in SQL, by the oid of what has rows: a partition that is
 * told as of its root has the root's. The stream leaves out what does not pass them, and so has a snapshot to do.
 * @throws the driver's error
 */
export async function rowFilters(client: pg.Client, publication: string): Promise<ReadonlyMap<number, string>> {
  // By way of JSON, since servers before 15 have no such column.
  const { rows: filters } = await client.query<{ table: string; filter: string }>(
    `SELECT pg_catalog.format('%I.%I', t.schemaname, t.tablename) AS table, pg_catalog.to_jsonb(t) ->> 'rowfilter' AS filter
     FROM pg_catalog.pg_publication_tables t
     WHERE t.pubname = $1 AND pg_catalog.to_jsonb(t) ->> 'rowfilter' IS NOT NULL
       AND EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = $1 AND NOT p.puballtables)`,
    [publication],
  )
  if (filters.length === 0) return new Map()
  const { rows } = await client.query<{ place: number; oid: number }>(
    `SELECT f.place::int AS place, r.oid::int8::float8 AS oid
     FROM unnest($1::text[]) WITH ORDINALITY AS f(name, place)
     CROSS JOIN LATERAL (
       SELECT pg_catalog.to_regclass(f.name)::oid AS oid
       UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(f.name)) AS t
     ) AS r
     WHERE r.oid IS NOT NULL`,
    [filters.map(({ table }) => table)],
  )
  return new Map(rows.map(({ place, oid }) => [oid, filters[place - 1]!.filter]))
}
