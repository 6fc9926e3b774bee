/**
 * Puts dead letters back through the connector that they came from, as it is configured now: a source's record is
 * converted and produced, a sink's converted, put and flushed by an instance of the sink of its own. Letter for letter it
 * says what became of it; no second letter is written for one that fails again.
 *
 * How far the letters have been put back is kept as the offsets of a group, and moves only over letters whose outcome is
 * certain. There is one re-drive of a connector at a time, on whichever workers (redrive-lock.ts).
 */
import { messageOf } from '../logging/message-of.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { LetterChoice, RedriveEnd, RedriveErrand, RedrivenLetter } from './errand-messages.ts'
import { openErrandTask, type ErrandSurroundings, type ErrandTask } from './errand-task.ts'
import { letterRanges, readLetters, redrivenPositions, type LetterRange } from './letter-reader.ts'
import { RedriveLock } from './redrive-lock.ts'
import { outcomeOf, type Redrive } from './redrive-outcome.ts'
import { RedrivePosition } from './redrive-position.ts'
import { openSinkRedrive } from './redrive-sink.ts'
import { openSourceRedrive } from './redrive-source.ts'

interface Stretch {
  readonly partition: number
  readonly from: number
  readonly to: number
  /** Whether the position may follow: none is left out between it and the letters of this stretch. */
  readonly moves: boolean
}

/** @throws ConfigError where the connector cannot work as it is; RetriableError while another is under way; LogError */
export async function redrive(
  errand: RedriveErrand,
  around: ErrandSurroundings,
  onLetter: (letter: RedrivenLetter) => void,
): Promise<RedriveEnd> {
  const { connector } = errand.spec
  const { signal, settings } = around
  const task = await openErrandTask(errand.spec, around)
  let lock: RedriveLock | undefined
  try {
    // A dry run is in nobody's way.
    if (errand.dryRun) return await redriveWith(task, errand, around, undefined, onLetter)
    lock = await RedriveLock.take(task.clients.producer, { connector, workerId: settings.workerId, signal })
    return await redriveWith(task, errand, { ...around, signal: AbortSignal.any([signal, lock.lost]) }, lock, onLetter)
  } finally {
    await lock?.release()
    await task.close()
  }
}

async function redriveWith(
  task: ErrandTask,
  errand: RedriveErrand,
  around: ErrandSurroundings,
  lock: RedriveLock | undefined,
  onLetter: (letter: RedrivenLetter) => void,
): Promise<RedriveEnd> {
  const { spec, topic, choice } = errand
  const { admin } = task.clients.consumer
  const position = new RedrivePosition(task, errand, around.settings, lock)
  try {
    // Before the position is read: what an earlier one has under way still moves it.
    if (lock !== undefined) await position.open()
    const ranges = await letterRanges(admin, topic)
    const redriven = await redrivenPositions(admin, spec.connector, topic)
    const stretches = stretchesOf(choice, ranges, redriven)
    const work = await openWork(task, errand, around, position)
    let outcome: Pick<RedriveEnd, 'ended' | 'error'>
    try {
      outcome = await putBack(stretches, { errand, around, task, work, lock, redriven, onLetter })
    } finally {
      await work.close()
    }
    return { ...outcome, redriven: [...redriven].map(([partition, offset]) => ({ partition, offset })) }
  } finally {
    await position.close()
  }
}

async function openWork(
  task: ErrandTask,
  errand: RedriveErrand,
  around: ErrandSurroundings,
  position: RedrivePosition,
): Promise<Redrive> {
  return task.connector.type === 'source'
    ? openSourceRedrive(task, errand, around, position)
    : openSinkRedrive(task.connector, task, errand, around, position)
}

interface Parts {
  readonly errand: RedriveErrand
  readonly around: ErrandSurroundings
  readonly task: ErrandTask
  readonly work: Redrive
  /** Undefined in a dry run. */
  readonly lock: RedriveLock | undefined
  /** Updated as the position moves. */
  readonly redriven: Map<number, number>
  readonly onLetter: (letter: RedrivenLetter) => void
}

