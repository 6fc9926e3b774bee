/** ConsumerGroupHeartbeat, v0–1 (KIP-848): members of the newer group protocol. v1 subscriptions by pattern, member id from the client */
import { errorCodes } from '../../protocol/errors.ts'
import { consumerGroupHeartbeat } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { topicPartitions } from '../consumer-group/partition-set.ts'
import { defineHandler } from '../handler.ts'

export const consumerGroupHeartbeatHandler = defineHandler({
  api: consumerGroupHeartbeat,
  versions: [0, 1],
  async handle({ groups }, request, { version, clientId, clientHost }) {
    const result = await groups.consumerHeartbeat({ ...request, clientId, clientHost, requireMemberId: version >= 1 })
    return {
      errorCode: errorCodes[result.error],
      errorMessage: result.errorMessage,
      memberId: result.error === 'NONE' ? result.memberId : null,
      memberEpoch: result.memberEpoch,
      heartbeatIntervalMs: result.heartbeatIntervalMs,
      assignment: result.assignment === null ? null : { topicPartitions: topicPartitions(result.assignment) },
    }
  },
})
