/** Which topics connectors have used (KIP-558), as the status topic has them. */
import type { TopicLogRecord } from '../cluster/topic-log.ts'

/** A topic in use by a connector, as the worker told that runs the task. */
export interface TopicStatus {
  readonly topic: string
  readonly connector: string
  /** The task that used it first. */
  readonly task: number
  /** Milliseconds since the epoch. */
  readonly discoveredAt: number
}

type TopicKey = Pick<TopicStatus, 'topic' | 'connector'>

const prefix = 'status-topic-'
const separator = ':connector-'

/** Kafka Connect's record for it. */
export function topicStatusRecord({ topic, connector, task, discoveredAt }: TopicStatus): TopicLogRecord {
  const value = { topic: { name: topic, connector, task, discoverTimestamp: discoveredAt } }
  return { key: keyOf({ topic, connector }), value: JSON.stringify(value) }
}

/** Undefined: the record is about something else. */
export function parseTopicKey(key: string): TopicKey | undefined {
  if (!key.startsWith(prefix)) return undefined
  // A topic's name has no colon; a connector's may have anything.
  const at = key.indexOf(separator)
  const topic = key.slice(prefix.length, at)
  const connector = key.slice(at + separator.length)
  return at < 0 || topic === '' || connector === '' ? undefined : { topic, connector }
}

export class TopicStatuses {
  readonly #byConnector = new Map<string, Set<string>>()

  connectors(): string[] {
    return [...this.#byConnector.keys()]
  }

  of(connector: string): string[] {
    return [...(this.#byConnector.get(connector) ?? [])]
  }

  has({ topic, connector }: TopicKey): boolean {
    return this.#byConnector.get(connector)?.has(topic) ?? false
  }

  /** The records that make it so that the connector has used none. */
  tombstones(connector: string): TopicLogRecord[] {
    return this.of(connector).map((topic) => ({ key: keyOf({ topic, connector }), value: null }))
  }

  /** Returns whether the record took away a topic that was there. */
  apply({ topic, connector }: TopicKey, value: string | null): boolean {
    const topics = this.#byConnector.get(connector)
    if (value !== null) {
      this.#byConnector.set(connector, (topics ?? new Set()).add(topic))
      return false
    }
    const wasThere = topics?.delete(topic) ?? false
    if (topics?.size === 0) this.#byConnector.delete(connector)
    return wasThere
  }
}

function keyOf({ topic, connector }: TopicKey): string {
  return prefix + topic + separator + connector
}
