/** The logs that a cluster is proven on: each a process of its own that can be killed and comes back on its data. */
import { rm } from 'node:fs/promises'
import { temporaryFolder } from '../support/broker.ts'
import { testKafka } from '../support/kafka.ts'
import { freePorts, startTidewire } from '../support/tidewire.ts'

export interface KillableLog {
  readonly address: string
  /** SIGKILL; it stays away until {@link KillableLog.restart}. */
  kill(): Promise<void>
  restart(): Promise<void>
  close(): Promise<void>
}

/** Sessions of the proof are shorter than either log would allow. */
const shortestSession = 1000

export async function bundledLog(): Promise<KillableLog> {
  const folder = await temporaryFolder()
  const [port] = await freePorts(1)
  const start = async () =>
    startTidewire([
      ...['log', '--data-dir', folder, '--log-port', String(port), '--log-level', 'error'],
      ...['--set', `group.min.session.timeout.ms=${shortestSession}`],
    ])
  let running = await start()
  return {
    address: `127.0.0.1:${port}`,
    kill: async () => {
      await running.stop('SIGKILL')
    },
    restart: async () => {
      running = await start()
    },
    close: async () => {
      await running.stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function kafkaLog(): Promise<KillableLog> {
  const kafka = await testKafka({
    settings: {
      'group.min.session.timeout.ms': String(shortestSession),
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    },
  })
  const { kill } = kafka
  if (kill === undefined) throw new Error('the Kafka of KAFKA_BOOTSTRAP is not ours to kill')
  return { address: kafka.address, kill, restart: kafka.restart, close: kafka.close }
}
