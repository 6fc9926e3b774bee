/** Creates, changes and deletes connectors, one after another, by whatever worker comes; each answer is remembered. */
import type { ConnectorsModel } from './connectors-model.ts'
import type { Random } from '../support/random.ts'
import { pause, type TestCluster } from './test-cluster.ts'

export interface RestLoad {
  /** Waits for the answer that is still due. */
  quiet(): Promise<void>
  resume(): void
  stop(): Promise<void>
}

const pauseMs = 150

/** @param names the connectors it may touch: nobody else does */
export function startRestLoad(
  cluster: TestCluster,
  model: ConnectorsModel,
  names: readonly string[],
  random: Random,
): RestLoad {
  let running = true
  let stopped = false
  let number = 0
  const work = async (): Promise<void> => {
    while (!stopped) {
      if (running && cluster.present.length > 0) await write()
      await pause(pauseMs)
    }
  }
  let underWay: Promise<unknown> = Promise.resolve()
  const write = async (): Promise<void> => {
    const name = random.oneOf(names)
    const { url } = random.oneOf(cluster.present)
    const config = {
      'connector.class': 'counted-source',
      topic: 'idle',
      rate: '0',
      'source.partitions': '3',
      'tasks.max': String(random.between(1, 2)),
      journal: `${cluster.folder}/journal`,
      note: `write ${++number}`,
    }
    const there = model.last(name).config !== undefined
    if (!there) underWay = model.create(url, name, config)
    else if (random.below(4) === 0) underWay = model.remove(url, name)
    else underWay = model.update(url, name, config)
    await underWay
  }
  const working = work()
  return {
    quiet: async () => {
      running = false
      await underWay
    },
    resume: () => {
      running = true
    },
    stop: async () => {
      stopped = true
      await working
    },
  }
}
