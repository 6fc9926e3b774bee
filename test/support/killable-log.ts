/** Logs that can be killed and come back on their data and their port: each a process of its own. */
import { rm } from 'node:fs/promises'
import { brokerProcess, temporaryFolder } from './broker.ts'
import { testKafka } from './kafka.ts'
import { freePorts } from './tidewire.ts'

export interface KillableLog {
  readonly address: string
  /** SIGKILL; it stays away until {@link KillableLog.restart}. */
  kill(): Promise<void>
  restart(): Promise<void>
  close(): Promise<void>
}

/** Sessions of the tests are shorter than either log would allow. */
const shortestSessionMs = 1000

export async function bundledLog(): Promise<KillableLog> {
  const folder = await temporaryFolder()
  const start = async (port: number) =>
    brokerProcess(folder, port, undefined, { 'group.min.session.timeout.ms': shortestSessionMs })
  const [free] = (await freePorts(1)) as [number]
  let broker = await start(free)
  const { address, port } = broker
  return {
    address,
    kill: async () => broker.kill(),
    restart: async () => {
      broker = await start(port)
    },
    close: async () => {
      await broker.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function kafkaLog(): Promise<KillableLog> {
  const kafka = await testKafka({
    settings: {
      'group.min.session.timeout.ms': String(shortestSessionMs),
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    },
  })
  const { kill } = kafka
  if (kill === undefined) throw new Error('the Kafka of KAFKA_BOOTSTRAP is not ours to kill')
  return { address: kafka.address, kill, restart: kafka.restart, close: kafka.close }
}
