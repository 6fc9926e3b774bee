/**
 * The server's assignors: which member is meant to read which partition. Pure. What they share: each partition of a topic
 * that somebody subscribes to goes to one of its subscribers.
 */
import { addTo, each, type PartitionSet } from './partition-set.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  /** Ids of the topics that it subscribes to; all of them exist. */
  readonly topics: ReadonlySet<string>
  /** What it was meant to have until now. No partition is with two members. */
  readonly current: PartitionSet
}

/**
 * @param counts number of partitions by topic id
 * @returns a target for each member, by member id
 */
export type Assignor = (
  members: readonly AssignorMember[],
  counts: ReadonlyMap<string, number>,
) => Map<string, PartitionSet>

/**
 * Of each topic a member gets one run of partitions, and members that subscribe to topics of the same size get the same
 * runs: what has one key is then with one member. Static members come first, in the order of their instance ids, so that they
 * get the same again after a restart.
 */
export const range: Assignor = (members, counts) => {
  const inOrder = [...members].sort(byInstance)
  const targets = new Map(members.map(({ memberId }) => [memberId, new Map<string, Set<number>>()]))
  for (const [topicId, count] of counts) {
    const subscribers = inOrder.filter(({ topics }) => topics.has(topicId))
    let next = 0
    subscribers.forEach(({ memberId }, i) => {
      const size = Math.floor(count / subscribers.length) + (i < count % subscribers.length ? 1 : 0)
      for (const end = next + size; next < end; next++) addTo(targets.get(memberId)!, topicId, next)
    })
  }
  return targets
}

function byInstance(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return a.instanceId < b.instanceId ? -1 : 1
  if (a.instanceId !== null || b.instanceId !== null) return a.instanceId !== null ? -1 : 1
  return a.memberId < b.memberId ? -1 : 1
}

/**
 * As even as the subscriptions allow: where all members subscribe to the same topics, no one has two partitions more
 * than another. Beyond that each keeps what it had.
 */
export const uniform: Assignor = (members, counts) => {
  const sharing = new Sharing(members, counts)
  sharing.keep()
  sharing.handOut()
  sharing.even()
  return new Map(members.map(({ memberId }, i) => [memberId, sharing.of(i)]))
}

/** The work on one uniform assignment. Members are known by their place in the list. */
class Sharing {
  readonly #members: readonly AssignorMember[]
  readonly #counts: ReadonlyMap<string, number>
  readonly #subscribers = new Map<string, number[]>()
  /** Of each member: topic id → its partitions, those that it had before in front. */
  readonly #held: Map<string, number[]>[]
  /** How many partitions each member has. */
  readonly #load: number[]

  constructor(members: readonly AssignorMember[], counts: ReadonlyMap<string, number>) {
    this.#members = members
    this.#counts = counts
    this.#held = members.map(() => new Map<string, number[]>())
    this.#load = members.map(() => 0)
    for (const topicId of counts.keys()) this.#subscribers.set(topicId, [])
    members.forEach(({ topics }, member) => {
      for (const topicId of topics) this.#subscribers.get(topicId)?.push(member)
    })
  }

  of(member: number): PartitionSet {
    return new Map([...this.#held[member]!].map(([topicId, partitions]) => [topicId, new Set(partitions)]))
  }

  /** Everyone has what they had, as far as they still want it and it is still there. */
  keep(): void {
    this.#members.forEach(({ topics, current }, member) => {
      for (const [topicId, partition] of each(current)) {
        const exists = partition < (this.#counts.get(topicId) ?? 0)
        if (exists && topics.has(topicId)) this.#give(member, topicId, partition)
      }
    })
  }

  /** What nobody has goes to whoever has least. Topics with few subscribers first: the others can make up for them. */
  handOut(): void {
    const topics = [...this.#subscribers].filter(([, subscribers]) => subscribers.length > 0)
    topics.sort(([, a], [, b]) => a.length - b.length)
    for (const [topicId, subscribers] of topics) {
      const taken = new Set(subscribers.flatMap((member) => this.#held[member]!.get(topicId) ?? []))
      // In turns from the least loaded on: the cursor goes on as long as there is somebody on the lowest level.
      const turns = [...subscribers].sort((a, b) => this.#load[a]! - this.#load[b]!)
      let level = this.#load[turns[0]!]!
      let cursor = 0
      for (let partition = 0; partition < this.#counts.get(topicId)!; partition++) {
        if (taken.has(partition)) continue
        if (cursor === turns.length || this.#load[turns[cursor]!]! > level) {
          cursor = 0
          level++
        }
        this.#give(turns[cursor++]!, topicId, partition)
      }
    }
  }

  /**
   * Moves partitions from members with many to those with few, over others where no topic is common to both, until no
   * such way is left between two that differ by more than one. Then no more even assignment exists.
   */
  even(): void {
    const open = new Set(this.#load.keys())
    while (open.size > 0) {
      // Always from the one that has most: whoever is drained below an even share would have to get back.
      const most = open.values().reduce((a, b) => (this.#load[b]! > this.#load[a]! ? b : a))
      // Whom it cannot pass anything on to cannot be relieved either: what those reach, it reaches, and it has more.
      for (const member of this.#relieve(most) ?? []) open.delete(member)
    }
  }

  /**
   * Passes one partition on from a member, on the shortest way to one that has at least two less.
   * @returns null when it did; else all members that could be reached, none of which can be relieved either
   */
  #relieve(start: number): number[] | null {
    const cameFrom = new Map<number, { from: number; topicId: string }>()
    const reached = [start]
    const seen = new Set<string>()
    let best = start
    for (let at = 0, end = 1; at < end; end = reached.length) {
      for (; at < end && reached.length < this.#members.length; at++) {
        const from = reached[at]!
        for (const topicId of this.#held[from]!.keys()) {
          if (seen.has(topicId)) continue
          seen.add(topicId)
          for (const member of this.#subscribers.get(topicId)!) {
            if (member === start || cameFrom.has(member)) continue
            cameFrom.set(member, { from, topicId })
            reached.push(member)
            if (this.#load[member]! < this.#load[best]!) best = member
          }
        }
      }
      if (this.#load[best]! <= this.#load[start]! - 2) {
        for (let to = best; to !== start;) {
          const { from, topicId } = cameFrom.get(to)!
          this.#give(to, topicId, this.#take(from, topicId))
          to = from
        }
        return null
      }
      if (reached.length === this.#members.length) break
    }
    return reached
  }

  #give(member: number, topicId: string, partition: number): void {
    const held = this.#held[member]!
    const partitions = held.get(topicId)
    if (partitions === undefined) held.set(topicId, [partition])
    else partitions.push(partition)
    this.#load[member]!++
  }

  #take(member: number, topicId: string): number {
    const held = this.#held[member]!
    const partitions = held.get(topicId)!
    const partition = partitions.pop()!
    if (partitions.length === 0) held.delete(topicId)
    this.#load[member]!--
    return partition
  }
}

export const assignors: Readonly<Record<'uniform' | 'range', Assignor>> = { uniform, range }
