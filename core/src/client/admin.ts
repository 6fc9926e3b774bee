import type { TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import { ZERO_UUID, type Api, type RequestInput, type ResponseOf } from '../protocol/message.ts'
import { createTopics } from '../protocol/messages/create-topics.ts'
import { deleteGroups } from '../protocol/messages/delete-groups.ts'
import { deleteTopics } from '../protocol/messages/delete-topics.ts'
import { describeConfigs } from '../protocol/messages/describe-configs.ts'
import { monotonicMs, retry } from './backoff.ts'
import {
  LogError,
  type Admin,
  type GroupDescription,
  type GroupListing,
  type NewTopic,
  type TopicDescription,
} from './client.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { brokerError, throwBrokerError } from './connection.ts'
import { fenceProducers } from './fence-producers.ts'
import { commitGroupOffsets, deleteGroupOffsets, fetchGroupOffsets } from './group-offsets.ts'
import { fetchGroup, fetchGroups } from './groups.ts'
import { fetchOffsets, type OffsetAt } from './list-offsets.ts'
import { partitionKey } from './topic-partitions.ts'

/** How long a call is tried through errors that pass: `default.api.timeout.ms`. */
const TIMEOUT_MS = 60_000
const TOPIC_RESOURCE = 2
const LAST_DELETE_TOPICS_BY_NAME_LIST = 5

export class LogAdmin implements Admin {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async clusterId(): Promise<string> {
    return this.#retry('cluster id', async () => {
      await this.#cluster.refresh([])
      return this.#cluster.clusterId ?? ''
    })
  }

  async topics(names?: readonly string[]): Promise<readonly TopicDescription[]> {
    return this.#retry('topics', async () => {
      if (names === undefined) return (await this.#cluster.allTopics()).map(describe)
      await this.#cluster.refresh(names)
      return names.flatMap((name) => {
        const topic = this.#cluster.topic(name)
        return topic === undefined ? [] : [describe(topic)]
      })
    })
  }

  async createTopics(topics: readonly NewTopic[]): Promise<readonly string[]> {
    if (topics.length === 0) return []
    const made: string[] = []
    let left = topics
    await this.#retry('creating topics', async () => {
      const response = await this.#toController(createTopics, () => ({
        topics: left.map((each) => ({
          name: each.topic,
          numPartitions: each.partitions,
          replicationFactor: each.replicationFactor,
          assignments: [],
          configs: Object.entries(each.config ?? {}).map(([name, value]) => ({ name, value })),
        })),
        timeoutMs: this.#cluster.requestTimeoutMs,
      }))
      const again = new Map<string, LogError>()
      for (const { name, errorCode, errorMessage } of response.topics) {
        const error = brokerError(errorCode, `creating topic ${name}`, errorMessage)
        if (error === undefined) made.push(name)
        else if (error.retriable) again.set(name, error)
        else if (error.code !== 'TOPIC_ALREADY_EXISTS') throw error
      }
      left = left.filter((each) => again.has(each.topic))
      for (const error of again.values()) throw error
    })
    await this.#waitUntil(topics, (topic) => topic !== undefined && topic.partitions.every((each) => each.leader >= 0))
    return made
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    let left = names
    await this.#retry('deleting topics', async () => {
      const response = await this.#toController(deleteTopics, (version) => {
        const timeoutMs = this.#cluster.requestTimeoutMs
        return version <= LAST_DELETE_TOPICS_BY_NAME_LIST
          ? { topicNames: left, timeoutMs }
          : { topics: left.map((name) => ({ name, topicId: ZERO_UUID })), timeoutMs }
      })
      const again = new Map<string, LogError>()
      for (const { name, errorCode, errorMessage } of response.responses) {
        const error = brokerError(errorCode, `deleting topic ${String(name)}`, errorMessage)
        if (error === undefined || error.code === 'UNKNOWN_TOPIC_OR_PARTITION' || name === null) continue
        if (!error.retriable) throw error
        again.set(name, error)
      }
      left = left.filter((name) => again.has(name))
      for (const error of again.values()) throw error
    })
    await this.#waitUntil(
      names.map((topic) => ({ topic })),
      (topic) => topic === undefined,
    )
  }

  async topicConfig(topic: string): Promise<Readonly<Record<string, string>>> {
    return this.#retry(`config of topic ${topic}`, async () => {
      const connection = await this.#cluster.any()
      const response = await connection.request(describeConfigs, {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null }],
      })
      const [result] = response.results
      if (result === undefined)
        throw new LogError('PROTOCOL', `config of topic ${topic}: empty answer`, { retriable: false })
      throwBrokerError(result.errorCode, `config of topic ${topic}`, result.errorMessage)
      return Object.fromEntries(result.configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])))
    })
  }

  async offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | { readonly timestamp: number },
    isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
  ): Promise<readonly TopicPartitionOffset[]> {
    const found = new Map<string, TopicPartitionOffset>()
    const wanted: (TopicPartition & { at: OffsetAt })[] = partitions.map(({ topic, partition }) => ({
      topic,
      partition,
      at,
    }))
    await this.#retry('offsets', async () => {
      const left = wanted.filter((each) => !found.has(partitionKey(each.topic, each.partition)))
      const { offsets, errors } = await fetchOffsets(this.#cluster, left, isolation)
      for (const each of offsets) found.set(partitionKey(each.topic, each.partition), each)
      const [failure] = errors
      if (failure !== undefined) throw failure.error
    })
    return partitions.flatMap(({ topic, partition }) => found.get(partitionKey(topic, partition)) ?? [])
  }

  async groups(): Promise<readonly GroupListing[]> {
    return this.#retry('groups', () => fetchGroups(this.#cluster))
  }

  async group(groupId: string): Promise<GroupDescription | undefined> {
    return this.#retry(`group ${groupId}`, () => fetchGroup(this.#cluster, groupId))
  }

  async groupOffsets(groupId: string): Promise<readonly TopicPartitionOffset[]> {
    return this.#retry(`offsets of group ${groupId}`, () => fetchGroupOffsets(this.#cluster, groupId, 'all'))
  }

  async alterGroupOffsets(groupId: string, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#retry(`altering offsets of group ${groupId}`, () => commitGroupOffsets(this.#cluster, groupId, offsets))
  }

  async deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#retry(`deleting offsets of group ${groupId}`, () =>
      deleteGroupOffsets(this.#cluster, groupId, partitions),
    )
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#retry(`deleting group ${groupId}`, () =>
      this.#cluster.withCoordinator('group', groupId, this.#cluster.pool, async (connection) => {
        const response = await connection.request(deleteGroups, { groupsNames: [groupId] })
        const error = brokerError(response.results[0]?.errorCode ?? 0, `deleting group ${groupId}`)
        if (error !== undefined && error.code !== 'GROUP_ID_NOT_FOUND') throw error
      }),
    )
  }

  async fenceProducers(transactionalIds: readonly string[]): Promise<void> {
    await fenceProducers(this.#cluster, transactionalIds, TIMEOUT_MS)
  }

  #retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return retry(attempt, { what, timeoutMs: TIMEOUT_MS })
  }

  async #toController<A extends Api>(api: A, body: (version: number) => RequestInput<A>): Promise<ResponseOf<A>> {
    await this.#cluster.refresh([])
    const address = this.#cluster.controller()
    const connection = await (address === undefined ? this.#cluster.any() : this.#cluster.pool.get(address))
    const version = connection.version(api)
    // The broker takes up to the time-out in the request, and answers after that.
    return connection.request(api, body(version), { version, timeoutMs: 2 * this.#cluster.requestTimeoutMs })
  }

  /** A change of topics reaches the brokers' metadata a moment after it has been acknowledged. */
  async #waitUntil(
    topics: readonly { readonly topic: string }[],
    done: (topic: TopicMetadata | undefined) => boolean,
  ): Promise<void> {
    const names = topics.map((each) => each.topic)
    const start = monotonicMs()
    await retry(
      async () => {
        await this.#cluster.refresh(names)
        const late = names.find((name) => !done(this.#cluster.topic(name)))
        if (late === undefined) return
        const message = `topic ${late}: the change does not show after ${Math.round(monotonicMs() - start)} ms`
        throw new LogError('TIMEOUT', message, { retriable: true })
      },
      { what: 'waiting for a change of topics', timeoutMs: TIMEOUT_MS, backoff: { baseMs: 10, maxMs: 500 } },
    )
  }
}

const describe = (topic: TopicMetadata): TopicDescription => ({
  topic: topic.name,
  partitions: topic.partitions.length,
  internal: topic.internal,
})
