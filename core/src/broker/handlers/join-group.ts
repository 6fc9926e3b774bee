/**
 * JoinGroup, v0–9.
 * v1 rebalance timeout · v4 member id required first (KIP-394) · v5 static members (KIP-345) · v6 flexible · v7 protocol type in the answer · v8 reason ·
 * v9 skip assignment (KIP-814)
 */
import { errorCodes } from '../../protocol/errors.ts'
import { joinGroup } from '../../protocol/messages/join-group.ts'
import { defineHandler } from '../handler.ts'

export const joinGroupHandler = defineHandler({
  api: joinGroup,
  versions: [0, 9],
  async handle({ groups }, request, { version, clientId, clientHost }) {
    const result = await groups.join(request.groupId, {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      clientId,
      clientHost,
      protocolType: request.protocolType,
      // Kept as long as the member is there; the frame must not be.
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      requireKnownMemberId: version >= 4,
      canSkipAssignment: version >= 9,
    })
    return {
      throttleTimeMs: 0,
      errorCode: errorCodes[result.error],
      generationId: result.generationId,
      protocolType: result.protocolType,
      // Null is allowed from v7 on.
      protocolName: result.protocolName ?? (version < 7 ? '' : null),
      leader: result.leader,
      skipAssignment: result.skipAssignment,
      memberId: result.memberId,
      members: result.members,
    }
  },
})
