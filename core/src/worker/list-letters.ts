import type { DeadLetter } from './dead-letter.ts'
import type { ListedLetter, ListEnd, ListErrand } from './errand-messages.ts'
import { openErrandTask, type ErrandSurroundings } from './errand-task.ts'
import { letterRanges, readLetters, redrivenPositions } from './letter-reader.ts'
import { shownBytes } from './shown-value.ts'

/** Of a key, a value or a header. */
const maxShownBytes = 1024

/** Shows a connector's dead letters, oldest first in each partition. @throws ConfigError; LogError */
export async function listLetters(
  { spec, topic, partition: only, from, limit }: ListErrand,
  around: ErrandSurroundings,
  onLetter: (letter: ListedLetter) => void,
): Promise<ListEnd> {
  const task = await openErrandTask(spec, around)
  try {
    const { consumer } = task.clients
    const { admin } = consumer
    const [ranges, redriven] = await Promise.all([
      letterRanges(admin, topic),
      redrivenPositions(admin, spec.connector, topic),
    ])
    const next: { partition: number; offset: number }[] = []
    let room = limit
    for (const { partition, earliest, latest } of ranges) {
      if (only !== undefined && partition !== only) continue
      const position = redriven.get(partition) ?? earliest
      const begin = Math.max(earliest, from === 'redriven' ? position : from === 'earliest' ? earliest : from)
      let reached = begin
      if (room > 0) {
        for await (const { letters, nextOffset } of readLetters(
          consumer,
          topic,
          { partition, from: begin, to: latest },
          around.signal,
        )) {
          const shown = letters.slice(0, room)
          for (const letter of shown) onLetter(listed(letter, letter.offset < position))
          room -= shown.length
          reached = shown.length < letters.length ? letters[shown.length]!.offset : nextOffset
          if (room === 0) break
        }
      }
      if (reached < latest) next.push({ partition, offset: reached })
    }
    const partitions = ranges.map((range) => ({ ...range, redriven: redriven.get(range.partition) ?? null }))
    return { topic, partitions, next }
  } finally {
    await task.close()
  }
}

function listed(letter: DeadLetter, redriven: boolean): ListedLetter {
  const { partition, offset, timestamp, connector, stage, operation, exception, message, origin } = letter
  return {
    partition,
    offset,
    timestamp,
    redriven,
    connector: connector ?? null,
    stage: stage ?? null,
    operation: operation ?? null,
    exception: exception ?? null,
    message: message ?? null,
    origin: {
      topic: origin.topic ?? null,
      partition: origin.partition ?? null,
      offset: origin.offset ?? null,
    },
    key: shownBytes(letter.key, maxShownBytes),
    value: shownBytes(letter.value, maxShownBytes),
    headers: letter.headers.map(({ key, value }) => ({ key, value: shownBytes(value, maxShownBytes) })),
  }
}
