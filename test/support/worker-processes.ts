/** Workers to be compared, ours and Kafka Connect's: processes that are started the same way and asked by the same REST API. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { endWithTest } from './end-with-test.ts'
import { kafkaConnectLibs } from './kafka.ts'
import { freePorts } from './tidewire.ts'

export interface WorkerProcess {
  /** As statuses name it. */
  readonly id: string
  readonly url: string
  readonly pid: number
  /** From the start of the process until the herder answered. */
  readonly startMs: number
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
}

export interface WorkerOptions {
  /** Of the log. */
  readonly address: string
  readonly groupId: string
  readonly settings?: Readonly<Record<string, string>>
}

export interface WorkerKind {
  readonly name: string
  /** Resolves when `GET /connectors` answers. */
  start(options: WorkerOptions): Promise<WorkerProcess>
}

const tidewire = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')

/** As Kafka's own start script sets them for Connect. */
const connectJava = [
  ...['-Xms256M', '-Xmx2G', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent', '-Djava.awt.headless=true'],
]

export const tidewireWorkers: WorkerKind = {
  name: 'Tidewire',
  start: async (options) =>
    startWorker(options, {}, async (file) => ({
      command: process.execPath,
      args: [tidewire, 'worker', file, '--log-level', 'warn'],
    })),
}

/** `plugin.discovery=service_load`, which halves its start: its default scans every class for plugins first. */
export const connectWorkers: WorkerKind = {
  name: 'Kafka Connect 4.3.1',
  start: async (options) =>
    startWorker(options, { 'plugin.discovery': 'service_load' }, async (file) => ({
      command: 'java',
      args: [
        ...[...connectJava, '-cp', join(await kafkaConnectLibs(), '*')],
        ...['org.apache.kafka.connect.cli.ConnectDistributed', file],
      ],
    })),
}

async function startWorker(
  { address, groupId, settings = {} }: WorkerOptions,
  ownSettings: Readonly<Record<string, string>>,
  commandOf: (file: string) => Promise<{ command: string; args: readonly string[] }>,
): Promise<WorkerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-worker-'))
  const [port] = await freePorts(1)
  const id = `127.0.0.1:${port}`
  const file = join(folder, 'worker.properties')
  const all = {
    'bootstrap.servers': address,
    'group.id': groupId,
    listeners: `http://${id}`,
    'rest.advertised.host.name': '127.0.0.1',
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'offset.flush.interval.ms': '1000',
    ...Object.fromEntries(
      ['config', 'offset', 'status'].flatMap((topic) => [
        [`${topic}.storage.topic`, `${groupId}-${topic}s`],
        [`${topic}.storage.replication.factor`, '1'],
      ]),
    ),
    ...ownSettings,
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(file, lines.join(''))
  const { command, args } = await commandOf(file)
  const begun = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = tailOf(child)
  endWithTest(child)
  const ended = once(child, 'exit')
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  const url = `http://${id}`
  while ((await statusOf(`${url}/connectors`)) !== 200) {
    if (child.exitCode !== null) throw new Error(`the worker ended with code ${child.exitCode}\n${output()}`)
    await new Promise((again) => setTimeout(again, 20))
  }
  return {
    id,
    url,
    pid: child.pid!,
    startMs: performance.now() - begun,
    stop: async () => end('SIGTERM'),
    kill: async () => end('SIGKILL'),
  }
}

function tailOf(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (more: string) => (text = (text + more).slice(-10_000)))
  }
  return () => text
}

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
    await response.arrayBuffer()
    return response.status
  } catch {
    return 0
  }
}
