import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import { tableName, type TableId } from '../../link/identifier.ts'

/** A column that rows are put in order by. */
export interface OrderColumn {
  readonly name: string
  /** As it stands in SQL, with its modifier. */
  readonly type: string
}

/** A table as its chunks are read. */
export interface ChunkTable {
  readonly oid: number
  /** As it stands in SQL after FROM. */
  readonly from: string
  /** Tells each row from the others, for whoever reads the table and in the stream. */
  readonly key: readonly string[]
  /** The order in which rows are read: no two have the same values there, and none is NULL. */
  readonly order: readonly OrderColumn[]
  /** Another text once its columns have changed. */
  readonly columns: string
  /** The publication's row filter, in SQL. */
  readonly rowFilter: string | undefined
  /** The planner's, −1 for none. */
  readonly rows: number
}

interface Row {
  readonly oid: number
  readonly partitioned: boolean
  readonly rows: number
  readonly columns: string
  readonly filter: string | null
  readonly key: OrderColumn[] | null
  readonly surrogate: (OrderColumn & { readonly required: boolean }) | null
}

// Of several unique indexes the one that the stream tells rows by, then the primary key. One without all rows, or with
// NULLs, which are equal to nothing, does not tell each from the others.
const lookUp = `
  SELECT t.oid::int8::float8 AS oid, t.relkind = 'p' AS partitioned, t.reltuples::float8 AS rows,
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', f.attname, f.atttypid, f.atttypmod, f.attnotnull), ',' ORDER BY f.attnum)
     FROM pg_catalog.pg_attribute f
     WHERE f.attrelid = t.oid AND f.attnum > 0 AND NOT f.attisdropped) AS columns,
    -- Of a publication of all tables that view is long, and there are no filters.
    CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_publication b WHERE b.pubname = $4 AND NOT b.puballtables) THEN (
      SELECT pg_catalog.to_jsonb(v) ->> 'rowfilter' FROM pg_catalog.pg_publication_tables v
      WHERE v.pubname = $4 AND v.schemaname = $1 AND v.tablename = $2) END AS filter,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname,
              'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY k.place)
     FROM (
       SELECT i.indkey, i.indnkeyatts FROM pg_catalog.pg_index i
       WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
         AND NOT EXISTS (
           SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS c(attnum, place)
           JOIN pg_catalog.pg_attribute n ON n.attrelid = t.oid AND n.attnum = c.attnum
           WHERE c.place <= i.indnkeyatts AND NOT n.attnotnull)
       ORDER BY i.indisreplident DESC, i.indisprimary DESC, i.indexrelid LIMIT 1
     ) best
     CROSS JOIN LATERAL unnest(best.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
     WHERE k.place <= best.indnkeyatts) AS key,
    (SELECT pg_catalog.json_build_object('name', s.attname, 'type', pg_catalog.format_type(s.atttypid, s.atttypmod),
              'required', s.attnotnull)
     FROM pg_catalog.pg_attribute s
     WHERE s.attrelid = t.oid AND s.attname = $3 AND s.attnum > 0 AND NOT s.attisdropped) AS surrogate
  FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  WHERE n.nspname = $1 AND t.relname = $2 AND t.relkind IN ('r', 'p')`

/**
 * Looks a table up as it is now.
 * @param publication whose row filter counts
 * @param surrogateKey column that rows are to be read in the order of; undefined: the table's key
 * @returns a text: why it cannot be read in chunks
 * @throws ConnectError
 */
export async function lookUpChunkTable(
  client: pg.Client,
  id: TableId,
  publication: string,
  surrogateKey: string | undefined,
): Promise<ChunkTable | string> {
  let row: Row | undefined
  try {
    row = (await client.query<Row>(lookUp, [id.schema, id.table, surrogateKey ?? '', publication])).rows[0]
  } catch (error) {
    throw problemOf(error, `looking up table ${id.schema}.${id.table}`)
  }
  if (row === undefined) return 'it does not exist'
  const { oid, partitioned, rows, columns, filter, key, surrogate } = row
  if (key === null) {
    return 'it has neither a primary key nor another unique index over all rows and without NULLs; a snapshot of type blocking needs none'
  }
  const from = partitioned ? tableName(id) : `ONLY ${tableName(id)}`
  const table = { oid, rows, columns, from, rowFilter: filter ?? undefined, key: key.map(nameOf) }
  if (surrogateKey === undefined) return { ...table, order: key }
  if (surrogate === null) return `it has no column ${surrogateKey} (surrogate-key)`
  if (!surrogate.required) return `its column ${surrogateKey} (surrogate-key) may be NULL`
  const first = { name: surrogate.name, type: surrogate.type }
  // With the key behind it, rows of one value come one after the other too.
  return { ...table, order: [first, ...key.filter(({ name }) => name !== first.name)] }
}

const nameOf = ({ name }: OrderColumn): string => name
