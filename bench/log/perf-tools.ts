/** Apache Kafka's own load generators, each run in a Java process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaToolLibs } from '../../test/support/kafka.ts'

const run = promisify(execFile)

/** As Kafka's own scripts set them. */
const JAVA = ['-Xmx256M', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']

export interface Load {
  readonly address: string
  readonly topic: string
  readonly records: number
}

export interface Produced {
  readonly recordsPerSecond: number
  /** From send() to the acknowledgement, the wait in the producer's own buffer included. */
  readonly p99Ms: number
}

export async function produce(load: Load, recordBytes: number, acks: string): Promise<Produced> {
  const output = await tool('ProducerPerformance', load, [
    ...['--record-size', String(recordBytes), '--throughput', '-1', '--command-property', `acks=${acks}`],
  ])
  const figures = /([\d.]+) records\/sec .* (\d+) ms 99th/.exec(output.trim().split('\n').at(-1)!)
  if (figures === null) throw new Error(`ProducerPerformance printed: ${output}`)
  return { recordsPerSecond: Number(figures[1]), p99Ms: Number(figures[2]) }
}

/** Records a second while fetching, without the time it took to join the group. */
export async function consume(load: Load): Promise<number> {
  const output = await tool('ConsumerPerformance', load, ['--timeout', '60000'])
  const columns = output.trim().split('\n').at(-1)!.split(', ')
  if (Number(columns[4]) < load.records) throw new Error(`ConsumerPerformance printed: ${output}`)
  return Number(columns[9])
}

async function tool(name: string, { address, topic, records }: Load, more: readonly string[]): Promise<string> {
  const classpath = ['-cp', join(await kafkaToolLibs(), '*'), `org.apache.kafka.tools.${name}`]
  const load = ['--bootstrap-server', address, '--topic', topic, '--num-records', String(records)]
  const { stdout } = await run('java', [...JAVA, ...classpath, ...load, ...more], {
    timeout: 600_000,
    maxBuffer: 16 * 2 ** 20,
  })
  return stdout
}
