/** What is done to a cluster. Each fault ends when the trouble is over; that the cluster recovers is for others to see. */
import { askRest } from '../support/ask-rest.ts'
import { until } from '../support/until.ts'
import type { ConnectorConfig, ConnectorsModel } from './connectors-model.ts'
import type { Random } from '../support/random.ts'
import { pause, type TestCluster, type TestWorkerProcess } from './test-cluster.ts'

export interface FaultContext {
  readonly cluster: TestCluster
  readonly model: ConnectorsModel
  readonly random: Random
  /** The connectors under load, which faults may change. */
  readonly flows: readonly string[]
  readonly sessionMs: number
  readonly rebalanceDelayMs: number
  readonly leader: () => Promise<TestWorkerProcess>
  readonly fewestWorkers: number
}

export interface Fault {
  readonly name: string
  readonly isPossible: (context: FaultContext) => boolean
  /** Does it, and says what exactly was done. */
  readonly run: (context: FaultContext) => Promise<string>
}

const enoughToLoseOne = ({ cluster, fewestWorkers }: FaultContext): boolean => cluster.present.length > fewestWorkers
const always = (): boolean => true
const anyWorker = ({ cluster, random }: FaultContext): TestWorkerProcess => random.oneOf(cluster.present)

/** Kills a worker; half of the time it is back before its work is given to others. */
async function kill(context: FaultContext, worker: TestWorkerProcess): Promise<string> {
  const { cluster, random, sessionMs, rebalanceDelayMs } = context
  const comesBack = random.below(2) === 0 || !enoughToLoseOne(context)
  const afterMs = random.between(0, sessionMs + rebalanceDelayMs)
  await cluster.end(worker, 'SIGKILL')
  if (!comesBack) return `${worker.id} (pid ${worker.pid}), for good`
  await pause(afterMs)
  await cluster.start(worker.slot)
  return `${worker.id} (pid ${worker.pid}), back after ${afterMs} ms`
}

/** Shorter than the session, shorter than what is waited for, or so long that others have its work. */
function absence({ random, sessionMs, rebalanceDelayMs }: FaultContext): number {
  const givenUpMs = sessionMs + rebalanceDelayMs
  return random.oneOf([
    random.between(200, sessionMs / 2),
    random.between(sessionMs * 1.2, givenUpMs),
    random.between(givenUpMs + 500, givenUpMs + 4000),
  ])
}

const holdOrCut = {
  hold: async (context: FaultContext, worker: TestWorkerProcess): Promise<string> => {
    const forMs = Math.round(absence(context))
    await context.cluster.hold(worker, forMs)
    return `${worker.id} (pid ${worker.pid}) for ${forMs} ms`
  },
  cut: async (context: FaultContext, worker: TestWorkerProcess): Promise<string> => {
    const forMs = Math.round(absence(context))
    const how = context.random.oneOf(['refused', 'silent'] as const)
    await context.cluster.cutOff(worker, how, forMs)
    return `${worker.id} (pid ${worker.pid}), ${how}, for ${forMs} ms`
  },
}

async function restartLog({ cluster, random }: FaultContext): Promise<string> {
  const awayMs = random.oneOf([0, 500, 3000])
  await cluster.log.kill()
  await pause(awayMs)
  await cluster.log.restart()
  return `away for ${awayMs} ms and its start`
}

async function join({ cluster, random }: FaultContext): Promise<string> {
  const worker = await cluster.start(random.oneOf(cluster.freeSlots))
  return `${worker.id} (pid ${worker.pid})`
}

async function leave(context: FaultContext): Promise<string> {
  const worker = anyWorker(context)
  await context.cluster.end(worker, 'SIGTERM')
  return `${worker.id} (pid ${worker.pid})`
}

/** A rolling restart of one: it stops cleanly and comes back. */
async function restart({ cluster }: FaultContext, worker: TestWorkerProcess): Promise<string> {
  await cluster.end(worker, 'SIGTERM')
  await cluster.start(worker.slot)
  return `${worker.id} (pid ${worker.pid})`
}

