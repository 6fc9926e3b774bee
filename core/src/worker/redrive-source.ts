import { isErrorKind, type SourceRecord } from '@tidewire/sdk'
import type { OutRecord } from '../client/client.ts'
import { parseSource, sourceTopics } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import { sourceRecordOf, type DeadLetter } from './dead-letter.ts'
import type { RedriveErrand, RedrivenLetter } from './errand-messages.ts'
import { NotedErrors, openErrandChain, type ErrandSurroundings, type ErrandTask } from './errand-task.ts'
import { outcomeOf, type LetterPosition, type Redrive } from './redrive-outcome.ts'
import type { RedrivePosition } from './redrive-position.ts'
import { SourceConversion } from './source-conversion.ts'

interface Converted {
  readonly letter: DeadLetter
  readonly out: OutRecord
}

/** Letters of a source: made into its records again, transformed, converted, and produced to the topic that they are for. */
export async function openSourceRedrive(
  task: ErrandTask,
  { spec, dryRun }: RedriveErrand,
  around: ErrandSurroundings,
  position: RedrivePosition,
): Promise<Redrive> {
  const { settings, logger, signal } = around
  const { config: framework, errors } = parseSource(spec.config)
  requireValid(errors)
  const topics = sourceTopics(spec, framework, task.clients, settings)
  const noted = new NotedErrors(framework, logger)
  const chain = await openErrandChain(spec, task, around, noted.policy)
  const conversion = new SourceConversion(task.converters, noted.policy, topics, signal, chain)

  const convert = async (letter: DeadLetter): Promise<OutRecord | RedrivenLetter> => {
    let record: SourceRecord
    try {
      record = sourceRecordOf(letter)
    } catch (error) {
      if (!isErrorKind(error, 'DataError')) throw error
      return outcomeOf(letter, 'skipped', { reason: error.message })
    }
    const { out } = await conversion.convert([record])
    const [problem] = noted.take()
    if (problem === undefined) {
      const reason = `transform ${chain?.alias} drops it`
      return out[0] ?? outcomeOf(letter, 'skipped', { reason })
    }
    return outcomeOf(letter, 'rejected', { stage: problem.stage, reason: problem.message })
  }

  const produce = async (
    converted: readonly Converted[],
    moveTo: LetterPosition | undefined,
    outcomes: Map<DeadLetter, RedrivenLetter>,
  ): Promise<void> => {
    let left = converted
    for (;;) {
      const results = await position.write(
        left.map(({ out }) => out),
        moveTo,
      )
      const refused = new Set<Converted>()
      for (const [i, each] of left.entries()) {
        const failure = results[i]?.failures[0]
        if (failure === undefined) {
          const [to] = results[i]?.offsets ?? []
          outcomes.set(each.letter, outcomeOf(each.letter, 'delivered', to === undefined ? {} : { to }))
          continue
        }
        refused.add(each)
        const { code, message } = failure.error
        outcomes.set(
          each.letter,
          outcomeOf(each.letter, 'rejected', { stage: 'KAFKA_PRODUCE', reason: `${code}: ${message}` }),
        )
      }
      if (refused.size === 0 || !position.isAtomic) return
      // The others go again without those, which nothing was written with.
      left = left.filter((each) => !refused.has(each))
    }
  }

  return {
    deliver: async (letters, moveTo) => {
      const outcomes = new Map<DeadLetter, RedrivenLetter>()
      const converted: Converted[] = []
      for (const letter of letters) {
        const answer = await convert(letter)
        if ('outcome' in answer) outcomes.set(letter, answer)
        else if (dryRun) outcomes.set(letter, outcomeOf(letter, 'deliverable'))
        else converted.push({ letter, out: answer })
      }
      if (!dryRun) {
        if (topics.hasNew) await topics.create()
        await produce(converted, moveTo, outcomes)
      }
      return letters.map((letter) => outcomes.get(letter)!)
    },
    close: async () => chain?.close(),
  }
}
