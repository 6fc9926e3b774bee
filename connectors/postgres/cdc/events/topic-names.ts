import type { TableId } from '../../link/identifier.ts'
import { escapedChar } from './name-adjuster.ts'

/** What Kafka takes for a topic's name at most. */
const maxLength = 249

/** The strategies of Debezium that are known here, by the last part of their class names. */
export const namingStrategies = {
  SchemaTopicNamingStrategy: { withSchema: true, unicode: false },
  SchemaUnicodeTopicNamingStrategy: { withSchema: true, unicode: true },
  DefaultTopicNamingStrategy: { withSchema: false, unicode: false },
  DefaultUnicodeTopicNamingStrategy: { withSchema: false, unicode: true },
} as const

export type NamingStrategy = keyof typeof namingStrategies

/** What the names of topics are made of; the settings `topic.*`. */
export interface TopicNaming {
  readonly prefix: string
  readonly delimiter: string
  readonly strategy: NamingStrategy
  readonly transaction: string
  readonly heartbeatPrefix: string
  /** Stands for the prefix and all. */
  readonly heartbeatName: string | undefined
}

/** The topics that a connector writes to. */
export class TopicNames {
  readonly transactions: string
  readonly heartbeats: string
  readonly messages: string
  readonly #naming: TopicNaming

  constructor(naming: TopicNaming) {
    this.#naming = naming
    const { prefix, delimiter, heartbeatName = '' } = naming
    this.transactions = `${prefix}${delimiter}${naming.transaction}`
    this.heartbeats = heartbeatName === '' ? `${naming.heartbeatPrefix}${delimiter}${prefix}` : heartbeatName
    // With a point whatever the delimiter, as Debezium has it.
    this.messages = `${prefix}.message`
  }

  /** Topic of a table's events, and what the names of their schemas begin with. */
  ofTable({ schema, table }: TableId): string {
    const { prefix, delimiter, strategy } = this.#naming
    const { withSchema, unicode } = namingStrategies[strategy]
    const parts = withSchema ? [prefix, schema, table] : [prefix, table]
    return sanitized(parts.filter((part) => part.trim() !== '').join(delimiter), unicode)
  }
}

function sanitized(name: string, unicode: boolean): string {
  const invalid = unicode ? /[^A-Za-z0-9.-]/g : /[^A-Za-z0-9._-]/g
  const instead = unicode ? escapedChar : (): string => '_'
  const topic = name.replace(invalid, instead)
  if (topic.length > maxLength) return topic.slice(0, maxLength)
  return topic === '.' || topic === '..' ? topic.replaceAll('.', instead) : topic
}
