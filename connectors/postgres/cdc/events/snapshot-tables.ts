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
  /** `schema.table` of what its table is a partition of. */
  readonly parents: readonly string[]
  readonly relation: TableId
  /** What is read instead, `snapshot.select.statement.overrides`; its columns go by their names. */
  readonly statement: string | undefined
  /** The publication's row filter, in SQL. */
  readonly rowFilter: string | undefined
  readonly blocks: number
  /** The planner's estimate, −1 for none. */
  readonly rows: number
  /** Names of columns whose values may be kept out of line. */
  readonly toastable: readonly string[]
}

interface Choice {
  readonly captures: (id: TableId) => boolean
  /** Of those, by `schema.table` or the name of what it is a partition of. Left out: all. */
  readonly isAsked?: ((name: string) => boolean) | undefined
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
  /** `schema.table` of what the root is a partition of, where partitions are told as tables of their own. */
  readonly parents: readonly string[]
}

/** What a snapshot reads, as the stream would tell it: partitions as tables of their own, or as of their root. */
export function snapshotTables(
  relations: readonly CatalogRelation[],
  { captures, isAsked, viaRoot, order, include }: Choice,
): ChosenRelation[] {
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const chosen = relations
    .filter(({ isPartitioned }) => !isPartitioned)
    .map((relation) => {
      const parents = parentsOf(relation, byOid)
      const root = viaRoot ? (parents.at(-1) ?? relation) : relation
      return { root, relation, parents: viaRoot ? [] : parents.map(nameOf) }
    })
    .filter(
      ({ root, parents }) =>
        captures(root) && (isAsked === undefined || [nameOf(root), ...parents].some((name) => isAsked(name))),
    )
  const included = isSet(include) ? chosen.filter(({ root }) => new NamePatterns(include).covers(nameOf(root))) : chosen
  if (!isSet(order)) return included
  const ordered = new NamePatterns(order).order(included, ({ root }) => nameOf(root))
  // The table of signals is captured without being listed.
  return [...ordered, ...included.filter((each) => !ordered.includes(each))]
}

/** What it is a partition of, and that in turn. */
function parentsOf(relation: CatalogRelation, byOid: ReadonlyMap<number, CatalogRelation>): CatalogRelation[] {
  const parents: CatalogRelation[] = []
  let parent = byOid.get(relation.parentOid)
  for (; parent !== undefined; parent = byOid.get(parent.parentOid)) parents.push(parent)
  return parents
}

const nameOf = ({ schema, table }: TableId): string => `${schema}.${table}`

const isSet = (list: string | undefined): list is string => list !== undefined && list.trim() !== ''
