/**
 * Offsets of connectors, read on any worker and changed by the leader (KIP-875): among the other writes for the connector,
 * once it is stopped on every worker. What is changed by hand is done in a thread apart, with the clients that the
 * connector's tasks have, and the connector is asked first (core/src/worker/offsets-errand.ts).
 */
import { ConfigError, RetriableError, type SourceOffsetChange } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { isOverride } from '../config/client-settings.ts'
import type { ParsedWorkerConfig, WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type { OffsetsChanged, OffsetsWork } from '../worker/errand-messages.ts'
import type { OffsetStore } from '../worker/offset-store.ts'
import type { StoredConnector } from './config-store.ts'
import type { ConnectorViews } from './connector-views.ts'
import type { ConnectorWrites } from './connector-writes.ts'
import { inOrder, readGroupOffsets, shownSinkOffset } from '../worker/shown-offsets.ts'
import { offsetChanges, type GivenOffset } from './offset-changes.ts'
import { taskPlugins, type WorkerParts } from './task-spec.ts'
import type { TaskRunner } from './task-runner.ts'

export type { GivenOffset } from './offset-changes.ts'

/** What a request wants changed. */
export type OffsetsRequest =
  | { readonly kind: 'alter'; readonly offsets: readonly GivenOffset[] }
  | Extract<OffsetsWork, { kind: 'reset' | 'from' }>

export interface ConnectorOffsetsOptions {
  readonly client: LogClient
  readonly config: WorkerConfig
  /** The worker's settings for the clients of connectors. */
  readonly clientSettings: ParsedWorkerConfig['clientSettings'] | undefined
  readonly views: ConnectorViews
  readonly plugins: PluginRegistry
  readonly worker: WorkerParts
  readonly writes: ConnectorWrites
  readonly cluster: Cluster
  readonly logger: Logger
  /** @throws RetriableError while the worker starts */
  readonly runner: () => TaskRunner
  /** Reads all that is in the config topic now. */
  readonly catchUp: () => Promise<void>
  /** Fences the producers of the connector's earlier tasks (KIP-618). */
  readonly fence: (connector: string) => Promise<void>
}

const readLimitMs = 30_000
/** Within the time that a request may take. */
const changeLimitMs = 60_000

/** See the head of the file. */
export class ConnectorOffsets {
  readonly #options: ConnectorOffsetsOptions
  /** The worker's offsets topic; only where somebody has asked. */
  #store: OffsetStore | undefined

  constructor(options: ConnectorOffsetsOptions) {
    this.#options = options
  }

  /**
   * Stored offsets of a source, committed ones of a sink, as Kafka Connect shows them.
   * @throws NotFoundError; LogError
   */
  async read(name: string, signal: AbortSignal): Promise<readonly SourceOffsetChange[]> {
    const { views, catchUp } = this.#options
    if (views.storedConfig(name) === undefined) await catchUp()
    const stored = views.stored(name)
    const type = views.typeOf(stored)
    // With a client of the worker's it costs no thread; somebody may look every few seconds.
    if (type === 'unknown' || this.#hasOwnClients(type, stored)) {
      return (await this.#errand(name, stored, { kind: 'read' }, readLimitMs, signal)).offsets
    }
    if (type === 'sink') {
      return (await readGroupOffsets(this.#options.client.admin, `connect-${name}`)).map(shownSinkOffset)
    }
    const store = await this.#workersStore()
    await store.refresh()
    return inOrder(store.all(name))
  }

  /**
   * On the leader, while the connector is stopped. Done again, it comes to the same, so that a request may be sent again.
   * @throws NotFoundError; ConfigError where the connector is not stopped, or for offsets that cannot be; NotLeaderError;
   *   RetriableError while tasks of it are still stopping
   */
  async change(name: string, request: OffsetsRequest): Promise<OffsetsChanged> {
    const { writes, views, logger } = this.#options
    // Looked at before the fencing, and again when nobody else can change it.
    await this.#modifiable(name)
    await this.#fence(name)
    return writes.alone(name, async () => {
      const stored = await this.#modifiable(name)
      if (this.#mustFence(stored)) throw new RetriableError(`connector ${name} had other tasks meanwhile`)
      const type = views.typeOf(stored)
      const work =
        request.kind === 'alter'
          ? { kind: 'alter' as const, offsets: offsetChanges(type === 'sink' ? 'sink' : 'source', request.offsets) }
          : request
      if (type !== 'sink' && work.kind === 'from' && work.topics !== undefined) {
        throw new ConfigError('topics: only a sink has offsets by topic', { setting: 'topics' })
      }
      const changed = await this.#errand(name, stored, work, changeLimitMs, new AbortController().signal)
      logger.info('offsets were changed', { connector: name, how: request.kind, partitions: changed.offsets.length })
      return changed
    })
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  /** What its offsets are read with, or where they are, may be something else than the worker's. */
  #hasOwnClients(type: 'source' | 'sink', { config }: StoredConnector): boolean {
    const { admin = {}, consumer = {} } = this.#options.clientSettings ?? {}
    if (type === 'sink' && (Object.keys(admin).length > 0 || Object.hasOwn(consumer, 'group.id'))) return true
    return Object.keys(config).some((setting) => isOverride(setting) || setting === 'offsets.storage.topic')
  }

  async #workersStore(): Promise<OffsetStore> {
    const { client, config, logger } = this.#options
    const { OffsetStore: Store } = await import('../worker/offset-store.ts')
    this.#store ??= new Store({ client, topic: config['offset.storage.topic'], logger, timeoutMs: readLimitMs })
    return this.#store
  }

  /** A connector whose offsets may be changed now, as all topics say. */
  async #modifiable(name: string): Promise<StoredConnector> {
    const { views, cluster, catchUp } = this.#options
    await Promise.all([catchUp(), cluster.refresh()])
    const stored = views.stored(name)
    if (stored.targetState !== 'STOPPED' || stored.tasks.length > 0) {
      throw new ConfigError(
        `Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/${name}/stop' endpoint`,
      )
    }
    if (cluster.runsTasks(name)) throw new RetriableError(`tasks of connector ${name} are still stopping`)
    return stored
  }

  #mustFence(stored: StoredConnector): boolean {
    const { config, views } = this.#options
    return (
      config['exactly.once.source.support'] === 'enabled' &&
      stored.producers !== undefined &&
      !stored.fenced &&
      views.isExactlyOnce(stored)
    )
  }

  async #fence(name: string): Promise<void> {
    if (this.#mustFence(this.#options.views.stored(name))) await this.#options.fence(name)
  }

  async #errand(
    name: string,
    { config }: StoredConnector,
    work: OffsetsWork,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<OffsetsChanged> {
    const { plugins, worker, runner } = this.#options
    const { spec: parts } = await taskPlugins(plugins, worker, config)
    const spec = { connector: name, task: 0, ...parts, config, targetState: 'STARTED' as const, generation: 0 }
    return runner().runErrand('offsets', { spec, work, timeoutMs }, { signal, onItem: () => undefined })
  }
}
