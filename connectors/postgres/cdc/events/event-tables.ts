import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import type { TableId } from '../../link/identifier.ts'
import type { PgColumn, TypeOptions } from '../../types/column-reader.ts'
import type { TypeCatalog } from '../../types/type-catalog.ts'
import type { Relation } from '../replication/wal-message.ts'
import { rowFilters } from './row-filters.ts'
import { overriddenTables, type EventConfig, type NamedSettings } from './settings.ts'
import { ShapeBuilder, type TableFacts } from './shape-builder.ts'
import { snapshotTables, type SnapshotTable } from './snapshot-tables.ts'
import { TableFilter } from './table-filter.ts'
import { listRelations, lookUpTables, type CatalogTable } from './table-look-up.ts'
import type { TableShape } from './table-shape.ts'
import type { TopicNames } from './topic-names.ts'

export interface EventTablesOptions {
  /** For look-ups: no WAL sender, and with no snapshot of its own between two calls. */
  readonly client: pg.Client
  readonly catalog: TypeCatalog
  readonly config: EventConfig & {
    readonly 'publish.via.partition.root': boolean
    readonly 'publication.name': string
  }
  readonly named: NamedSettings
  readonly types: TypeOptions
  readonly topics: TopicNames
  readonly log: Logger
}

interface Known {
  readonly facts: TableFacts
  readonly shape: TableShape
}

/**
 * The shapes of captured tables: made of what the stream or the catalog says of a table, and kept for as long as that
 * stays the same, so that one table has one schema from the snapshot into the stream.
 */
export class EventTables {
  readonly filter: TableFilter
  readonly #options: EventTablesOptions
  readonly #builder: ShapeBuilder
  /** By the table's oid. */
  readonly #known = new Map<number, Known>()
  /** As the stream has announced what a shape was made of. */
  readonly #relations = new WeakMap<TableShape, Relation>()

  /** @throws TypeError with what is wrong with a setting; `checkEvents` finds it before */
  constructor(options: EventTablesOptions) {
    this.#options = options
    this.filter = new TableFilter(options.config)
    this.#builder = new ShapeBuilder({ ...options, filter: this.filter })
  }

  /**
   * The shape of a relation as the stream announces it. Its columns are the stream's; its key, what may be null, and defaults
   * are looked up, as they are now.
   * @returns undefined: the table is not captured
   * @throws ConnectError
   */
  async relation(relation: Relation): Promise<TableShape | undefined> {
    if (!this.filter.captures(relation)) return undefined
    return this.#guarded(`looking up table ${relation.schema}.${relation.table}`, async () => {
      await this.#refreshUnknown(relation.columns)
      const found = (await lookUpTables(this.#options.client, [relation.id])).get(relation.id)
      return this.#streamShape(relation, found, true)
    })
  }

