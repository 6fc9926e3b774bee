/** What the kill tests of sinks share: a platform and a store that are killed at random, while records go from topics into the store. */
import { expect } from 'vitest'
import { restClient } from './worker.ts'
import { seededRandom } from './random.ts'
import { kafkajs, readTopic, type SeenRecord } from './read-topic.ts'
import { newPlace, startPlatform, type Platform } from './tidewire.ts'
import { until } from './until.ts'

export interface KillableStore {
  kill(): Promise<void>
  restart(): Promise<void>
}

/** A message as the test writes it. */
export interface Message {
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
}

export interface StoreKill {
  readonly random: ReturnType<typeof seededRandom>
  /** Makes a topic. */
  topic(name: string, partitions: number): Promise<void>
  write(topic: string, messages: readonly Message[]): Promise<void>
  /** All that is in the topic. */
  read(topic: string, count: number): Promise<SeenRecord[]>
  deploy(name: string, config: Readonly<Record<string, string>>): Promise<void>
  /** Kills one of both after a while and starts it again; of the store it may be a while later. */
  killOne(whom: 'platform' | 'store'): Promise<void>
  /** Expects all connectors and tasks to run: what was killed under them is no failure. */
  expectRunning(names: readonly string[]): Promise<void>
  close(): Promise<void>
}

export async function storeKill(store: KillableStore, seed: number): Promise<StoreKill> {
  const random = seededRandom(seed)
  const place = await newPlace()
  const args = ['--empty', '--log-level', 'error', '--set', 'offset.flush.interval.ms=500']
  const start = (): Promise<Platform> => startPlatform(place, { args })
  let platform = await start()
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const rest = restClient(platform.rest)
  return {
    random,
    topic: async (topic, numPartitions) => {
      const admin = kafkajs(place.logPort).admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions }] })
      await admin.disconnect()
    },
    write: async (topic, messages) => {
      // A new one each time: the log that the last one knew may have been killed.
      const producer = kafkajs(place.logPort).producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      for (let i = 0; i < messages.length; i += 100) {
        await producer.send({ topic, acks: -1, messages: messages.slice(i, i + 100).map((each) => ({ ...each })) })
      }
      await producer.disconnect()
    },
    read: (topic, count) => readTopic(place.logPort, topic, (records) => records.length >= count, 120_000),
    deploy: (name, config) => rest.deploy(name, config),
    killOne: async (whom) => {
      await pause(random.between(50, 1500))
      if (whom === 'platform') {
        await platform.stop('SIGKILL')
        platform = await start()
      } else {
        await store.kill()
        await pause(random.between(0, 1000))
        await store.restart()
      }
    },
    expectRunning: async (names) => {
      for (const name of names) {
        const status = await until(
          `${name} to run`,
          async () => {
            const seen = await rest.status(name).catch(() => undefined)
            const states = [seen?.connector.state, ...(seen?.tasks ?? []).map(({ state }) => state)]
            const isSettled = states.includes('FAILED') || states.every((state) => state === 'RUNNING')
            return seen !== undefined && seen.tasks.length > 0 && isSettled ? seen : undefined
          },
          120_000,
        )
        expect(status.connector.state, status.connector.trace).toBe('RUNNING')
        for (const { state, trace } of status.tasks) expect(state, trace).toBe('RUNNING')
      }
    },
    close: async () => {
      await platform.stop('SIGKILL')
      await place.remove()
    },
  }
}

/** At least two kills of each, in any order, and more as long as a soak is to last. */
export async function killFor(
  kill: StoreKill,
  seconds: number,
  round: (whom: 'platform' | 'store') => Promise<void>,
): Promise<void> {
  const end = performance.now() + seconds * 1000
  const firsts: ('platform' | 'store')[] =
    kill.random.below(2) === 0 ? ['platform', 'store', 'store', 'platform'] : ['store', 'platform', 'platform', 'store']
  while (firsts.length > 0 || performance.now() < end) {
    await round(firsts.pop() ?? kill.random.oneOf(['platform', 'store']))
  }
}
