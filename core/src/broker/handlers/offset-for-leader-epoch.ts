/**
 * OffsetForLeaderEpoch, v2–4: whether the log was cut behind a consumer's back (KIP-320). With one broker the leader never
 * changes, so there is one epoch, and it ends at the end of the log.
 */
import { errorCodes } from '../../protocol/errors.ts'
import { offsetForLeaderEpoch } from '../../protocol/messages/offset-for-leader-epoch.ts'
import { defineHandler } from '../handler.ts'
import { kafkaErrorOf } from '../kafka-error.ts'
import { leaderEpochProblem } from './fetch.ts'

export const offsetForLeaderEpochHandler = defineHandler({
  api: offsetForLeaderEpoch,
  versions: [2, 4],
  handle(services, request) {
    const topics = request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
        try {
          const log = services.topics.partition(topic, partition)
          const problem = leaderEpochProblem(currentLeaderEpoch, log)
          if (problem !== 'NONE') return { partition, errorCode: errorCodes[problem] }
          const isKnown = leaderEpoch === log.leaderEpoch
          return {
            partition,
            errorCode: errorCodes.NONE,
            leaderEpoch: isKnown ? leaderEpoch : -1,
            endOffset: isKnown ? log.highWatermark : -1,
          }
        } catch (error) {
          return { partition, errorCode: errorCodes[kafkaErrorOf(error, services.logger)] }
        }
      }),
    }))
    return { topics }
  },
})
