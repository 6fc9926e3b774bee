/** The command line on a worker of Kafka Connect and on Apache Kafka: what these have, it shows and changes there too. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectWorkers, type WorkerProcess } from '../support/worker-processes.ts'
import { kafkaMissing, testKafka, type TestKafka } from '../support/kafka.ts'
import { runTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const missing = await kafkaMissing()

describe.skipIf(missing !== undefined)(
  `the command line and Kafka Connect${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const name = `cli-${process.pid}`
    let folder: string
    let kafka: TestKafka
    let connect: WorkerProcess

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'cli-connect-'))
      kafka = await testKafka()
      connect = await connectWorkers.start({ address: kafka.address, groupId: name })
    }, 400_000)
    afterAll(async () => {
      await connect.kill()
      await kafka.close()
      await rm(folder, { recursive: true, force: true })
    })

    async function tidewire(...args: readonly string[]) {
      return runTidewire(args, { env: { TIDEWIRE_URL: connect.url, TIDEWIRE_BOOTSTRAP: kafka.address } })
    }
    async function json(...args: readonly string[]): Promise<unknown> {
      const { code, stdout, stderr } = await tidewire(...args, '-o', 'json')
      expect(code, stderr).toBe(0)
      return JSON.parse(stdout)
    }

    test('a source and a sink, their topic and their group', async () => {
      expect((await tidewire('topic', 'create', name, '--partitions', '1')).code).toBe(0)
      const input = join(folder, 'in.txt')
      await writeFile(input, 'one\ntwo\n')
      const source = join(folder, 'source.properties')
      await writeFile(source, `name=${name}-in\nconnector.class=FileStreamSource\nfile=${input}\ntopic=${name}\n`)
      const sink = join(folder, 'sink.json')
      const config = { 'connector.class': 'FileStreamSink', topics: name, file: join(folder, 'out.txt') }
      await writeFile(sink, JSON.stringify({ name: `${name}-out`, config }))

      expect((await tidewire('connector', 'validate', source)).stdout).toBe(`${source} is fine\n`)
      expect((await tidewire('connector', 'create', source, '--wait')).code).toBe(0)
      expect((await tidewire('connector', 'create', sink, '--wait')).code).toBe(0)
      expect(await json('connector', 'list')).toMatchObject([
        { name: `${name}-in`, type: 'source', state: 'RUNNING' },
        { name: `${name}-out`, type: 'sink', state: 'RUNNING' },
      ])
      await until('records', async () => (await tidewire('topic', 'tail', name, '--values')).stdout === 'one\ntwo\n')
      await until('no lag', async () =>
        (await tidewire('group', 'lag', `connect-${name}-out`)).stdout.includes(' lag 0'),
      )
      expect(await json('connector', 'describe', `${name}-in`)).toMatchObject({ topics: [name] })

      expect((await tidewire('connector', 'pause', `${name}-in`, '--wait')).code).toBe(0)
      expect((await tidewire('connector', 'offsets', 'reset', `${name}-in`, '--stop')).stdout).toContain(
        'have been reset',
      )
      expect(await json('connector', 'offsets', 'get', `${name}-in`)).toEqual({ offsets: [] })
      expect((await tidewire('connector', 'restart', `${name}-out`, '--only-failed')).code).toBe(0)
      expect((await tidewire('connector', 'delete', `${name}-in`, `${name}-out`)).code).toBe(0)
    })

    test('plugins, which have no short names there', async () => {
      const list = await tidewire('plugin', 'list')
      expect(list.stdout).toMatch(/^– +source +\S+ +org\.apache\.kafka\.connect\.file\.FileStreamSourceConnector$/m)
      expect((await tidewire('plugin', 'describe', 'FileStreamSource')).stdout).toMatch(/^topic +string +required/m)
    })

    test('what only a worker of ours has is said in one line', async () => {
      const file = join(folder, 'source.properties')
      for (const args of [
        ['connector', 'diff', file],
        ['connector', 'preview', file],
        ['cluster', 'workers'],
      ]) {
        const { code, stderr } = await tidewire(...args)
        expect(code).toBeGreaterThan(0)
        expect(stderr).toMatch(/^tidewire: the worker at \S+ lacks this call \(HTTP 40[45] .*\n$/)
      }
    })
  },
)
