/** Connectors under load whose every record is accounted for: two sources, and a sink behind each. */
import { join } from 'node:path'
import { createClient } from '../../core/src/client/log-client.ts'
import type { ConnectorConfig } from './connectors-model.ts'
import { SequenceJudge } from './sequence-judge.ts'
import { TargetReader } from './target-reader.ts'
import type { TestCluster } from './test-cluster.ts'
import { TopicReader } from './topic-reader.ts'

export interface Flow {
  readonly name: string
  readonly config: ConnectorConfig
  readonly judge: SequenceJudge
  /** Shows the judge what has come since. */
  look(): Promise<void>
  close(): Promise<void>
}

const topicPartitions = 3
const sourcePartitions = 6

/** The four of them; their topics are there when this resolves. */
export async function flowsOf(cluster: TestCluster): Promise<readonly Flow[]> {
  const client = createClient({ bootstrapServers: [cluster.log.address], clientId: 'test-cluster' })
  await client.admin.createTopics(
    ['once', 'often'].map((topic) => ({ topic, partitions: topicPartitions, replicationFactor: 1 })),
  )
  await client.close()
  const journal = journalOf(cluster)
  const source = { topic: '', 'source.partitions': String(sourcePartitions), 'tasks.max': '3', rate: '50', journal }
  const sink = { 'tasks.max': '2', folder: join(cluster.folder, 'targets'), journal }
  const { address } = cluster.log
  // What was under way when its writer was cut off may arrive late where nothing fences it.
  const suspects = (instance: string): boolean =>
    cluster.suspicions.some(({ pid }) => instance.startsWith(`${String(pid)}.`))
  const once = new SequenceJudge('topic once', 'once')
  const often = new SequenceJudge('topic often', 'often', suspects)
  const stored = new SequenceJudge('target once', 'once')
  const storedOften = new SequenceJudge('target often', 'often')
  return [
    {
      name: 'source-once',
      config: { ...source, 'connector.class': 'counted-source', topic: 'once' },
      judge: once,
      ...following(new TopicReader(address, 'once', once)),
    },
    {
      name: 'source-often',
      config: { ...source, 'connector.class': 'counted-often-source', topic: 'often' },
      judge: often,
      ...following(new TopicReader(address, 'often', often)),
    },
    {
      name: 'sink-once',
      config: { ...sink, 'connector.class': 'checked-once-sink', topics: 'once' },
      judge: stored,
      ...following(new TargetReader(sink.folder, 'once', topicPartitions, stored)),
    },
    {
      name: 'sink-often',
      config: { ...sink, 'connector.class': 'checked-sink', topics: 'often' },
      judge: storedOften,
      ...following(new TargetReader(sink.folder, 'often', topicPartitions, storedOften)),
    },
  ]
}

export const journalOf = (cluster: TestCluster): string => join(cluster.folder, 'journal')

function following(reader: { look(): Promise<void>; close?(): Promise<void> }): Pick<Flow, 'look' | 'close'> {
  return { look: async () => reader.look(), close: async () => reader.close?.() }
}

/** Whether every sequence has got further than it was then. */
export function hasMoved({ judge }: Flow, before: ReadonlyMap<string, number>): boolean {
  const now = judge.progress
  if (now.size < sourcePartitions) return false
  return [...now].every(([name, next]) => next > (before.get(name) ?? 0))
}
