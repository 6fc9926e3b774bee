/**
 * OffsetCommit, v2–10.
 * v2–4 retention time (ignored: offsets.retention.minutes holds for all) · v6 leader epoch · v7 static members · v8 flexible · v9 member epochs
 * (KIP-848) · v10 topic ids
 */
import { errorCodes } from '../../protocol/errors.ts'
import { offsetCommit } from '../../protocol/messages/offset-commit.ts'
import { commitOffsets } from '../commit-offsets.ts'
import { defineHandler } from '../handler.ts'

export const offsetCommitHandler = defineHandler({
  api: offsetCommit,
  versions: [2, 10],
  async handle(services, request, { version }) {
    const claim = {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationIdOrMemberEpoch,
      hasMemberEpoch: version >= 9,
    }
    const named = request.topics.map((topic) => ({
      ...topic,
      known: version < 10 ? services.topics.get(topic.name) : services.topics.byId(topic.topicId),
    }))
    const codes = await commitOffsets(
      services,
      request.groupId,
      claim,
      named.map(({ known, partitions }) => ({ name: known?.name ?? '', partitions })),
      null,
    )
    const topics = named.map(({ name, topicId, known, partitions }, t) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }, p) => ({
        partitionIndex,
        errorCode: known === undefined && version >= 10 ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes[codes[t]![p]!],
      })),
    }))
    return { throttleTimeMs: 0, topics }
  },
})
