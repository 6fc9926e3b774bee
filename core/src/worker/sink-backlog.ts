import type { TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import type { FetchedRecords } from '../client/client.ts'
import type { Slice } from './sink-conversion.ts'
import { keyOf } from './sink-positions.ts'

/** Fetched, and not taken from `next` on. */
interface Waiting {
  readonly fetched: FetchedRecords
  next: number
}

/** What is taken to be put next, and how far it goes in its partitions: past markers of transactions too. */
export interface Taken {
  readonly slices: Slice[]
  readonly ends: TopicPartitionOffset[]
}

/** What has been fetched for a sink task and not handed to it, in the order in which it came. */
export class SinkBacklog {
  #waiting: Waiting[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** On the wire. What was fetched together counts until all of it is taken. */
  get bytes(): number {
    let bytes = 0
    for (const { fetched } of this.#waiting) bytes += fetched.bytes
    return bytes
  }

  add(fetched: readonly FetchedRecords[]): void {
    for (const records of fetched) this.#waiting.push({ fetched: records, next: 0 })
  }

  take(maxRecords: number): Taken {
    const taken: Taken = { slices: [], ends: [] }
    let room = maxRecords
    while (room > 0 && this.#waiting.length > 0) {
      const first = this.#waiting[0]!
      const { topic, partition, records, nextOffset } = first.fetched
      const from = first.next
      const to = Math.min(records.length, from + room)
      taken.slices.push({ topic, partition, records, from, to })
      taken.ends.push({ topic, partition, offset: to < records.length ? records[to]!.offset : nextOffset })
      room -= to - from
      first.next = to
      if (to === records.length) this.#waiting.shift()
    }
    return taken
  }

  drop(partitions: readonly TopicPartition[]): void {
    const dropped = new Set(partitions.map(keyOf))
    this.#waiting = this.#waiting.filter(({ fetched }) => !dropped.has(keyOf(fetched)))
  }
}
