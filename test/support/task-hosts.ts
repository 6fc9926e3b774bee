/** Task hosts on a real log, with no herder: tests start and stop tasks themselves, and see every status. */
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import type { PluginRef } from '../../core/src/plugin/manifest.ts'
import { TaskHosts, type TaskHostsOptions } from '../../core/src/worker/task-hosts.ts'
import type { TaskSpec, TaskStatus } from '../../core/src/worker/task-spec.ts'
import { until } from './until.ts'

export const countable = (name: 'counting' | 'lines' | 'misbehaving'): PluginRef => ({
  module: new URL('../fixtures/plugins/countable/index.js', import.meta.url).href,
  name,
  version: '1.0.0',
})

const converter = (name: string): TaskSpec['keyConverter'] => ({
  ref: { module: new URL('../../core/src/convert/plugin.ts', import.meta.url).href, name, version: '0.1.0' },
  config: {},
})

export interface TestHosts {
  readonly hosts: TaskHosts
  readonly client: LogClient
  readonly statuses: TaskStatus[]
  /** Starts task 0 of a connector of the countable plugin. */
  start(connector: string, plugin: PluginRef, config?: Readonly<Record<string, string>>): Promise<void>
  statesOf(connector: string): string[]
  /** Waits until the connector's last state is this one. */
  reaches(connector: string, state: TaskStatus['state']): Promise<TaskStatus>
  /** All committed values of a topic's partition 0, as they are now. */
  values(topic: string): Promise<string[]>
  close(): Promise<void>
}

export async function testHosts(
  address: string,
  settings: Readonly<Record<string, string>> = {},
  options: Partial<TaskHostsOptions> = {},
): Promise<TestHosts> {
  const { config } = parseWorkerConfig({
    'bootstrap.servers': address,
    'offset.storage.topic': `offsets-${crypto.randomUUID()}`,
    'offset.flush.interval.ms': '50',
    'task.shutdown.graceful.timeout.ms': '2000',
    ...settings,
  })
  const client = createClient({ bootstrapServers: [address], clientId: 'test' })
  await client.admin.createTopics([
    {
      topic: config['offset.storage.topic'],
      partitions: 3,
      replicationFactor: 1,
      config: { 'cleanup.policy': 'compact' },
    },
  ])
  const statuses: TaskStatus[] = []
  const hosts = new TaskHosts({
    config,
    workerId: 'test',
    logger: silentLogger,
    onStatus: (status) => void statuses.push(status),
    restartLimits: { firstDelayMs: 5, maxDelayMs: 50, maxRestarts: 1000, windowMs: 600_000 },
    ...options,
  })
  const ofConnector = (connector: string): TaskStatus[] => statuses.filter((status) => status.connector === connector)
  return {
    hosts,
    client,
    statuses,
    start: async (connector, plugin, taskConfig = {}) =>
      hosts.startTask({
        connector,
        task: 0,
        type: plugin.name === 'lines' ? 'sink' : 'source',
        plugin,
        config: { name: connector, 'connector.class': plugin.name, ...taskConfig },
        keyConverter: converter('string'),
        valueConverter: converter('string'),
        headerConverter: converter('simple'),
        transforms: [],
        targetState: 'STARTED',
        generation: 1,
      }),
    statesOf: (connector) => ofConnector(connector).map(({ state }) => state),
    reaches: async (connector, state) =>
      until(`${connector} ${state}`, () => {
        const last = ofConnector(connector).at(-1)
        return last?.state === state ? last : undefined
      }),
    values: async (topic) => readValues(client, topic),
    close: async () => {
      await hosts.close()
      await client.close()
    },
  }
}

async function readValues(client: LogClient, topic: string): Promise<string[]> {
  if ((await client.admin.topics([topic])).length === 0) return []
  // Behind an open transaction there is nothing more to read.
  const [end] = await client.admin.offsets([{ topic, partition: 0 }], 'latest', 'read_committed')
  const reader = client.reader({ isolation: 'read_committed' })
  reader.assign([{ topic, partition: 0, offset: 'earliest' }])
  const values: string[] = []
  for (let next = 0; next < end!.offset;) {
    for (const { records, nextOffset } of await reader.poll({ maxWaitMs: 1000 })) {
      for (const { value } of records) values.push(value?.toString() ?? '')
      next = nextOffset
    }
  }
  await reader.close()
  return values
}
