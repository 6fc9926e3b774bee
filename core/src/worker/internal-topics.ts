import { setTimeout as sleep } from 'node:timers/promises'
import { LogError, type Admin, type NewTopic } from '../client/client.ts'

/** A compacted topic in which the cluster, or a connector, keeps its state. */
export interface InternalTopic {
  readonly topic: string
  readonly partitions: number
  /** Left out: 3, or the broker's default where there are fewer brokers. */
  readonly replicationFactor?: number | undefined
  /** The setting that names the topic, for messages. */
  readonly setting: string
}

/** An internal topic is not as it must be; starting anyway would lose state. */
export class InternalTopicError extends Error {
  override readonly name = 'InternalTopicError'
}

/**
 * Makes the topics that do not exist, with the right settings, and refuses those that exist with the wrong ones: on a
 * topic that is not compacted, configs and offsets would vanish with the retention time.
 * @throws InternalTopicError with the reason and the way out
 */
export async function ensureInternalTopics(
  admin: Admin,
  topics: readonly InternalTopic[],
  signal?: AbortSignal,
): Promise<void> {
  const names = topics.map(({ topic }) => topic)
  const existing = new Set((await admin.topics(names)).map(({ topic }) => topic))
  const missing = topics.filter(({ topic }) => !existing.has(topic))
  await Promise.all(
    missing.map(({ topic, partitions, replicationFactor }) =>
      createTopic(admin, { topic, partitions, config: topicConfig }, replicationFactor),
    ),
  )
  // A cluster of several brokers knows a new topic a moment later.
  while ((await admin.topics(names)).length < topics.length) await sleep(100, undefined, { signal })
  await Promise.all(topics.map((topic) => check(admin, topic)))
}

// What is in the newest segment is not compacted, and all of it is read at each start.
const topicConfig = { 'cleanup.policy': 'compact', 'segment.bytes': String(16 * 1024 * 1024) }

/** @param replicationFactor left out: 3, or the broker's default where there are fewer brokers */
export async function createTopic(
  admin: Admin,
  topic: Omit<NewTopic, 'replicationFactor'>,
  replicationFactor: number | undefined,
): Promise<void> {
  const make = (replicas: number) => admin.createTopics([{ ...topic, replicationFactor: replicas }])
  try {
    await make(replicationFactor ?? 3)
  } catch (error) {
    const tooFewBrokers = error instanceof LogError && error.code === 'INVALID_REPLICATION_FACTOR'
    if (!tooFewBrokers || replicationFactor !== undefined) throw error
    await make(-1)
  }
}

async function check(admin: Admin, { topic, partitions, setting }: InternalTopic): Promise<void> {
  const [config, [description]] = await Promise.all([admin.topicConfig(topic), admin.topics([topic])])
  const policy = config['cleanup.policy']
  if (policy !== 'compact') {
    throw new InternalTopicError(
      `Topic '${topic}' (${setting}) has cleanup.policy=${policy ?? 'delete'}, and must have 'compact' alone: otherwise what the cluster keeps there is deleted in time. ` +
        `Set it (kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config cleanup.policy=compact) or name another topic in ${setting}`,
    )
  }
  if (partitions === 1 && description!.partitions !== 1) {
    throw new InternalTopicError(
      `Topic '${topic}' (${setting}) has ${description!.partitions} partitions, and must have one, since the order of its records matters. Name another topic in ${setting}`,
    )
  }
}
