import type { TopicPartition } from '@tidewire/sdk'
import type { Admin, LogClient, TopicDescription } from '../client/client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

/** `topic list` */
export async function listTopics(
  client: LogClient,
  out: Output,
  options: { readonly internal: boolean },
): Promise<void> {
  const all = await client.admin.topics()
  const shown = all.filter((topic) => options.internal || !isInternal(topic)).sort(byName)
  const records = new Map<string, number>()
  for (const { topic, earliest, latest } of await rangesOf(client.admin, shown)) {
    records.set(topic, (records.get(topic) ?? 0) + latest - earliest)
  }
  const list = shown.map(({ topic, partitions, internal }) => ({
    topic,
    partitions,
    offsets: records.get(topic) ?? 0,
    internal,
  }))
  await out.show(list, () =>
    out.table(
      ['TOPIC', 'PARTITIONS', 'OFFSETS'],
      list.map(({ topic, partitions, offsets }) => [topic, partitions, offsets]),
    ),
  )
}

/** `topic describe` */
export async function describeTopic(client: LogClient, out: Output, name: string): Promise<void> {
  const topic = await existing(client.admin, name)
  const [ranges, config] = await Promise.all([rangesOf(client.admin, [topic]), client.admin.topicConfig(name)])
  const partitions = ranges.map(({ partition, earliest, latest }) => ({ partition, earliest, latest }))
  await out.show({ topic: name, internal: isInternal(topic), partitions, config }, () =>
    [
      out.paint('bold', harmless(name)),
      '',
      out.table(
        ['PARTITION', 'EARLIEST', 'LATEST', 'OFFSETS'],
        partitions.map(({ partition, earliest, latest }) => [partition, earliest, latest, latest - earliest]),
      ),
      '',
      out.table(['SETTING', 'VALUE'], Object.entries(config).sort()),
    ].join('\n'),
  )
}

export interface CreateOptions {
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** `topic create` */
export async function createTopic(
  client: LogClient,
  out: Output,
  topic: string,
  options: CreateOptions,
): Promise<void> {
  const made = await client.admin.createTopics([{ topic, ...options }])
  if (made.length === 0) throw new CliError(`topic ${topic} exists already`)
  const [description] = await client.admin.topics([topic])
  await out.show({ topic, partitions: description?.partitions ?? options.partitions }, () => `topic ${topic} is made`)
}

/** @throws CliError where there is no such topic */
export async function existing(admin: Admin, name: string): Promise<TopicDescription> {
  const [topic] = await admin.topics([name])
  if (topic !== undefined) return topic
  throw new CliError(
    `there is no topic ${name}: tidewire topic list shows which there are, tidewire topic create ${name} makes it`,
    exitCodes.notFound,
  )
}

export interface PartitionRange extends TopicPartition {
  readonly earliest: number
  /** One past the last. */
  readonly latest: number
}

/** Where the partitions of these topics begin and end. */
export async function rangesOf(admin: Admin, topics: readonly TopicDescription[]): Promise<PartitionRange[]> {
  const partitions = topics.flatMap(({ topic, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  )
  const [earliest, latest] = await Promise.all([
    admin.offsets(partitions, 'earliest'),
    admin.offsets(partitions, 'latest'),
  ])
  return partitions.map((each, index) => ({
    ...each,
    earliest: earliest[index]!.offset,
    latest: latest[index]!.offset,
  }))
}

const isInternal = ({ topic, internal }: TopicDescription): boolean => internal || topic.startsWith('__')

const byName = (a: TopicDescription, b: TopicDescription): number => (a.topic < b.topic ? -1 : 1)
