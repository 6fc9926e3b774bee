import type { Admin, LogClient } from '../client/client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { stateStyle, type Output } from './output.ts'
import { harmless } from './table.ts'

/** `group list` */
export async function listGroups(client: LogClient, out: Output): Promise<void> {
  const groups = (await client.admin.groups()).map(({ groupId, protocolType, state, type }) => ({
    group: groupId,
    state,
    protocolType,
    type,
  }))
  await out.show(groups, () =>
    out.table(
      ['GROUP', 'STATE', 'OF', 'PROTOCOL'],
      groups.map(({ group, state, protocolType, type }) => [group, state, protocolType, type]),
      { STATE: stateStyle },
    ),
  )
}

interface PartitionLag {
  readonly topic: string
  readonly partition: number
  /** Null: none is committed. */
  readonly offset: number | null
  /** Null: the topic is gone. */
  readonly end: number | null
  readonly lag: number | null
  readonly client: string | null
  readonly host: string | null
}

/** `group lag`: how far behind the end of its partitions a group is. */
export async function showLag(client: LogClient, out: Output, groupId: string): Promise<void> {
  const { admin } = client
  const [group, committed] = await Promise.all([admin.group(groupId), admin.groupOffsets(groupId)])
  if (group === undefined && committed.length === 0) {
    throw new CliError(
      `there is no group ${groupId}: tidewire group list shows which there are; a sink's is connect-<its name>`,
      exitCodes.notFound,
    )
  }
  const offsets = new Map(committed.map((each) => [keyOf(each), each]))
  const owners = new Map(
    (group?.members ?? []).flatMap(({ clientId, host, assigned }) =>
      assigned.map((each) => [keyOf(each), { ...each, clientId, host }] as const),
    ),
  )
  const all = new Map([...owners, ...offsets].map(([key, { topic, partition }]) => [key, { topic, partition }]))
  const ends = await endsOf(admin, [...all.values()])
  const partitions = [...all].map(([key, { topic, partition }]): PartitionLag => {
    const offset = offsets.get(key)?.offset ?? null
    const end = ends.get(key) ?? null
    const owner = owners.get(key)
    const lag = offset === null || end === null ? null : Math.max(0, end - offset)
    return { topic, partition, offset, end, lag, client: owner?.clientId ?? null, host: owner?.host ?? null }
  })
  partitions.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  const lag = partitions.reduce((sum, each) => sum + (each.lag ?? 0), 0)
  const state = group?.state ?? 'Empty'
  await out.show({ group: groupId, state, lag, partitions }, () =>
    [
      `${out.paint('bold', harmless(groupId))}  ${out.paint(stateStyle(state) ?? 'reset', state)}  lag ${lag}`,
      '',
      out.table(
        ['TOPIC', 'PARTITION', 'OFFSET', 'END', 'LAG', 'CLIENT', 'HOST'],
        partitions.map((each) => [each.topic, each.partition, each.offset, each.end, each.lag, each.client, each.host]),
      ),
    ].join('\n'),
  )
}

const keyOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}-${partition}`

/** Of those partitions that are still there. */
async function endsOf(
  admin: Admin,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Promise<Map<string, number>> {
  const counts = new Map(
    (await admin.topics([...new Set(partitions.map(({ topic }) => topic))])).map((each) => [
      each.topic,
      each.partitions,
    ]),
  )
  const there = partitions.filter(({ topic, partition }) => partition < (counts.get(topic) ?? 0))
  return new Map((await admin.offsets(there, 'latest')).map((each) => [keyOf(each), each.offset]))
}
