/** OffsetDelete, v0 (KIP-496): forgets offsets of topics that the group no longer reads. */
import { errorCodes } from '../../protocol/errors.ts'
import { offsetDelete } from '../../protocol/messages/offset-delete.ts'
import { defineHandler } from '../handler.ts'

export const offsetDeleteHandler = defineHandler({
  api: offsetDelete,
  versions: [0, 0],
  async handle({ groups, topics: catalog }, { groupId, topics }) {
    const keys = topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ group: groupId, topic: name, partition: partitionIndex })),
    )
    const results = await groups.deleteOffsets(groupId, keys)
    if (typeof results === 'string') return { errorCode: errorCodes[results], topics: [] }
    let at = 0
    const answers = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => {
        const result = results[at++]!
        const exists = catalog.hasPartition(name, partitionIndex)
        const error = result === 'NONE' && !exists ? 'UNKNOWN_TOPIC_OR_PARTITION' : result
        return { partitionIndex, errorCode: errorCodes[error] }
      }),
    }))
    return { errorCode: errorCodes.NONE, topics: answers }
  },
})
