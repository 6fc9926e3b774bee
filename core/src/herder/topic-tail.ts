/** Reads a topic for somebody who looks on: from where they say, as fast as they read, and on and on as records come. */
import { ConfigError, NotFoundError, type TopicPartition } from '@tidewire/sdk'
import type { InRecord, LogClient, Reader } from '../client/client.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import type { ShownBytes } from '../worker/errand-messages.ts'
import { shownBytes } from '../worker/shown-value.ts'

export interface TailRequest {
  readonly topic: string
  /** Undefined: all. */
  readonly partition: number | undefined
  /** `latest`: what comes from now on. An offset goes with a partition. */
  readonly from: 'earliest' | 'latest' | number
  /** In place of `from`, by partition: where reading that broke off goes on. */
  readonly positions: ReadonlyMap<number, number> | undefined
  /** Most records; undefined: no end. */
  readonly limit: number | undefined
  readonly format: TailFormat
}

/** `json`: keys and values as the JSON that they hold; `text`: as UTF-8; where they are neither, as the next, `base64`. */
export type TailFormat = 'text' | 'json' | 'base64'

/** Some records, and where reading goes on after them, by partition. The first have none. */
export interface TailedRecords {
  /** As JSON texts, each made when it is taken: until then they are small, and all at once they may not be. */
  readonly records: Iterable<string>
  readonly size: number
  readonly positions: ReadonlyMap<number, number>
}

/** Each has connections and buffers of its own. */
const maxTails = 8
const maxShownBytes = 64 * 1024
const readOptions = { maxBytes: 1024 * 1024, maxPartitionBytes: 256 * 1024 }
const maxWaitMs = 30_000
const topicName = /^[a-zA-Z0-9._-]{1,249}$/

/** Too many at a time. Retriable. */
class TailsBusyError extends Error {
  override readonly name = 'TailsBusyError'
  readonly retriable = true
}

/** See the head of the file. */
export class TopicTails {
  readonly #client: LogClient
  readonly #configTopic: string
  #tails = 0

  constructor(client: LogClient, config: WorkerConfig) {
    this.#client = client
    this.#configTopic = config['config.storage.topic']
  }

  /** Topics that hold secrets, or what the log keeps for itself: nobody gets to see them. */
  isClosed(topic: string): boolean {
    return topic === this.#configTopic || topic.startsWith('__')
  }

  /**
   * @param signal ends it
   * @throws NotFoundError, ConfigError about what is asked for, TailsBusyError: before anything is read
   */
  async open(request: TailRequest, signal: AbortSignal): Promise<AsyncGenerator<TailedRecords, void, undefined>> {
    if (this.#tails >= maxTails)
      throw new TailsBusyError(`${maxTails} topics are being read on this worker: try again later`)
    this.#tails++
    let reader: Reader | undefined
    const close = async (): Promise<void> => {
      this.#tails--
      await reader?.close()
    }
    try {
      const positions = await this.#positions(request)
      reader = this.#client.reader({ ...readOptions, offsetReset: 'earliest' })
      reader.assign([...positions].map(([partition, offset]) => ({ topic: request.topic, partition, offset })))
      return follow(reader, positions, request, signal, close)
    } catch (error) {
      await close()
      throw error
    }
  }

  /** Where to begin. `latest` is looked up now, so that what is written while the reader starts is not left out. */
  async #positions({ topic, partition, from, positions }: TailRequest): Promise<Map<number, number | 'earliest'>> {
    const { admin } = this.#client
    const [description] = topicName.test(topic) ? await admin.topics([topic]) : []
    if (description === undefined) throw new NotFoundError(`Topic ${topic} not found`)
    const count = description.partitions
    if (partition !== undefined && partition >= count) {
      throw new NotFoundError(`Topic ${topic} has the partitions 0 to ${count - 1}, and no partition ${partition}`)
    }
    const chosen = partition === undefined ? Array.from({ length: count }, (_, each) => each) : [partition]
    if (from === 'earliest') return new Map(chosen.map((each) => [each, positions?.get(each) ?? 'earliest']))
    const partitions = chosen.map((each): TopicPartition => ({ topic, partition: each }))
    const ends = new Map((await admin.offsets(partitions, 'latest')).map((each) => [each.partition, each.offset]))
    if (typeof from === 'number' && positions === undefined) {
      const [first] = await admin.offsets(partitions, 'earliest')
      const [begin, end] = [first!.offset, ends.get(chosen[0]!)!]
      if (from < begin || from > end) {
        throw new ConfigError(
          `Partition ${chosen[0]!} of ${topic} has the offsets ${begin} to ${end}, and no offset ${from}`,
        )
      }
      return new Map([[chosen[0]!, from]])
    }
    return new Map(chosen.map((each) => [each, positions?.get(each) ?? ends.get(each)!]))
  }
}

async function* follow(
  reader: Reader,
  begin: ReadonlyMap<number, number | 'earliest'>,
  { topic, limit = Infinity, format }: TailRequest,
  signal: AbortSignal,
  close: () => Promise<void>,
): AsyncGenerator<TailedRecords, void, undefined> {
  const positions = new Map<number, number>()
  // A place to go on from, also where nothing has come of a partition yet.
  for (const [partition, offset] of begin) if (offset !== 'earliest') positions.set(partition, offset)
  let room = limit
  try {
    yield { records: [], size: 0, positions }
    while (room > 0 && !signal.aborted) {
      for (const { partition, records, nextOffset } of await reader.poll({ maxWaitMs, signal })) {
        const taken = records.slice(0, room)
        room -= taken.length
        positions.set(partition, taken.length < records.length ? taken.at(-1)!.offset + 1 : nextOffset)
        const texts = taken.values().map((record) => shownRecord(topic, partition, record, format))
        yield { records: texts, size: taken.length, positions }
        if (room === 0) return
      }
    }
  } finally {
    await close()
  }
}

/** As JSON text: what a value holds may have more digits than a JavaScript number. */
function shownRecord(topic: string, partition: number, record: InRecord, format: TailFormat): string {
  const { offset, timestamp, key, value, headers } = record
  const plain = JSON.stringify({ topic, partition, offset, timestamp })
  const shownHeaders = headers.map((each) => `{"key":${JSON.stringify(each.key)},"value":${shown(each.value, format)}}`)
  return `${plain.slice(0, -1)},"key":${shown(key, format)},"value":${shown(value, format)},"headers":[${shownHeaders.join(',')}]}`
}

function shown(bytes: Buffer | null, format: TailFormat): string {
  if (format === 'base64' && bytes !== null) return JSON.stringify(inBase64(bytes))
  const text = shownBytes(bytes, maxShownBytes)
  if (format !== 'json' || text?.encoding !== 'utf-8' || text.truncated === true) return JSON.stringify(text)
  return isJson(text.data) ? `{"encoding":"json","data":${text.data},"size":${text.size}}` : JSON.stringify(text)
}

function inBase64(bytes: Buffer): ShownBytes {
  const data = bytes.subarray(0, maxShownBytes).toString('base64')
  return { encoding: 'base64', data, size: bytes.length, ...(bytes.length > maxShownBytes ? { truncated: true } : {}) }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
