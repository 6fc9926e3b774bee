/**
 * The proof of the cluster: workers under load, one fault after another, and after each that nothing was lost, doubled
 * or run twice, and that the work is spread again. The same on any log.
 *
 * `TIDEWIRE_FAULTS` says how many, `TIDEWIRE_SEED` repeats the choices of a run, `TIDEWIRE_ONLY=hold,cut` leaves others out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { ConnectorsModel } from './connectors-model.ts'
import { FaultDeck, type FaultContext } from './faults.ts'
import { flowsOf, hasMoved, journalOf, type Flow } from './flows.ts'
import { JournalJudge } from './journal-judge.ts'
import type { KillableLog } from '../support/killable-log.ts'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { startRestLoad, type RestLoad } from './rest-load.ts'
import { unsettled } from './settled.ts'
import { TestCluster, type TestWorkerProcess } from './test-cluster.ts'

const sessionMs = 4000
const rebalanceDelayMs = 2000
const settleMs = 90_000
const firstWorkers = 3
const mostWorkers = 4

/** Registers the suite for one kind of log. */
export function describeFaults(name: string, count: number, start: () => Promise<KillableLog>): void {
  const seed = seedOfRun()
  describe(`a cluster on ${name}, seed ${seed}`, () => {
    let proof: Proof | undefined
    let passed = false

    beforeAll(async () => {
      proof = await Proof.open(await start(), seed)
    })

    afterAll(async () => proof?.close(!passed))

    test(
      `stays whole through ${count} faults`,
      async () => {
        await proof!.settle('the start')
        for (let number = 1; number <= count; number++) await proof!.fault(number)
        await proof!.end()
        passed = true
      },
      120_000 + count * settleMs,
    )
  })
}

class Proof {
  readonly #cluster: TestCluster
  readonly #flows: readonly Flow[]
  readonly #journal: JournalJudge
  readonly #model = new ConnectorsModel()
  readonly #load: RestLoad
  readonly #deck = new FaultDeck(process.env['TIDEWIRE_ONLY']?.split(','))
  readonly #context: FaultContext
  readonly #history: string[] = []
  readonly #seed: number

  static async open(log: KillableLog, seed: number): Promise<Proof> {
    const cluster = await TestCluster.open(log, mostWorkers, {
      'session.timeout.ms': String(sessionMs),
      'heartbeat.interval.ms': '1000',
      'rebalance.timeout.ms': '15000',
      'scheduled.rebalance.max.delay.ms': String(rebalanceDelayMs),
    })
    try {
      const proof = new Proof(cluster, await flowsOf(cluster), seed)
      await proof.#start()
      return proof
    } catch (error) {
      await cluster.close(true)
      throw error
    }
  }

