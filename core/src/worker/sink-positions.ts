import type { SinkRecord, TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'

interface Position extends TopicPartition {
  /** Next offset after all that was handed to the task. */
  handedOver: number
  /** What the group has, as far as this task knows. */
  committed: number | undefined
}

/**
 * How far a sink task is in each of its partitions. What was handed over and not accepted (to be put again) holds back
 * its own partition: only the unbroken run of accepted records may be committed.
 */
export class SinkPositions {
  readonly #positions = new Map<string, Position>()
  #unaccepted: readonly SinkRecord[] = []

  /** Handed to the task and not accepted, in order. */
  get unaccepted(): readonly SinkRecord[] {
    return this.#unaccepted
  }

  set unaccepted(records: readonly SinkRecord[]) {
    this.#unaccepted = records
  }

  has(tp: TopicPartition): boolean {
    return this.#positions.has(keyOf(tp))
  }

  /** Everything of the partition before `next` has been handed over. */
  handOver({ topic, partition }: TopicPartition, next: number): void {
    const position = this.#positions.get(`${topic}-${partition}`)
    if (position !== undefined) position.handedOver = next
    else this.#positions.set(`${topic}-${partition}`, { topic, partition, handedOver: next, committed: undefined })
  }

  /** What may be committed once it is flushed; of these partitions only, if given. */
  committable(only?: readonly TopicPartition[]): TopicPartitionOffset[] {
    const heldBack = new Map<string, number>()
    for (const record of this.#unaccepted) {
      const key = originalKeyOf(record)
      heldBack.set(key, Math.min(record.offset, heldBack.get(key) ?? Infinity))
    }
    const wanted = only && new Set(only.map(keyOf))
    const offsets: TopicPartitionOffset[] = []
    for (const [key, { topic, partition, handedOver }] of this.#positions) {
      if (wanted?.has(key) === false) continue
      offsets.push({ topic, partition, offset: Math.min(handedOver, heldBack.get(key) ?? Infinity) })
    }
    return offsets
  }

  /** Of what a task says is durable, that which it may say: of its own partitions, not beyond `allowed`, and news. */
  acceptable(
    claimed: readonly TopicPartitionOffset[],
    allowed: readonly TopicPartitionOffset[],
  ): { offsets: TopicPartitionOffset[]; refused: TopicPartitionOffset[] } {
    const limits = new Map(allowed.map((position) => [keyOf(position), position.offset]))
    const offsets: TopicPartitionOffset[] = []
    const refused: TopicPartitionOffset[] = []
    for (const claim of claimed) {
      const limit = limits.get(keyOf(claim))
      const valid = Number.isSafeInteger(claim.offset) && claim.offset >= 0 && limit !== undefined
      if (!valid || claim.offset > limit) refused.push(claim)
      else if (this.#positions.get(keyOf(claim))?.committed !== claim.offset) offsets.push(claim)
    }
    return { offsets, refused }
  }

  /** How far the task is in the partitions of which it has not made durable all that it may, as texts that change with it. */
  behind(claimed: readonly TopicPartitionOffset[], allowed: readonly TopicPartitionOffset[]): string[] {
    const claims = new Map(claimed.map((position) => [keyOf(position), position.offset]))
    return allowed.flatMap((position) => {
      const key = keyOf(position)
      const durable = claims.get(key) ?? this.#positions.get(key)?.committed ?? 0
      return durable < position.offset ? [`${key}:${durable}/${position.offset}`] : []
    })
  }

  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const tpo of offsets) {
      const position = this.#positions.get(keyOf(tpo))
      if (position !== undefined) position.committed = tpo.offset
    }
  }

  /** What was not accepted of the partition is read again. */
  dropUnaccepted(partition: TopicPartition): void {
    const key = keyOf(partition)
    this.#unaccepted = this.#unaccepted.filter((record) => originalKeyOf(record) !== key)
  }

  /** The partitions are no longer this task's. */
  drop(partitions: readonly TopicPartition[]): void {
    const dropped = new Set(partitions.map(keyOf))
    for (const key of dropped) this.#positions.delete(key)
    this.#unaccepted = this.#unaccepted.filter((record) => !dropped.has(originalKeyOf(record)))
  }
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** Of the partition that a record came from. */
function originalKeyOf({
  topic,
  partition,
  originalTopic = topic,
  originalKafkaPartition = partition,
}: SinkRecord): string {
  return `${originalTopic}-${originalKafkaPartition}`
}
