/** Workers as processes over one log, each reaching it through a proxy of its own, so that any may be killed, held or cut off. */
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { askRest, type Answer } from '../support/ask-rest.ts'
import { temporaryFolder } from '../support/broker.ts'
import { cuttableProxy, type Cut, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { freePorts, startTidewire, type Running } from '../support/tidewire.ts'
import type { KillableLog } from '../support/killable-log.ts'

/** The monotonic clock of the machine, the same for every process on it, in milliseconds. */
export const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000

/** A time in which a process may have run on without being a member: whatever it wrote then is held against it, not that it ran. */
export interface Suspicion {
  readonly pid: number
  readonly fromMs: number
  untilMs: number
}

export interface TestWorkerProcess {
  readonly slot: number
  /** As statuses name it. */
  readonly id: string
  readonly url: string
  readonly pid: number
  /** Held by SIGSTOP or cut off: not to be asked or chosen for anything. */
  readonly away: boolean
}

interface Slot extends TestWorkerProcess {
  readonly running: Running
  away: boolean
}

const run = promisify(execFile)

const plugins = resolve(import.meta.dirname, '../fixtures/plugins/counted')

/** See the head of the file. */
export class TestCluster {
  readonly folder: string
  readonly log: KillableLog
  readonly groupId = 'cluster'
  readonly suspicions: Suspicion[] = []
  readonly #settings: Readonly<Record<string, string>>
  readonly #ports: readonly number[]
  readonly #proxies: readonly CuttableProxy[]
  readonly #slots = new Map<number, Slot>()
  /** What workers that are gone have logged last. */
  readonly #remains: string[] = []

  /** @param size the most workers it will have at a time */
  static async open(
    log: KillableLog,
    size: number,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<TestCluster> {
    const folder = await temporaryFolder()
    const proxies = await Promise.all(Array.from({ length: size }, async () => cuttableProxy(log.address)))
    return new TestCluster(folder, log, await freePorts(size), proxies, settings)
  }

  private constructor(
    folder: string,
    log: KillableLog,
    ports: readonly number[],
    proxies: readonly CuttableProxy[],
    settings: Readonly<Record<string, string>>,
  ) {
    this.folder = folder
    this.log = log
    this.#ports = ports
    this.#proxies = proxies
    this.#settings = settings
  }

  /** Those that run, be they away or not. */
  get workers(): readonly TestWorkerProcess[] {
    return [...this.#slots.values()]
  }

  /** Those that take part. */
  get present(): readonly TestWorkerProcess[] {
    return this.workers.filter(({ away }) => !away)
  }

  get freeSlots(): readonly number[] {
    return this.#ports.map((_, slot) => slot).filter((slot) => !this.#slots.has(slot))
  }

  /** Starts a worker, and resolves when it says that it is up. */
  async start(slot: number): Promise<TestWorkerProcess> {
    const port = this.#ports[slot]!
    const file = join(this.folder, `worker-${slot}.properties`)
    await writeFile(file, this.#properties(slot))
    const running = await startTidewire(['worker', file, '--log-level', 'info'])
    const worker = { slot, id: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}`, pid: running.pid, running }
    this.#slots.set(slot, { ...worker, away: false })
    return this.#slots.get(slot)!
  }

  /** Whether it has ended of its own accord. */
  hasEnded({ pid }: TestWorkerProcess): boolean {
    try {
      return !process.kill(pid, 0)
    } catch {
      return true
    }
  }

  /** SIGKILL, or SIGTERM for a clean stop; resolves when the process has ended. */
  async end({ slot }: TestWorkerProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { running, id, pid } = this.#slot(slot)
    this.#slots.get(slot)!.away = true
    const code = await running.stop(signal)
    this.#slots.delete(slot)
    this.#remains.push(`${id} (pid ${pid}, ended by ${signal})\n${tailOf(running)}`)
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`${id} ended with ${String(code)} on SIGTERM`)
  }

  /** SIGSTOP for so long, then SIGCONT: the process knows nothing of the time between. */
  async hold({ slot }: TestWorkerProcess, forMs: number): Promise<void> {
    const { pid } = this.#slot(slot)
    await this.#away(slot, async () => {
      process.kill(-pid, 'SIGSTOP')
      await pause(forMs)
      process.kill(-pid, 'SIGCONT')
    })
  }

  async cutOff({ slot }: TestWorkerProcess, how: Cut, forMs: number): Promise<void> {
    const proxy = this.#proxies[slot]!
    await this.#away(slot, async () => {
      proxy.cut(how)
      await pause(forMs)
      proxy.heal()
    })
  }

  /** All that was suspected is settled: from now on nobody has an excuse. */
  settled(): void {
    for (const suspicion of this.suspicions) suspicion.untilMs = Math.min(suspicion.untilMs, nowMs())
  }

  /** Any worker that takes part answers. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const [worker] = this.present
    return askRest(worker!.url, method, path, { body })
  }

  /** What the workers have logged last, those that are gone too. */
  logs(): string {
    const living = [...this.#slots.values()].map(({ id, pid, running }) => `${id} (pid ${pid})\n${tailOf(running)}`)
    return [...this.#remains.slice(-4), ...living].join('\n\n')
  }

  /** For whoever looks into what went wrong: the internal topics and the workers' whole logs, as files of its folder. */
  async keepEvidence(): Promise<void> {
    for (const topic of ['connect-assignments', 'connect-configs', 'connect-status']) {
      const format = ['-f', '%T %p %o %k %s\n', '-X', 'isolation.level=read_committed']
      const reading = run(
        'kcat',
        ['-b', this.log.address, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', ...format],
        {
          timeout: 10_000,
          maxBuffer: 256 * 1024 * 1024,
        },
      )
      const { stdout } = await reading
        .catch(String)
        .then((read) => (typeof read === 'string' ? { stdout: read } : read))
      await writeFile(join(this.folder, `${topic}.txt`), stdout)
    }
    for (const { id, running } of this.#slots.values()) {
      const { stdout, stderr } = running.output()
      await writeFile(join(this.folder, `worker-${id}.log`), stdout + stderr)
    }
  }

  /** @param keepFolder for whoever looks into what went wrong */
  async close(keepFolder: boolean): Promise<void> {
    await Promise.all([...this.#slots.values()].map(async ({ running }) => running.stop('SIGKILL')))
    await Promise.all(this.#proxies.map(async (proxy) => proxy.close()))
    await this.log.close()
    if (!keepFolder) await rm(this.folder, { recursive: true, force: true })
  }

  async #away(slot: number, trouble: () => Promise<void>): Promise<void> {
    const worker = this.#slot(slot)
    this.suspicions.push({ pid: worker.pid, fromMs: nowMs(), untilMs: Infinity })
    worker.away = true
    await trouble()
    worker.away = false
  }

  #slot(slot: number): Slot {
    const found = this.#slots.get(slot)
    if (found === undefined) throw new Error(`there is no worker ${slot}`)
    return found
  }

  #properties(slot: number): string {
    const all: Record<string, string> = {
      'bootstrap.servers': this.#proxies[slot]!.address,
      'group.id': this.groupId,
      listeners: `http://127.0.0.1:${this.#ports[slot]}`,
      'plugin.path': plugins,
      'key.converter': 'string',
      'value.converter': 'string',
      'offset.flush.interval.ms': '500',
      'task.shutdown.graceful.timeout.ms': '3000',
      'request.timeout.ms': '10000',
      ...this.#settings,
    }
    return Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  }
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolveAfter) => setTimeout(resolveAfter, ms))
}

function tailOf(running: Running): string {
  const { stdout, stderr } = running.output()
  return (stdout + stderr).split('\n').slice(-40).join('\n')
}
