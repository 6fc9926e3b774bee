/** What holds of a cluster of workers on any log: who comes, goes, vanishes or is cut off, and what becomes of the work. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { NotLeaderError } from '../../core/src/cluster/cluster.ts'
import { readAll, uniqueName } from './client-topics.ts'
import type { KillableLog } from './killable-log.ts'
import { ToyCluster, type ToyWorker } from './toy-worker.ts'
import { until } from './until.ts'

export function describeCluster(name: string, startLog: () => Promise<KillableLog>): void {
  describe(`the cluster on ${name}`, () => {
    let log: KillableLog
    let client: LogClient
    let toys: ToyCluster
    let serial = 8000

    beforeAll(async () => {
      log = await startLog()
      client = createClient({ bootstrapServers: [log.address], clientId: 'test' })
    })
    afterAll(async () => {
      await client.close()
      await log.close()
    })
    beforeEach(async () => {
      const topic = uniqueName('assignments')
      const config = { 'cleanup.policy': 'compact' }
      await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config }])
      toys = new ToyCluster({ address: log.address, groupId: uniqueName('workers'), topic })
    })
    afterEach(async () => {
      await toys.close()
      expect(toys.overlaps).toEqual([])
    })

    const startWorkers = async (count: number): Promise<ToyWorker[]> => {
      const workers: ToyWorker[] = []
      for (let i = 0; i < count; i++) workers.push(await toys.start(`127.0.0.1:${serial++}`))
      return workers
    }
    const placed = (workers: readonly ToyWorker[]): Promise<unknown> =>
      until('all tasks run, in balance', () => toys.isPlaced(workers))
    const leaderOf = (workers: readonly ToyWorker[]): ToyWorker => workers.find(({ cluster }) => cluster.leads)!
    const lengths = (workers: readonly ToyWorker[]): number[] => workers.map(({ journal }) => journal.length)

    test('a worker that joins takes its share, one that leaves gives it back, and the rest goes on', async () => {
      toys.addTasks('a', 12)
      const [first, second] = (await startWorkers(2)) as [ToyWorker, ToyWorker]
      await placed([first, second])
      const before = lengths([first, second])
      const [third] = (await startWorkers(1)) as [ToyWorker]
      await placed([first, second, third])
      // Two tasks each, and the connector perhaps: nothing was begun anew.
      const news = [first, second].flatMap(({ journal }, i) => journal.slice(before[i]))
      expect(news.every((entry) => entry.startsWith('stop'))).toBe(true)
      expect(news.length).toBeLessThanOrEqual(5)

      const after = lengths([first, second])
      await third.leave()
      await placed([first, second])
      for (const [i, { journal }] of [first, second].entries()) {
        expect(journal.slice(after[i]).every((entry) => entry.startsWith('start'))).toBe(true)
      }
      expect(first.cluster.workers.map(({ workerId }) => workerId)).not.toContain(third.workerId)
    })

    test('a leader that leaves hands over before it goes, and another one leads', async () => {
      toys.addTasks('a', 6)
      const workers = await startWorkers(3)
      await placed(workers)
      const leader = leaderOf(workers)
      const rest = workers.filter((worker) => worker !== leader)
      await leader.leave()
      await placed(rest)
      await until('another leads', () => rest.some(({ cluster }) => cluster.leads))
      toys.addTasks('b', 6)
      await placed(rest)
    })

    test('a drained worker has nothing left, and gets nothing more', async () => {
      toys.addTasks('a', 6)
      const [first, second] = (await startWorkers(2)) as [ToyWorker, ToyWorker]
      await placed([first, second])
      await second.cluster.drain()
      expect([...second.running.keys()]).toEqual([])
      toys.addTasks('b', 3)
      await placed([first])
      expect([...second.running.keys()]).toEqual([])
    })

    test('a worker that is cut off is waited for; in time, it goes on with what it had; too late, others have it', async () => {
      toys.addTasks('a', 9)
      const workers = await startWorkers(3)
      await placed(workers)
      const cutOff = workers.find(({ cluster }) => !cluster.leads)!
      const rest = workers.filter((worker) => worker !== cutOff)
      const isAway = (): boolean =>
        rest.every(({ cluster }) =>
          cluster.workers.some((each) => each.workerId === cutOff.workerId && each.awayUntil !== undefined),
        )
      const journals = lengths(workers)
      cutOff.cut()
      await until('the others know', isAway)
      cutOff.heal()
      await placed(workers)
      expect(lengths(workers)).toEqual(journals)

      cutOff.cut()
      await until('the others know', isAway)
      await placed(rest)
      const { generation } = rest[0]!.cluster
      cutOff.heal()
      await placed(workers)
      // Others were further by then, even with what came back to it.
      expect(cutOff.running.values().toArray()).not.toEqual([])
      expect(
        cutOff.running
          .values()
          .filter((began) => began <= generation)
          .toArray(),
      ).toEqual([])
    })

    test('a leader that is cut off is deposed: what it writes is refused', async () => {
      toys.addTasks('a', 6)
      const workers = await startWorkers(3)
      await placed(workers)
      const leader = leaderOf(workers)
      const rest = workers.filter((worker) => worker !== leader)
      leader.cut()
      const late = leader.cluster.writer.write(toys.options.topic, [{ key: 'late', value: '{}' }])
      late.catch(() => undefined)
      await until('another leads', () => rest.some(({ cluster }) => cluster.leads))
      leader.heal()
      await expect(late).rejects.toThrow(NotLeaderError)
      await placed(workers)
      expect(workers.filter(({ cluster }) => cluster.leads)).toHaveLength(1)
      const keys = (await readAll(client, toys.options.topic)).map(({ key }) => String(key))
      expect(keys).not.toContain('late')
    })

    test('a leader that is killed and comes back at once takes its place, with what it had', async () => {
      toys.addTasks('a', 6)
      const workers = await startWorkers(3)
      await placed(workers)
      const leader = leaderOf(workers)
      const rest = workers.filter((worker) => worker !== leader)
      const had = [...leader.running.keys()].sort()
      const journals = lengths(rest)
      await leader.kill()
      const again = await toys.start(leader.workerId)
      await placed([...rest, again])
      expect([...again.running.keys()].sort()).toEqual(had)
      expect(lengths(rest)).toEqual(journals)
      toys.addTasks('b', 3)
      await placed([...rest, again])
    })

    test('the log is killed and comes back: no task stops for it', async () => {
      toys.addTasks('a', 6)
      const workers = await startWorkers(3)
      await placed(workers)
      const journals = lengths(workers)
      await log.kill()
      await log.restart()
      await placed(workers)
      expect(lengths(workers)).toEqual(journals)
      toys.addTasks('b', 3)
      await placed(workers)
    })

    test('two workers of one name: the first is told what to do about it', async () => {
      const [first] = (await startWorkers(1)) as [ToyWorker]
      const second = await toys.start(first.workerId)
      const error = await until('the first knows', () => first.fatal)
      expect(error.message).toContain(`'${first.workerId}'`)
      expect(error.message).toContain('rest.advertised.host.name')
      toys.addTasks('a', 2)
      await placed([second])
    })

    test('a group of something else is not joined', async () => {
      const consumer = client.groupConsumer({
        groupId: toys.options.groupId,
        topics: [toys.options.topic],
        onAssign: () => undefined,
        onLost: () => undefined,
        onRevoke: () => undefined,
      })
      await until('the consumer is in', async () => {
        await consumer.poll({ maxWaitMs: 50 })
        return consumer.assignment().length > 0
      })
      await expect(startWorkers(1)).rejects.toThrow('set another group.id')
      await consumer.close()
    })
  })
}
