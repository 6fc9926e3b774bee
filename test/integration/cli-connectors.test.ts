import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { runTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

// `tidewire connector`, `plugin` and `cluster` against a real worker: what is printed, and how the command ends.

let broker: TestBroker
let worker: TestWorker
let folder: string

beforeAll(async () => {
  broker = await testBroker()
  worker = await testWorker(broker.address)
  folder = join(broker.dataDir, 'files')
  await mkdir(folder)
})
afterAll(async () => {
  await worker.close()
  await broker.close()
})

async function tidewire(args: readonly string[], input?: string) {
  const env = { TIDEWIRE_URL: worker.url, NO_COLOR: '' }
  return runTidewire(args, { env, ...(input === undefined ? {} : { input }) })
}

/** Expects it to succeed, and answers with what it printed as JSON. */
async function json(...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await tidewire([...args, '-o', 'json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

async function connectorFile(name: string, config: Record<string, string>): Promise<string> {
  const path = join(folder, `${name}.json`)
  await writeFile(path, JSON.stringify({ name, config }))
  return path
}

const strings = { 'key.converter': 'string', 'value.converter': 'string' }

const source = (name: string): Record<string, string> => ({
  'connector.class': 'file-source',
  file: join(folder, `${name}.in`),
  topic: name,
  'value.converter': 'string',
})

test('a connector from its creation to its end', async () => {
  const path = await connectorFile('one', source('one'))
  await writeFile(source('one')['file']!, 'a\nb\n')
  const created = await tidewire(['connector', 'create', path, '--set', 'batch.size=1', '--wait'])
  expect(created).toEqual({ code: 0, stdout: 'connector one is created\n', stderr: '' })

  expect(await json('connector', 'list')).toMatchObject([
    { name: 'one', type: 'source', state: 'RUNNING', class: 'file-source', tasks: [{ id: 0, state: 'RUNNING' }] },
  ])
  expect(await json('connector', 'list', '--state', 'failed')).toEqual([])
  expect((await tidewire(['connector', 'list', '--state', 'failed'])).stdout).toMatch(/^no connector is FAILED/)
  expect((await tidewire(['connector', 'list', '--state', 'bogus'])).code).toBe(2)
  const table = await tidewire(['connector', 'list'])
  expect(table.stdout.split('\n')[0]).toMatch(/^NAME +TYPE +STATE +TASKS +WORKER +CLASS$/)
  expect(table.stdout.split('\n')[1]).toMatch(/^one +source +RUNNING +1 RUNNING +\S+ +file-source$/)
  await until('its topic', async () =>
    JSON.stringify(await json('connector', 'describe', 'one')).includes('"topics":["'),
  )
  expect(await json('connector', 'describe', 'one')).toMatchObject({
    name: 'one',
    state: 'RUNNING',
    topics: ['one'],
    config: { 'batch.size': '1' },
  })

  expect((await tidewire(['connector', 'pause', 'one', '--wait'])).code).toBe(0)
  expect((await worker.status('one')).connector.state).toBe('PAUSED')
  const replaced = await tidewire(['connector', 'create', path, '--replace', '--wait', '30'])
  expect(replaced).toEqual({ code: 0, stdout: 'connector one is as given\n', stderr: '' })
  expect((await worker.status('one')).connector.state).toBe('PAUSED')
  expect(await json('connector', 'resume', 'one', '--wait')).toEqual([{ name: 'one', result: 'running' }])
  expect((await tidewire(['connector', 'restart', 'one'])).stdout).toBe('connector one is restarting\n')
  expect((await tidewire(['connector', 'restart', 'one', '--task', '7'])).code).toBe(3)
  expect((await tidewire(['connector', 'stop', 'one', '--wait'])).code).toBe(0)
  expect((await worker.status('one')).connector.state).toBe('STOPPED')
  expect((await tidewire(['connector', 'delete', 'one'])).stdout).toBe('connector one is deleted\n')
  expect(await json('connector', 'list')).toEqual([])
})

test('of several, those that can be are done, and the first failure is the exit code', async () => {
  await worker.deploy('several', source('several'))
  const { code, stdout, stderr } = await tidewire(['connector', 'pause', 'nope', 'several'])
  expect({ code, stdout }).toEqual({ code: 3, stdout: 'connector several is paused\n' })
  expect(stderr).toMatch(/^tidewire: .*nope.*\n$/)
  await worker.ask('DELETE', '/connectors/several')
})

test('describe tells why a task failed', async () => {
  await worker.deploy('feeds-it', { ...source('feeds-it'), topic: 'text' })
  await writeFile(source('feeds-it')['file']!, 'not json\n')
  const sink = {
    'connector.class': 'file-sink',
    topics: 'text',
    file: join(folder, 'x.out'),
    'key.converter': 'string',
  }
  await worker.deploy('failing', sink)
  await until('a failed task', async () => (await worker.status('failing')).tasks[0]?.state === 'FAILED')
  const described = await tidewire(['connector', 'describe', 'failing'])
  expect(described.stdout).toMatch(/\nTask 0: DataError: .*not json.*\n\(all of it: .* --trace\)\n$/)
  expect((await tidewire(['connector', 'describe', 'failing', '--trace'])).stdout).toMatch(/not json.*\n +at /)
  const resumed = await tidewire(['connector', 'resume', 'failing', '--wait'])
  expect(resumed.code).toBe(1)
  expect(resumed.stderr).toMatch(/^tidewire: connector failing failed: DataError: .*\n$/)
  expect((await tidewire(['connector', 'delete', 'failing', 'feeds-it'])).code).toBe(0)
})

test('apply and diff: files decide, twice makes no difference, and nothing is changed where one is wrong', async () => {
  const files = join(folder, 'apply')
  await mkdir(files)
  await writeFile(join(files, 'a.json'), JSON.stringify({ name: 'a', config: source('a') }))
  await writeFile(join(files, 'b.properties'), 'name=b\nconnector.class=file-sink\ntopics=a\nfile=/dev/null\n')
  const before = await tidewire(['connector', 'diff', files])
  expect(before.code).toBe(5)
  expect(before.stdout).toContain('+ a')
  expect(before.stdout).toContain('2 to create')
  expect((await tidewire(['connector', 'apply', files, '--wait'])).stdout).toContain('2 created')
  expect((await tidewire(['connector', 'diff', files])).code).toBe(0)
  expect((await tidewire(['connector', 'apply', files])).stdout).toBe('2 unchanged\n')

  await writeFile(join(files, 'a.json'), JSON.stringify({ name: 'a', config: { ...source('a'), topic: 'a2' } }))
  const changed = await tidewire(['connector', 'apply', files, '--dry-run'])
  expect(changed.stdout).toContain('~ a\n    topic: a → a2')

  await writeFile(join(files, 'c.json'), JSON.stringify({ name: 'c', config: { 'connector.class': 'file-source' } }))
  const wrong = await tidewire(['connector', 'apply', files])
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('file')
  expect(await json('connector', 'describe', 'a')).toMatchObject({ config: { topic: 'a' } })

  const gone = await tidewire(['connector', 'apply', join(files, 'a.json'), '--delete', '-o', 'json'])
  expect(JSON.parse(gone.stdout)).toMatchObject({
    connectors: { a: { action: 'update' }, b: { action: 'delete' } },
  })

  const paused = join(files, 'paused.json')
  const begins = (topic: string) => ({ name: 'p', config: { ...source('p'), topic }, initial_state: 'PAUSED' })
  await writeFile(paused, JSON.stringify(begins('p')))
  expect(await tidewire(['connector', 'apply', paused, '--wait'])).toMatchObject({ code: 0, stderr: '' })
  expect((await worker.status('p')).connector.state).toBe('PAUSED')
  // For what is new alone: one that runs goes on, one that is stopped stays so, with its new config.
  expect((await tidewire(['connector', 'resume', 'p', '--wait'])).code).toBe(0)
  expect((await tidewire(['connector', 'apply', paused])).stdout).toBe('1 unchanged\n')
  expect((await worker.status('p')).connector.state).toBe('RUNNING')
  expect((await tidewire(['connector', 'stop', 'p', '--wait'])).code).toBe(0)
  await writeFile(paused, JSON.stringify(begins('p2')))
  expect((await tidewire(['connector', 'apply', paused, '--wait'])).stdout).toContain('topic: p → p2')
  expect((await worker.status('p')).connector.state).toBe('STOPPED')
  expect((await tidewire(['connector', 'delete', 'a', 'p'])).code).toBe(0)
})

test('edit sends what was changed in an editor, and a secret that was left alone stays', async () => {
  await worker.deploy('edited', {
    ...source('edited'),
    'batch.size': '7',
    'producer.override.sasl.jaas.config': 'S3CRET',
  })
  const edit = async (script: string, ...more: readonly string[]) => {
    const env = { TIDEWIRE_URL: worker.url, VISUAL: `node -e '${script}'` }
    return runTidewire(['connector', 'edit', 'edited', ...more], { env })
  }
  const write = (change: string) =>
    `const fs = require("node:fs"), file = process.argv[1], c = JSON.parse(fs.readFileSync(file)); ${change}; fs.writeFileSync(file, JSON.stringify(c))`
  expect(await edit('')).toEqual({ code: 0, stdout: 'connector edited is unchanged\n', stderr: '' })
  expect(
    await edit(write('if (JSON.stringify(c).includes("S3CRET")) throw 1; c.topic = "two"; delete c["batch.size"]')),
  ).toEqual({
    code: 0,
    stdout: 'connector edited is updated\n',
    stderr: '',
  })
  expect(await json('connector', 'describe', 'edited')).toMatchObject({ config: { topic: 'two' } })
  const stored = worker.herder.views.storedConfig('edited')!
  expect(stored).toMatchObject({ 'producer.override.sasl.jaas.config': 'S3CRET' })
  expect(stored).not.toHaveProperty('batch.size')

  const refused = await edit(write('c["batch.size"] = "many"'))
  expect(refused.code).toBe(1)
  const kept = /what you wrote is in (\S+):/.exec(refused.stderr)![1]!
  expect(await readFile(kept, 'utf8')).toContain('many')
  await rm(dirname(kept), { recursive: true })
  expect((await edit('process.exit(3)')).stderr).toMatch(/^tidewire: the editor .* failed, and nothing is changed/)
  expect((await tidewire(['connector', 'edit', 'nobody'])).code).toBe(3)
  const file = JSON.stringify({ name: 'piped', config: source('piped') })
  expect((await tidewire(['connector', 'create', '-', '--wait'], file)).code).toBe(0)
  expect((await tidewire(['connector', 'delete', 'edited', 'piped'])).code).toBe(0)
})

test('validate and preview', async () => {
  await writeFile(source('seen')['file']!, 'first\nsecond\n')
  const good = await connectorFile('seen', source('seen'))
  expect((await tidewire(['connector', 'validate', good])).stdout).toBe(`${good} is fine\n`)
  const wrong = await connectorFile('wrong', { ...source('wrong'), 'batch.size': 'many' })
  const refused = await tidewire(['connector', 'validate', wrong])
  expect(refused.code).toBe(1)
  expect(refused.stdout).toMatch(/batch\.size +.*many/)

  const sink = { 'connector.class': 'file-sink', topics: 'x', file: join(good, 'below-a-file') }
  const untried = await connectorFile('untried', sink)
  expect((await tidewire(['connector', 'validate', untried])).code).toBe(0)
  const tried = await tidewire(['connector', 'validate', untried, '--deep'])
  expect(tried.code).toBe(1)
  expect(tried.stdout).toMatch(/^file +.*below-a-file/m)

  const preview = await tidewire(['connector', 'preview', '-', '--limit', '2'], await readFile(good, 'utf8'))
  expect(preview.stdout).toContain('second')
  expect(preview.stdout).toContain('2 records: as many as asked for')
  expect(await json('connector', 'list')).toEqual([])
})

test('dead letters are listed, put back, and the outcome is the exit code', async () => {
  await worker.deploy('raw', { ...source('raw'), topic: 'letters' })
  await writeFile(source('raw')['file']!, '{"n": 1}\nnot json\n')
  const out = join(folder, 'letters.out')
  const sink = {
    'connector.class': 'file-sink',
    topics: 'letters',
    file: out,
    'key.converter': 'string',
    'value.converter': 'json',
    'value.converter.schemas.enable': 'false',
    'errors.tolerance': 'all',
    'errors.deadletterqueue.topic.name': 'dead',
    'errors.deadletterqueue.context.headers.enable': 'true',
  }
  await worker.deploy('strict', sink)
  const letters = async () => {
    const answer = await tidewire(['connector', 'dlq', 'list', 'strict', '-o', 'json'])
    return answer.code === 0 && (JSON.parse(answer.stdout) as { letters: { offset: number }[] }).letters
  }
  expect(await until('a dead letter', async () => ((await letters()) || []).length === 1 && letters())).toMatchObject([
    { partition: 0, offset: 0, stage: 'VALUE_CONVERTER', redriven: false },
  ])
  expect((await tidewire(['connector', 'dlq', 'list', 'strict'])).stdout).toMatch(/0:0 .* VALUE_CONVERTER .*not json/)

  const rejected = await tidewire(['connector', 'dlq', 'redrive', 'strict', '--letter', '0:0'])
  expect(rejected.code).toBe(1)
  expect(rejected.stdout).toMatch(/^0:0 {2}rejected {2}VALUE_CONVERTER: /)

  await worker.deploy('strict', { ...sink, 'value.converter': 'string' })
  const back = await tidewire(['connector', 'dlq', 'redrive', 'strict', '-o', 'json', '--letter', '0:0'])
  const lines = back.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  expect(lines).toMatchObject([{ outcome: 'delivered' }, { done: true }])
  await until('the letter in the file', async () => (await readFile(out, 'utf8')).includes('not json'))
  expect((await tidewire(['connector', 'dlq', 'redrive', 'strict', '--letter', 'x'])).code).toBe(2)
  expect((await tidewire(['connector', 'dlq', 'list', 'raw'])).code).toBe(3)
  await tidewire(['connector', 'delete', 'raw', 'strict'])
})

test('offsets of a source and of a sink: shown, set back, begun anew', async () => {
  await writeFile(source('far')['file']!, 'a\nb\nc\n')
  await worker.deploy('far', source('far'))
  const sink = { 'connector.class': 'file-sink', topics: 'far', file: join(folder, 'far.out'), ...strings }
  await worker.deploy('far-out', sink)
  const written = async () => readFile(join(folder, 'far.out'), 'utf8').catch(() => '')
  await until('the lines', async () => (await written()) === 'a\nb\nc\n')
  const offsetsOf = async (name: string) => (await tidewire(['connector', 'offsets', 'get', name, '-o', 'json'])).stdout
  await until('a committed offset', async () => (await offsetsOf('far-out')).includes('"kafka_offset"'))
  const shown = await tidewire(['connector', 'offsets', 'get', 'far-out'])
  expect(shown.stdout).toMatch(/^TOPIC +PARTITION +OFFSET\nfar +0 +\d+\n$/)

  const running = await tidewire(['connector', 'offsets', 'reset', 'far-out'])
  expect(running.code).toBe(1)
  expect(running.stderr).toContain('STOPPED')
  const set = await tidewire(['connector', 'offsets', 'set', 'far-out', '--from', '1', '--topic', 'far', '--stop'])
  expect(set).toMatchObject({ code: 0, stderr: '' })
  await until('two lines again', async () => (await written()) === 'a\nb\nc\nb\nc\n')

  const before = await offsetsOf('far')
  expect(JSON.parse(before)).toMatchObject({ offsets: [{ partition: { filename: source('far')['file'] } }] })
  const reset = await tidewire(['connector', 'offsets', 'reset', 'far', '--stop'])
  expect(reset).toMatchObject({ code: 0, stderr: '' })
  await until('all lines again', async () => (await written()).endsWith('a\nb\nc\n') && (await written()).length > 12)
  expect((await tidewire(['connector', 'stop', 'far', '--wait'])).code).toBe(0)
  expect((await tidewire(['connector', 'offsets', 'set', 'far', '-'], before)).code).toBe(0)
  expect(JSON.parse(await offsetsOf('far'))).toEqual(JSON.parse(before))
  expect((await tidewire(['connector', 'offsets', 'set', 'far'])).code).toBe(2)
  await tidewire(['connector', 'delete', 'far', 'far-out'])
})

test('plugins: a list, and the settings of one', async () => {
  expect(await json('plugin', 'list')).toContainEqual(expect.objectContaining({ name: 'file-source', type: 'source' }))
  expect(await json('plugin', 'list', '--all')).toContainEqual(expect.objectContaining({ name: 'json' }))
  const own = (await json('plugin', 'describe', 'FileStreamSource')) as { name: string }[]
  expect(own.map(({ name }) => name)).toEqual(['file', 'topic', 'batch.size', 'poll.interval.ms'])
  const table = await tidewire(['plugin', 'describe', 'file-source', '--all'])
  expect(table.stdout).toMatch(/^errors\.tolerance +string +none +medium/m)
  expect((await tidewire(['plugin', 'describe', 'nope'])).code).toBe(3)
})

test('the cluster', async () => {
  expect(await json('cluster', 'workers')).toMatchObject([{ url: worker.url, leader: true, draining: false }])
})

test('what is wrong with the command line, or with the address, has exit codes of its own', async () => {
  const usage = await tidewire(['connector', 'list', '--outptu', 'json'])
  expect(usage.code).toBe(2)
  expect(usage.stderr).toContain("unknown option '--outptu'")
  expect((await tidewire(['connector', 'create', '--set', 'x'])).code).toBe(2)
  expect((await tidewire(['connector', 'create', 'x.json', '--replace', '--initial-state', 'PAUSED'])).code).toBe(2)
  expect((await tidewire(['connector'])).code).toBe(2)
  expect((await tidewire(['connector', 'create', join(folder, 'none.json')])).code).toBe(3)
  const nobody = await tidewire(['connector', 'list', '--url', 'http://127.0.0.1:1'])
  expect(nobody.code).toBe(4)
  expect(nobody.stderr).toMatch(/^tidewire: no worker answers at http:\/\/127\.0\.0\.1:1 .*tidewire start.*\n$/)
})
