import { ConnectError, originalPosition, type SinkRecord } from '@tidewire/sdk'
import type { InRecord } from '../client/client.ts'
import type { ErrorPolicy } from './error-policy.ts'
import { originalOf, type SinkConversion, type Slice } from './sink-conversion.ts'

/** What becomes of records of which a sink says that they failed for good, in the answer of `put` or later. */
export class SinkRejections {
  readonly #conversion: SinkConversion
  readonly #policy: ErrorPolicy
  #lastGiven: readonly Slice[] = []

  constructor(conversion: SinkConversion, policy: ErrorPolicy) {
    this.#conversion = conversion
    this.#policy = policy
  }

  /** What the task is handed next, as it came from the log: the sink may reject copies of these. */
  given(slices: readonly Slice[]): void {
    this.#lastGiven = slices
  }

  /**
   * Follows the error policy. The promise, if there is one, resolves when the dead letter is in the log.
   * @throws ConnectError where errors are not tolerated, or the record is none that the task was given
   */
  refuse(record: SinkRecord, error: unknown): Promise<void> | undefined {
    const original = originalOf(record) ?? this.#original(record)
    const position = originalPosition(record)
    if (original === undefined && this.#policy.tolerant) {
      const { topic, partition, offset } = position
      throw new ConnectError(
        `the sink rejected a record (topic ${topic}, partition ${partition}, offset ${offset}) that it was not given: records are reported as they were given to put`,
        { cause: error },
      )
    }
    return this.#conversion.refuse(position, original ?? noBytes(record), 'TASK_PUT', 'sink task', error)
  }

  /** Of a copy that the sink made, while what it was given last is still known. */
  #original(copy: SinkRecord): InRecord | undefined {
    const { topic, partition, offset } = originalPosition(copy)
    const slice = this.#lastGiven.find((each) => each.topic === topic && each.partition === partition)
    return slice?.records.find((record) => record.offset === offset)
  }
}

/** For a message only: where errors are not tolerated, bytes are not kept, and nobody asks for them. */
function noBytes({ offset, timestamp }: SinkRecord): InRecord {
  return { offset, timestamp, key: null, value: null, headers: [] }
}
