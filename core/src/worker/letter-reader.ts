/** Reads dead letters out of their topic, from one place to another. */
import type { Admin, LogClient, Reader } from '../client/client.ts'
import { readLetter, type DeadLetter } from './dead-letter.ts'

/** What a partition of the dead letter topic holds now. */
export interface LetterRange {
  readonly partition: number
  readonly earliest: number
  /** One past the last. */
  readonly latest: number
}

/** Letters of one partition, in order, and where reading goes on after them. */
export interface LetterBatch {
  readonly partition: number
  readonly letters: readonly DeadLetter[]
  readonly nextOffset: number
}

const maxWaitMs = 500
const maxBatchBytes = 2 * 1024 * 1024
const maxBatchLetters = 500

/** None where there is no such topic yet: no record has failed. */
export async function letterRanges(admin: Admin, topic: string): Promise<LetterRange[]> {
  const [description] = await admin.topics([topic])
  const partitions = Array.from({ length: description?.partitions ?? 0 }, (_, partition) => ({ topic, partition }))
  if (partitions.length === 0) return []
  const [earliest, latest] = await Promise.all([
    admin.offsets(partitions, 'earliest'),
    admin.offsets(partitions, 'latest'),
  ])
  const of = (all: typeof earliest, partition: number): number =>
    all.find((each) => each.partition === partition)?.offset ?? 0
  return partitions.map(({ partition }) => ({
    partition,
    earliest: of(earliest, partition),
    latest: of(latest, partition),
  }))
}

/** The group that keeps, as its offsets, up to where the letters of a connector have been put back. */
export function redriveGroup(connector: string): string {
  // Not `connect-<name>-…`, which is the group of a sink of that name.
  return `tidewire-redrive-${connector}`
}

/** The group whose one member puts letters of a connector back; see redrive-lock.ts. */
export function redriveLockGroup(connector: string): string {
  return `tidewire-redriving-${connector}`
}

/** By partition. */
export async function redrivenPositions(admin: Admin, connector: string, topic: string): Promise<Map<number, number>> {
  const offsets = await admin.groupOffsets(redriveGroup(connector))
  return new Map(offsets.flatMap((each) => (each.topic === topic ? [[each.partition, each.offset]] : [])))
}

/**
 * The letters of one partition, from an offset up to but not with another. Ends sooner when the signal is aborted.
 * Their bytes are valid until the next batch is asked for.
 */
export async function* readLetters(
  client: Pick<LogClient, 'reader'>,
  topic: string,
  { partition, from, to }: { readonly partition: number; readonly from: number; readonly to: number },
  signal: AbortSignal,
): AsyncGenerator<LetterBatch, void, undefined> {
  if (from >= to) return
  const reader: Reader = client.reader({ offsetReset: 'earliest', maxBytes: maxBatchBytes })
  try {
    reader.assign([{ topic, partition, offset: from }])
    for (let next = from; next < to && !signal.aborted;) {
      for (const { records, nextOffset } of await reader.poll({ maxWaitMs, signal })) {
        const wanted = records.filter(({ offset }) => offset >= from && offset < to)
        for (let i = 0; i < wanted.length; i += maxBatchLetters) {
          const letters = wanted.slice(i, i + maxBatchLetters).map((record) => readLetter(partition, record))
          const isLast = i + maxBatchLetters >= wanted.length
          yield { partition, letters, nextOffset: isLast ? Math.min(nextOffset, to) : letters.at(-1)!.offset + 1 }
        }
        if (wanted.length === 0) yield { partition, letters: [], nextOffset: Math.min(nextOffset, to) }
        next = nextOffset
      }
    }
  } finally {
    await reader.close()
  }
}
