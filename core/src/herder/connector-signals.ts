/**
 * Signals to connectors: each a record of the topic that the connector reads them from, which its tasks find on whichever
 * worker they run. Any worker writes them, whatever state the connector is in: it reads what it missed when it runs.
 */
import { randomUUID } from 'node:crypto'
import { ConnectError } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import { illegalTopic } from '../worker/source-topics.ts'
import type { SignalPlace } from '../worker/task-spec.ts'
import { clusterTopics } from './cluster-topics.ts'
import { requireDecrypted } from './config-encryption.ts'
import type { Config } from './config-store.ts'
import type { ConnectorViews } from './connector-views.ts'
import type { TaskRunner } from './task-runner.ts'
import { withTimeLimit } from './time-limit.ts'

export interface SignalRequest {
  /** Undefined: one is made. */
  readonly id: string | undefined
  readonly type: string
  /** A JSON object, whose `data` is passed on with every digit of its numbers; without one it is empty. */
  readonly json: string
}

export interface ConnectorSignalsOptions {
  readonly client: LogClient
  readonly config: WorkerConfig
  readonly views: ConnectorViews
  readonly plugins: PluginRegistry
  /** @throws RetriableError while the worker starts */
  readonly runner: () => TaskRunner
  /** Reads all that is in the config topic now. */
  readonly catchUp: () => Promise<void>
  readonly planTimeoutMs: number
}

/** The connector takes no signals, or cannot be given one as things are. */
export class NoSignalsError extends ConnectError {
  override readonly name = 'NoSignalsError'
}

const deliveryTimeoutMs = 30_000

/** See the head of the file. */
export class ConnectorSignals {
  readonly #options: ConnectorSignalsOptions

  constructor(options: ConnectorSignalsOptions) {
    this.#options = options
  }

  /**
   * Resolves when the signal is in the log.
   * @returns its id
   * @throws NotFoundError, NoSignalsError; ConfigError where the connector cannot say where to, LogError
   */
  async send(connector: string, { id = randomUUID(), type, json }: SignalRequest): Promise<string> {
    const { client, catchUp, views } = this.#options
    await catchUp()
    const { topic, key } = await this.#placeOf(connector, views.stored(connector).config)
    await this.#makeTopic(connector, topic)
    const { data = {} } = parseExact(json, 'texts') as { readonly data?: unknown }
    const producer = client.producer({ deliveryTimeoutMs })
    try {
      const { failures } = await producer.produce([
        { topic, partition: 0, key: key ?? null, value: stringifyExact({ id, type, data }) },
      ])
      if (failures[0] !== undefined) throw failures[0].error
    } finally {
      await producer.close()
    }
    return id
  }

  async #placeOf(connector: string, config: Config): Promise<SignalPlace> {
    const { plugins, runner, planTimeoutMs } = this.#options
    const { manifest, ref } = await plugins.connector(
      config['connector.class']?.trim() ?? '',
      config['connector.plugin.version'],
    )
    if (!manifest.hasSignals) {
      throw new NoSignalsError(`Connector ${connector} takes no signals: ${manifest.name} knows none`)
    }
    requireDecrypted(config)
    const asking = runner().signalPlace(ref, config)
    const place = await withTimeLimit(asking, planTimeoutMs, 'Asking the connector where it reads signals from')
    if (place === undefined) {
      throw new NoSignalsError(`Connector ${connector} takes no signals as it is configured`)
    }
    return place
  }

  async #makeTopic(connector: string, topic: string): Promise<void> {
    const { client, config } = this.#options
    const internal = clusterTopics(config).map((each) => each.topic)
    const problem = illegalTopic(topic, internal)
    if (problem !== undefined) throw new NoSignalsError(`Signals to connector ${connector}: ${problem}`)
    const [found] = await client.admin.topics([topic])
    if (found === undefined) {
      if (!config['topic.creation.enable']) {
        throw new NoSignalsError(
          `Topic ${topic}, which connector ${connector} reads signals from, does not exist, and topic.creation.enable is false: make it, with one partition`,
        )
      }
      await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1 }])
    } else if (found.partitions !== 1) {
      throw new NoSignalsError(
        `Topic ${topic}, which connector ${connector} reads signals from, has ${found.partitions} partitions: it must have one`,
      )
    }
  }
}
