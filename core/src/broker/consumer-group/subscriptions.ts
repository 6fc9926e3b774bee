import { createHash } from 'node:crypto'
import { RequestError } from '../kafka-error.ts'
import { isInternalTopic } from '../topic-catalog.ts'
import type { MemberMetadata } from './member.ts'
import { InvalidRegexError, TopicRegex } from './topic-regex.ts'

/** The topics that there are, as groups see them. */
export interface Topics {
  get(name: string): Topic | undefined
  all(): readonly Topic[]
  /** Changes whenever a topic comes, goes or grows. */
  readonly version: number
}

interface Topic {
  readonly name: string
  readonly id: string
  /** How many. */
  readonly partitions: number
}

/** Patterns kept with what they resolve to; beyond that all are resolved anew. */
const mostPatterns = 1000

/** What subscriptions mean, given the topics that there are. */
export class Subscriptions {
  readonly topics: Topics
  readonly #regexes = new Map<string, TopicRegex>()
  /** Of this version of the topics. */
  #version = -1
  readonly #matches = new Map<string, readonly Topic[]>()

  constructor(topics: Topics) {
    this.topics = topics
  }

  /** @throws RequestError INVALID_REGULAR_EXPRESSION */
  check({ topicRegex }: MemberMetadata): void {
    if (topicRegex !== null) this.#compiled(topicRegex)
  }

  /** The topics of a member that exist. */
  *of(member: MemberMetadata): Generator<Topic> {
    for (const name of member.topicNames) {
      const topic = this.topics.get(name)
      if (topic !== undefined) yield topic
    }
    if (member.topicRegex !== null) yield* this.#matching(member.topicRegex)
  }

  /** Whether a member reads a topic, or would if it existed. Patterns leave out internal topics, as Kafka's clients do. */
  includes(member: MemberMetadata, topicName: string): boolean {
    if (member.topicNames.includes(topicName)) return true
    return member.topicRegex !== null && this.#meets(this.#compiled(member.topicRegex), topicName)
  }

  /** All topics of the members, by their ids. */
  union(members: Iterable<MemberMetadata>): Map<string, Topic> {
    const union = new Map<string, Topic>()
    for (const member of members) for (const topic of this.of(member)) union.set(topic.id, topic)
    return union
  }

  #matching(pattern: string): readonly Topic[] {
    if (this.#version !== this.topics.version || this.#matches.size > mostPatterns) {
      this.#matches.clear()
      this.#version = this.topics.version
    }
    let matching = this.#matches.get(pattern)
    if (matching === undefined) {
      const regex = this.#compiled(pattern)
      matching = this.topics.all().filter(({ name }) => this.#meets(regex, name))
      this.#matches.set(pattern, matching)
    }
    return matching
  }

  #meets(regex: TopicRegex, topicName: string): boolean {
    return !isInternalTopic(topicName) && regex.matches(topicName)
  }

  #compiled(pattern: string): TopicRegex {
    const known = this.#regexes.get(pattern)
    if (known !== undefined) return known
    try {
      const regex = new TopicRegex(pattern)
      if (this.#regexes.size > mostPatterns) this.#regexes.clear()
      this.#regexes.set(pattern, regex)
      return regex
    } catch (error) {
      if (!(error instanceof InvalidRegexError)) throw error
      const reason = `SubscribedTopicRegex ${pattern.slice(0, 200)} is not a valid regular expression: ${error.message}`
      throw new RequestError('INVALID_REGULAR_EXPRESSION', reason)
    }
  }
}

/**
 * Differs when topics of a group have come, gone or grown (KIP-1101); 0: there are none. Not the number that Kafka comes to: were it
 * to read these records, it would make one new assignment.
 */
export function metadataHash(topics: ReadonlyMap<string, Topic>): number {
  if (topics.size === 0) return 0
  const hash = createHash('sha1')
  for (const id of [...topics.keys()].sort()) hash.update(`${id}:${topics.get(id)!.partitions};`)
  // As many bits as a number holds for sure.
  return hash.digest().readUIntBE(0, 6) || 1
}
