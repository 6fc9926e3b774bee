import type { SinkOffsetChange, SinkOffsetsContext } from '@tidewire/sdk'
import type { FileSinkConfig } from './config.ts'
import { loadProgress, saveProgress } from './offsets-file.ts'

/**
 * Changes the positions that an exactly-once sink keeps beside its file. What is in the file stays: records that are read
 * again are in it twice.
 * @returns false where there are none on this machine: the sink may run on another
 */
export async function alterOffsets(
  config: FileSinkConfig,
  changes: readonly SinkOffsetChange[],
  { reset }: Pick<SinkOffsetsContext, 'reset'>,
): Promise<boolean> {
  if (!config['exactly.once']) return true
  const path = `${config.file}.offsets`
  const progress = await loadProgress(path)
  if (progress === undefined) return false
  const kept = reset ? [] : Object.entries(progress.offsets)
  const offsets = new Map(kept.map(([topic, partitions]) => [topic, new Map(Object.entries(partitions))]))
  for (const { topic, partition, offset } of changes) {
    const partitions = offsets.get(topic) ?? new Map<string, number>()
    if (offset === null) partitions.delete(String(partition))
    else partitions.set(String(partition), offset)
    offsets.set(topic, partitions)
  }
  await saveProgress(path, {
    ...progress,
    offsets: Object.fromEntries([...offsets].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)])),
  })
  return true
}
