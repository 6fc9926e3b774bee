/** Kafka Connect's own predicates. */
import { defineConfig, definePredicate } from '@tidewire/sdk'
import { JavaRegex } from './java-regex.ts'
import { memoByTopic } from './topic-memo.ts'

export const hasHeaderKey = definePredicate({
  name: 'has-header-key',
  aliases: ['org.apache.kafka.connect.transforms.predicates.HasHeaderKey', 'HasHeaderKey'],
  doc: 'Holds for records with a header of a name.',
  config: defineConfig({ name: { type: 'string', required: true, doc: 'The name of the header.' } }),
  create: ({ name }) => ({ test: ({ headers }) => headers?.some(({ key }) => key === name) === true }),
})

export const recordIsTombstone = definePredicate({
  name: 'record-is-tombstone',
  aliases: ['org.apache.kafka.connect.transforms.predicates.RecordIsTombstone', 'RecordIsTombstone'],
  doc: 'Holds for records whose value is null.',
  config: defineConfig({}),
  create: () => ({ test: ({ value }) => value === null || value === undefined }),
})

export const topicNameMatches = definePredicate({
  name: 'topic-name-matches',
  aliases: ['org.apache.kafka.connect.transforms.predicates.TopicNameMatches', 'TopicNameMatches'],
  doc: 'Holds for records of topics whose whole name matches a regular expression.',
  config: defineConfig({
    pattern: { type: 'string', required: true, doc: "The regular expression, in Java's syntax." },
  }),
  check({ pattern }): Record<string, string> {
    try {
      new JavaRegex(pattern)
      return {}
    } catch (error) {
      return { pattern: (error as Error).message }
    }
  },
  create({ pattern }) {
    const regex = new JavaRegex(pattern)
    const matches = memoByTopic((topic) => regex.matches(topic))
    return { test: ({ topic }) => matches(topic) }
  },
})
