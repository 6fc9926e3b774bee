import type { Admin, InRecord, LogClient, Reader } from '../client/client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import type { Output } from './output.ts'
import type { Place } from './place.ts'
import { harmless } from './table.ts'
import { existing, rangesOf, type PartitionRange } from './topics.ts'

export interface TailOptions {
  /** Where to begin; left out: so that `last` records come. */
  readonly from?: Place | undefined
  readonly last: number
  /** Whether to wait for what comes. */
  readonly follow: boolean
  readonly partition?: number | undefined
  /** Ends after so many. */
  readonly limit: number
  /** Values alone, as they are. */
  readonly values: boolean
}

/** A record as `-o json` shows it; `topic produce --json` takes the same. */
export interface ShownRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** ISO 8601; null where the record has none. */
  readonly timestamp: string | null
  readonly key: ShownText
  readonly value: ShownText
  readonly headers: readonly { readonly key: string; readonly value: ShownText }[]
}

/** Text, where the bytes are UTF-8. */
export type ShownText = string | { readonly base64: string } | null

type Found = InRecord & { readonly partition: number }

/** So long without a record before the end that was there at first. */
const idleMs = 5_000
/** Years 1 to 9999. */
const maxTimestamp = 253_402_300_799_999

/** `topic tail`: the newest records of a topic, or those from somewhere on, and those to come. */
export async function tailTopic(client: LogClient, out: Output, topic: string, options: TailOptions): Promise<void> {
  const description = await existing(client.admin, topic)
  const { partition } = options
  if (partition !== undefined && partition >= description.partitions) {
    throw new CliError(
      `topic ${topic} has ${description.partitions} partitions, and no ${partition}`,
      exitCodes.notFound,
    )
  }
  const ranges = (await rangesOf(client.admin, [description])).filter(
    (range) => partition === undefined || range.partition === partition,
  )
  const starts = await startsOf(client.admin, ranges, options)
  const reader = client.reader({ offsetReset: 'earliest' })
  try {
    reader.assign(ranges.map((range, index) => ({ topic, partition: range.partition, offset: starts[index]! })))
    let left = options.limit
    const print = async (records: readonly Found[]): Promise<void> => {
      for (const record of records.slice(0, left)) await printRecord(out, topic, record, options.values)
      left -= Math.min(left, records.length)
    }
    const isNewest = options.from === undefined
    const held: Found[] = []
    await readTo(reader, ranges, starts, out, async (records) => {
      if (!isNewest) await print(records)
      else held.push(...records.map(own))
      return left > 0
    })
    if (isNewest) await print(held.sort(byTime).slice(Math.max(0, held.length - options.last)))
    while (options.follow && left > 0) {
      for (const { partition: at, records } of await reader.poll({ maxWaitMs: 60_000 })) {
        await print(records.map((record) => ({ ...record, partition: at })))
      }
    }
  } finally {
    await reader.close()
  }
}

async function startsOf(admin: Admin, ranges: readonly PartitionRange[], options: TailOptions): Promise<number[]> {
  const { from, last } = options
  if (from === undefined) return ranges.map(({ earliest, latest }) => Math.max(earliest, latest - last))
  if (from === 'latest') return ranges.map(({ latest }) => latest)
  if (from === 'earliest') return ranges.map(({ earliest }) => earliest)
  if ('offset' in from) return ranges.map(({ earliest, latest }) => Math.min(Math.max(from.offset, earliest), latest))
  const found = await admin.offsets(ranges, from)
  return found.map(({ offset }, index) => (offset < 0 ? ranges[index]!.latest : offset))
}

/** Reads up to the ends that are known; `take` answers whether it wants more. */
async function readTo(
  reader: Reader,
  ranges: readonly PartitionRange[],
  starts: readonly number[],
  out: Output,
  take: (records: readonly Found[]) => Promise<boolean>,
): Promise<void> {
  const open = new Map(ranges.flatMap(({ partition, latest }, i) => (starts[i]! < latest ? [[partition, latest]] : [])))
  let idleSince = performance.now()
  while (open.size > 0) {
    const fetched = await reader.poll({ maxWaitMs: 1_000 })
    if (fetched.length > 0) idleSince = performance.now()
    for (const { partition, records, nextOffset } of fetched) {
      if (!(await take(records.map((record) => ({ ...record, partition }))))) return
      if (nextOffset >= (open.get(partition) ?? 0)) open.delete(partition)
    }
    if (performance.now() - idleSince > idleMs) {
      out.warn(`partition ${[...open.keys()].join(', ')}: an open transaction holds back the newest records`)
      return
    }
  }
}

/** Key and value are views into what was fetched, which a few kept records would hold on to. */
function own(record: Found): Found {
  return { ...record, key: record.key && Buffer.from(record.key), value: record.value && Buffer.from(record.value) }
}

const byTime = (a: Found, b: Found): number =>
  a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset

async function printRecord(out: Output, topic: string, record: Found, valuesOnly: boolean): Promise<void> {
  if (valuesOnly && !out.json) return printValue(out, record.value)
  const shown = shownRecord(topic, record)
  await out.item(shown, () => {
    const position = out.paint('dim', `${record.partition}:${record.offset}  ${shown.timestamp ?? '–'}`)
    const headers = shown.headers.map(({ key, value }) => `${key}=${plain(value)}`)
    const more = headers.length === 0 ? '' : `  ${out.paint('dim', harmless(headers.join(' ')))}`
    return `${position}  ${out.paint('cyan', plain(shown.key))}  ${plain(shown.value)}${more}`
  })
}

/** As it is, except that a terminal is not steered by it. */
async function printValue(out: Output, value: Buffer | null): Promise<void> {
  const text = value === null ? '' : value.toString('utf8')
  await out.line(out.isTerminal ? harmless(text, '\n\t') : text)
}

function shownRecord(topic: string, record: Found): ShownRecord {
  const { partition, offset, timestamp, key, value, headers } = record
  const isTime = timestamp >= 0 && timestamp <= maxTimestamp
  return {
    topic,
    partition,
    offset,
    timestamp: isTime ? new Date(timestamp).toISOString() : null,
    key: shownText(key),
    value: shownText(value),
    headers: headers.map((header) => ({ key: header.key, value: shownText(header.value) })),
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function shownText(bytes: Buffer | null): ShownText {
  if (bytes === null) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

function plain(text: ShownText): string {
  if (text === null) return '–'
  return typeof text === 'string' ? harmless(text, '\t') : `base64:${text.base64}`
}
