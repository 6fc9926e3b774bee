import { ConfigError, type SinkRecord, type TopicPartition, type TopicPartitionOffset } from '@tidewire/sdk'
import type { Admin, InRecord } from '../client/client.ts'
import type { SinkConnectorConfig } from '../config/connector-settings.ts'
import { parseSink } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import type { PreviewedRecord, PreviewEnd, PreviewErrand, RecordProblem } from './errand-messages.ts'
import {
  NotedErrors,
  openErrandChain,
  transformProblem,
  type ErrandSurroundings,
  type ErrandTask,
} from './errand-task.ts'
import type { PreviewRoom } from './preview-room.ts'
import { plainSchema, plainValue, shownBytes } from './shown-value.ts'
import { SinkConversion } from './sink-conversion.ts'
import { keyOf } from './sink-positions.ts'
import type { TransformChain } from './transform-chain.ts'

const maxWaitMs = 500

/** Reads the sink's topics, as far as they go now, until there is no room or no time for more. */
export async function previewSink(
  task: ErrandTask,
  errand: PreviewErrand,
  around: ErrandSurroundings,
  room: PreviewRoom,
): Promise<PreviewEnd> {
  const { config: framework, errors } = parseSink(errand.spec.config)
  requireValid(errors)
  const noted = new NotedErrors(framework, around.logger)
  const conversion = new SinkConversion(task.converters, noted.policy, around.signal)
  const chain = await openErrandChain(errand.spec, task, around, noted.policy)
  const { positions, ends } = await rangeOf(task.clients.consumer.admin, framework, errand)
  const left = new Map(positions.map((position) => [keyOf(position), position.offset]))
  const isRead = (tp: TopicPartition): boolean => (left.get(keyOf(tp)) ?? Infinity) >= (ends.get(keyOf(tp)) ?? 0)
  const { clientId, isolation } = task.clients.consumerOptions
  const reader = task.clients.consumer.reader({
    ...(clientId === undefined ? {} : { clientId }),
    ...(isolation === undefined ? {} : { isolation }),
    maxBytes: Math.max(64 * 1024, room.maxBytes),
  })
  try {
    reader.assign(positions.filter((position) => !isRead(position)))
    while (!positions.every(isRead)) {
      if (around.signal.aborted) return { ended: 'timeout' }
      for (const { topic, partition, records, nextOffset } of await reader.poll({ maxWaitMs, signal: around.signal })) {
        for (const [i, record] of records.entries()) {
          if (record.offset >= ends.get(keyOf({ topic, partition }))!) break
          const converted: SinkRecord[] = []
          await conversion.convert({ topic, partition, records, from: i, to: i + 1 }, converted)
          const [given] = converted
          if (chain === undefined || given === undefined) {
            room.show(previewed({ topic, partition }, record, given, noted.take()))
          } else {
            room.show(await transformed(chain, given, record))
          }
          if (room.ended !== undefined) return { ended: room.ended }
        }
        left.set(keyOf({ topic, partition }), nextOffset)
      }
    }
    return { ended: 'end' }
  } finally {
    await Promise.all([reader.close(), chain?.close()])
  }
}

async function transformed(chain: TransformChain, given: SinkRecord, raw: InRecord): Promise<PreviewedRecord> {
  try {
    const record = await chain.apply(given)
    if (record === null) return { ...previewed(given, raw, given, []), dropped: chain.alias }
    return previewed(record, raw, record, [])
  } catch (error) {
    return previewed(given, raw, given, [transformProblem(chain, error)])
  }
}

/** Where to begin in each partition, and where it ends now. @throws ConfigError for offsets that are not there */
async function rangeOf(
  admin: Admin,
  framework: SinkConnectorConfig,
  { from, limit, spec }: PreviewErrand,
): Promise<{ positions: readonly TopicPartitionOffset[]; ends: ReadonlyMap<string, number> }> {
  const partitions = (await topicsOf(admin, framework)).flatMap(({ topic, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  )
  if (partitions.length === 0) return { positions: [], ends: new Map() }
  const [earliest, latest] = await Promise.all([
    admin.offsets(partitions, 'earliest'),
    admin.offsets(partitions, 'latest'),
  ])
  const byKey = (all: readonly TopicPartitionOffset[]): Map<string, number> =>
    new Map(all.map((each) => [keyOf(each), each.offset]))
  const starts = byKey(earliest)
  const ends = byKey(latest)
  const startOf = (tp: TopicPartition): number => starts.get(keyOf(tp)) ?? 0
  const endOf = (tp: TopicPartition): number => ends.get(keyOf(tp)) ?? 0
  if (typeof from !== 'string') {
    for (const position of from) {
      if (!ends.has(keyOf(position))) {
        throw new ConfigError(`the connector does not read partition ${position.partition} of ${position.topic}`)
      }
      if (position.offset < startOf(position) || position.offset > endOf(position)) {
        const range = `${startOf(position)} to ${endOf(position)}`
        throw new ConfigError(`offset ${position.offset} is not in ${keyOf(position)}, which has ${range}`)
      }
    }
    return { positions: from, ends }
  }
  const committed = from === 'committed' ? byKey(await admin.groupOffsets(`connect-${spec.connector}`)) : undefined
  const share = Math.ceil(limit / partitions.length)
  const positions = partitions.map((tp) => {
    const wanted = from === 'latest' ? endOf(tp) - share : (committed?.get(keyOf(tp)) ?? 0)
    return { ...tp, offset: Math.max(startOf(tp), wanted) }
  })
  return { positions, ends }
}

async function topicsOf(admin: Admin, { topics, 'topics.regex': pattern }: SinkConnectorConfig) {
  if (topics.length > 0) return admin.topics(topics)
  const matches = new RegExp(`^(?:${pattern})$`)
  return (await admin.topics()).filter(({ topic }) => matches.test(topic))
}

function previewed(
  { topic, partition }: TopicPartition,
  raw: InRecord,
  record: SinkRecord | undefined,
  errors: readonly RecordProblem[],
): PreviewedRecord {
  const bytes = (of: Uint8Array | null) => ({ bytes: shownBytes(of, Infinity) })
  return {
    topic,
    partition,
    offset: raw.offset,
    timestamp: raw.timestamp < 0 ? null : raw.timestamp,
    key: {
      ...(record === undefined ? {} : { value: plainValue(record.key), schema: plainSchema(record.keySchema) }),
      ...bytes(raw.key),
    },
    value: {
      ...(record === undefined ? {} : { value: plainValue(record.value), schema: plainSchema(record.valueSchema) }),
      ...bytes(raw.value),
    },
    headers: (record?.headers ?? raw.headers).map((header, i) => {
      const made = record?.headers[i]
      // A transform may have changed which there are.
      const original = raw.headers[i]?.key === header.key ? bytes(raw.headers[i].value) : {}
      return {
        key: header.key,
        ...(made === undefined ? {} : { value: plainValue(made.value), schema: plainSchema(made.schema) }),
        ...original,
      }
    }),
    errors,
  }
}
