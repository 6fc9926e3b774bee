/**
 * ElectLeaders, v0–2: the one broker leads every partition, so none needs an election.
 * v1 kind of election · v2 flexible
 */
import { errorCodes } from '../../protocol/errors.ts'
import { electLeaders } from '../../protocol/messages/elect-leaders.ts'
import { defineHandler } from '../handler.ts'

export const electLeadersHandler = defineHandler({
  api: electLeaders,
  versions: [0, 2],
  handle(services, { topicPartitions }) {
    // Asked for all, Kafka tells only of those that had an election.
    const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) =>
        services.topics.hasPartition(topic, partitionId)
          ? {
              partitionId,
              errorCode: errorCodes.ELECTION_NOT_NEEDED,
              errorMessage: 'Leader election not needed for topic partition.',
            }
          : {
              partitionId,
              errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
              errorMessage: `There is no partition ${topic}-${partitionId}.`,
            },
      ),
    }))
    return { errorCode: errorCodes.NONE, replicaElectionResults }
  },
})
