/** DescribeGroups, v0–6. v4 static members · v5 flexible · v6 GROUP_ID_NOT_FOUND instead of a dead group */
import { errorCodes } from '../../protocol/errors.ts'
import { describeGroups } from '../../protocol/messages/describe-groups.ts'
import { defineHandler } from '../handler.ts'

export const describeGroupsHandler = defineHandler({
  api: describeGroups,
  versions: [0, 6],
  handle(services, request, { version }) {
    const groups = request.groups.map((groupId) => {
      const group = services.groups.group(groupId)
      if (group === undefined) {
        const isError = version >= 6
        return {
          errorCode: isError ? errorCodes.GROUP_ID_NOT_FOUND : errorCodes.NONE,
          errorMessage: isError ? `Group ${groupId} not found.` : null,
          groupId,
          groupState: 'Dead',
          protocolType: '',
          protocolData: '',
          members: [],
        }
      }
      // Metadata and assignment belong to a generation that is complete.
      const isStable = group.state === 'Stable'
      const none = Buffer.alloc(0)
      return {
        errorCode: errorCodes.NONE,
        groupId,
        groupState: group.state,
        protocolType: group.protocolType ?? '',
        protocolData: isStable ? (group.protocolName ?? '') : '',
        members: [...group.members.values()].map((member) => ({
          memberId: member.memberId,
          groupInstanceId: member.groupInstanceId,
          clientId: member.settings.clientId,
          clientHost: member.settings.clientHost,
          memberMetadata: isStable ? member.metadataFor(group.protocolName) : none,
          memberAssignment: isStable ? member.assignment : none,
        })),
      }
    })
    return { throttleTimeMs: 0, groups }
  },
})
