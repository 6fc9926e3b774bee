import type { Settings } from '../config.ts'
import { ConnectError } from '../errors.ts'
import type {
  ConnectRecord,
  FollowedRecord,
  PredicateDefinition,
  Transform,
  TransformDefinition,
} from '../transform.ts'
import { recordingLogger, type LogLine } from './logs.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'
import { defaultTimeoutMs, within } from './time-limit.ts'

/** A record of a topic that a transform follows, of texts or bytes; all but the value may be left out. */
export type FollowedText = {
  readonly key?: string | Uint8Array | null
  readonly value: string | Uint8Array | null
} & Partial<Omit<FollowedRecord, 'key' | 'value'>>

/** What a run of a transform may be given. */
export interface TransformRunOptions {
  /** Of which kind the connector is. Default: source. */
  readonly type?: 'source' | 'sink'
  /** The topics that there are to follow, with what is in them. Default: none. */
  readonly topics?: Readonly<Record<string, readonly FollowedText[]>>
  /** How long a call may take before the test fails. Default 4 s. */
  readonly timeoutMs?: number
}

type Tell = (record: FollowedRecord) => void | Promise<void>

/** A transform, run without a worker. */
export class TransformRun {
  /** What it logged. */
  readonly logs: LogLine[] = []
  /** What it said last that it holds. */
  heldBytes = 0
  private readonly name: string
  private readonly timeoutMs: number
  private readonly ending = new AbortController()
  private readonly followers: { readonly topic: string; readonly tell: Tell }[] = []
  private readonly topics: Map<string, FollowedRecord[]>
  private readonly transform: Promise<Transform>

  /** Use {@link runTransform}. */
  constructor(definition: TransformDefinition, config: RawConfig, options: TransformRunOptions) {
    this.name = definition.name
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.topics = new Map(
      Object.entries(options.topics ?? {}).map(([topic, records]) => [topic, records.map(followed)]),
    )
    const parsed = parseConfig(definition, config)
    const context = {
      connector: 'test',
      task: 0,
      type: options.type ?? 'source',
      alias: definition.name,
      log: recordingLogger(this.logs),
      signal: this.ending.signal,
      holds: (bytes: number) => (this.heldBytes = bytes),
      followTopic: async (topic: string, tell: Tell) => this.follow(topic, tell),
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
    const records = this.topics.get(topic) ?? []
    const added = followed(record, records.length)
    this.topics.set(topic, [...records, added])
    for (const follower of this.followers) if (follower.topic === topic) await follower.tell(added)
  }

  /** Ends the task that it works in. */
  async close(): Promise<void> {
    this.ending.abort()
    const transform = await this.call('create', this.transform)
    await this.call('close', transform.close?.())
  }

  private async follow(topic: string, tell: Tell): Promise<void> {
    const records = this.topics.get(topic)
    if (records === undefined) throw new ConnectError(`topic ${topic} does not exist`)
    this.followers.push({ topic, tell })
    for (const record of records) await tell(record)
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

function followed({ key = null, value, ...more }: FollowedText, offset: number): FollowedRecord {
  const bytes = (given: string | Uint8Array | null) =>
    typeof given === 'string' ? new TextEncoder().encode(given) : given
  return { partition: 0, offset, headers: [], timestamp: 0, ...more, key: bytes(key), value: bytes(value) }
}
