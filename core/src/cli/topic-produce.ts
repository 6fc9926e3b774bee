import type { LogClient, OutHeader, OutRecord } from '../client/client.ts'
import { messageOf } from '../logging/message-of.ts'
import { CliError, exitCodes } from './cli-error.ts'
import type { Output } from './output.ts'
import { existing } from './topics.ts'

export interface ProduceOptions {
  /** Of all records. */
  readonly key?: string | undefined
  /** What stands before it in a line is the key. */
  readonly keySeparator?: string | undefined
  readonly partition?: number | undefined
  readonly headers: readonly OutHeader[]
  /** Lines are records as `topic tail -o json` shows them. */
  readonly json: boolean
}

/** A line longer than this is no record that a log would take. */
const maxLineBytes = 64 * 1024 * 1024
const maxFailuresTold = 10

/** `topic produce`: each line of the input a record. What has come is written at once, and read on when it is in the log. */
export async function produceToTopic(
  client: LogClient,
  out: Output,
  topic: string,
  input: AsyncIterable<Buffer | string>,
  options: ProduceOptions,
): Promise<void> {
  const { partitions } = await existing(client.admin, topic)
  if ((options.partition ?? 0) >= partitions) {
    throw new CliError(`topic ${topic} has ${partitions} partitions, and no ${options.partition}`, exitCodes.notFound)
  }
  const producer = client.producer()
  let line = 0
  let failed = 0
  for await (const lines of linesOf(input)) {
    const first = line
    const records = lines.map((text) => recordOf(topic, text, ++line, options))
    const { failures } = await producer.produce(records)
    for (const { index, error } of failures) {
      if (failed++ < maxFailuresTold) out.warn(`line ${first + index + 1}: ${error.message}`)
    }
    out.progress(`${line - failed} records written`)
  }
  await producer.close()
  out.settle()
  const written = line - failed
  await out.show({ topic, records: written, failed }, () => `${written} records written to topic ${topic}`)
  if (failed > 0) throw new CliError(`${failed} of ${line} records were refused`)
}

/** The complete lines of each piece that comes, and what is left at the end. */
async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncGenerator<string[]> {
  let begun: Buffer[] = []
  let length = 0
  for await (const piece of input) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    const end = bytes.lastIndexOf(0x0a)
    if (end >= 0) {
      const text = Buffer.concat([...begun, bytes.subarray(0, end)]).toString('utf8')
      begun = []
      length = 0
      yield text.split('\n').map(withoutReturn)
    }
    begun.push(bytes.subarray(end + 1))
    length += bytes.length - end - 1
    if (length > maxLineBytes) throw new CliError(`a line is longer than ${maxLineBytes} bytes`)
  }
  if (length > 0) yield [withoutReturn(Buffer.concat(begun).toString('utf8'))]
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line)

function recordOf(topic: string, text: string, line: number, options: ProduceOptions): OutRecord {
  const { partition, headers, keySeparator } = options
  if (options.json) {
    try {
      return { topic, ...parsedRecord(text), ...(partition === undefined ? {} : { partition }) }
    } catch (error) {
      throw new CliError(`line ${line}: ${messageOf(error)}`)
    }
  }
  let key = options.key ?? null
  let value = text
  if (keySeparator !== undefined) {
    const at = text.indexOf(keySeparator)
    if (at < 0) throw new CliError(`line ${line} has no ${JSON.stringify(keySeparator)} between key and value`)
    key = text.slice(0, at)
    value = text.slice(at + keySeparator.length)
  }
  return { topic, key, value, headers, ...(partition === undefined ? {} : { partition }) }
}

/** Partition and offset of where it was read are passed over: the record goes where its key says. */
function parsedRecord(text: string): Omit<OutRecord, 'topic'> {
  const fields: unknown = JSON.parse(text)
  if (typeof fields !== 'object' || fields === null || !('value' in fields)) {
    throw new Error('expected an object with value and, if wanted, key, headers and timestamp')
  }
  const { key = null, value, headers = [], timestamp } = fields as Readonly<Record<string, unknown>>
  if (!Array.isArray(headers)) throw new Error('headers: expected a list of {"key", "value"}')
  const time = typeof timestamp === 'string' ? Date.parse(timestamp) : timestamp
  if (time != null && !Number.isSafeInteger(time)) throw new Error('timestamp: expected ISO 8601, or milliseconds')
  return {
    key: bytesOf(key, 'key'),
    value: bytesOf(value, 'value'),
    headers: headers.map((header: unknown) => {
      const { key: name, value: content } = (header ?? {}) as Readonly<Record<string, unknown>>
      if (typeof name !== 'string') throw new Error('headers: expected a list of {"key", "value"}')
      return { key: name, value: bytesOf(content ?? null, `header ${name}`) }
    }),
    ...(time == null ? {} : { timestamp: time as number }),
  }
}

function bytesOf(shown: unknown, what: string): Uint8Array | string | null {
  if (typeof shown === 'string' || shown === null) return shown
  const { base64 } = shown as Readonly<Record<string, unknown>>
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  throw new Error(`${what}: expected a text, null or {"base64": …}`)
}
