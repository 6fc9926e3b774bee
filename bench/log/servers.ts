/** The servers that bench/log compares: both are started the same way, and asked the same questions. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createClient } from '../../core/src/client/log-client.ts'
import { testKafka } from '../../test/support/kafka.ts'
import { freePorts } from '../../test/support/tidewire.ts'

const tidewire = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')

/** As Kafka's own start script sets them. */
const KAFKA_JAVA = ['-Xmx1G', '-Xms1G', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']

export interface Server {
  readonly name: string
  readonly address: string
  readonly pid: () => number
  /** Stops it without a goodbye and starts it on its data again; what that took, from the start of the process to the first answer. */
  readonly restartMs: () => Promise<number>
  readonly close: () => Promise<void>
}

export async function startKafka(): Promise<Server> {
  const kafka = await testKafka({ java: KAFKA_JAVA })
  return {
    name: 'Kafka 4.3.1',
    address: kafka.address,
    pid: () => kafka.pid()!,
    restartMs: async () => {
      await kafka.kill?.()
      return timed(kafka.restart)
    },
    close: kafka.close,
  }
}

/** `tidewire log` in a process of its own. */
export async function startTidewire(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-bench-'))
  const [port] = await freePorts(1)
  const address = `127.0.0.1:${port}`
  const flags = ['log', '--data-dir', folder, '--log-port', String(port)]
  const start = async () => {
    const profiling = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter(Boolean)
    const child = spawn(process.execPath, [...profiling, tidewire, ...flags], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await answers(address)
    return child
  }
  let child = await start()
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await once(child, 'exit')
  }
  return {
    name: 'Tidewire',
    address,
    pid: () => child.pid!,
    restartMs: async () => {
      await end('SIGKILL')
      return timed(async () => {
        child = await start()
      })
    },
    close: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

async function answers(address: string): Promise<void> {
  const client = createClient({ bootstrapServers: [address], clientId: 'bench' })
  await client.admin.clusterId()
  await client.close()
}

/** Resident memory now, and the most it ever was, in MiB. Linux only. */
export function residentMiB(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => Number.parseInt(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? '0')
  return { now: field('VmRSS') / 1024, peak: field('VmHWM') / 1024 }
}