/** The same with its work moved away first. */
async function drain(context: FaultContext): Promise<string> {
  const worker = anyWorker(context)
  const { status } = await askRest(worker.url, 'PUT', '/admin/drain')
  return `${await restart(context, worker)}, the drain answered ${status}`
}

async function update({ cluster, model, random, flows }: FaultContext): Promise<string> {
  const name = random.oneOf(flows)
  const { config } = model.last(name)
  const change: ConnectorConfig =
    random.below(2) === 0
      ? { 'tasks.max': String(1 + (Number(config!['tasks.max']) % 3)) }
      : { note: `changed ${random.below(1_000_000)}` }
  const { id, url } = random.oneOf(cluster.present)
  await model.update(url, name, { ...config, ...change })
  return `${name} by ${id}: ${JSON.stringify(change)}`
}

async function pauseAndResume({ cluster, model, random, flows }: FaultContext): Promise<string> {
  const name = random.oneOf(flows)
  const action = random.oneOf(['pause', 'stop'] as const)
  const forMs = random.oneOf([0, 100, 2000])
  await model.steer(random.oneOf(cluster.present).url, name, action)
  await pause(forMs)
  // An unanswered call is made again: the next fault expects all to run.
  const resume = async () => model.steer(random.oneOf(cluster.present).url, name, 'resume')
  await until(`${name} to be resumed`, resume, 120_000)
  return `${action} ${name} for ${forMs} ms`
}

async function restartByRest({ cluster, random, flows }: FaultContext): Promise<string> {
  const name = random.oneOf(flows)
  const { url, id } = random.oneOf(cluster.present)
  const { status } = await askRest(url, 'POST', `/connectors/${name}/restart?includeTasks=true&onlyFailed=false`)
  return `${name} by ${id}: ${status}`
}

const faults: readonly Fault[] = [
  {
    name: 'kill a worker',
    isPossible: always,
    run: async (context) => kill(context, anyWorker(context)),
  },
  {
    name: 'kill the leader',
    isPossible: always,
    run: async (context) => kill(context, await context.leader()),
  },
  {
    name: 'hold a worker',
    isPossible: always,
    run: async (context) => holdOrCut.hold(context, anyWorker(context)),
  },
  {
    name: 'hold the leader',
    isPossible: always,
    run: async (context) => holdOrCut.hold(context, await context.leader()),
  },
  {
    name: 'cut a worker off',
    isPossible: always,
    run: async (context) => holdOrCut.cut(context, anyWorker(context)),
  },
  {
    name: 'cut the leader off',
    isPossible: always,
    run: async (context) => holdOrCut.cut(context, await context.leader()),
  },
  { name: 'kill the log', isPossible: always, run: restartLog },
  { name: 'a worker joins', isPossible: ({ cluster }) => cluster.freeSlots.length > 0, run: join },
  { name: 'a worker leaves', isPossible: enoughToLoseOne, run: leave },
  { name: 'a worker restarts', isPossible: always, run: async (context) => restart(context, anyWorker(context)) },
  { name: 'a worker is drained and restarts', isPossible: always, run: drain },
  { name: 'a config changes', isPossible: always, run: update },
  { name: 'pause and resume', isPossible: always, run: pauseAndResume },
  { name: 'restart by REST', isPossible: always, run: restartByRest },
]

/** Deals all faults in a random order, then all again in another, leaving out what is not possible at the moment. */
export class FaultDeck {
  readonly #all: readonly Fault[]
  #cards: Fault[] = []

  /** @param names part of the names of those to be dealt; default: all are */
  constructor(names: readonly string[] = []) {
    this.#all = names.length === 0 ? faults : faults.filter(({ name }) => names.some((part) => name.includes(part)))
    if (this.#all.length === 0)
      throw new Error(`there is no fault ${names.join()}: ${faults.map(({ name }) => name).join()}`)
  }

  next(context: FaultContext): Fault {
    for (;;) {
      if (this.#cards.length === 0) this.#cards = [...this.#all]
      const [fault] = this.#cards.splice(context.random.below(this.#cards.length), 1)
      if (fault!.isPossible(context)) return fault!
    }
  }
}
