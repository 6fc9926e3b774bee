import type { DeadLetter } from './dead-letter.ts'
import type { RedrivenLetter } from './errand-messages.ts'

/** Puts letters back; made for a source or a sink. */
export interface Redrive {
  /**
   * What became of each, in order. When it resolves, what is delivered is durable, and the position is where it was asked
   * to be. With an error, some may be delivered and the position is not moved.
   */
  deliver(letters: readonly DeadLetter[], moveTo: LetterPosition | undefined): Promise<RedrivenLetter[]>
  close(): Promise<void>
}

export interface LetterPosition {
  readonly partition: number
  readonly offset: number
}

export function outcomeOf(
  { partition, offset }: DeadLetter,
  outcome: RedrivenLetter['outcome'],
  more: Pick<RedrivenLetter, 'to' | 'stage' | 'reason'> = {},
): RedrivenLetter {
  return { partition, offset, outcome, ...more }
}
