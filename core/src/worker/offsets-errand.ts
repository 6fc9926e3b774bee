import type { SinkOffsetChange, SourceOffsetChange } from '@tidewire/sdk'
import type { OffsetsChanged, OffsetsErrand } from './errand-messages.ts'
import { openErrandTask, type ErrandSurroundings } from './errand-task.ts'
import { CommittedSinkOffsets } from './sink-offsets.ts'
import { StoredSourceOffsets } from './source-offsets.ts'

/**
 * Reads or changes a connector's offsets, with the clients that its tasks have and after asking the connector. Nothing of
 * it may run when they are changed.
 * @throws ConfigError, ConnectError, LogError
 */
export async function offsetsErrand(
  { spec, work }: OffsetsErrand,
  around: ErrandSurroundings,
): Promise<OffsetsChanged> {
  const task = await openErrandTask(spec, around)
  const { connector } = task
  try {
    if (connector.type === 'source') {
      const offsets = new StoredSourceOffsets(connector, task, spec, around)
      switch (work.kind) {
        case 'read':
          return { offsets: await offsets.read(), isAll: true, warnings: [] }
        case 'alter':
          return await offsets.alter(work.offsets)
        case 'reset':
          return await offsets.reset()
        case 'from':
          return work.from === 'earliest' ? await offsets.reset() : await offsets.startFrom(work.from)
      }
    }
    const offsets = new CommittedSinkOffsets(connector, task, spec, around)
    switch (work.kind) {
      case 'read':
        return { offsets: await offsets.read(), isAll: true, warnings: [] }
      case 'alter':
        return await offsets.alter(work.offsets.map(sinkChange))
      case 'reset':
        return await offsets.reset()
      case 'from':
        return await offsets.startFrom(work.from, work.topics)
    }
  } finally {
    await task.close()
  }
}

/** Of what has been looked at before it came here. */
function sinkChange({ partition, offset }: SourceOffsetChange): SinkOffsetChange {
  return {
    topic: partition['kafka_topic'] as string,
    partition: partition['kafka_partition'] as number,
    offset: offset === null ? null : (offset['kafka_offset'] as number),
  }
}
