/**
 * A look at what a connector would do, with nothing written anywhere: no record, no offset, no status, no dead letter, no
 * group. The real source is read, or the sink's real topics, by the converters that the tasks use; a sink is not called.
 */
import type { LogClient } from '../client/client.ts'
import { stringifyExact } from '../convert/exact-json.ts'
import type { Ended, PreviewedRecord, PreviewedValue, PreviewEnd, PreviewErrand } from './errand-messages.ts'
import { openErrandTask, type ErrandSurroundings } from './errand-task.ts'
import { previewSink } from './preview-sink.ts'
import { previewSource } from './preview-source.ts'

/** Most bytes of a record that is shown though there is no room for it. */
const cutBytes = 16 * 1024

/** See the head of the file. @throws ConfigError; LogError */
export async function preview(
  errand: PreviewErrand,
  around: ErrandSurroundings,
  onRecord: (record: PreviewedRecord) => void,
): Promise<PreviewEnd> {
  const task = await openErrandTask(errand.spec, around, readOnly)
  const room = new PreviewRoom(errand, onRecord)
  try {
    return task.connector.type === 'source'
      ? await previewSource(task.connector, task, errand, around, room)
      : await previewSink(task, errand, around, room)
  } finally {
    await task.close()
  }
}

/** How many records, and how many bytes of them, may still be shown. */
export class PreviewRoom {
  readonly maxBytes: number
  readonly #limit: number
  #records: number
  #bytes: number
  readonly #onRecord: (record: PreviewedRecord) => void

  constructor({ limit, maxBytes }: PreviewErrand, onRecord: (record: PreviewedRecord) => void) {
    this.maxBytes = maxBytes
    this.#limit = limit
    this.#records = limit
    this.#bytes = maxBytes
    this.#onRecord = onRecord
  }

  /** Whether nothing has been shown. */
  get isUntouched(): boolean {
    return this.#records === this.#limit
  }

  /** Why there is no more room; undefined while there is. */
  get ended(): Extract<Ended, 'limit' | 'bytes'> | undefined {
    if (this.#records <= 0) return 'limit'
    return this.#bytes <= 0 ? 'bytes' : undefined
  }

  show(record: PreviewedRecord): void {
    this.#records--
    const size = stringifyExact(record).length
    const fits = size <= this.#bytes
    this.#bytes -= size
    this.#onRecord(fits ? record : cutRecord(record))
  }
}

/** Without the values, which are what is large. */
function cutRecord({ key, value, headers, errors, ...rest }: PreviewedRecord): PreviewedRecord {
  return {
    ...rest,
    key: cutValue(key),
    value: cutValue(value),
    headers: headers.length > 100 ? [] : headers.map((header) => ({ key: header.key, ...cutValue(header) })),
    errors,
  }
}

function cutValue({ bytes }: PreviewedValue): PreviewedValue {
  if (bytes === undefined || bytes === null || bytes.data.length <= cutBytes)
    return bytes === undefined ? {} : { bytes }
  return { bytes: { ...bytes, data: bytes.data.slice(0, cutBytes), truncated: true } }
}

/** A client that can only look. */
function readOnly(client: LogClient): LogClient {
  const refuse = (): never => {
    throw new Error('a preview writes nothing')
  }
  const { admin } = client
  return {
    reader: (...args) => client.reader(...args),
    producer: refuse,
    groupConsumer: refuse,
    groupMember: refuse,
    admin: {
      clusterId: () => admin.clusterId(),
      topics: (names) => admin.topics(names),
      topicConfig: (topic) => admin.topicConfig(topic),
      offsets: (partitions, at) => admin.offsets(partitions, at),
      groupOffsets: (group) => admin.groupOffsets(group),
      createTopics: refuse,
      deleteTopics: refuse,
      alterGroupOffsets: refuse,
      deleteGroup: refuse,
      fenceProducers: refuse,
    },
    close: () => client.close(),
  }
}
