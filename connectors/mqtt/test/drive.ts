import type { Source, SourceBatch, SourceRecord } from '@tidewire/sdk'
import { OffsetStore, parseConfig, type RawConfig } from '@tidewire/sdk/testing'
import { until } from '../../../test/support/until.ts'
import plugin from '../index.ts'

export interface DriveOptions {
  readonly offsets?: OffsetStore
  readonly maxBufferedBytes?: number
  readonly preview?: boolean
  readonly deadLetters?: boolean
  readonly connector?: string
  readonly task?: number
  /** Acknowledge as fast as batches come; else only when told to. Default true. */
  readonly acknowledging?: boolean
}

/**
 * One source task that keeps running beside the test, as it does in a worker: batches are asked for as long as there
 * are any. (The SDK's runSource asks only when the test takes.)
 */
export class Drive {
  readonly records: SourceRecord[] = []
  readonly batches: SourceBatch[] = []
  readonly logs: string[] = []
  readonly offsets: OffsetStore
  acknowledging: boolean
  error: unknown
  ended = false
  readonly #waiting: SourceBatch[] = []
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(name: 'mqtt-source' | 'mqtt-gateway', raw: RawConfig, options: DriveOptions = {}) {
    this.offsets = options.offsets ?? new OffsetStore()
    this.acknowledging = options.acknowledging ?? true

    const source = plugin.connectors!.find((connector) => connector.name === name) as Source
    this.#done = this.#run(source, raw, options)
  }

  async #run(source: Source, raw: RawConfig, options: DriveOptions): Promise<void> {
    const log = (message: string, details?: unknown): void =>
      void this.logs.push(details === undefined ? message : `${message} ${JSON.stringify(details)}`)
    try {
      const batches = await source.read({
        config: parseConfig(source, raw),
        connector: options.connector ?? 'test',
        task: options.task ?? 0,
        signal: this.#stop.signal,
        log: { debug: () => undefined, info: log, warn: log, error: log },
        maxBufferedBytes: options.maxBufferedBytes ?? 16 * 2 ** 20,
        holds: () => true,
        progress: () => undefined,
        followTopic: async () => undefined,
        preview: options.preview ?? false,
        deadLetters: options.deadLetters ?? false,
        offsets: {
          get: async (partition) => this.offsets.get(partition),
          getAll: async (partitions) => partitions.map((partition) => this.offsets.get(partition)),
        },
      })
      for await (const given of batches) {
        const batch: SourceBatch = 'records' in given ? given : { records: given }
        this.batches.push(batch)
        this.records.push(...batch.records)
        this.#waiting.push(batch)
        if (this.acknowledging) await this.acknowledge()
      }
    } catch (error) {
      this.error = error
    }
    this.ended = true
  }

  /** As text, in the order they came. */
  get values(): string[] {
    return this.records.map((record) => Buffer.from(record.value as Uint8Array).toString())
  }

  /** Says that all batches given so far are in the log. */
  async acknowledge(count = this.#waiting.length): Promise<void> {
    for (const batch of this.#waiting.splice(0, count)) {
      for (const { partition, offset } of batch.offsets ?? []) this.offsets.set(partition, offset)
      await batch.durable?.()
    }
  }

  async untilRecords(count: number): Promise<SourceRecord[]> {
    await until(`${count} records`, () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- the task's own error
      if (this.error !== undefined) throw this.error
      return this.records.length >= count
    }).catch((error: unknown) => {
      throw new Error(`${this.records.length} of ${count} records; ${this.logs.join('\n')}`, { cause: error })
    })
    return this.records
  }

  async untilLogged(text: string): Promise<void> {
    await until(`the log line '${text}'`, () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- the task's own error
      if (this.error !== undefined) throw this.error
      return this.logs.some((line) => line.includes(text))
    })
  }

  /** The error with which the task ends. */
  async untilFailed(): Promise<Error> {
    await until('the task to fail', () => this.ended)
    if (!(this.error instanceof Error)) throw new Error('the task ended without an error')
    return this.error
  }

  /** Aborts the signal and waits for the generator to end. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }
}
