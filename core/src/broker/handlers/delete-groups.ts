/** DeleteGroups, v0–2. v2 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import { deleteGroups } from '../../protocol/messages/delete-groups.ts'
import { defineHandler } from '../handler.ts'

export const deleteGroupsHandler = defineHandler({
  api: deleteGroups,
  versions: [0, 2],
  async handle({ groups }, { groupsNames }) {
    const results = groupsNames.map(async (groupId) => ({
      groupId,
      errorCode: errorCodes[await groups.delete(groupId)],
    }))
    return { results: await Promise.all(results) }
  },
})
