import type { FollowedRecord } from '../record.ts'

/** A record of a topic that a transform or a source follows, of texts or bytes; all but the value may be left out. */
export type FollowedText = {
  readonly key?: string | Uint8Array | null
  readonly value: string | Uint8Array | null
} & Partial<Omit<FollowedRecord, 'key' | 'value'>>

/** Topics by name, with what is in them. */
export type FollowedTexts = Readonly<Record<string, readonly FollowedText[]>>

type Tell = (record: FollowedRecord) => void | Promise<void>

/** The topics that there are to follow in a run, and who follows them. */
export class FollowedTopics {
  private readonly topics: Map<string, FollowedRecord[]>
  private followers: { readonly topic: string; readonly tell: Tell }[] = []

  constructor(topics: FollowedTexts = {}) {
    this.topics = new Map(Object.entries(topics).map(([topic, records]) => [topic, records.map(followed)]))
  }

  has(topic: string): boolean {
    return this.topics.has(topic)
  }

  /** Adds a record to a topic, which is made where there is none; who follows it has been told on return. */
  async write(topic: string, record: FollowedText): Promise<void> {
    const records = this.topics.get(topic) ?? []
    const added = followed(record, records.length)
    this.topics.set(topic, [...records, added])
    for (const follower of this.followers) if (follower.topic === topic) await follower.tell(added)
  }

  /** From an offset on; undefined: from the end. */
  async follow(topic: string, from: number | undefined, tell: Tell): Promise<void> {
    const records = this.topics.get(topic) ?? []
    this.followers.push({ topic, tell })
    if (from === undefined) return
    for (const record of records) if (record.offset >= from) await tell(record)
  }

  /** Nobody is told anything any more. */
  end(): void {
    this.followers = []
  }
}

function followed({ key = null, value, ...more }: FollowedText, offset: number): FollowedRecord {
  const bytes = (given: string | Uint8Array | null) =>
    typeof given === 'string' ? new TextEncoder().encode(given) : given
  return { partition: 0, offset, headers: [], timestamp: 0, ...more, key: bytes(key), value: bytes(value) }
}