  private constructor(cluster: TestCluster, flows: readonly Flow[], seed: number) {
    this.#cluster = cluster
    this.#flows = flows
    this.#seed = seed
    this.#journal = new JournalJudge(journalOf(cluster), cluster.suspicions)
    const names = Array.from({ length: 6 }, (_, index) => `rest-${index}`)
    // A generator of its own: how many writes there are depends on the time they take.
    this.#load = startRestLoad(cluster, this.#model, names, seededRandom(seed + 1))
    this.#context = {
      cluster,
      model: this.#model,
      random: seededRandom(seed),
      flows: flows.map((flow) => flow.name),
      sessionMs,
      rebalanceDelayMs,
      fewestWorkers: 2,
      leader: async () => this.#leader(),
    }
  }

  async #start(): Promise<void> {
    for (let slot = 0; slot < firstWorkers; slot++) await this.#cluster.start(slot)
    for (const { name, config } of this.#flows) {
      const made = await this.#model.create(this.#cluster.present[0]!.url, name, config)
      if (!made) throw new Error(`${name} was not created: ${this.#model.violations.join()}`)
    }
  }

  async fault(number: number): Promise<void> {
    const fault = this.#deck.next(this.#context)
    const began = performance.now()
    let done: string
    try {
      done = await fault.run(this.#context)
    } catch (error) {
      throw await this.#explained(error, [`${number}. ${fault.name} did not end`])
    }
    this.#history.push(`${number}. ${fault.name}: ${done}`)
    const settledMs = await this.settle(`${fault.name} (${done})`)
    const tookMs = performance.now() - began - settledMs
    process.stderr.write(
      `${number}. ${fault.name}: ${done}; took ${tookMs.toFixed(0)} ms, settled after ${settledMs.toFixed(0)} ms\n`,
    )
  }

  /** Waits until all is as it should be, and looks at everything that was written. Returns how long that took. */
  async settle(after: string): Promise<number> {
    const began = performance.now()
    await this.#load.quiet()
    let problems: string[] = []
    try {
      await until(
        `the cluster to settle after ${after}`,
        async () => {
          problems = await unsettled(this.#cluster, this.#model)
          return problems.length === 0
        },
        settleMs,
      )
      const settledMs = performance.now() - began
      const before = new Map(this.#flows.map((flow) => [flow, flow.judge.progress]))
      await until('records to move in every flow', async () => {
        await this.#look()
        problems = this.#flows.filter((flow) => !hasMoved(flow, before.get(flow)!)).map((flow) => `${flow.name} stands`)
        return problems.length === 0
      })
      this.#cluster.settled()
      this.#load.resume()
      return settledMs
    } catch (error) {
      throw await this.#explained(error, problems)
    }
  }

  /** No more is given; what was given has to have arrived everywhere. */
  async end(): Promise<void> {
    await this.#load.stop()
    let behind: string[] = []
    try {
      for (const { name } of this.#flows.filter(({ config }) => 'rate' in config)) {
        await this.#model.steer(this.#cluster.present[0]!.url, name, 'pause')
      }
      await until('the sinks to have all that is in the topics', async () => {
        const before = JSON.stringify(this.#flows.map(({ judge }) => [...judge.progress]))
        await new Promise((resolve) => setTimeout(resolve, 1500))
        await this.#look()
        const after = this.#flows.map(({ judge }) => [...judge.progress].sort().join(' '))
        behind = after
        const still = before === JSON.stringify(this.#flows.map(({ judge }) => [...judge.progress]))
        return still && after[0] === after[2] && after[1] === after[3]
      })
      expect(await unsettled(this.#cluster, this.#model)).toEqual([])
      for (const worker of this.#cluster.workers) await this.#cluster.end(worker, 'SIGTERM')
      await this.#look()
    } catch (error) {
      throw await this.#explained(error, behind)
    }
    const total = this.#flows.map(({ name, judge }) => {
      const records = [...judge.progress.values()].reduce((sum, next) => sum + next, 0)
      return `${name} ${records} records, ${judge.repeated} of them again`
    })
    const answers = [...this.#model.answers].map(([status, times]) => `${times} × ${status || 'none'}`)
    process.stderr.write(`${total.join('; ')}; ${this.#journal.starts} task starts; answers: ${answers.join(', ')}\n`)
  }

  async close(keepFolder: boolean): Promise<void> {
    await this.#load.stop()
    await Promise.all(this.#flows.map(async (flow) => flow.close()))
    await this.#cluster.close(keepFolder)
  }

  /** @throws Error with whatever was lost, doubled or run twice */
  async #look(): Promise<void> {
    await Promise.all([this.#journal.look(), ...this.#flows.map(async (flow) => flow.look())])
    const violations = [
      ...this.#model.violations,
      ...this.#journal.violations,
      ...this.#flows.flatMap(({ judge }) => judge.violations),
    ]
    if (violations.length === 0) return
    throw new Violation(`${violations.length} violations:\n${violations.slice(0, 20).join('\n')}`)
  }

  async #leader(): Promise<TestWorkerProcess> {
    return until('a leader', async () => {
      const { body } = await this.#cluster.ask('GET', '/admin/workers')
      const leader = (body as { worker_id: string; leader: boolean }[]).find((worker) => worker.leader)
      return this.#cluster.present.find(({ id }) => id === leader?.worker_id)
    })
  }

  async #explained(error: unknown, problems: readonly string[]): Promise<Error> {
    await this.#cluster.keepEvidence()
    const texts = [
      (error as Error).message,
      ...problems,
      `seed ${this.#seed}, after:\n${this.#history.join('\n')}`,
      `kept: ${this.#cluster.folder}`,
      this.#cluster.logs(),
    ]
    return new Error(texts.join('\n'), { cause: error })
  }
}

class Violation extends Error {
  override readonly name = 'Violation'
}
