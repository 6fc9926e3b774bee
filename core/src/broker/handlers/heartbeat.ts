/** Heartbeat, v0–4. v3 static members · v4 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import { heartbeat } from '../../protocol/messages/heartbeat.ts'
import { defineHandler } from '../handler.ts'

export const heartbeatHandler = defineHandler({
  api: heartbeat,
  versions: [0, 4],
  handle: ({ groups }, request) => ({
    throttleTimeMs: 0,
    errorCode: errorCodes[groups.heartbeat(request.groupId, request)],
  }),
})
