/**
 * The log as a task may use it: what it writes goes out only while its worker counts as a member of the cluster, and a
 * producer with a transactional id is used only by the task that is to run now. All writes of a task pass here, its dead
 * letters too; what came before an expired lease waits, in order, until the lease is renewed or the task stopped.
 */
import { RetriableError } from '@tidewire/sdk'
import type { LogClient, OutRecord, ProduceResult, Producer } from '../client/client.ts'
import type { TopicPartitionOffset } from '@tidewire/sdk'
import type { Lease } from './lease.ts'
import { unlessAborted } from './time-limit.ts'

export interface TaskClientOptions {
  readonly lease: Lease
  /** Aborted when the task is to end. */
  readonly signal: AbortSignal
  /** Asks the worker, which reads the newest config and assignment, whether this run of the task may go on. */
  readonly mayRun: () => Promise<boolean>
}

const overtakenCode = 'TASK_OVERTAKEN'

/** Whether a task failed with no more than this: it is not to run any more, not here, or not as it was started. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof RetriableError && error.code === overtakenCode
}

/** See the head of the file. */
export function taskClient(client: LogClient, options: TaskClientOptions): LogClient {
  return {
    admin: client.admin,
    producer: (...args) => new TaskProducer(client.producer(...args), options),
    reader: (...args) => client.reader(...args),
    groupConsumer: (...args) => client.groupConsumer(...args),
    groupMember: (...args) => client.groupMember(...args),
    close: () => client.close(),
  }
}

class TaskProducer implements Producer {
  readonly #producer: Producer
  readonly #options: TaskClientOptions
  /** What waits for the lease, in the order in which it was asked for. */
  #waiting: ((isHeld: boolean) => void)[] = []

  constructor(producer: Producer, options: TaskClientOptions) {
    this.#producer = producer
    this.#options = options
  }

  produce(records: readonly OutRecord[]): Promise<ProduceResult> {
    return this.#leased(() => this.#producer.produce(records))
  }

  /** @throws RetriableError where the task runs elsewhere by now, or with another config; see {@link isOvertaken} */
  async initTransactions(): Promise<void> {
    const { signal, mayRun } = this.#options
    // With an expired lease it would fence the task's successor.
    await this.#leased(() => this.#producer.initTransactions())
    // Whoever came before is fenced now: what has been decided until here is all that counts.
    if ((await unlessAborted(mayRun(), signal)) !== true) {
      throw overtaken('the task runs on another worker, or with another config, by now')
    }
  }

  begin(): void {
    this.#producer.begin()
  }

  sendOffsets(groupId: string, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    return this.#leased(() => this.#producer.sendOffsets(groupId, offsets))
  }

  commit(): Promise<void> {
    return this.#leased(() => this.#producer.commit())
  }

  abort(): Promise<void> {
    return this.#producer.abort()
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  #leased<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#options.lease.isHeld()) return work()
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push((isHeld) => {
        if (isHeld) work().then(resolve, reject)
        else reject(overtaken('the worker does not count as a member of its cluster: nothing is written'))
      })
      if (this.#waiting.length === 1) void this.#wait()
    })
  }

  async #wait(): Promise<void> {
    const { lease, signal } = this.#options
    const isHeld = await lease.held(signal)
    const waiting = this.#waiting
    this.#waiting = []
    for (const goOn of waiting) goOn(isHeld)
  }
}

function overtaken(message: string): RetriableError {
  return new RetriableError(message, { code: overtakenCode })
}
