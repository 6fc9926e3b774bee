import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { endWithTest } from './end-with-test.ts'

const root = resolve(import.meta.dirname, '../..')

/** Where one platform of a test is; the same object starts it again after a stop or a kill. */
export interface Place {
  readonly dataDir: string
  readonly logPort: number
  readonly restPort: number
  readonly mqttPort: number
}

/** A command of the command line that goes on until it is stopped. */
export interface Running {
  readonly pid: number
  /** Everything printed so far. */
  readonly output: () => { readonly stdout: string; readonly stderr: string }
  /** Sends a signal and waits for the end; returns the exit code (null where the signal ended it). */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
}

/** A platform that runs as a child process. */
export interface Platform extends Place, Running {
  readonly rest: string
}

/** Ports that were free a moment ago, and a fresh data directory; removed by `remove`. */
export async function newPlace(): Promise<Place & { remove: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  const [logPort, restPort, mqttPort] = await freePorts(3)
  return {
    dataDir,
    logPort: logPort!,
    restPort: restPort!,
    mqttPort: mqttPort!,
    remove: async () => rm(dataDir, { recursive: true, force: true }),
  }
}

/**
 * Where systems take no port from by themselves: who asks for any that is free, or connects to somewhere, gets none of
 * these, however long it takes until somebody listens there. Test files that run at a time have each a stretch of it.
 */
const stretch = 20_000 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % 12) * 1000
let nextPort = Math.floor(Math.random() * 1000)

/** Ports on loopback that nobody listened on when this was called, and that it gives once. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = stretch + (nextPort++ % 1000)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}

/**
 * Starts `tidewire start` (by `npm start` where asked) and waits until it says that it is up.
 * @throws Error with all that it printed, where it ends first
 */
export async function startPlatform(
  place: Place,
  options: { readonly npm?: boolean; readonly args?: readonly string[]; readonly env?: Record<string, string> } = {},
): Promise<Platform> {
  const flags = [
    ...['--data-dir', place.dataDir, '--log-port', String(place.logPort)],
    ...['--rest-port', String(place.restPort), '--mqtt-port', String(place.mqttPort), ...(options.args ?? [])],
  ]
  const running = await startTidewire(['start', ...flags], options)
  return { ...place, ...running, rest: `http://127.0.0.1:${place.restPort}` }
}

/**
 * Starts a command and waits until it says that it is up.
 * @throws Error with all that it printed, where it ends first
 */
export async function startTidewire(
  args: readonly string[],
  options: { readonly npm?: boolean; readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<Running> {
  const child = spawnTidewire(args, options)
  const output = collect(child)
  await untilUp(child, output)
  return { pid: child.pid!, output, stop: async (signal = 'SIGINT') => stop(child, signal) }
}

/** Runs a command of the command line to its end. */
export async function runTidewire(
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string; readonly input?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnTidewire(args, options)
  child.stdin?.end(options.input)
  const output = collect(child)
  await once(child, 'close')
  return { code: child.exitCode, ...output() }
}

function spawnTidewire(
  args: readonly string[],
  options: {
    readonly npm?: boolean
    readonly env?: Record<string, string>
    readonly cwd?: string
    /** Of standard input; left out: there is none. */
    readonly input?: string
  },
): ChildProcess {
  const [command, before]: [string, string[]] =
    options.npm === true
      ? ['npm', ['start', '--silent', '--']]
      : [process.execPath, [join(root, 'core/src/main/tidewire.mjs')]]
  const rest = options.npm === true ? args.slice(1) : args
  const child = spawn(command, [...before, ...rest], {
    cwd: options.cwd ?? root,
    // Platforms that run at a time are not to meet at the registry's own port.
    env: { ...process.env, TIDEWIRE_REGISTRY_PORT: '0', ...options.env },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // A group of its own, so that a signal reaches what npm started as well, as Ctrl-C does.
    detached: true,
  })
  endWithTest(child, { detached: true })
  return child
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return () => ({ ...output })
}

async function untilUp(child: ChildProcess, output: () => { stdout: string; stderr: string }): Promise<void> {
  await new Promise<void>((resolveUp, reject) => {
    const look = () => {
      if (output().stdout.includes('is up')) resolveUp()
    }
    child.stdout!.on('data', look)
    child.once('close', (code) => {
      const { stdout, stderr } = output()
      reject(new Error(`tidewire ended with ${String(code)}\n${stdout}\n${stderr}`))
    })
  })
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined
  try {
    process.kill(-child.pid!, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
  await ended
  return child.exitCode
}
