import type pg from 'pg'

/** What a type of a database is, as pg_type tells it. */
export interface PgType {
  readonly oid: number
  readonly name: string
  /** The schema it is in. */
  readonly schema: string
  readonly kind: 'base' | 'array' | 'domain' | 'enum' | 'range' | 'multirange' | 'composite' | 'pseudo'
  /** Of an array: its elements' type, else 0. */
  readonly elementOid: number
  /** What separates the elements of an array of this type: a comma, of `box` a semicolon. */
  readonly delimiter: string
  /** Of a domain: the type it is made over, which may be a domain again, else 0. */
  readonly baseOid: number
  /** Of a domain: the modifier that it gives to its base type, −1 for none. */
  readonly baseModifier: number
  /** Of an enum: its labels in their order. */
  readonly labels: readonly string[]
}

interface TypeRow {
  readonly oid: number
  readonly name: string
  readonly schema: string
  readonly typtype: string
  readonly is_array: boolean
  readonly element: number
  readonly delimiter: string
  readonly base: number
  readonly base_modifier: number
  readonly labels: readonly string[] | null
}

// As float8, which the driver gives as a number.
const selectTypes = `
  SELECT t.oid::int8::float8 AS oid, t.typname::text AS name, n.nspname::text AS schema, t.typtype::text AS typtype,
         t.typinput = 'pg_catalog.array_in'::regproc AS is_array, t.typelem::int8::float8 AS element,
         t.typdelim::text AS delimiter, t.typbasetype::int8::float8 AS base, t.typtypmod AS base_modifier,
         (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS labels
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`

// Each table brings a row type and an array of it, which hardly a column has: with 10,000 tables they would be the bulk.
const selectNamed = `${selectTypes}
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
  LEFT JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN t.typtype = 'c' THEN t.typrelid ELSE e.typrelid END
  WHERE c.oid IS NULL OR c.relkind = 'c'`

const kinds: Readonly<Record<string, PgType['kind']>> = {
  b: 'base',
  d: 'domain',
  e: 'enum',
  r: 'range',
  m: 'multirange',
  c: 'composite',
  p: 'pseudo',
}

/** The types of one database by oid. One for each task, filled by {@link load}; {@link refresh} brings what came later. */
export class TypeCatalog {
  readonly #types = new Map<number, PgType>()

  /** @throws the driver's error */
  static async load(client: pg.Client): Promise<TypeCatalog> {
    const catalog = new TypeCatalog()
    await catalog.refresh(client)
    return catalog
  }

  /** A catalog of known types: for tests. */
  static of(types: Iterable<PgType>): TypeCatalog {
    const catalog = new TypeCatalog()
    for (const type of types) catalog.#types.set(type.oid, type)
    return catalog
  }

  get(oid: number): PgType | undefined {
    return this.#types.get(oid)
  }

  /**
   * Reads these types again, and those that they are made of; without `oids` all types. For a type that is not known
   * yet (one made since, a table's row type), and for an enum that may have got new labels, which keeps its oid.
   * @throws the driver's error
   */
  async refresh(client: pg.Client, oids?: Iterable<number>): Promise<void> {
    if (oids === undefined) {
      for (const row of (await client.query<TypeRow>(selectNamed)).rows) this.#add(row)
      return
    }
    const asked = new Set<number>()
    for (let wanted = [...oids]; wanted.length > 0;) {
      for (const oid of wanted) asked.add(oid)
      const { rows } = await client.query<TypeRow>(`${selectTypes} WHERE t.oid = ANY($1::oid[])`, [wanted])
      for (const row of rows) this.#add(row)
      wanted = rows.flatMap((row) => [row.element, row.base]).filter((oid) => oid !== 0 && !asked.has(oid))
    }
  }

  /** The type below all domains, and the modifier that applies to it: the column's, or one that a domain gives. */
  rootOf(oid: number, modifier: number): { type: PgType; modifier: number } | undefined {
    let type = this.#types.get(oid)
    let mod = modifier
    while (type?.kind === 'domain') {
      if (type.baseModifier !== -1) mod = type.baseModifier
      type = this.#types.get(type.baseOid)
    }
    return type && { type, modifier: mod }
  }

  #add(row: TypeRow): void {
    this.#types.set(row.oid, {
      oid: row.oid,
      name: row.name,
      schema: row.schema,
      kind: row.is_array ? 'array' : (kinds[row.typtype] ?? 'base'),
      elementOid: row.element,
      delimiter: row.delimiter,
      baseOid: row.base,
      baseModifier: row.base_modifier,
      labels: row.labels ?? [],
    })
  }
}