  /**
   * The shape in place of one that met a label which its enum did not have: the enum is looked up again. Adding a label is
   * not announced in the stream.
   * @throws ConnectError
   */
  async renew(shape: TableShape): Promise<TableShape> {
    const relation = this.#relations.get(shape)
    if (relation === undefined) return shape
    return this.#guarded(`looking up the types of table ${shape.name}`, async () => {
      const { client, catalog } = this.#options
      const before = this.#known.get(relation.id)?.facts.types
      await catalog.refresh(
        client,
        relation.columns.map(({ typeOid }) => typeOid),
      )
      const found = (await lookUpTables(client, [relation.id])).get(relation.id)
      const renewed = this.#streamShape(relation, found, true)
      const isNew = !isDeepStrictEqual(this.#known.get(relation.id)?.facts.types, before)
      // A label that is not there any more would be looked up for every row that has it.
      return isNew ? renewed : this.#streamShape(relation, found, false)
    })
  }

  /**
   * The shape of a table as the catalog has it now.
   * @returns undefined: it does not exist any more
   * @throws ConnectError
   */
  async table(oid: number): Promise<TableShape | undefined> {
    return this.#guarded('looking up a table', async () => {
      const table = (await lookUpTables(this.#options.client, [oid])).get(oid)
      if (table === undefined) return undefined
      await this.#refreshUnknown(table.columns)
      return this.#shapeOf(oid, this.#builder.factsOf(table, table.columns, table.keyColumns, true))
    })
  }

  /**
   * The captured tables, each once: partitions are tables of their own, or are told as of their root and left out.
   * @param isAsked which of them, by `schema.table` or the name of what it is a partition of
   * @throws ConnectError
   */
  async names(isAsked: (name: string) => boolean): Promise<(TableId & { readonly parents: readonly string[] })[]> {
    return this.#guarded('looking up the tables to capture', async () => {
      const chosen = snapshotTables(await listRelations(this.#options.client), {
        captures: (id) => this.filter.captures(id),
        isAsked,
        viaRoot: this.#options.config['publish.via.partition.root'],
        order: undefined,
        include: undefined,
      })
      const tables = new Map(
        chosen.map(({ root: { schema, table }, parents, root }) => [root, { schema, table, parents }]),
      )
      return [...tables.values()]
    })
  }

  /**
   * The captured tables as they are now, in the order in which a snapshot reads them.
   * @param isAsked which of them, by `schema.table` or the name of what it is a partition of; left out: those of
   *   `snapshot.include.collection.list`
   * @throws ConnectError
   */
  async tables(isAsked?: (name: string) => boolean): Promise<SnapshotTable[]> {
    return this.#guarded('looking up the tables to capture', async () => {
      const { client, config, named } = this.#options
      const relations = await listRelations(client)
      const chosen = snapshotTables(relations, {
        captures: (id) => this.filter.captures(id),
        isAsked,
        viaRoot: config['publish.via.partition.root'],
        order: config['table.include.list'],
        include: isAsked === undefined ? config['snapshot.include.collection.list'] : undefined,
      })
      const found = await lookUpTables(client, [
        ...new Set(chosen.flatMap(({ root, relation }) => [root.oid, relation.oid])),
      ])
      await this.#refreshUnknown([...found.values()].flatMap(({ columns }) => columns))
      const filters = await rowFilters(client, config['publication.name'])
      const statements = new Map(
        overriddenTables(config).map((table) => [table, named[`snapshot.select.statement.overrides.${table}`]]),
      )
      return chosen
        .flatMap(({ root, relation, parents }) => {
          const table = found.get(root.oid)
          if (table === undefined) return []
          const shape = this.#shapeOf(root.oid, this.#builder.factsOf(table, table.columns, table.keyColumns, true))
          return [
            {
              shape,
              relation,
              parents,
              statement: statements.get(shape.name),
              columns: found.get(relation.oid)?.columns ?? [],
            },
          ]
        })
        .map(({ shape, relation, parents, statement, columns }) => ({
          shape,
          name: `${relation.schema}.${relation.table}`,
          parents,
          relation,
          statement,
          rowFilter: filters.get(relation.oid),
          blocks: relation.blocks,
          rows: relation.rows,
          toastable: columns.filter(({ isToastable }) => isToastable).map(({ name }) => name),
        }))
    })
  }

  #streamShape(relation: Relation, found: CatalogTable | undefined, checksLabels: boolean): TableShape {
    const known = this.#known.get(relation.id)?.facts
    const columns = relation.columns.map((column) => streamColumn(column, found, known))
    const keyColumns = keyOf(relation, found, known)
    const shape = this.#shapeOf(relation.id, this.#builder.factsOf(relation, columns, keyColumns, checksLabels))
    this.#relations.set(shape, relation)
    return shape
  }

  #shapeOf(oid: number, facts: TableFacts): TableShape {
    const known = this.#known.get(oid)
    if (known !== undefined && isDeepStrictEqual(known.facts, facts)) return known.shape
    const shape = this.#builder.build(facts)
    this.#known.set(oid, { facts, shape })
    return shape
  }

  async #refreshUnknown(columns: readonly { readonly typeOid: number }[]): Promise<void> {
    const { client, catalog } = this.#options
    const unknown = new Set(columns.map(({ typeOid }) => typeOid).filter((oid) => catalog.get(oid) === undefined))
    if (unknown.size > 0) await catalog.refresh(client, unknown)
  }

  async #guarded<T>(what: string, lookUp: () => Promise<T>): Promise<T> {
    try {
      return await lookUp()
    } catch (error) {
      throw problemOf(error, what)
    }
  }
}

type RelationColumn = Relation['columns'][number]

/**
 * What the stream does not tell of a column is taken from the catalog, or, where the table or the column has been dropped
 * since, from what was known before.
 */
function streamColumn(
  { name, typeOid, typeModifier }: RelationColumn,
  found: CatalogTable | undefined,
  known: TableFacts | undefined,
): PgColumn {
  const columns: readonly PgColumn[] = found?.columns ?? known?.columns ?? []
  const looked = columns.find((column) => column.name === name)
  const isSame = looked?.typeOid === typeOid
  return {
    name,
    typeOid,
    typeModifier,
    nullable: looked?.nullable ?? true,
    ...(isSame && looked.defaultSql !== undefined ? { defaultSql: looked.defaultSql } : {}),
  }
}

/**
 * With the default replica identity the stream tells the primary key as it was at the change; the catalog tells its order, and
 * all other keys, as they are now.
 */
function keyOf(relation: Relation, found: CatalogTable | undefined, known: TableFacts | undefined): readonly string[] {
  const looked = found?.keyColumns ?? known?.keyColumns ?? []
  if (relation.replicaIdentity !== 'd') return looked
  const told = relation.columns.filter(({ isKey }) => isKey).map(({ name }) => name)
  if (told.length === 0) return looked
  return told.length === looked.length && told.every((name) => looked.includes(name)) ? looked : told
}
