import type { TopicPartition } from '@tidewire/sdk'
import { bySubscriberId, type Subscriber } from './assignors.ts'
import { partitionKey } from './topic-partitions.ts'

/** Who has, or says that it has, a partition. */
interface Claim {
  readonly memberId: string
  readonly generation: number
}

/** What of a member's partitions may be taken from it: those that it did not have before, or all. */
type Movable = 'new' | 'any'

/**
 * Kafka's cooperative-sticky assignor (KIP-429): balanced as far as the subscriptions allow, with as few partitions
 * changing hands as that takes. A partition that somebody still has is given to nobody else: it is left out, whoever has
 * it sees so, gives it up and joins again, and the next round gives it away.
 */
export function assignCooperativeSticky(
  subscribers: readonly Subscriber[],
  partitionsOf: (topic: string) => number,
): Map<string, TopicPartition[]> {
  const claims = claimsOf(subscribers, partitionsOf)
  const assignment = new StickyAssignment(subscribers, partitionsOf, claims)
  assignment.placeUnowned()
  // First with what nobody had, so that the next round, in which that is left to give, comes to the same loads.
  assignment.balance('new')
  assignment.balance('any')
  return assignment.withoutStillClaimed()
}

/** By partition, of those that exist and are still subscribed to; the latest generation first. */
function claimsOf(
  subscribers: readonly Subscriber[],
  partitionsOf: (topic: string) => number,
): ReadonlyMap<string, readonly Claim[]> {
  const claims = new Map<string, Claim[]>()
  for (const { memberId, owned, generation } of subscribers) {
    for (const { topic, partition } of owned) {
      if (partition < 0 || partition >= partitionsOf(topic)) continue
      const key = partitionKey(topic, partition)
      const claim = { memberId, generation }
      const others = claims.get(key)
      if (others === undefined) claims.set(key, [claim])
      else others.push(claim)
    }
  }
  for (const each of claims.values()) each.sort((a, b) => b.generation - a.generation)
  return claims
}

interface Member {
  readonly id: string
  /** Partitions by topic. */
  readonly holds: Map<string, number[]>
  readonly topics: readonly string[]
  load: number
}

class StickyAssignment {
  readonly #members: readonly Member[]
  readonly #subscribers = new Map<string, Member[]>()
  readonly #partitionsOf: (topic: string) => number
  readonly #claims: ReadonlyMap<string, readonly Claim[]>

  constructor(
    subscribers: readonly Subscriber[],
    partitionsOf: (topic: string) => number,
    claims: ReadonlyMap<string, readonly Claim[]>,
  ) {
    this.#partitionsOf = partitionsOf
    this.#claims = claims
    this.#members = [...subscribers]
      .sort(bySubscriberId)
      .map(({ memberId, topics }) => ({ id: memberId, topics: [...new Set(topics)], holds: new Map(), load: 0 }))
    for (const member of this.#members) {
      for (const topic of member.topics) {
        const members = this.#subscribers.get(topic)
        if (members === undefined) this.#subscribers.set(topic, [member])
        else members.push(member)
      }
    }
  }

  /** Everyone keeps what it has; the rest goes to whoever has least, beginning with what the fewest can take. */
  placeUnowned(): void {
    const unowned: [topic: string, partition: number][] = []
    for (const [topic, members] of this.#subscribers) {
      const byId = new Map(members.map((member) => [member.id, member]))
      for (let partition = 0; partition < this.#partitionsOf(topic); partition++) {
        const owner = byId.get(this.#ownerOf(topic, partition) ?? '')
        if (owner === undefined) unowned.push([topic, partition])
        else give(owner, topic, partition)
      }
    }
    unowned.sort((a, b) => this.#subscribers.get(a[0])!.length - this.#subscribers.get(b[0])!.length)
    for (const [topic, partition] of unowned) give(leastLoaded(this.#subscribers.get(topic)!), topic, partition)
  }

  /**
   * Moves partitions from who has more to who has at least two less, directly or through others, until there is no such
   * pair: then no other assignment is more balanced.
   */
  balance(movable: Movable): void {
    while (this.#improve(movable));
  }

  /** What is assigned to one and still claimed by another stays with neither. */
  withoutStillClaimed(): Map<string, TopicPartition[]> {
    return new Map(
      this.#members.map((member) => {
        const partitions = [...member.holds].flatMap(([topic, numbers]) =>
          numbers
            .filter((partition) => !this.#isClaimedByOther(member, topic, partition))
            .sort((a, b) => a - b)
            .map((partition) => ({ topic, partition })),
        )
        return [member.id, partitions]
      }),
    )
  }

  /** Who claims it in the latest generation; undefined where nobody does, or two do. */
  #ownerOf(topic: string, partition: number): string | undefined {
    const [first, second] = this.#claims.get(partitionKey(topic, partition)) ?? []
    return second !== undefined && second.generation === first!.generation ? undefined : first?.memberId
  }

  #isClaimedByOther({ id }: Member, topic: string, partition: number): boolean {
    const claims = this.#claims.get(partitionKey(topic, partition)) ?? []
    const own = claims.find((each) => each.memberId === id)?.generation ?? -Infinity
    return claims.some((each) => each.memberId !== id && each.generation >= own)
  }

  /** One partition from the one who has most to one who has least, as far as the subscriptions allow. */
  #improve(movable: Movable): boolean {
    const most = Math.max(...this.#members.map((each) => each.load))
    const poorest = this.#members.filter((each) => each.load <= most - 2).sort((a, b) => a.load - b.load)
    return poorest.some((member) => this.#feed(member, movable))
  }

  /** Looks for the richest member from which a chain of hand-overs leads here, and does them. */
  #feed(target: Member, movable: Movable): boolean {
    const givesTo = new Map<Member, { readonly to: Member; readonly topic: string }>()
    const seen = new Set([target])
    const topics = new Set<string>()
    let richest = target
    for (const taker of seen) {
      for (const topic of taker.topics) {
        if (topics.has(topic)) continue
        topics.add(topic)
        for (const giver of this.#subscribers.get(topic)!) {
          if (seen.has(giver) || this.#spare(giver, topic, movable) === undefined) continue
          seen.add(giver)
          givesTo.set(giver, { to: taker, topic })
          if (giver.load > richest.load) richest = giver
        }
      }
    }
    if (richest.load < target.load + 2) return false
    for (let giver = richest; giver !== target;) {
      const { to, topic } = givesTo.get(giver)!
      const partition = this.#spare(giver, topic, movable)!
      take(giver, topic, partition)
      give(to, topic, partition)
      giver = to
    }
    return true
  }

  /** What the member would rather give away of the topic: what it did not have before. */
  #spare(member: Member, topic: string, movable: Movable): number | undefined {
    const numbers = member.holds.get(topic) ?? []
    const fresh = numbers.findLast((partition) => this.#ownerOf(topic, partition) !== member.id)
    return fresh ?? (movable === 'any' ? numbers.at(-1) : undefined)
  }
}

function leastLoaded(members: readonly Member[]): Member {
  return members.reduce((least, each) => (each.load < least.load ? each : least))
}

function give(member: Member, topic: string, partition: number): void {
  const numbers = member.holds.get(topic)
  if (numbers === undefined) member.holds.set(topic, [partition])
  else numbers.push(partition)
  member.load++
}

function take(member: Member, topic: string, partition: number): void {
  const numbers = member.holds.get(topic)!
  numbers.splice(numbers.indexOf(partition), 1)
  member.load--
}
