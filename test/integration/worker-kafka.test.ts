/** The same worker, unchanged, on Apache Kafka. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaMissing, testKafka, type TestKafka } from '../support/kafka.ts'
import { kafkajs } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import { testWorker } from '../support/worker.ts'

const missing = await kafkaMissing()

describe.skipIf(missing !== undefined)(`worker on Apache Kafka ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let folder: string
  // Names of its own, for a Kafka that others use too.
  const run = crypto.randomUUID().slice(0, 8)
  const settings = {
    'group.id': `connect-${run}`,
    'config.storage.topic': `configs-${run}`,
    'offset.storage.topic': `offsets-${run}`,
    'status.storage.topic': `status-${run}`,
  }

  beforeAll(async () => {
    kafka = await testKafka()
    folder = await mkdtemp(join(tmpdir(), 'tidewire-worker-'))
  })
  afterAll(async () => {
    await kafka.close()
    await rm(folder, { recursive: true })
  })

  test('makes its topics compacted, runs a pipeline, and goes on after a restart', async () => {
    const input = join(folder, 'in.txt')
    const output = join(folder, 'out.txt')
    await writeFile(input, 'a\nb\n')
    const first = await testWorker(kafka.address, settings)
    const topic = `lines-${run}`
    await first.deploy('in', { 'connector.class': 'file-source', file: input, topic, 'value.converter': 'string' })
    await first.deploy('out', {
      'connector.class': 'file-sink',
      file: output,
      topics: topic,
      'value.converter': 'string',
    })
    const written = () => readFile(output, 'utf8').catch(() => '')
    await until('two lines', async () => (await written()) === 'a\nb\n')
    await first.ask('PUT', '/connectors/in/stop')
    await first.reaches('in', 'STOPPED')
    await first.close()

    const second = await testWorker(kafka.address, settings)
    await second.reaches('out', 'RUNNING', 1)
    expect((await second.status('in')).connector.state).toBe('STOPPED')
    await second.ask('PUT', '/connectors/in/resume')
    await second.reaches('in', 'RUNNING', 1)
    await writeFile(input, 'a\nb\nc\n')
    await until('three lines', async () => (await written()) === 'a\nb\nc\n')
    await second.close()

    const admin = kafkajs(Number(kafka.address.split(':')[1])).admin()
    await admin.connect()
    const names = [settings['config.storage.topic'], settings['offset.storage.topic'], settings['status.storage.topic']]
    const { topics } = await admin.fetchTopicMetadata({ topics: names })
    expect(Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))).toEqual({
      [names[0]!]: 1,
      [names[1]!]: 25,
      [names[2]!]: 5,
    })
    await admin.disconnect()
  })
})
