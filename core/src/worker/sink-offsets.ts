/** The offsets of a sink: those of its consumer group, changed from outside while the sink is stopped. */
import {
  ConfigError,
  ConnectError,
  type Sink,
  type SinkOffsetChange,
  type SourceOffsetChange,
  type SourceStart,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import { LogError, type Admin, type TopicDescription } from '../client/client.ts'
import { parseSink } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import type { OffsetsChanged } from './errand-messages.ts'
import type { ErrandSurroundings, ErrandTask } from './errand-task.ts'
import { askConnector } from './offsets-hook.ts'
import { readGroupOffsets, shownSinkOffset } from './shown-offsets.ts'
import type { TaskSpec } from './task-spec.ts'
import { pause } from './time-limit.ts'

export type SinkStart = 'earliest' | SourceStart

/** A member that did not leave, as after a crash, is counted in until its session is over. */
const defaultSessionMs = 10_000
const sessionMarginMs = 3000
const lookMs = 250

/** What the group does not allow while it has members. */
const activeGroup: ReadonlySet<string> = new Set([
  'UNKNOWN_MEMBER_ID',
  'GROUP_SUBSCRIBED_TO_TOPIC',
  'NON_EMPTY_GROUP',
  'REBALANCE_IN_PROGRESS',
])

/** See the head of the file. */
export class CommittedSinkOffsets {
  readonly #definition: Sink
  readonly #task: ErrandTask
  readonly #spec: TaskSpec
  readonly #around: ErrandSurroundings
  readonly #admin: Admin
  readonly #group: string

  constructor(definition: Sink, task: ErrandTask, spec: TaskSpec, around: ErrandSurroundings) {
    this.#definition = definition
    this.#task = task
    this.#spec = spec
    this.#around = around
    this.#admin = task.clients.admin.admin
    this.#group = task.clients.consumerOptions.groupId ?? `connect-${spec.connector}`
  }

  /** @throws LogError */
  async read(): Promise<SourceOffsetChange[]> {
    return (await readGroupOffsets(this.#admin, this.#group)).map(shownSinkOffset)
  }

  /** @throws ConfigError for partitions that are not there, or where the sink refuses; ConnectError while the group is in use */
  async alter(changes: readonly SinkOffsetChange[]): Promise<OffsetsChanged> {
    const set = changes.filter((each): each is TopicPartitionOffset => each.offset !== null)
    await this.#checkPartitions(set)
    const warnings = await this.#outOfRange(set)
    await this.#whenLeft('alter')
    const isAll = await this.#ask(changes, false)
    await this.#unlessInUse('alter', async () => {
      if (set.length > 0) await this.#admin.alterGroupOffsets(this.#group, set)
      await this.#admin.deleteGroupOffsets(
        this.#group,
        changes.filter(({ offset }) => offset === null),
      )
    })
    return { offsets: changes.map(shownSinkOffset), isAll, warnings }
  }

  /** Forgets the group. @throws ConfigError where the sink refuses; ConnectError while the group is in use */
  async reset(): Promise<OffsetsChanged> {
    await this.#whenLeft('reset')
    const committed = await readGroupOffsets(this.#admin, this.#group)
    const changes = committed.map(({ topic, partition }) => ({ topic, partition, offset: null }))
    const isAll = await this.#ask(changes, true)
    await this.#unlessInUse('reset', () => this.#admin.deleteGroup(this.#group))
    return { offsets: changes.map(shownSinkOffset), isAll, warnings: [] }
  }

  /** @param only of the sink's topics these @throws ConfigError where there is nothing to set; as {@link alter} */
  async startFrom(from: SinkStart, only: readonly string[] | undefined): Promise<OffsetsChanged> {
    const { topics, warnings } = await this.#topics(only)
    const partitions = topics.flatMap(({ topic, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    )
    const changed = await this.alter(await this.#positions(partitions, from))
    return { ...changed, warnings: [...warnings, ...changed.warnings] }
  }

  async #positions(partitions: readonly TopicPartition[], from: SinkStart): Promise<TopicPartitionOffset[]> {
    const at = async (place: Parameters<Admin['offsets']>[1]): Promise<readonly TopicPartitionOffset[]> =>
      this.#admin.offsets(partitions, place)
    if (from === 'earliest' || from === 'latest') return [...(await at(from))]
    const ends = await at('latest')
    if ('timestamp' in from) {
      // There may be no record from then on: what comes next is.
      return (await at(from)).map((found, i) => (found.offset < 0 ? ends[i]! : found))
    }
    const starts = await at('earliest')
    return ends.map((end, i) => ({ ...end, offset: Math.min(end.offset, Math.max(starts[i]!.offset, from.offset)) }))
  }

  /** The sink's topics that are there. */
  async #topics(
    only: readonly string[] | undefined,
  ): Promise<{ topics: readonly TopicDescription[]; warnings: readonly string[] }> {
    const { config, errors } = parseSink(this.#spec.config)
    requireValid(errors)
    const pattern = new RegExp(`^(?:${config['topics.regex']})$`)
    const isRead = (topic: string): boolean =>
      config.topics.length > 0 ? config.topics.includes(topic) : pattern.test(topic)
    const foreign = only?.find((topic) => !isRead(topic))
    if (foreign !== undefined) {
      throw new ConfigError(`topics: the connector does not read '${foreign}'`, { setting: 'topics' })
    }
    const named = only ?? (config.topics.length > 0 ? config.topics : undefined)
    const topics = (await this.#admin.topics(named))
      .filter(({ topic, internal }) => isRead(topic) && !internal)
      .sort((a, b) => (a.topic < b.topic ? -1 : 1))
    const there = new Set(topics.map(({ topic }) => topic))
    const missing = (named ?? []).filter((topic) => !there.has(topic))
    if (topics.length === 0) {
      throw new ConfigError(`none of the connector's topics exists: ${missing.join(', ') || config['topics.regex']}`)
    }
    return { topics, warnings: missing.map((topic) => `topic ${topic} does not exist: no offset was set for it`) }
  }

  async #checkPartitions(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const names = [...new Set(offsets.map(({ topic }) => topic))]
    if (names.length === 0) return
    const counts = new Map((await this.#admin.topics(names)).map(({ topic, partitions }) => [topic, partitions]))
    for (const { topic, partition } of offsets) {
      const count = counts.get(topic)
      if (count === undefined) throw new ConfigError(`kafka_topic: topic '${topic}' does not exist`)
      if (partition >= 0 && partition < count) continue
      const last = count - 1
      throw new ConfigError(
        `kafka_partition: topic '${topic}' has no partition ${partition}: expected 0${last > 0 ? ` to ${last}` : ''}`,
      )
    }
  }

  /** What is not there to be read from; that may be meant so, and is taken. */
  async #outOfRange(offsets: readonly TopicPartitionOffset[]): Promise<string[]> {
    if (offsets.length === 0) return []
    const [starts, ends] = await Promise.all([
      this.#admin.offsets(offsets, 'earliest'),
      this.#admin.offsets(offsets, 'latest'),
    ])
    return offsets.flatMap(({ topic, partition, offset }, i) => {
      const [start, end] = [starts[i]!.offset, ends[i]!.offset]
      if (offset >= start && offset <= end) return []
      return [`${topic}-${partition} has offsets from ${start} to ${end}: from ${offset}, auto.offset.reset decides`]
    })
  }

  async #ask(changes: readonly SinkOffsetChange[], reset: boolean): Promise<boolean> {
    const { logger, signal } = this.#around
    const { alterOffsets } = this.#definition
    const context = { connector: this.#spec.connector, log: logger, signal, reset }
    return askConnector(() => alterOffsets?.(this.#task.config, changes, context) ?? false)
  }

  /** Before the sink is asked, which may change offsets of its own: what cannot be done is not to be begun. */
  async #whenLeft(what: 'alter' | 'reset'): Promise<void> {
    const { sessionTimeoutMs = defaultSessionMs } = this.#task.clients.consumerOptions
    const deadline = performance.now() + sessionTimeoutMs + sessionMarginMs
    for (;;) {
      const { members = [] } = (await this.#admin.group(this.#group)) ?? {}
      if (members.length === 0) return
      if (performance.now() > deadline || this.#around.signal.aborted) {
        throw this.#inUse(what, members.map(({ clientId, host }) => `${clientId} (${host})`).join(', '))
      }
      await pause(lookMs, this.#around.signal)
    }
  }

  async #unlessInUse(what: 'alter' | 'reset', change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      if (error instanceof LogError && activeGroup.has(error.code)) throw this.#inUse(what, error.message)
      throw error
    }
  }

  /** Kafka Connect's words for it, which name the usual reasons, and who it is. */
  #inUse(what: 'alter' | 'reset', who: string): Error {
    return new ConnectError(
      `Failed to ${what} consumer group offsets for connector ${this.#spec.connector} either because its tasks haven't stopped completely yet or the connector was resumed before the request to ${what} its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks. Still in group ${this.#group}: ${who}`,
      { code: 'GROUP_IN_USE' },
    )
  }
}
