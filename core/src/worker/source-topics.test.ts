import { describe, expect, test } from 'vitest'
import { LogError, type Admin, type NewTopic } from '../client/client.ts'
import { parseTopicCreation } from '../config/topic-creation.ts'
import { SourceTopics } from './source-topics.ts'

function topicsOver(
  admin: Pick<Admin, 'topics' | 'createTopics'>,
  config: Record<string, string> = {},
  create = true,
): SourceTopics {
  const { creation } = parseTopicCreation(config)
  return new SourceTopics({ admin: admin as Admin, internalTopics: ['connect-configs'], create, creation })
}

function adminWith(existing: string[]) {
  const requests: (readonly NewTopic[])[] = []
  return {
    requests,
    topics: async (names: readonly string[] = []) =>
      Promise.resolve(
        existing.filter((topic) => names.includes(topic)).map((topic) => ({ topic, partitions: 1, internal: false })),
      ),
    createTopics: async (topics: readonly NewTopic[]) => {
      requests.push(topics)
      return Promise.resolve(topics.map(({ topic }) => topic))
    },
  }
}

describe('topics of a source', () => {
  test('those that are missing are made once, each by the rule for its name', async () => {
    const admin = adminWith(['there'])
    const topics = topicsOver(admin, {
      'topic.creation.default.partitions': '2',
      'topic.creation.default.replication.factor': '-1',
      'topic.creation.groups': 'state',
      'topic.creation.state.include': 'state-.*',
      'topic.creation.state.cleanup.policy': 'compact',
    })
    for (const topic of ['there', 'plain', 'state-a', 'state-b', 'plain']) topics.check(topic)
    expect(topics.hasNew).toBe(true)
    await topics.create()
    expect(topics.hasNew).toBe(false)
    topics.check('plain')
    expect(topics.hasNew).toBe(false)
    expect(admin.requests.flat()).toMatchObject([
      { topic: 'plain', partitions: 2, replicationFactor: -1, config: {} },
      { topic: 'state-a', partitions: 2, replicationFactor: -1, config: { 'cleanup.policy': 'compact' } },
      { topic: 'state-b', config: { 'cleanup.policy': 'compact' } },
    ])
    // One request a group, however many topics.
    expect(admin.requests).toHaveLength(2)
  })

  test('topic.creation.enable=false makes none', async () => {
    const admin = adminWith([])
    const topics = topicsOver(admin, {}, false)
    topics.check('plain')
    await topics.create()
    expect(admin.requests).toEqual([])
    expect(topics.hasNew).toBe(false)
  })

  test('what the broker refuses names the group; what passes stays to be made', async () => {
    const refuse = (error: LogError) => ({ ...adminWith([]), createTopics: async () => Promise.reject(error) })
    const invalid = topicsOver(refuse(new LogError('INVALID_CONFIG', 'no such setting', { retriable: false })))
    invalid.check('plain')
    await expect(invalid.create()).rejects.toThrow('topic.creation.default.* cannot be carried out: no such setting')
    const away = topicsOver(refuse(new LogError('NETWORK', 'gone', { retriable: true })))
    away.check('plain')
    await expect(away.create()).rejects.toThrow(/^gone$/)
    expect(away.hasNew).toBe(true)
  })

  test('a heartbeat of change data capture is none of the log’s own', () => {
    const topics = topicsOver({ topics: async () => [], createTopics: async () => undefined } as never)
    expect(() => topics.check('__debezium-heartbeat.shop')).not.toThrow()
  })

  test.for(['', '.', 'a b', '__consumer_offsets', 'connect-configs'])('%j is refused', (topic) => {
    expect(() => topicsOver(adminWith([])).check(topic)).toThrow()
  })
})
