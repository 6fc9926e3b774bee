import type { Settings } from '../config.ts'
import { ConnectError } from '../errors.ts'
import type { FollowedRecord } from '../record.ts'
import type { ConnectRecord, PredicateDefinition, Transform, TransformDefinition } from '../transform.ts'
import { FollowedTopics, type FollowedText, type FollowedTexts } from './followed-topics.ts'
import { recordingLogger, type LogLine } from './logs.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'
import { defaultTimeoutMs, within } from './time-limit.ts'

/** What a run of a transform may be given. */
export interface TransformRunOptions {
  /** Of which kind the connector is. Default: source. */
  readonly type?: 'source' | 'sink'
  /** The topics that there are to follow, with what is in them. Default: none. */
  readonly topics?: FollowedTexts
  /** How long a call may take before the test fails. Default 4 s. */
  readonly timeoutMs?: number
}

/** A transform, run without a worker. */
export class TransformRun {
  /** What it logged. */
  readonly logs: LogLine[] = []
  /** What it said last that it holds. */
  heldBytes = 0
  private readonly name: string
  private readonly timeoutMs: number
  private readonly ending = new AbortController()
  private readonly topics: FollowedTopics
  private readonly transform: Promise<Transform>

  /** Use {@link runTransform}. */
  constructor(definition: TransformDefinition, config: RawConfig, options: TransformRunOptions) {
    this.name = definition.name
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.topics = new FollowedTopics(options.topics)
    const parsed = parseConfig(definition, config)
    const context = {
      connector: 'test',
      task: 0,
      type: options.type ?? 'source',
      alias: definition.name,
      log: recordingLogger(this.logs),
      signal: this.ending.signal,
      holds: (bytes: number) => (this.heldBytes = bytes),
      followTopic: async (topic: string, tell: (record: FollowedRecord) => void | Promise<void>) => {
        if (!this.topics.has(topic)) throw new ConnectError(`topic ${topic} does not exist`)
        return this.topics.follow(topic, 0, tell)
      },
    } as const
    this.transform = Promise.resolve().then(() => definition.create(parsed, context))
    this.transform.catch(() => undefined)
  }

  /**
   * What becomes of a record; null: it is dropped.
   * @throws what the transform throws, also while it is made
   */
  async apply<R extends ConnectRecord>(record: R): Promise<R | null> {
    const transform = await this.call('create', this.transform)
    return this.call('apply', transform.apply(record))
  }

  /** What is left of records, in order. */
  async applyAll<R extends ConnectRecord>(records: readonly R[]): Promise<R[]> {
    const left: R[] = []
    for (const record of records) {
      const made = await this.apply(record)
      if (made !== null) left.push(made)
    }
    return left
  }

  /** Adds a record to a topic; a transform that follows it has been told of it on return. */
  async write(topic: string, record: FollowedText): Promise<void> {
    await this.call('create', this.transform)
    await this.topics.write(topic, record)
  }

  /** Ends the task that it works in. */
  async close(): Promise<void> {
    this.ending.abort()
    const transform = await this.call('create', this.transform)
    await this.call('close', transform.close?.())
  }

  private async call<T>(what: string, answer: T | Promise<T>): Promise<T> {
    return within(this.timeoutMs, Promise.resolve(answer), () => `${what} of ${this.name}`)
  }
}

/**
 * Runs a transform without a worker.
 * @throws ConfigError as the worker would for this config
 */
export function runTransform<S extends Settings>(
  transform: TransformDefinition<S>,
  config: RawConfig = {},
  options: TransformRunOptions = {},
): TransformRun {
  return new TransformRun(transform as unknown as TransformDefinition, config, options)
}

/**
 * What a predicate says of a record.
 * @throws ConfigError as the worker would for this config
 */
export function testPredicate<S extends Settings>(
  predicate: PredicateDefinition<S>,
  config: RawConfig,
  record: ConnectRecord,
): boolean {
  return predicate.create(parseConfig(predicate, config)).test(record)
}
