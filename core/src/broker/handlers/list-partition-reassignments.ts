/** ListPartitionReassignments, v0: nothing ever moves, there being one broker. kafka-topics --describe asks. */
import { errorCodes } from '../../protocol/errors.ts'
import { listPartitionReassignments } from '../../protocol/messages/list-partition-reassignments.ts'
import { defineHandler } from '../handler.ts'

export const listPartitionReassignmentsHandler = defineHandler({
  api: listPartitionReassignments,
  versions: [0, 0],
  handle: () => ({ errorCode: errorCodes.NONE, topics: [] }),
})
