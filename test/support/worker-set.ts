/** A log, a folder and any number of workers for the tests of a file; all are gone at the end. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from './broker.ts'
import { until } from './until.ts'
import { testWorker, type TestWorker } from './worker.ts'

type Settings = Readonly<Record<string, string>>

export interface WorkerSet {
  /** A test may close it, and put another in its place. */
  broker: TestBroker
  readonly folder: string
  /** Of the log, from when it is first asked for to the end of the test. */
  readonly client: LogClient
  /** In the order of their start. */
  readonly workers: readonly TestWorker[]
  start(settings?: Settings): Promise<TestWorker>
  /** Before the test ends. */
  stop(worker: TestWorker): Promise<void>
  /** Two workers of one cluster that both know which of them leads. */
  pair(settings?: readonly Settings[]): Promise<{ readonly leader: TestWorker; readonly other: TestWorker }>
}

/**
 * Registers the hooks; workers end with their test.
 * @param sharesLog whether log and folder are for all tests of the file, and not new for each
 * @param defaults of every worker
 */
export function workerSet({
  sharesLog = false,
  defaults = {},
}: { readonly sharesLog?: boolean; readonly defaults?: Settings } = {}): WorkerSet {
  const workers: TestWorker[] = []
  let broker: TestBroker
  let folder: string
  let client: LogClient | undefined
  const open = async (): Promise<void> => {
    broker = await testBroker()
    folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  }
  const close = async (): Promise<void> => {
    await broker.close()
    await rm(folder, { recursive: true, force: true })
  }
  if (sharesLog) {
    beforeAll(open)
    afterAll(close)
  } else {
    beforeEach(open)
    afterEach(close)
  }
  // After hooks run last to first: workers end before their log.
  afterEach(async () => {
    for (const worker of workers.splice(0).reverse()) await worker.close()
    await client?.close()
    client = undefined
  })

  const start: WorkerSet['start'] = async (settings) => {
    const started = await testWorker(broker.address, { ...defaults, ...settings })
    workers.push(started)
    return started
  }
  return {
    get broker() {
      return broker
    },
    set broker(other) {
      broker = other
    },
    get folder() {
      return folder
    },
    get client() {
      return (client ??= createClient({ bootstrapServers: [broker.address], clientId: 'test' }))
    },
    workers,
    start,
    stop: async (worker) => {
      workers.splice(workers.indexOf(worker), 1)
      await worker.close()
    },
    pair: async (settings) => {
      const both = [await start(settings?.[0]), await start(settings?.[1])]
      return until('a leader that both know', () => {
        const leader = both.find(({ herder }) => herder.cluster.leads)
        const other = both.find((each) => each !== leader)
        if (leader === undefined || other === undefined) return undefined
        const isKnown = other.herder.cluster.leaderUrl === leader.herder.cluster.leaderUrl
        return isKnown && leader.herder.cluster.workers.length === 2 ? { leader, other } : undefined
      })
    },
  }
}

/** Settings of a cluster apart from others on the same log. */
export function ownGroup(name: string): Record<string, string> {
  const topics = ['config', 'offset', 'status', 'assignment'].map((kind) => [
    `${kind}.storage.topic`,
    `${name}-${kind}`,
  ])
  return { 'group.id': name, ...(Object.fromEntries(topics) as Record<string, string>) }
}
