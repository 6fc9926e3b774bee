import type { DeadLetter, RedrivenLetter } from '../rest-client/operations.ts'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { bytesText } from './connector-checks.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

export interface ListOptions {
  readonly limit?: number | undefined
  readonly partition?: number | undefined
  /** An offset, `earliest`, or `redriven`: what came since the last re-drive. */
  readonly from?: string | undefined
}

/** `connector dlq list` */
export async function listDeadLetters(
  rest: RestClient,
  out: Output,
  name: string,
  { limit, partition, from }: ListOptions,
): Promise<void> {
  const answer = await rest.call('GET /connectors/{name}/dlq', {
    path: { name },
    query: {
      ...(limit === undefined ? {} : { limit }),
      ...(partition === undefined ? {} : { partition }),
      ...(from === undefined ? {} : { from }),
    },
  })
  await out.show(answer, () => {
    const table = out.table(
      ['LETTER', 'TIME', 'BACK', 'STAGE', 'OF', 'VALUE', 'REASON'],
      answer.letters.map((letter) => [
        `${letter.partition}:${letter.offset}`,
        new Date(letter.timestamp).toISOString(),
        letter.redriven ? 'yes' : 'no',
        letter.stage,
        originText(letter),
        bytesText(letter.value).slice(0, 60),
        letter.message?.split('\n')[0] ?? letter.exception,
      ]),
    )
    const next = answer.next.map(({ partition: at, offset }) => `--partition ${at} --from ${offset}`)
    return next.length === 0 ? table : `${table}\n\nThere are more: ${next.join(', or ')}`
  })
}

function originText({ origin: { topic, partition, offset } }: DeadLetter): string {
  return [topic, partition, offset].filter((part) => part !== null).join(':') || '–'
}

export interface RedriveOptions {
  /** `partition:offset` each. */
  readonly letters: readonly string[]
  readonly partition?: number | undefined
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly limit?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly dryRun: boolean
}

/** `connector dlq redrive`. @throws CliError where some were not put back */
export async function redriveDeadLetters(
  rest: RestClient,
  out: Output,
  name: string,
  { letters, partition, from, to, limit, timeoutMs, dryRun }: RedriveOptions,
): Promise<void> {
  const offsets = letters.map(letterOf)
  const lines = rest.lines('POST /connectors/{name}/dlq/redrive', {
    path: { name },
    body: {
      dryRun,
      ...(offsets.length === 0 ? {} : { offsets }),
      ...(partition === undefined ? {} : { partition }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(limit === undefined ? {} : { limit }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
  })
  const outcomes = new Map<RedrivenLetter['outcome'], number>()
  out.progress(`putting dead letters of ${name} back`)
  for await (const line of lines) {
    if ('done' in line) {
      out.settle()
      await out.item(line, () => summary(outcomes))
      if (line.ended === 'failed') throw new CliError(`the re-drive failed: ${line.error ?? 'no reason given'}`)
      const left = (outcomes.get('rejected') ?? 0) + (outcomes.get('unfinished') ?? 0)
      if (left > 0) throw new CliError(`${left} letters were not put back`)
      return
    }
    outcomes.set(line.outcome, (outcomes.get(line.outcome) ?? 0) + 1)
    await out.item(line, () => letterText(out, line))
    out.progress(summary(outcomes))
  }
  throw new CliError('the worker broke off before the re-drive was over', exitCodes.unreachable)
}

function letterOf(text: string): { partition: number; offset: number } {
  const match = /^(\d{1,9}):(\d{1,15})$/.exec(text)
  if (match === null)
    throw new CliError(`${text} is no letter: expected partition:offset, as dlq list has it`, exitCodes.usage)
  return { partition: Number(match[1]), offset: Number(match[2]) }
}

function letterText(out: Output, { partition, offset, outcome, to, stage, reason }: RedrivenLetter): string {
  const style = outcome === 'rejected' ? 'red' : outcome === 'unfinished' || outcome === 'skipped' ? 'yellow' : 'green'
  const where = to === undefined ? '' : `  ${to.topic}:${to.partition}:${to.offset}`
  const why = [stage, reason].filter((part) => part !== undefined).join(': ')
  return `${partition}:${offset}  ${out.paint(style, outcome)}${harmless(where)}${why === '' ? '' : `  ${harmless(why)}`}`
}

function summary(outcomes: ReadonlyMap<string, number>): string {
  if (outcomes.size === 0) return 'no dead letters to put back'
  return [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
}
