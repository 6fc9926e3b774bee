import type pg from 'pg'
import type { PgColumn } from '../../types/column-reader.ts'

/** A column as the catalog has it now, which may be later than the change that is read. */
export interface CatalogColumn extends PgColumn {
  /** Computed by the server: in the table, but not in the stream. */
  readonly isGenerated: boolean
  /** Whether its values may be kept out of line. */
  readonly isToastable: boolean
}

/** A table as the catalog has it now. */
export interface CatalogTable {
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly columns: readonly CatalogColumn[]
  /** In the key's order; of a table without one, those of its first unique index that has no expressions. */
  readonly keyColumns: readonly string[]
}

/** A relation with rows of its own, or one that is made of partitions. */
export interface CatalogRelation {
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly isPartitioned: boolean
  /** The table it is a partition of, 0 for none. */
  readonly parentOid: number
  readonly blocks: number
  /** The planner's estimate, −1 for none. */
  readonly rows: number
}

interface ColumnRow {
  readonly relation: number
  readonly schema: string
  readonly table: string
  readonly name: string | null
  readonly type: number
  readonly modifier: number
  readonly required: boolean
  readonly default_sql: string | null
  readonly generated: boolean
  readonly toastable: boolean
}

// Numbers as float8, since the driver makes text of int8 and oid.
const selectColumns = `
  SELECT c.oid::int8::float8 AS relation, n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS name,
         a.atttypid::int8::float8 AS type, a.atttypmod AS modifier,
         a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS required,
         CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default_sql,
         a.attgenerated <> '' AS generated, a.attstorage <> 'p' AS toastable
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE c.oid = ANY($1::oid[])
  ORDER BY c.oid, a.attnum`

// The primary key before the others, and those in the order that JDBC gives them: a clustered one first, then by name.
const selectKeys = `
  SELECT DISTINCT ON (k.relation) k.relation::int8::float8 AS relation, k.columns
  FROM (
    SELECT i.indrelid AS relation, i.indisprimary, i.indisclustered, c.relname,
           array_agg(a.attname::text ORDER BY p.position) AS columns
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS p(attnum, position)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum AND a.attnum > 0
    WHERE i.indrelid = ANY($1::oid[]) AND i.indisunique AND p.position <= i.indnkeyatts
    GROUP BY i.indexrelid, i.indrelid, i.indisprimary, i.indisclustered, c.relname
    HAVING bool_and(a.attname IS NOT NULL)
  ) k
  ORDER BY k.relation, k.indisprimary DESC, k.indisclustered DESC, k.relname`

/**
 * Looks these tables up; one that does not exist any more is left out.
 * @throws the driver's error
 */
export async function lookUpTables(client: pg.Client, oids: readonly number[]): Promise<Map<number, CatalogTable>> {
  const columns = await client.query<ColumnRow>(selectColumns, [oids])
  const keys = await client.query<{ relation: number; columns: string[] }>(selectKeys, [oids])
  const keysOf = new Map(keys.rows.map((row) => [row.relation, row.columns]))
  const tables = new Map<number, CatalogTable & { readonly columns: CatalogColumn[] }>()
  for (const row of columns.rows) {
    let table = tables.get(row.relation)
    if (table === undefined) {
      const { relation: oid, schema, table: name } = row
      table = { oid, schema, table: name, columns: [], keyColumns: keysOf.get(oid) ?? [] }
      tables.set(oid, table)
    }
    if (row.name !== null) table.columns.push(columnOf(row, row.name))
  }
  return tables
}

function columnOf(row: ColumnRow, name: string): CatalogColumn {
  return {
    name,
    typeOid: row.type,
    typeModifier: row.modifier,
    nullable: !row.required,
    ...(row.default_sql === null ? {} : { defaultSql: row.default_sql }),
    isGenerated: row.generated,
    isToastable: row.toastable,
  }
}

/**
 * All tables, partitioned ones and partitions, with what they hold; system schemas are the caller's to leave out.
 * @throws the driver's error
 */
export async function listRelations(client: pg.Client): Promise<CatalogRelation[]> {
  const { rows } = await client.query<CatalogRelation>(`
    SELECT c.oid::int8::float8 AS oid, n.nspname::text AS schema, c.relname::text AS table, c.relkind = 'p' AS "isPartitioned",
           CASE WHEN c.relispartition THEN coalesce((
             SELECT h.inhparent::int8::float8 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid LIMIT 1), 0)
           ELSE 0 END AS "parentOid",
           CASE WHEN c.relkind = 'r'
             THEN ceil(pg_catalog.pg_relation_size(c.oid)::float8 / current_setting('block_size')::float8)
             ELSE 0 END AS blocks,
           c.reltuples::float8 AS rows
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    ORDER BY n.nspname, c.relname`)
  return rows
}
