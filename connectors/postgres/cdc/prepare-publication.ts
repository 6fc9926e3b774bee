import { problemOf } from '../link/errors.ts'
import type { TableId } from '../link/identifier.ts'
import type { Capture } from './capture.ts'
import type { CdcConfig } from './config.ts'
import { snapshotTables } from './events/snapshot-tables.ts'
import { listRelations } from './events/table-look-up.ts'
import { ensurePublication, type PublishedOperation } from './replication/publication.ts'
import { ReplicaIdentityRules, setReplicaIdentities } from './replication/replica-identity.ts'

/**
 * Sees to publication and replica identities, as far as the settings ask for it. Before a slot is made: one that is older
 * than its publication cannot use it.
 * @throws ConnectError
 */
export async function preparePublication(capture: Capture): Promise<void> {
  const { client, config, context } = capture
  await ensurePublication(client, {
    name: config['publication.name'],
    mode: config['publication.autocreate.mode'],
    tables: () => capturedTables(capture),
    publish: published(config),
    viaPartitionRoot: config['publish.via.partition.root'],
    timeoutMs: config['database.query.timeout.ms'],
    log: context.log,
  })
  const identities = config['replica.identity.autoset.values']
  if (identities === undefined || identities.trim() === '') return
  await setReplicaIdentities(client, new ReplicaIdentityRules(identities), await capturedTables(capture), context.log)
}

/** The tables that the publication is to have: with `publish.via.partition.root` those of which partitions are told. */
async function capturedTables({ client, config, tables }: Capture): Promise<TableId[]> {
  try {
    const chosen = snapshotTables(await listRelations(client), {
      captures: (id) => tables.filter.captures(id),
      viaRoot: config['publish.via.partition.root'],
      order: undefined,
      include: undefined,
    })
    return [...new Set(chosen.map(({ root }) => root))]
  } catch (error) {
    throw problemOf(error, 'looking up the tables to capture')
  }
}

/** What the server need not send. Truncates are skipped unless asked for: that alone changes no publication. */
function published(config: CdcConfig): readonly PublishedOperation[] | undefined {
  const skipped: readonly string[] = config['skipped.operations']
  if (skipped.length === 1 && skipped[0] === 't') return undefined
  const letters = { insert: 'c', update: 'u', delete: 'd', truncate: 't' } as const
  return (['insert', 'update', 'delete', 'truncate'] as const).filter(
    (operation) => !skipped.includes(letters[operation]),
  )
}
