/**
 * How one task reaches the log: by the clients of its thread, with the worker's settings for producers, consumers and
 * admin clients and the connector's overrides above them. Where these say who it is or how it connects, it has a client
 * of its own.
 */
import type { GroupConsumerOptions, LogClient, ProducerOptions } from '../client/client.ts'
import {
  clientKinds,
  connectionOverrides,
  consumerOverrides,
  overridePrefix,
  parseClientSettings,
  policyProblems,
  producerOverrides,
  type ClientKind,
  type OverridePolicy,
} from '../config/client-settings.ts'
import { loadLogSecurity, logSecuritySettings } from '../config/log-security.ts'
import { requireValid } from './connector-config.ts'
import type { OpenClient } from './log-clients.ts'
import type { TaskSpec } from './task-spec.ts'

type Parsed = Readonly<Record<string, unknown>>

/** The worker's own settings, parsed: `security.protocol` and the rest, and below `producer.`, `consumer.`, `admin.`. */
export interface WorkerClientSettings extends Readonly<Record<ClientKind, Parsed>> {
  readonly security: Parsed
  /** `connector.client.config.override.policy` */
  readonly overridePolicy: OverridePolicy
}

export interface TaskClients {
  readonly producer: LogClient
  readonly consumer: LogClient
  readonly admin: LogClient
  readonly producerOptions: ProducerOptions
  readonly deadLetterOptions: ProducerOptions
  readonly consumerOptions: Partial<GroupConsumerOptions>
  /** `max.poll.records`; undefined where it is not set. */
  readonly maxPollRecords: number | undefined
}

/**
 * @param shared of the thread
 * @param open a client of the task's own
 * @throws ConfigError for overrides that make no sense, or that the worker's policy does not allow
 * @throws Error that names a file which cannot be read
 */
export async function openTaskClients(
  { connector, task, config }: TaskSpec,
  worker: WorkerClientSettings,
  shared: LogClient,
  open: OpenClient,
): Promise<TaskClients> {
  // Asked here too: a config may come from Kafka Connect, or from before the policy.
  requireValid(policyProblems(config, worker.overridePolicy))
  const merged: Record<ClientKind, Parsed> = { producer: {}, consumer: {}, admin: {} }
  const own = new Map<string, LogClient>()
  const clients: Record<ClientKind, LogClient> = { producer: shared, consumer: shared, admin: shared }
  for (const kind of clientKinds) {
    const overrides = parseClientSettings(kind, overridePrefix(kind), config)
    requireValid(overrides.errors)
    const above = { ...worker[kind], ...overrides.config }
    merged[kind] = above
    // Producers and consumers have connections of their own, which differ in this by their own options.
    const connections = kind === 'admin' ? connectionOverrides(above) : {}
    const isSecured = Object.keys(above).some((name) => Object.hasOwn(logSecuritySettings, name))
    if (!isSecured && Object.keys(connections).length === 0) continue
    const security = await loadLogSecurity({ ...worker.security, ...above } as Parameters<typeof loadLogSecurity>[0])
    const options = { ...security, ...connections }
    const key = JSON.stringify(options)
    let client = own.get(key)
    if (client === undefined) own.set(key, (client = open(options)))
    clients[kind] = client
  }
  const { 'max.poll.records': maxPollRecords } = merged.consumer
  const producer = producerOverrides(merged.producer)
  return {
    ...clients,
    producerOptions: { clientId: `connector-producer-${connector}-${task}`, ...producer },
    deadLetterOptions: { clientId: `connector-dlq-producer-${connector}-${task}`, ...producer },
    consumerOptions: { clientId: `connector-consumer-${connector}-${task}`, ...consumerOverrides(merged.consumer) },
    maxPollRecords: typeof maxPollRecords === 'number' ? maxPollRecords : undefined,
  }
}
