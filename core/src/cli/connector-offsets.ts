import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { messageOf } from '../logging/message-of.ts'
import type { ConnectorOffset, OffsetsChange } from '../rest-client/operations.ts'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { awaitState } from './connector-states.ts'
import type { Output } from './output.ts'
import type { Place } from './place.ts'

/** `connector offsets get`: how far it has come. */
export async function showOffsets(rest: RestClient, out: Output, name: string): Promise<void> {
  const answer = await rest.call('GET /connectors/{name}/offsets', { path: { name } })
  await out.show(answer, () => offsetsTable(out, answer.offsets))
}

export interface ChangeOptions {
  /** Whether a connector that is not stopped is, and goes on afterwards. */
  readonly stops: boolean
}

export interface SetOptions extends ChangeOptions {
  /** What `connector offsets get -o json` prints; `-`: standard input. */
  readonly file?: string | undefined
  readonly from?: Place | undefined
  /** Of a sink: only these. */
  readonly topics: readonly string[]
}

/** `connector offsets set`: those of a file, or a place to begin from. */
export async function setOffsets(
  rest: RestClient,
  out: Output,
  name: string,
  { file, from, topics, stops }: SetOptions,
): Promise<void> {
  if ((file === undefined) === (from === undefined)) throw new CliError('give a file, or --from', exitCodes.usage)
  const body: OffsetsChange =
    from === undefined ? { offsets: await readOffsets(file!) } : { from, ...(topics.length === 0 ? {} : { topics }) }
  await whileStopped(rest, out, name, stops, async () => {
    const answer = await rest.call('PATCH /connectors/{name}/offsets', { path: { name }, body })
    await out.show(answer, () =>
      [answer.message, ...(answer.offsets === undefined ? [] : [offsetsTable(out, answer.offsets)])].join('\n\n'),
    )
  })
}

/** `connector offsets reset`: it begins anew. */
export async function resetOffsets(
  rest: RestClient,
  out: Output,
  name: string,
  { stops }: ChangeOptions,
): Promise<void> {
  await whileStopped(rest, out, name, stops, async () => {
    const answer = await rest.call('DELETE /connectors/{name}/offsets', { path: { name } })
    await out.show(answer, () => answer.message)
  })
}

const stopMs = 120_000

/** Where the change fails, the connector goes on all the same. */
async function whileStopped(
  rest: RestClient,
  out: Output,
  name: string,
  stops: boolean,
  change: () => Promise<void>,
): Promise<void> {
  const path = { name }
  const before = stops ? (await rest.call('GET /connectors/{name}/status', { path })).connector.state : 'STOPPED'
  if (before === 'STOPPED') return change()
  await rest.call('PUT /connectors/{name}/stop', { path })
  try {
    await awaitState(rest, out, name, 'STOPPED', stopMs)
    await change()
  } finally {
    await rest.call(`PUT /connectors/{name}/${before === 'PAUSED' ? 'pause' : 'resume'}`, { path })
  }
}

async function readOffsets(file: string): Promise<readonly ConnectorOffset[]> {
  const where = file === '-' ? 'standard input' : file
  try {
    const content = JSON.parse(file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')) as unknown
    const list = Array.isArray(content) ? content : (content as { offsets?: unknown } | null)?.offsets
    if (Array.isArray(list)) return list as readonly ConnectorOffset[]
  } catch (error) {
    throw new CliError(`${where}: ${messageOf(error)}`, exitCodes.failed, { cause: error })
  }
  throw new CliError(
    `${where}: expected {"offsets": [{"partition", "offset"}]}, as connector offsets get -o json prints it`,
  )
}

/** Of a sink by topic and partition; what a source has of its own is JSON. */
function offsetsTable(out: Output, offsets: readonly ConnectorOffset[]): string {
  if (offsets.length === 0) return 'It has no offsets: it begins anew'
  const cell = (value: unknown): string | number | null =>
    typeof value === 'number' || typeof value === 'string' ? value : value == null ? null : JSON.stringify(value)
  if (offsets.every(({ partition }) => 'kafka_topic' in partition)) {
    return out.table(
      ['TOPIC', 'PARTITION', 'OFFSET'],
      offsets.map(({ partition, offset }) => [
        cell(partition['kafka_topic']),
        cell(partition['kafka_partition']),
        cell(offset?.['kafka_offset']),
      ]),
    )
  }
  return out.table(
    ['PARTITION', 'OFFSET'],
    offsets.map(({ partition, offset }) => [JSON.stringify(partition), cell(offset)]),
  )
}
