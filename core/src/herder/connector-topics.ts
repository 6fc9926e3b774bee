import type { WorkerConfig } from '../config/worker-settings.ts'
import type { TaskId } from '../worker/task-spec.ts'
import type { ConfigStore } from './config-store.ts'
import type { StatusStore } from './status-store.ts'

type Config = Pick<WorkerConfig, 'topic.tracking.enable' | 'topic.tracking.allow.reset'>

/** Which topics connectors have produced to or consumed from, since they were made or since that was reset (KIP-558). */
export class ConnectorTopics {
  readonly #store: ConfigStore
  readonly #statuses: StatusStore
  readonly #config: Config

  constructor(store: ConfigStore, statuses: StatusStore, config: Config) {
    this.#store = store
    this.#statuses = statuses
    this.#config = config
  }

  get isTracked(): boolean {
    return this.#config['topic.tracking.enable']
  }

  get mayReset(): boolean {
    return this.#config['topic.tracking.allow.reset']
  }

  /** None for a connector that does not exist, as in Kafka Connect. */
  of(connector: string): string[] {
    return this.#statuses.topics(connector)
  }

  reset(connector: string): void {
    this.#statuses.resetTopics(connector)
  }

  /** A task of this worker has begun to use a topic. */
  used({ connector, task }: TaskId, topic: string): void {
    // Of a connector that has just been deleted nothing is to be left.
    if (this.#store.get(connector) === undefined) return
    this.#statuses.putTopic({ topic, connector, task, discoveredAt: Date.now() })
  }
}
