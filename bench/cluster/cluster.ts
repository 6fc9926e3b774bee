/**
 * Many connectors of one idle task each in one cluster: how long a cold start takes, and a rebalance when a worker joins
 * or dies, what REST answers meanwhile, and what an idle task costs in memory. Kafka Connect in the same run, with the
 * same connectors: as many of them as it starts in a time that can be waited for.
 *
 *     node bench/cluster/cluster.ts [connectors] [connectors beside Kafka Connect] [--write]
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../../test/support/broker.ts'
import { startKafka, startTidewire, type Server } from '../log/servers.ts'
import { report, table } from '../support/report.ts'
import { connectWorkers, tidewireWorkers, type WorkerKind } from '../../test/support/worker-processes.ts'
import { BenchCluster } from './bench-cluster.ts'

const [many = 1000, few = 100] = process.argv
  .slice(2)
  .flatMap((argument) => (/^\d+$/.test(argument) ? [Number(argument)] : []))
const folder = await temporaryFolder()
const input = join(folder, 'empty.txt')
await writeFile(input, '')

const ms = (value: number): string => value.toFixed(0)

/** One cluster from nothing: deployed, started cold, grown to so many workers, and one of them killed. */
async function measure(kind: WorkerKind, server: Server, connectors: number, workers: number): Promise<string[]> {
  const cluster = new BenchCluster(kind, server.address, input)
  const first = await cluster.join()
  const emptyMiB = await cluster.memoryMiB()
  const deployMs = await cluster.deploy(connectors)
  const perTaskKiB = (((await cluster.memoryMiB()) - emptyMiB) * 1024) / connectors
  await cluster.stopAll()
  const begun = performance.now()
  await cluster.join()
  const coldMs = (await cluster.settled(begun)).ms
  const joins: string[] = []
  const rest = cluster.watchRest()
  for (let size = 2; size <= workers; size++) {
    const joining = performance.now()
    const { startMs } = await cluster.join()
    const { ms: joinMs, moved } = await cluster.settled(joining)
    joins.push(`${ms(joinMs - startMs)} (${moved})`)
  }
  const dying = performance.now()
  await cluster.killOne()
  const { ms: deathMs } = await cluster.settled(dying)
  const { statusP99, listP99 } = await rest.stop()
  await cluster.stopAll()
  return [
    `${kind.name} on ${server.name}`,
    String(connectors),
    ms(first.startMs),
    ms(deployMs),
    ms(coldMs),
    joins.join(', '),
    ms(deathMs),
    ms(statusP99),
    ms(listP99),
    ms(emptyMiB),
    perTaskKiB.toFixed(0),
  ]
}

const rows: string[][] = []
const bundled = await startTidewire()
rows.push(await measure(tidewireWorkers, bundled, many, 4))
rows.push(await measure(tidewireWorkers, bundled, few, 2))
await bundled.close()
const kafka = await startKafka()
rows.push(await measure(tidewireWorkers, kafka, few, 2))
rows.push(await measure(connectWorkers, kafka, few, 2))
await kafka.close()
await report(
  'cluster',
  `npm run bench:cluster -- ${many} ${few}`,
  `FileStreamSource connectors of one task on an empty file. session.timeout.ms=10000 and scheduled.rebalance.max.delay.ms=1000, which are
part of the time after a death; Kafka Connect with plugin.discovery=service_load. A cold start is from the start of one worker's process until all tasks
run; a join from when the new worker answers until every worker has its share and all run; REST as seen while workers join and die.\n\n` +
    table(
      [
        'workers',
        'connectors',
        'start of an empty worker, ms',
        'deployment, ms',
        'cold start, ms',
        'each join, ms (tasks moved)',
        'a death, ms',
        'status p99, ms',
        'list p99, ms',
        'empty worker, MiB',
        'idle task, KiB',
      ],
      rows,
    ),
)
process.exit(0)
