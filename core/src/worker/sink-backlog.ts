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
  /** By slice: what was taken last, and from where on. */
  #taken: { readonly fetched: FetchedRecords; readonly from: number; dropped: boolean }[] = []

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
    this.#taken = []
    while (room > 0 && this.#waiting.length > 0) {
      const first = this.#waiting[0]!
      const { topic, partition, records, nextOffset } = first.fetched
      const from = first.next
      const to = Math.min(records.length, from + room)
      taken.slices.push({ topic, partition, records, from, to })
      this.#taken.push({ fetched: first.fetched, from, dropped: false })
      taken.ends.push({ topic, partition, offset: to < records.length ? records[to]!.offset : nextOffset })
      room -= to - from
      first.next = to
      if (to === records.length) this.#waiting.shift()
    }
    return taken
  }

  /**
   * Takes back what was taken last, from one record of one of its slices on.
   * @returns how far what is left of it goes in its partitions
   */
  putBack(slice: number, from: number): TopicPartitionOffset[] {
    for (let i = this.#taken.length - 1; i >= slice; i--) {
      const { fetched, from: began, dropped } = this.#taken[i]!
      if (dropped) continue
      const next = i === slice ? from : began
      const [first] = this.#waiting
      if (first?.fetched === fetched) first.next = next
      else this.#waiting.unshift({ fetched, next })
    }
    const { fetched } = this.#taken[slice]!
    const { topic, partition, records } = fetched
    const before = this.#taken.slice(0, slice).map(({ fetched: { topic, partition, nextOffset } }) => ({
      topic,
      partition,
      offset: nextOffset,
    }))
    return [...before, { topic, partition, offset: records[from]!.offset }]
  }

  drop(partitions: readonly TopicPartition[]): void {
    const dropped = new Set(partitions.map(keyOf))
    for (const taken of this.#taken) if (dropped.has(keyOf(taken.fetched))) taken.dropped = true
    this.#waiting = this.#waiting.filter(({ fetched }) => !dropped.has(keyOf(fetched)))
  }
}