async function putBack(
  stretches: readonly Stretch[],
  { errand, around, task, work, lock, redriven, onLetter }: Parts,
): Promise<Pick<RedriveEnd, 'ended' | 'error'>> {
  const { topic, dryRun, spec } = errand
  const { signal } = around
  let room = errand.limit
  for (const stretch of stretches) {
    let seen = 0
    for await (const batch of readLetters(task.clients.consumer, topic, stretch, signal)) {
      const letters = batch.letters.slice(0, room)
      const cut = letters.length < batch.letters.length
      const offset = cut ? batch.letters[letters.length]!.offset : batch.nextOffset
      const moveTo = stretch.moves && !dryRun && letters.length > 0 ? { partition: batch.partition, offset } : undefined
      const skipped = new Map(letters.flatMap((letter) => skip(letter, spec.connector, errand.choice)))
      const own = letters.filter((letter) => !skipped.has(letter))
      try {
        await lock?.check()
        const done = (await work.deliver(own, moveTo)).values()
        for (const letter of letters) onLetter(skipped.get(letter) ?? done.next().value!)
      } catch (error) {
        // Who has lost it may learn that by what is refused, before the log has told it so.
        if (!signal.aborted) await lock?.check().catch(() => undefined)
        const cause: unknown = lock?.lost.aborted === true ? lock.lost.reason : error
        const reason = messageOf(cause)
        for (const letter of letters) onLetter(skipped.get(letter) ?? outcomeOf(letter, 'unfinished', { reason }))
        return { ended: signal.aborted && cause === error ? 'timeout' : 'failed', error: reason }
      }
      if (moveTo !== undefined) redriven.set(moveTo.partition, moveTo.offset)
      seen += letters.length
      room -= letters.length
      if (cut || (room === 0 && batch.nextOffset < stretch.to)) return { ended: 'limit' }
    }
    if (lock?.lost.aborted === true) return { ended: 'failed', error: messageOf(lock.lost.reason) }
    if (signal.aborted) return { ended: 'timeout' }
    if (seen === 0 && errand.choice.kind === 'offsets') {
      const { partition, from: offset } = stretch
      onLetter({ partition, offset, outcome: 'skipped', reason: 'there is no letter at this offset' })
    }
  }
  return { ended: 'end' }
}

function stretchesOf(
  choice: LetterChoice,
  ranges: readonly LetterRange[],
  redriven: ReadonlyMap<number, number>,
): Stretch[] {
  if (choice.kind === 'offsets') {
    return choice.offsets.map(({ partition, offset }) => {
      const range = ranges.find((each) => each.partition === partition)
      const isThere = range !== undefined && offset >= range.earliest && offset < range.latest
      return { partition, from: offset, to: isThere ? offset + 1 : offset, moves: false }
    })
  }
  return ranges.flatMap(({ partition, earliest, latest }) => {
    const position = redriven.get(partition) ?? earliest
    // What was deleted since has no letter to wait for.
    const begin = Math.max(earliest, position)
    if (choice.kind === 'since') return [{ partition, from: begin, to: latest, moves: true }]
    if (partition !== choice.partition) return []
    const from = Math.max(earliest, choice.from)
    const to = Math.min(latest, choice.to)
    if (from > begin || to <= begin) return [{ partition, from, to, moves: false }]
    // Those before the position once more, and then those that it moves over.
    return [
      { partition, from, to: begin, moves: false },
      { partition, from: begin, to, moves: true },
    ]
  })
}

/** Letters of others, since connectors may share a topic for them. */
function skip(
  letter: DeadLetter,
  connector: string,
  { kind }: LetterChoice,
): readonly (readonly [DeadLetter, RedrivenLetter])[] {
  if (letter.connector === connector) return []
  if (letter.connector !== undefined) {
    return [[letter, outcomeOf(letter, 'skipped', { reason: `it is a letter of connector ${letter.connector}` })]]
  }
  // Whoever names it by its offset says so by that.
  if (kind === 'offsets') return []
  const reason = 'it does not say which connector it is of: choose it by its offset to have it put back'
  return [[letter, outcomeOf(letter, 'skipped', { reason })]]
}
