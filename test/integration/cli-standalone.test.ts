import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { runTidewire, startTidewire, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { restClient, testWorker } from '../support/worker.ts'

// `tidewire standalone` with files as connect-standalone takes them.

let broker: TestBroker
let settings: string
let source: string
let sink: string

const path = (name: string): string => join(broker.dataDir, name)
const written = async (): Promise<string> => readFile(path('out.txt'), 'utf8').catch(() => '')

beforeAll(async () => {
  broker = await testBroker()
  settings = path('standalone.properties')
  source = path('source.properties')
  sink = path('sink.json')
  await writeFile(
    settings,
    [
      `bootstrap.servers=${broker.address}`,
      'listeners=http://127.0.0.1:0',
      'key.converter=org.apache.kafka.connect.storage.StringConverter',
      'value.converter=org.apache.kafka.connect.storage.StringConverter',
      'offset.storage.file.filename=/tmp/connect.offsets',
      'offset.flush.interval.ms=200',
    ].join('\n'),
  )
  await writeFile(source, `name=in\nconnector.class=FileStreamSource\nfile=${path('in.txt')}\ntopic=lines\n`)
  const config = { 'connector.class': 'FileStreamSink', topics: 'lines', file: path('out.txt') }
  await writeFile(sink, JSON.stringify({ name: 'out', config }))
})
afterAll(async () => broker.close())

async function standalone(
  ...args: readonly string[]
): Promise<Running & ReturnType<typeof restClient> & { readonly url: string }> {
  const running = await startTidewire(['standalone', settings, ...args])
  const url = /on (http:\S+)\. Ctrl/.exec(running.output().stdout)![1]!
  return { ...running, ...restClient(url), url }
}

test('runs what its files say, goes on where it was, and is changed by its files alone', async () => {
  await writeFile(path('in.txt'), 'a\nb\n')
  const first = await standalone(source, sink)
  await until('the lines', async () => (await written()) === 'a\nb\n')
  expect(first.output().stderr).toContain('offset.storage.file.filename has no effect')

  const change = { 'connector.class': 'file-source', file: 'x', topic: 'x' }
  for (const [method, at, body] of [
    ['POST', '/connectors', { name: 'more', config: change }],
    ['PUT', '/connectors', { more: change }],
    ['PUT', '/connectors/in/config', change],
    ['PATCH', '/connectors/in/config', { file: 'x' }],
    ['PUT', '/connectors/in/pause', undefined],
    ['PUT', '/connectors/in/stop', undefined],
    ['DELETE', '/connectors/in', undefined],
    ['DELETE', '/connectors/in/offsets', undefined],
    ['PUT', '/admin/drain', undefined],
  ] as const) {
    const answer = await first.ask(method, at, body)
    // A path that is not there is none that could change anything.
    expect([403, 404], `${method} ${at}`).toContain(answer.status)
    if (at !== '/connectors/in/offsets')
      expect(answer.body).toMatchObject({ message: expect.stringContaining('files') })
  }
  expect((await first.ask('GET', '/connectors')).body).toEqual(['in', 'out'])
  expect((await first.ask('POST', '/connectors/in/restart')).status).toBe(204)
  expect(await first.stop()).toBe(0)

  // Offsets are in the log: nothing comes twice. What no file names any more stands still.
  await appendFile(path('in.txt'), 'c\n')
  const second = await standalone(sink)
  await second.reaches('in', 'STOPPED')
  await second.reaches('out', 'RUNNING', 1)
  expect(await second.stop()).toBe(0)

  const third = await standalone(source, sink)
  await until('the new line', async () => (await written()).endsWith('c\n'))
  expect(await written()).toBe('a\nb\nc\n')
  expect(await third.stop()).toBe(0)

  // Where it is asked to, it takes what connect-standalone's REST takes; the files decide again at the next start.
  const fourth = await standalone('--rest-writes', source, sink)
  const reset = await runTidewire(['connector', 'offsets', 'reset', 'in', '--stop', '--url', fourth.url])
  expect(reset).toMatchObject({ code: 0, stderr: '' })
  await until('all lines again', async () => (await written()) === 'a\nb\nc\na\nb\nc\n')
  expect((await fourth.ask('PUT', '/connectors/out/stop')).status).toBe(204)
  await fourth.reaches('out', 'STOPPED')
  expect(await fourth.stop()).toBe(0)
  const fifth = await standalone(source, sink)
  await fifth.reaches('out', 'RUNNING', 1)
  expect(await fifth.stop()).toBe(0)
})

test('the example in config runs as its first lines say', async () => {
  const root = resolve(import.meta.dirname, '../..')
  const cwd = path('example')
  await mkdir(cwd)
  await writeFile(join(cwd, 'README.md'), '# of the test\n')
  const command = /npm run tidewire -- (standalone .*)/.exec(
    await readFile(join(root, 'config/standalone.properties'), 'utf8'),
  )![1]!
  const args = command.split(' ').map((word) => (word.startsWith('config/') ? join(root, word) : word))
  // Beside the other tests of this file, on a log whose address is not the default.
  const apart = ['group.id', 'config.storage.topic', 'offset.storage.topic', 'status.storage.topic'].map(
    (name) => `${name}=example-${name}`,
  )
  const settings = [`bootstrap.servers=${broker.address}`, 'listeners=http://127.0.0.1:0', ...apart]
  const example = await startTidewire([...args, ...settings.flatMap((setting) => ['--set', setting])], { cwd })
  const copied = async () => readFile(join(cwd, 'data/lines.txt'), 'utf8').catch(() => '')
  await until('the lines of README.md', async () => (await copied()).includes('# of the test\n'))
  expect(await example.stop()).toBe(0)
})

test('a wrong config ends it, with its file and what is wrong', async () => {
  const wrong = path('wrong.json')
  await writeFile(wrong, JSON.stringify({ name: 'wrong', config: { 'connector.class': 'FileStreamSource' } }))
  const { code, stdout, stderr } = await runTidewire(['standalone', settings, wrong])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`tidewire: ${wrong}: connector wrong: `)
  expect(stderr).toMatch(/Missing required configuration/)
})

test('it is alone: where another worker has its group, it does not begin', async () => {
  const groupId = 'connect-standalone'
  const topics = Object.fromEntries(
    ['config', 'offset', 'status', 'assignment'].map((kind) => [
      `${kind}.storage.topic`,
      `${groupId}-${kind === 'status' ? kind : `${kind}s`}`,
    ]),
  )
  const other = await testWorker(broker.address, { 'group.id': groupId, ...topics })
  const { code, stderr } = await runTidewire(['standalone', settings, source])
  expect(code).toBe(1)
  expect(stderr).toContain(`has group.id ${groupId} too`)
  await other.close()
})
