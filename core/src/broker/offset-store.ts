import type { CommittedOffset, OffsetKey } from './group-records.ts'

/** Offsets committed by group, topic and partition, and those of transactions that are not decided yet. In memory only. */
export class OffsetStore {
  readonly #groups = new Map<string, Map<string, Map<number, CommittedOffset>>>()
  /** By producer id; a producer has one transaction at a time. */
  readonly #pending = new Map<number, Pending[]>()

  get(key: OffsetKey): CommittedOffset | undefined {
    return this.#groups.get(key.group)?.get(key.topic)?.get(key.partition)
  }

  set(key: OffsetKey, value: CommittedOffset | null): void {
    const topics = this.#groups.get(key.group) ?? new Map<string, Map<number, CommittedOffset>>()
    const partitions = topics.get(key.topic) ?? new Map<number, CommittedOffset>()
    if (value !== null) {
      partitions.set(key.partition, value)
      topics.set(key.topic, partitions)
      this.#groups.set(key.group, topics)
      return
    }
    partitions.delete(key.partition)
    if (partitions.size === 0) topics.delete(key.topic)
    if (topics.size === 0) this.#groups.delete(key.group)
  }

  groups(): IterableIterator<string> {
    return this.#groups.keys()
  }

  has(group: string): boolean {
    return this.#groups.has(group)
  }

  /** All offsets of a group. */
  *of(group: string): Generator<[OffsetKey, CommittedOffset]> {
    for (const [topic, partitions] of this.#groups.get(group) ?? []) {
      for (const [partition, value] of partitions) yield [{ group, topic, partition }, value]
    }
  }

  addPending(producerId: number, key: OffsetKey, value: CommittedOffset): void {
    const pending = this.#pending.get(producerId) ?? []
    pending.push({ key, value })
    this.#pending.set(producerId, pending)
  }

  /** The transaction is decided: its offsets count from now on, or never did. */
  completePending(producerId: number, committed: boolean): void {
    const pending = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (committed) for (const { key, value } of pending ?? []) this.set(key, value)
  }

  /** Whether an open transaction would change the offset. */
  isPending({ group, topic, partition }: OffsetKey): boolean {
    for (const pending of this.#pending.values()) {
      for (const { key } of pending) {
        if (key.group === group && key.topic === topic && key.partition === partition) return true
      }
    }
    return false
  }

  hasPending(group: string): boolean {
    for (const pending of this.#pending.values()) if (pending.some(({ key }) => key.group === group)) return true
    return false
  }

  /** Offsets of all groups for a topic. */
  forTopic(topic: string): OffsetKey[] {
    return [...this.#groups].flatMap(([group, topics]) =>
      [...(topics.get(topic)?.keys() ?? [])].map((partition) => ({ group, topic, partition })),
    )
  }
}

interface Pending {
  readonly key: OffsetKey
  readonly value: CommittedOffset
}
