import { processTree } from '../support/process-tree.ts'
import { percentile } from '../support/report.ts'
import type { WorkerProcess, WorkerKind } from '../../test/support/worker-processes.ts'

interface UnitStatus {
  readonly state: string
  readonly worker_id: string
}

type Statuses = Record<string, { status: { connector: UnitStatus; tasks: UnitStatus[] } }>

const settings = {
  'session.timeout.ms': '10000',
  'heartbeat.interval.ms': '3000',
  'scheduled.rebalance.max.delay.ms': '1000',
}
const idleMs = 5000
const deployAtOnce = 4
/** Between two looks at all statuses, which cost the worker something too. */
const lookEveryMs = 200

/** Workers of one kind that form one cluster, as a client of REST sees them. */
export class BenchCluster {
  readonly #kind: WorkerKind
  readonly #address: string
  readonly #input: string
  readonly #groupId = `bench-${crypto.randomUUID().slice(0, 8)}`
  #workers: WorkerProcess[] = []
  #connectors = 0
  /** Which worker ran each task when all was settled last. */
  #owners = new Map<string, string>()

  constructor(kind: WorkerKind, address: string, input: string) {
    this.#kind = kind
    this.#address = address
    this.#input = input
  }

  async join(): Promise<WorkerProcess> {
    const worker = await this.#kind.start({ address: this.#address, groupId: this.#groupId, settings })
    this.#workers.push(worker)
    return worker
  }

  /** Creates the connectors, and waits until all run; returns the milliseconds that took. */
  async deploy(connectors: number): Promise<number> {
    const begun = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: deployAtOnce }, async () => {
        while (next < connectors) await this.#create(next++)
      }),
    )
    this.#connectors = connectors
    return (await this.settled(begun)).ms
  }

  /** Waits until all tasks run, evenly spread over the workers there are. */
  async settled(begun: number): Promise<{ readonly ms: number; readonly moved: number }> {
    for (;;) {
      const owners = await this.#settledOwners()
      if (owners !== undefined) {
        const ms = performance.now() - begun
        const moved = [...owners].filter(([task, owner]) => this.#owners.get(task) !== owner).length
        this.#owners = owners
        return { ms, moved }
      }
      await new Promise((again) => setTimeout(again, lookEveryMs))
    }
  }

  /** Of all workers, once they have had a while to come to rest. */
  async memoryMiB(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, idleMs))
    return this.#workers.flatMap(({ pid }) => processTree(pid)).reduce((sum, { rssMiB }) => sum + rssMiB, 0)
  }

  /** The one that joined last. */
  async killOne(): Promise<void> {
    await this.#workers.pop()?.kill()
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#workers.map(async (worker) => worker.stop()))
    this.#workers = []
  }

  /** Asks the first worker for a status and for the list, again and again, until it is stopped. */
  watchRest(): { stop(): Promise<{ readonly statusP99: number; readonly listP99: number }> } {
    const times: Record<'status' | 'list', number[]> = { status: [], list: [] }
    let stopped = false
    const watch = async (kind: 'status' | 'list', everyMs: number): Promise<void> => {
      for (let n = 0; !stopped; n++) {
        const path = kind === 'list' ? '/connectors' : `/connectors/idle-${n % this.#connectors}/status`
        const begun = performance.now()
        await this.#get(this.#workers[0]!, path).catch(() => undefined)
        times[kind].push(performance.now() - begun)
        await new Promise((resolve) => setTimeout(resolve, everyMs))
      }
    }
    const watching = Promise.all([watch('status', 20), watch('list', 50)])
    return {
      stop: async () => {
        stopped = true
        await watching
        return { statusP99: percentile(times.status, 0.99), listP99: percentile(times.list, 0.99) }
      },
    }
  }

  async #create(number: number): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.#workers[0]!.url}/connectors`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          name: `idle-${number}`,
          config: {
            'connector.class': 'org.apache.kafka.connect.file.FileStreamSourceConnector',
            'tasks.max': '1',
            file: this.#input,
            topic: 'idle',
          },
        }),
      })
      const text = await answer.text()
      if (answer.status === 201) return
      // Kafka Connect refuses writes while it rebalances.
      if (answer.status !== 409 || text.includes('already exists')) throw new Error(`${answer.status} ${text}`)
      await new Promise((again) => setTimeout(again, 100))
    }
  }

  async #settledOwners(): Promise<Map<string, string> | undefined> {
    const answer = await this.#get(this.#workers[0]!, '/connectors?expand=status').catch(() => undefined)
    if (answer === undefined) return undefined
    const all = Object.entries(answer as Statuses)
    if (all.length < this.#connectors) return undefined
    const counts = new Map(this.#workers.map(({ id }) => [id, 0]))
    const owners = new Map<string, string>()
    for (const [name, { status }] of all) {
      const [task] = status.tasks
      const count = task === undefined ? undefined : counts.get(task.worker_id)
      if (task?.state !== 'RUNNING' || count === undefined || status.connector.state !== 'RUNNING') return undefined
      counts.set(task.worker_id, count + 1)
      owners.set(name, task.worker_id)
    }
    const sizes = [...counts.values()]
    return Math.max(...sizes) - Math.min(...sizes) <= 1 ? owners : undefined
  }

  async #get(worker: WorkerProcess, path: string): Promise<unknown> {
    const answer = await fetch(worker.url + path, { signal: AbortSignal.timeout(30_000) })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
    return answer.json()
  }
}
