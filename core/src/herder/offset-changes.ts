/** Offsets as requests give them: looked at for what can be known without asking the log or the connector. */
import { ConfigError, type SourceOffset, type SourceOffsetChange, type SourcePartition } from '@tidewire/sdk'
import { partitionKey } from '../worker/source-partition.ts'

/** One of the `offsets` of a request; null and missing are the same. */
export interface GivenOffset {
  readonly partition: Readonly<Record<string, unknown>> | null
  readonly offset: Readonly<Record<string, unknown>> | null
}

/** Of a partition that is named twice the last counts, as in Kafka Connect. @throws ConfigError */
export function offsetChanges(type: 'source' | 'sink', given: readonly GivenOffset[]): SourceOffsetChange[] {
  const changes = given.map(type === 'sink' ? sinkChange : sourceChange)
  return [...new Map(changes.map((change) => [partitionKey(change.partition), change])).values()]
}

function sourceChange({ partition, offset }: GivenOffset): SourceOffsetChange {
  if (partition === null) throw new ConfigError('The partition of a source connector offset may not be null or missing')
  return { partition: flat(partition, 'partition'), offset: offset === null ? null : flat(offset, 'offset') }
}

function flat(map: Readonly<Record<string, unknown>>, what: string): SourcePartition & SourceOffset {
  for (const [name, value] of Object.entries(map)) {
    if (typeof value === 'object' && value !== null) {
      throw new ConfigError(
        `${what}: field '${name}' holds ${Array.isArray(value) ? 'an array' : 'an object'}; expected text, a number, true, false or null`,
      )
    }
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      throw new ConfigError(`${what}: field '${name}' holds ${value}, which is beyond 2^53 and would lose digits`)
    }
  }
  return map as SourcePartition & SourceOffset
}

/** Kafka Connect's rules for `kafka_topic`, `kafka_partition` and `kafka_offset`, in its words. */
function sinkChange({ partition, offset }: GivenOffset): SourceOffsetChange {
  if (partition === null) {
    throw new ConfigError('The partition for a sink connector offset cannot be null or missing')
  }
  const { kafka_topic: topic, kafka_partition: number } = partition
  if (topic === undefined || number === undefined) {
    throw new ConfigError(
      "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
    )
  }
  if (topic === null) throw new ConfigError('Kafka topic names must be valid strings and may not be null')
  if (number === null) throw new ConfigError('Kafka partitions must be valid numbers and may not be null')
  const kafkaPartition = whole(number, 2 ** 31 - 1)
  if (kafkaPartition === undefined) {
    throw new ConfigError(
      `Failed to parse the following Kafka partition value in the provided offsets: '${shown(number)}'. Partition values for sink connectors need to be integers.`,
    )
  }
  return {
    partition: { kafka_topic: shown(topic), kafka_partition: kafkaPartition },
    offset: offset === null ? null : sinkOffset(offset),
  }
}

function sinkOffset({ kafka_offset: offset }: Readonly<Record<string, unknown>>): SourceOffset {
  if (offset === undefined) {
    throw new ConfigError("The offset for a sink connector should either be null or contain the key 'kafka_offset'")
  }
  const kafkaOffset = whole(offset, Number.MAX_SAFE_INTEGER)
  if (kafkaOffset === undefined) {
    throw new ConfigError(
      `Failed to parse the following Kafka offset value in the provided offsets: '${shown(offset)}'. Offset values for sink connectors need to be integers.`,
    )
  }
  if (kafkaOffset < 0) throw new ConfigError(`kafka_offset: ${kafkaOffset} is negative; null forgets an offset`)
  return { kafka_offset: kafkaOffset }
}

/** A number, or the text of one. */
function whole(value: unknown, maximum: number): number | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !/^[+-]?\d+$/.test(text)) return undefined
  const number = Number(text)
  return Math.abs(number) <= maximum ? number : undefined
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
