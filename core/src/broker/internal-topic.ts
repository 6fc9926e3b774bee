import type { LogManager } from '../log/log-manager.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Logger } from '../logging/logger.ts'
import {
  decodeControl,
  decodeRecords,
  iterateBatches,
  RecordBatchBuilder,
  type BatchHeader,
  type DecodedRecord,
} from '../protocol/record-batch.ts'
import { kafkaErrorOf, RequestError } from './kafka-error.ts'

export interface StateRecord {
  readonly key: Buffer
  /** Null: a tombstone. */
  readonly value: Buffer | null
}

/** Whose transaction a record belongs to. */
export interface TransactionOwner {
  readonly producerId: number
  readonly producerEpoch: number
}

/** What {@link InternalTopic.load} hands over, in the order of the log. */
export interface StateVisitor {
  record(record: DecodedRecord, batch: BatchHeader): void
  /** The end of a transaction in this partition. */
  marker?(producerId: number, committed: boolean): void
}

const readBytes = 1024 * 1024

/** A compacted topic in which a coordinator keeps its state, with Kafka's settings for it. Made when first needed. */
export class InternalTopic {
  readonly name: string
  readonly #log: LogManager
  readonly #partitions: number
  readonly #now: () => number
  #creating: Promise<unknown> | undefined

  constructor(name: string, log: LogManager, partitions: number, now: () => number) {
    this.name = name
    this.#log = log
    this.#partitions = partitions
    this.#now = now
  }

  /** @throws LogStorageError */
  async ensure(): Promise<void> {
    if (this.#log.topic(this.name) !== undefined) return
    this.#creating ??= this.#log
      .createTopic(this.name, this.#partitions, {
        'cleanup.policy': 'compact',
        'compression.type': 'producer',
        'segment.bytes': '104857600',
      })
      .finally(() => (this.#creating = undefined))
    await this.#creating
  }

  /** As Kafka chooses it, so that its tools look in the right partition. */
  partitionOf(key: string): number {
    return (javaHash(key) & 0x7fffffff) % (this.#log.topic(this.name)?.partitions ?? this.#partitions)
  }

  /**
   * Appends the records as one batch to the partition of `key`; resolves when they are durable. Calls for one key take
   * effect in their order.
   * @throws LogStorageError, RequestError
   */
  async append(key: string, records: readonly StateRecord[], owner?: TransactionOwner): Promise<void> {
    const builder = new RecordBatchBuilder({
      maxBytes: Infinity,
      isTransactional: owner !== undefined,
      producerId: owner?.producerId ?? -1,
      producerEpoch: owner?.producerEpoch ?? -1,
    })
    const now = this.#now()
    for (const record of records) builder.tryAppend(record.key, record.value, undefined, now)
    await this.#open(this.partitionOf(key)).append(builder.build(), { acks: -1, origin: 'coordinator' })
  }

  #open(index: number): PartitionLog {
    const partition = this.#log.partition(this.name, index)
    if (partition === undefined) throw new RequestError('COORDINATOR_NOT_AVAILABLE', `${this.name} is not there`)
    return partition
  }

  /**
   * Reads the whole topic.
   * @throws LogStorageError, ProtocolError where it is damaged
   */
  async load(visitor: StateVisitor): Promise<void> {
    const partitions = this.#log.topic(this.name)?.partitions ?? 0
    for (let index = 0; index < partitions; index++) await this.#loadPartition(this.#open(index), visitor)
  }

  async #loadPartition(partition: PartitionLog, visitor: StateVisitor): Promise<void> {
    let offset = partition.logStartOffset
    while (offset < partition.logEndOffset) {
      const { records } = await partition.read(offset, readBytes, 'read_uncommitted')
      const before = offset
      for (const chunk of records) {
        for (const { at, header } of iterateBatches(chunk)) {
          visit(chunk, at, header, visitor)
          offset = header.baseOffset + header.lastOffsetDelta + 1
        }
      }
      if (offset === before) return
    }
  }
}

function visit(chunk: Buffer, at: number, header: BatchHeader, visitor: StateVisitor): void {
  for (const record of decodeRecords(chunk, at)) {
    if (!header.isControl) {
      visitor.record(record, header)
      continue
    }
    const control = decodeControl(record)
    if (control !== null) visitor.marker?.(header.producerId, control.type === 'COMMIT')
  }
}

/** Java's `String.hashCode`. */
export function javaHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}

/** What a coordinator answers when its own topic cannot be written: look for the coordinator and try again. */
export function coordinatorErrorOf(
  error: unknown,
  logger: Pick<Logger, 'error'>,
): 'COORDINATOR_NOT_AVAILABLE' | 'UNKNOWN_SERVER_ERROR' {
  return kafkaErrorOf(error, logger) === 'UNKNOWN_SERVER_ERROR' ? 'UNKNOWN_SERVER_ERROR' : 'COORDINATOR_NOT_AVAILABLE'
}
