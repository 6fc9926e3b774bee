/** LeaveGroup, v0–5. v3 many members at once, static ones by their instance id · v4 flexible · v5 reason */
import { errorCodes } from '../../protocol/errors.ts'
import { leaveGroup } from '../../protocol/messages/leave-group.ts'
import { defineHandler } from '../handler.ts'

export const leaveGroupHandler = defineHandler({
  api: leaveGroup,
  versions: [0, 5],
  handle({ groups }, request, { version }) {
    if (version < 3) {
      const error = groups.leave(request.groupId, request.memberId, null)
      return { throttleTimeMs: 0, errorCode: errorCodes[error] }
    }
    const members = request.members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: errorCodes[groups.leave(request.groupId, memberId, groupInstanceId)],
    }))
    return { throttleTimeMs: 0, errorCode: errorCodes.NONE, members }
  },
})
