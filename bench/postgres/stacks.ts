/** The stacks that bench/postgres compares: each a log and a worker, as processes with the settings they come with. */
import { createClient } from '../../core/src/client/log-client.ts'
import type { LogClient } from '../../core/src/client/client.ts'
import { debeziumPlugins, DEBEZIUM_JDBC_VERSION, DEBEZIUM_VERSION } from '../../test/support/debezium.ts'
import { newPlace, startPlatform } from '../../test/support/tidewire.ts'
import { connectWorkers } from '../../test/support/worker-processes.ts'
import { startKafka } from '../log/servers.ts'
import { cpuSeconds, processTree } from '../support/process-tree.ts'

export interface Stack {
  readonly name: string
  readonly client: LogClient
  /** Of the worker's REST API. */
  readonly url: string
  /** Of all its processes. */
  cpuSeconds(): number
  rssMiB(): number
  close(): Promise<void>
}

/** Starts the whole stack; it has started when the worker takes connectors. */
export type StartStack = () => Promise<Stack>

export const startTidewireStack: StartStack = async () => {
  const place = await newPlace()
  const platform = await startPlatform(place, { args: ['--empty'] })
  return {
    ...measured('Tidewire', `127.0.0.1:${place.logPort}`, [platform.pid]),
    url: platform.rest,
    close: async () => {
      await platform.stop('SIGKILL')
      await place.remove()
    },
  }
}

export const startDebeziumStack: StartStack = () => startConnectStack('postgres')

export const startDebeziumJdbcStack: StartStack = () => startConnectStack('jdbc')

async function startConnectStack(connector: 'postgres' | 'jdbc'): Promise<Stack> {
  const kafka = await startKafka()
  const worker = await connectWorkers.start({
    address: kafka.address,
    groupId: 'debezium',
    settings: { 'plugin.path': await debeziumPlugins(connector) },
  })
  return {
    ...measured(
      `Debezium ${connector === 'jdbc' ? DEBEZIUM_JDBC_VERSION : DEBEZIUM_VERSION}, Kafka Connect and Kafka 4.3.1`,
      kafka.address,
      [kafka.pid(), worker.pid],
    ),
    url: worker.url,
    close: async () => {
      await worker.kill()
      await kafka.close()
    },
  }
}

function measured(name: string, address: string, roots: readonly number[]) {
  const pids = (): number[] => roots.flatMap((root) => processTree(root).map(({ pid }) => pid))
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return {
    name,
    client: createClient({ bootstrapServers: [address], clientId: 'bench' }),
    cpuSeconds: () => sum(pids().map(cpuSeconds)),
    rssMiB: () => sum(roots.flatMap((root) => processTree(root).map(({ rssMiB }) => rssMiB))),
  }
}
