import type { SourceOffset, SourcePartition } from '../record.ts'

/** A position as the runtime stores it. */
export interface StoredOffset {
  readonly partition: SourcePartition
  readonly offset: SourceOffset
}

/** The stored offsets of one source connector: what outlives its task. Hand it to the next run to start that where this one ended. */
export class OffsetStore implements Iterable<StoredOffset> {
  private readonly byPartition = new Map<string, StoredOffset>()

  constructor(stored: Iterable<StoredOffset> = []) {
    for (const { partition, offset } of stored) this.set(partition, offset)
  }

  get(partition: SourcePartition): SourceOffset | undefined {
    return this.byPartition.get(identity(partition))?.offset
  }

  set(partition: SourcePartition, offset: SourceOffset): void {
    this.byPartition.set(identity(partition), { partition, offset })
  }

  delete(partition: SourcePartition): void {
    this.byPartition.delete(identity(partition))
  }

  [Symbol.iterator](): Iterator<StoredOffset> {
    return this.byPartition.values()
  }
}

/** Equal for partitions with the same contents, whatever the order of their keys. */
function identity(partition: SourcePartition): string {
  return JSON.stringify(Object.entries(partition).sort(([a], [b]) => (a < b ? -1 : 1)))
}
