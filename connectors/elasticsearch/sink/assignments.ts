import { originalPosition, type SinkRecord, type TopicPartition, type TopicPartitionOffset } from '@tidewire/sdk'
import type { Action } from './action.ts'

/** A partition for as long as this task has it. */
export interface Assignment extends TopicPartition {
  /** It went elsewhere: what was put of it is not to be written any more. */
  closed: boolean
}

/** The partitions that the task has. */
export class Assignments {
  readonly #byPartition = new Map<string, Assignment>()
  #last: Assignment | undefined

  /** Of a record, whatever transforms made of its topic. */
  of(record: SinkRecord): Assignment {
    const topic = record.originalTopic ?? record.topic
    const partition = record.originalKafkaPartition ?? record.partition
    const last = this.#last
    if (last?.topic === topic && last.partition === partition) return last
    const name = nameOf({ topic, partition })
    let assignment = this.#byPartition.get(name)
    if (assignment === undefined) {
      assignment = { topic, partition, closed: false }
      this.#byPartition.set(name, assignment)
    }
    this.#last = assignment
    return assignment
  }

  close(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const assignment = this.#byPartition.get(nameOf(partition))
      if (assignment !== undefined) assignment.closed = true
      this.#byPartition.delete(nameOf(partition))
    }
    this.#last = undefined
  }
}

/** Of the offsets asked for, how far all before them is dealt with, given what still waits. */
export function settledOffsets(
  asked: readonly TopicPartitionOffset[],
  waiting: Iterable<Action>,
): readonly TopicPartitionOffset[] {
  const first = new Map<string, number>()
  for (const { record, assignment } of waiting) {
    if (assignment.closed) continue
    const name = nameOf(assignment)
    const { offset } = originalPosition(record)
    if (offset < (first.get(name) ?? Infinity)) first.set(name, offset)
  }
  if (first.size === 0) return asked
  return asked.map((position) => {
    const waits = first.get(nameOf(position))
    return waits === undefined || waits >= position.offset ? position : { ...position, offset: waits }
  })
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${partition} ${topic}`
}
