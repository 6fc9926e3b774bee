/**
 * OffsetFetch, v1–10.
 * v2 null for all topics · v5 leader epoch · v6 flexible · v7 only decided offsets (KIP-447) · v8 many groups · v9 member epochs (KIP-848) · v10 topic ids
 */
import { errorCodes } from '../../protocol/errors.ts'
import { ZERO_UUID } from '../../protocol/message.ts'
import { offsetFetch } from '../../protocol/messages/offset-fetch.ts'
import type { CommittedOffset } from '../group-records.ts'
import { defineHandler } from '../handler.ts'
import type { BrokerServices } from '../services.ts'

interface WantedTopic {
  /** Undefined: there is no topic of the id. */
  readonly name: string | undefined
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
}

export const offsetFetchHandler = defineHandler({
  api: offsetFetch,
  versions: [1, 10],
  handle(services, request, { version }) {
    if (version < 8) {
      const wanted = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
      const topics = fetchGroup(services, request.groupId, wanted, request.requireStable)
      return { throttleTimeMs: 0, topics, errorCode: errorCodes.NONE }
    }
    const groups = request.groups.map(({ groupId, memberId, memberEpoch, topics }) => {
      const refusal = services.groups.checkFetch(groupId, memberId, memberEpoch)
      if (refusal !== 'NONE') return { groupId, topics: [], errorCode: errorCodes[refusal] }
      const wanted = topics?.map((topic) => ({
        ...topic,
        name: version < 10 ? topic.name : services.topics.byId(topic.topicId)?.name,
      }))
      return { groupId, topics: fetchGroup(services, groupId, wanted ?? null, request.requireStable) }
    })
    return { throttleTimeMs: 0, groups }
  },
})

function fetchGroup(
  services: BrokerServices,
  group: string,
  wanted: readonly WantedTopic[] | null,
  requireStable: boolean,
) {
  return (wanted ?? allTopics(services, group)).map(({ name, topicId, partitionIndexes }) => ({
    name: name ?? '',
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => {
      if (name === undefined) return { ...absent(partitionIndex), errorCode: errorCodes.UNKNOWN_TOPIC_ID }
      const key = { group, topic: name, partition: partitionIndex }
      if (requireStable && services.groups.isUndecided(key)) {
        return { ...absent(partitionIndex), errorCode: errorCodes.UNSTABLE_OFFSET_COMMIT }
      }
      const committed = services.groups.committed(key)
      return committed === undefined ? absent(partitionIndex) : present(partitionIndex, committed)
    }),
  }))
}

function allTopics(services: BrokerServices, group: string): WantedTopic[] {
  const byTopic = Map.groupBy(services.groups.allCommitted(group), ([{ topic }]) => topic)
  return [...byTopic].map(([name, offsets]) => {
    const topic = services.topics.get(name)
    return {
      name,
      topicId: topic === undefined ? ZERO_UUID : topic.id,
      partitionIndexes: offsets.map(([{ partition }]) => partition),
    }
  })
}

function absent(partitionIndex: number) {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode: errorCodes.NONE as number,
  }
}

function present(partitionIndex: number, { offset, leaderEpoch, metadata }: CommittedOffset) {
  return {
    ...absent(partitionIndex),
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
  }
}
