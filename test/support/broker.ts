/** Brokers for tests: in this process, or as a child process that can be killed. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker, type Broker } from '../../core/src/broker/broker.ts'
import type { BrokerConfig } from '../../core/src/broker/config.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'

export interface TestBroker extends Broker {
  /** For `bootstrap.servers`. */
  readonly address: string
  readonly dataDir: string
  /** Ends it and, unless the folder was given, removes its data. */
  close(): Promise<void>
}

export interface TestBrokerOptions {
  readonly dataDir?: string
  readonly port?: number
  readonly config?: Partial<BrokerConfig>
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tidewire-test-'))
}

/** A broker in this process, on a free port. */
export async function testBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const dataDir = options.dataDir ?? (await temporaryFolder())
  const broker = await startBroker({
    host: '127.0.0.1',
    port: options.port ?? 0,
    dataDir,
    logger: silentLogger,
    ...(options.config === undefined ? {} : { config: options.config }),
  })
  return {
    ...broker,
    dataDir,
    address: `127.0.0.1:${broker.port}`,
    close: async () => {
      await broker.close()
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export interface BrokerProcess {
  readonly address: string
  readonly port: number
  /** As {@link Broker.listeners}. */
  readonly listeners: readonly string[]
  readonly pid: number
  /** SIGKILL, at once. */
  kill(): Promise<void>
  /** A clean stop. */
  stop(): Promise<void>
}

/**
 * A broker in a child process, on the port given (0: a free one).
 * @param onLog takes what it logs; default: seen with the test's own output
 */
export async function brokerProcess(
  dataDir: string,
  port = 0,
  onLog?: (text: string) => void,
  config: Partial<BrokerConfig> = {},
): Promise<BrokerProcess> {
  const output = onLog === undefined ? 'inherit' : 'pipe'
  const child = fork(new URL('broker-main.ts', import.meta.url), [dataDir, String(port), JSON.stringify(config)], {
    stdio: ['ignore', output, output, 'ipc'],
  })
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => onLog?.(text))
  const listeners = await firstMessage(child)
  const actualPort = Number(/\d+$/.exec(listeners[0]!)![0])
  const exited = once(child, 'exit')
  return {
    address: `127.0.0.1:${actualPort}`,
    port: actualPort,
    listeners,
    pid: child.pid!,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function firstMessage(child: ChildProcess): Promise<string[]> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as string[]))
    child.once('exit', (code) => reject(new Error(`the broker ended with code ${code}`)))
  })
}
