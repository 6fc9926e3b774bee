import type { TableId } from '../../link/identifier.ts'
import { NamePatterns } from './name-patterns.ts'
import type { CatalogRelation } from './table-look-up.ts'
import type { TableShape } from './table-shape.ts'

/** A table, or a partition of one, as a snapshot reads it. Its rows are those of the relation alone, not of its children. */
export interface SnapshotTable {
  /** What its rows become: of a partition that is told as of its root, the root's. */
  readonly shape: TableShape
  /** `schema.table` of what is read. */
  readonly name: string
  readonly relation: TableId
  /** What is read instead, `snapshot.select.statement.overrides`; its columns go by their names. */
  readonly statement: string | undefined
  readonly blocks: number
  /** The planner's estimate, −1 for none. */
  readonly rows: number
  /** Names of columns whose values may be kept out of line. */
  readonly toastable: readonly string[]
}

interface Choice {
  readonly captures: (id: TableId) => boolean
  /** `publish.via.partition.root`. */
  readonly viaRoot: boolean
  /** `table.include.list`: its expressions give the order. */
  readonly order: string | undefined
  /** `snapshot.include.collection.list`. */
  readonly include: string | undefined
}

/** What has rows, and as what table they are told. */
export interface ChosenRelation {
  readonly root: CatalogRelation
  readonly relation: CatalogRelation
}

/** What a snapshot reads, as the stream would tell it: partitions as tables of their own, or as of their root. */
export function snapshotTables(
  relations: readonly CatalogRelation[],
  { captures, viaRoot, order, include }: Choice,
): ChosenRelation[] {
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const chosen = relations
    .filter(({ isPartitioned }) => !isPartitioned)
    .map((relation) => ({ root: viaRoot ? rootOf(relation, byOid) : relation, relation }))
    .filter(({ root }) => captures(root))
  const included = isSet(include) ? chosen.filter(({ root }) => new NamePatterns(include).covers(nameOf(root))) : chosen
  if (!isSet(order)) return included
  const ordered = new NamePatterns(order).order(included, ({ root }) => nameOf(root))
  // The table of signals is captured without being listed.
  return [...ordered, ...included.filter((each) => !ordered.includes(each))]
}

function rootOf(relation: CatalogRelation, byOid: ReadonlyMap<number, CatalogRelation>): CatalogRelation {
  let root = relation
  for (let parent = byOid.get(root.parentOid); parent !== undefined; parent = byOid.get(root.parentOid)) root = parent
  return root
}

const nameOf = ({ schema, table }: TableId): string => `${schema}.${table}`

const isSet = (list: string | undefined): list is string => list !== undefined && list.trim() !== ''
