/**
 * A look at what a connector would do, with nothing written anywhere: no record, no offset, no status, no dead letter, no
 * group. The real source is read, or the sink's real topics, by the converters that the tasks use; a sink is not called.
 */
import type { LogClient } from '../client/client.ts'
import type { PreviewedRecord, PreviewEnd, PreviewErrand } from './errand-messages.ts'
import { openErrandTask, type ErrandSurroundings } from './errand-task.ts'
import { PreviewRoom } from './preview-room.ts'
import { previewSink } from './preview-sink.ts'
import { previewSource } from './preview-source.ts'

/** See the head of the file. @throws ConfigError; LogError */
export async function preview(
  errand: PreviewErrand,
  around: ErrandSurroundings,
  onRecord: (record: PreviewedRecord) => void,
): Promise<PreviewEnd> {
  const task = await openErrandTask(errand.spec, around, readOnly)
  const room = new PreviewRoom(errand, onRecord)
  try {
    return task.connector.type === 'source'
      ? await previewSource(task.connector, task, errand, around, room)
      : await previewSink(task, errand, around, room)
  } finally {
    await task.close()
  }
}

/** A client that can only look. */
function readOnly(client: LogClient): LogClient {
  const refuse = (): never => {
    throw new Error('a preview writes nothing')
  }
  const { admin } = client
  return {
    reader: (...args) => client.reader(...args),
    producer: refuse,
    groupConsumer: refuse,
    groupMember: refuse,
    admin: {
      clusterId: () => admin.clusterId(),
      topics: (names) => admin.topics(names),
      topicConfig: (topic) => admin.topicConfig(topic),
      offsets: (...args) => admin.offsets(...args),
      groups: () => admin.groups(),
      group: (groupId) => admin.group(groupId),
      groupOffsets: (group) => admin.groupOffsets(group),
      createTopics: refuse,
      deleteTopics: refuse,
      alterGroupOffsets: refuse,
      deleteGroupOffsets: refuse,
      deleteGroup: refuse,
      fenceProducers: refuse,
    },
    close: () => client.close(),
  }
}
