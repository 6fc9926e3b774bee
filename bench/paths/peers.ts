/**
 * Lines of a file into a topic and out of a topic into a file, by a whole worker each: ours on the bundled log, ours on
 * Apache Kafka, and Kafka Connect with its FileStream connectors on that same Kafka. The configs are the same, word for word.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '../../core/src/client/log-client.ts'
import { startKafka, startTidewire, type Server } from '../log/servers.ts'
import { digest } from '../support/digest.ts'
import { cpuSeconds } from '../support/process-tree.ts'
import { report, table } from '../support/report.ts'
import {
  connectWorkers,
  tidewireWorkers,
  type WorkerProcess,
  type WorkerKind,
} from '../../test/support/worker-processes.ts'

const connectorPackage = 'org.apache.kafka.connect.file'

/** @param input the file of `count` lines */
export async function comparePaths(input: string, count: number, folder: string): Promise<void> {
  const rows: string[][] = []
  const bundled = await startTidewire()
  rows.push(...(await runOn(bundled, tidewireWorkers, input, count, folder)))
  await bundled.close()
  const kafka = await startKafka()
  rows.push(...(await runOn(kafka, tidewireWorkers, input, count, folder)))
  rows.push(...(await runOn(kafka, connectWorkers, input, count, folder)))
  await kafka.close()
  await report(
    'paths-peers',
    `npm run bench:paths -- --peer ${count}`,
    `${count.toLocaleString('en')} lines of 100 bytes, one task, one topic partition, from the POST on.\n\n` +
      table(['path', 'worker', 'log', 'records/s', 'worker, CPU s/million', 'log, CPU s/million'], rows),
  )
}

async function runOn(
  server: Server,
  kind: WorkerKind,
  input: string,
  count: number,
  folder: string,
): Promise<string[][]> {
  const client = createClient({ bootstrapServers: [server.address], clientId: 'bench' })
  const { size } = await stat(input)
  const rows: string[][] = []
  const measure = async (
    worker: WorkerProcess,
    path: string,
    config: Record<string, string>,
    done: () => Promise<boolean>,
  ) => {
    const name = `${config['connector.class']!.split('.').at(-1)!}-${crypto.randomUUID()}`
    const cpu = [cpuSeconds(worker.pid), cpuSeconds(server.pid())] as const
    const begun = performance.now()
    const answer = await fetch(`${worker.url}/connectors`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, config: { ...config, 'tasks.max': '1' } }),
    })
    if (answer.status !== 201) throw new Error(`${kind.name} answers ${answer.status}: ${await answer.text()}`)
    while (!(await done())) await new Promise((again) => setTimeout(again, 10))
    const seconds = (performance.now() - begun) / 1000
    const perMillion = (from: number, to: number): string => (((to - from) * 1e6) / count).toFixed(1)
    rows.push([
      path,
      kind.name,
      server.name,
      Math.round(count / seconds).toLocaleString('en'),
      perMillion(cpu[0], cpuSeconds(worker.pid)),
      perMillion(cpu[1], cpuSeconds(server.pid())),
    ])
    await fetch(`${worker.url}/connectors/${name}`, { method: 'DELETE' })
  }
  for (const support of ['disabled', 'enabled'] as const) {
    const groupId = `${kind === connectWorkers ? 'connect' : 'tidewire'}-${support}`
    const worker = await kind.start({
      address: server.address,
      groupId,
      settings: { 'exactly.once.source.support': support },
    })
    const topic = `${groupId}-lines`
    await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
    const source = { 'connector.class': `${connectorPackage}.FileStreamSourceConnector`, file: input, topic }
    const promise = support === 'enabled' ? 'exactly once' : 'at least once'
    await measure(worker, `file → topic, ${promise}`, source, async () => {
      const [end] = await client.admin.offsets([{ topic, partition: 0 }], 'latest')
      return end!.offset >= count
    })
    if (support === 'disabled' || kind === tidewireWorkers) {
      const file = join(folder, `${server.name}-${groupId}.txt`)
      const sink = { 'connector.class': `${connectorPackage}.FileStreamSinkConnector`, file, topics: topic }
      const once = support === 'enabled' ? { 'exactly.once': 'true' } : {}
      await measure(worker, `topic → file, ${promise}`, { ...sink, ...once }, async () => {
        return (await stat(file).catch(() => ({ size: 0 }))).size >= size
      })
      if ((await digest(file)) !== (await digest(input))) throw new Error(`${file} is not what went in`)
    }
    await worker.kill()
  }
  await client.close()
  return rows
}
