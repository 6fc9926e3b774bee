/** SyncGroup, v0–5. v3 static members · v4 flexible · v5 protocol type and name */
import { errorCodes } from '../../protocol/errors.ts'
import { syncGroup } from '../../protocol/messages/sync-group.ts'
import { defineHandler } from '../handler.ts'

export const syncGroupHandler = defineHandler({
  api: syncGroup,
  versions: [0, 5],
  async handle({ groups }, request) {
    const { error, protocolType, protocolName, assignment } = await groups.sync(request.groupId, request)
    return { throttleTimeMs: 0, errorCode: errorCodes[error], protocolType, protocolName, assignment }
  },
})
