import type { WorkerConfig } from '../config/worker-settings.ts'
import type { InternalTopic } from '../worker/internal-topics.ts'

/** The topics in which a cluster of these settings keeps its state. */
export function clusterTopics(config: WorkerConfig): InternalTopic[] {
  return [
    {
      topic: config['config.storage.topic'],
      partitions: 1,
      replicationFactor: config['config.storage.replication.factor'],
      setting: 'config.storage.topic',
    },
    {
      topic: config['offset.storage.topic'],
      partitions: config['offset.storage.partitions'],
      replicationFactor: config['offset.storage.replication.factor'],
      setting: 'offset.storage.topic',
    },
    {
      topic: config['status.storage.topic'],
      partitions: config['status.storage.partitions'],
      replicationFactor: config['status.storage.replication.factor'],
      setting: 'status.storage.topic',
    },
    {
      topic: config['assignment.storage.topic'],
      partitions: 1,
      replicationFactor: config['assignment.storage.replication.factor'],
      setting: 'assignment.storage.topic',
    },
  ]
}
