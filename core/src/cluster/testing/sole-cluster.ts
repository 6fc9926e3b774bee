/** A cluster of one worker, which leads it and has all the work, for tests of what stands on a cluster. */
import type { LogClient } from '../../client/client.ts'
import type { Cluster, ClusterListener, ClusterWorker, LeaderWriter } from '../cluster.ts'
import { NotLeaderError } from '../cluster.ts'
import { hrtimeMs } from '../lease.ts'
import { outRecord } from '../topic-log.ts'
import { connectorOf, taskOf, unitKey } from '../unit-key.ts'

export interface SoleClusterOptions {
  /** What the writer writes with: without transactions. */
  readonly client: LogClient
  readonly workerId?: string
  readonly url?: string
}

export interface SoleCluster extends Cluster {
  /** What the worker was told to have released, in order. */
  readonly releases: readonly number[]
  /** Makes it cease to lead, or lead again. */
  setLeads(leads: boolean, leaderUrl?: string): void
  /** Takes these connectors away, with their tasks, for another worker; or gives them back. */
  setElsewhere(connectors: readonly string[], url?: string): void
}

/** All that `work` names is this worker's by the time that `start`, or a turn of the loop after `workChanged`, is over. */
export function soleCluster({
  client,
  workerId = '127.0.0.1:8083',
  url = 'http://127.0.0.1:8083',
}: SoleClusterOptions): SoleCluster {
  const lease = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  const releases: number[] = []
  let listener: ClusterListener | undefined
  let generation = 0
  let leads = false
  let leaderUrl: string | undefined
  let owned = new Set<string>()
  let elsewhere = new Map<string, string>()
  let isDraining = false

  const decide = (tell: boolean): void => {
    const before = owned
    const keys = [...(listener?.work() ?? [])].map(({ connector, task }) => unitKey(connector, task))
    owned = new Set(keys.filter((key) => !isDraining && !elsewhere.has(connectorOf(key))))
    const changed = new Set([...owned, ...before].filter((key) => owned.has(key) !== before.has(key)).map(connectorOf))
    if (changed.size === 0 && generation > 0) return
    generation++
    if (tell) listener?.assigned(changed)
  }
  const lead = async (): Promise<void> => {
    leads = true
    leaderUrl = url
    await listener?.leadershipChanged(true)
  }
  const writer: LeaderWriter = {
    write: async (topic, records) => {
      if (!leads) throw new NotLeaderError('this worker does not lead the cluster', leaderUrl)
      const producer = client.producer()
      const { failures, offsets } = await producer.produce(records.map((record) => outRecord(topic, record)))
      await producer.close()
      if (failures[0] !== undefined) throw failures[0].error
      return offsets[0]?.offset ?? -1
    },
  }
  return {
    releases,
    lease,
    writer,
    get generation() {
      return generation
    },
    get leads() {
      return leads
    },
    get leaderUrl() {
      return leaderUrl
    },
    get workers(): readonly ClusterWorker[] {
      const tasks = [...owned].filter((key) => taskOf(key) !== undefined).length
      return [{ workerId, url, draining: isDraining, connectors: owned.size - tasks, tasks }]
    },
    start: async (told) => {
      listener = told
      new Float64Array(lease)[0] = hrtimeMs() + 86_400_000
      await lead()
      decide(false)
    },
    ownsConnector: (connector) => owned.has(unitKey(connector)),
    ownsTask: (connector, task) => owned.has(unitKey(connector, task)),
    ownerUrl: (connector, task) => elsewhere.get(connector) ?? (owned.has(unitKey(connector, task)) ? url : undefined),
    workChanged: () => {
      queueMicrotask(() => {
        if (leads) decide(true)
      })
    },
    released: (upTo) => {
      releases.push(upTo)
    },
    refresh: async () => Promise.resolve(),
    drain: async () => {
      isDraining = true
      decide(true)
      await Promise.resolve()
    },
    close: async () => Promise.resolve(),
    setLeads: (now, otherUrl) => {
      leads = now
      leaderUrl = now ? url : otherUrl
      if (now) void lead().then(() => decide(true))
      else void listener?.leadershipChanged(false)
    },
    setElsewhere: (connectors, otherUrl = 'http://127.0.0.2:8083') => {
      elsewhere = new Map(connectors.map((connector) => [connector, otherUrl]))
      decide(true)
    },
  }
}
