/** The whole platform, as a user meets it: configs that cannot work, plugins that come, change and break, and what each verb of REST does. */
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { readTopic } from '../support/read-topic.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

interface Status {
  readonly connector: { readonly state: string; readonly trace?: string }
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[]
}
interface Plugin {
  readonly class: string
  readonly name: string
  readonly version?: string
  readonly error?: string
}

const fixtures = resolve(import.meta.dirname, '../fixtures/plugins')

let place: Place & { remove: () => Promise<void> }
let folder: string
let platform: Platform | undefined
beforeEach(async () => {
  place = await newPlace()
  folder = await mkdtemp(join(tmpdir(), 'tidewire-plugins-'))
  platform = undefined
})
afterEach(async () => {
  await platform?.stop('SIGKILL')
  await place.remove()
  await rm(folder, { recursive: true, force: true })
})

async function start(pluginPath?: string): Promise<void> {
  const plugins = pluginPath === undefined ? [] : ['--set', `plugin.path=${pluginPath}`]
  platform = await startPlatform(place, { args: ['--empty', ...plugins] })
}

const ask = async (method: string, path: string, body?: unknown) => askRest(platform!.rest, method, path, { body })

const messageOf = (answer: { body: unknown }) => (answer.body as { message: string }).message
const status = async (name: string) => (await ask('GET', `/connectors/${name}/status`)).body as Status
const plugins = async () => (await ask('GET', '/connector-plugins')).body as Plugin[]

async function deploy(name: string, config: Record<string, string>): Promise<void> {
  expect(await ask('POST', '/connectors', { name, config })).toMatchObject({ status: 201 })
  await running(name)
}

async function running(name: string): Promise<void> {
  await reaches(name, ({ connector, tasks }) => [connector, ...tasks].every(({ state }) => state === 'RUNNING'), 1)
}

async function reaches(name: string, holds: (status: Status) => boolean, tasks: number): Promise<void> {
  await until(`the state of ${name}`, async () => {
    const seen = await status(name)
    return seen.tasks.length === tasks && holds(seen)
  })
}

const lineSource = (file: string) => ({
  'connector.class': 'file-source',
  file,
  topic: 'lines',
  'value.converter': 'string',
})

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`)
const asText = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')

const tickOf = (value: string) => JSON.parse(value) as { n: number; changed?: true }

/** What the topic holds once its last line is there: a record too many, too few or out of place shows. */
async function linesUpTo(last: string): Promise<string[]> {
  const records = await readTopic(place.logPort, 'lines', (seen) => seen.some(({ value }) => value === last))
  return records.map(({ value }) => value)
}

test('a config that cannot work is refused with every field and its reason, and leaves nothing behind', async () => {
  await start()
  const before = (await ask('GET', '/connectors')).body

  const several = await ask('POST', '/connectors', {
    name: 'wrong',
    config: { 'connector.class': 'file-source', 'tasks.max': '0', 'batch.size': 'many', topic: 'lines' },
  })
  expect(several.status).toBe(400)
  expect(several.body).toMatchObject({ error_code: 400 })
  expect(messageOf(several)).toContain('contains the following 3 error(s)')
  expect(messageOf(several)).toContain('Missing required configuration "file"')
  expect(messageOf(several)).toContain('Invalid value many for configuration batch.size')
  expect(messageOf(several)).toContain('Invalid value 0 for configuration tasks.max')

  const unknown = await ask('PUT', '/connectors/wrong/config', { 'connector.class': 'file-sorce', topic: 'lines' })
  expect(unknown.status).toBe(400)
  expect(messageOf(unknown)).toContain('file-sorce')
  expect(messageOf(unknown)).toContain('file-source')

  const unsupported = await ask('PUT', '/connectors/wrong/config', {
    'connector.class': 'datagen-source',
    'kafka.topic': 'readings',
    'schema.filename': 'readings.avsc',
  })
  expect(unsupported.status).toBe(400)
  expect(messageOf(unsupported)).toContain('schema.filename')

  expect((await ask('GET', '/connectors')).body).toEqual(before)
  expect((await ask('GET', '/connectors/wrong')).status).toBe(404)
})

test('broken plugins are listed with the reason; the rest of the platform goes on', async () => {
  await start(fixtures)
  const input = join(folder, 'in.txt')
  await writeFile(input, 'first\n')
  await deploy('lines', lineSource(input))

  const listed = await plugins()
  const reasons = new Map(
    listed.flatMap((plugin) => (plugin.error === undefined ? [] : [[plugin.class, plugin.error]])),
  )
  expect([...reasons.keys()].sort()).toEqual([
    'exits-on-import',
    'hangs-on-import',
    'no-default-export',
    'syntax-error',
    'throws-on-import',
  ])
  expect(listed.map(({ class: name }) => name)).toContain('org.apache.kafka.connect.file.FileStreamSourceConnector')
  expect(reasons.get('throws-on-import')).toContain('this plugin throws when it is imported')
  expect(reasons.get('exits-on-import')).toMatch(/exit/)
  expect(reasons.get('hangs-on-import')).toBe('did not load within 10 s')
  expect(reasons.get('syntax-error')).toMatch(/^Unexpected end of input; node --check .*index\.js shows where$/)
  expect(reasons.get('no-default-export')).toMatch(/default/)

  const refused = await ask('PUT', '/connectors/x/config', { 'connector.class': 'throws-on-import' })
  expect(refused.status).toBe(400)
  expect(messageOf(refused)).toContain('this plugin throws when it is imported')

  await appendFile(input, 'second\n')
  expect(await linesUpTo('second')).toEqual(['first', 'second'])
  await deploy('ticks', { 'connector.class': 'ticker', topic: 'ticks', 'interval.ms': '10' })
  await readTopic(place.logPort, 'ticks', (seen) => seen.length >= 3)
})

test('a plugin that is added while the platform runs can be used; a changed one, after a restart of its connector', async () => {
  const path = join(folder, 'plugins')
  await mkdir(path)
  await start(path)
  const config = { 'connector.class': 'ticker', topic: 'ticks', 'interval.ms': '10' }
  expect(await ask('PUT', '/connectors/ticks/config', config)).toMatchObject({ status: 400 })

  await cp(join(fixtures, 'ticker'), join(path, 'ticker'), { recursive: true })
  await deploy('ticks', config)
  const before = await readTopic(place.logPort, 'ticks', (seen) => seen.length >= 3)
  expect(before.slice(0, 2).map(({ value }) => tickOf(value))).toEqual([{ n: 1 }, { n: 2 }])

  const source = await readFile(join(fixtures, 'ticker/index.js'), 'utf8')
  await writeFile(
    join(path, 'ticker/index.js'),
    source.replace('value: { n }', 'value: { n, changed: true }').replace("version: '1.0.0'", "version: '1.0.1'"),
  )
  expect((await plugins()).find(({ name }) => name === 'ticker')?.version).toBe('1.0.1')
  expect((await ask('POST', '/connectors/ticks/restart?includeTasks=true')).status).toBe(202)
  const all = await readTopic(place.logPort, 'ticks', (seen) => tickOf(seen.at(-1)!.value).changed === true)
  const ticks = all.map(({ value }) => tickOf(value))
  // The count goes on from the stored offset, without a gap or a repetition where the code changed.
  expect(ticks.map(({ n }) => n)).toEqual(ticks.map((_, i) => i + 1))
  expect(ticks.findIndex(({ changed }) => changed)).toBeGreaterThan(0)

  // Broken by a later edit: what runs goes on, and the list tells.
  await writeFile(join(path, 'ticker/index.js'), 'export default {')
  await until('the reason in the list', async () => (await plugins()).some(({ error }) => error !== undefined))
  expect((await status('ticks')).tasks[0]!.state).toBe('RUNNING')
})

test('pause, resume, stop, restart and delete do what they say, and no line is lost or doubled', async () => {
  await start()
  const input = join(folder, 'in.txt')
  const marker = join(folder, 'marker.txt')
  const add = async (from: number, to: number) => appendFile(input, asText(numbers(from, to)))
  await add(0, 100)
  await deploy('lines', lineSource(input))
  expect(await linesUpTo('line 99')).toEqual(numbers(0, 100))

  expect((await ask('PUT', '/connectors/lines/pause')).status).toBe(202)
  await reaches('lines', ({ tasks }) => tasks[0]!.state === 'PAUSED', 1)
  await add(100, 200)
  // Another connector reads and writes meanwhile: the paused one had its time, and gave nothing.
  await writeFile(marker, 'marker 1\n')
  await deploy('markers', lineSource(marker))
  expect(await linesUpTo('marker 1')).toEqual([...numbers(0, 100), 'marker 1'])

  expect((await ask('PUT', '/connectors/lines/resume')).status).toBe(202)
  expect(await linesUpTo('line 199')).toEqual([...numbers(0, 100), 'marker 1', ...numbers(100, 200)])

  expect((await ask('PUT', '/connectors/lines/stop')).status).toBe(204)
  await reaches('lines', ({ connector }) => connector.state === 'STOPPED', 0)
  await add(200, 300)
  await appendFile(marker, 'marker 2\n')
  expect((await linesUpTo('marker 2')).at(-1)).toBe('marker 2')

  expect((await ask('PUT', '/connectors/lines/resume')).status).toBe(202)
  await linesUpTo('line 299')
  for (let round = 3; round < 6; round++) {
    await add(round * 100, round * 100 + 50)
    expect((await ask('POST', '/connectors/lines/restart?includeTasks=true')).status).toBe(202)
    await add(round * 100 + 50, round * 100 + 100)
    await running('lines')
  }
  const isLine = (value: string) => value.startsWith('line')
  expect((await linesUpTo('line 599')).filter(isLine)).toEqual(numbers(0, 600))

  expect((await ask('DELETE', '/connectors/lines')).status).toBe(204)
  expect((await ask('GET', '/connectors/lines/status')).status).toBe(404)
  await add(600, 700)
  await appendFile(marker, 'marker 3\n')
  expect((await linesUpTo('marker 3')).at(-1)).toBe('marker 3')
})

test('connectors and their states outlive a restart and a kill of the platform', async () => {
  await start()
  const [first, second] = [join(folder, 'first.txt'), join(folder, 'second.txt')]
  await writeFile(first, asText(numbers(0, 1000)))
  await writeFile(second, 'never read\n')
  await deploy('lines', lineSource(first))
  await deploy('paused', { ...lineSource(join(folder, 'none')), topic: 'others' })
  await ask('PUT', '/connectors/paused/pause')
  await ask('POST', '/connectors', { name: 'stopped', initial_state: 'STOPPED', config: lineSource(second) })
  await linesUpTo('line 999')
  const configs = (await ask('GET', '/connectors?expand=info')).body

  for (const [round, signal] of (['SIGTERM', 'SIGKILL', 'SIGKILL'] as const).entries()) {
    await platform!.stop(signal)
    await appendFile(first, asText(numbers((round + 1) * 1000, (round + 2) * 1000)))
    await start()
    // Everything is there as it was, without a word from the user; task configs come a moment later.
    await running('lines')
    await reaches('paused', ({ tasks }) => tasks[0]!.state === 'PAUSED', 1)
    await reaches('stopped', ({ connector }) => connector.state === 'STOPPED', 0)
    expect((await ask('GET', '/connectors?expand=info')).body).toEqual(configs)
    expect(await linesUpTo(`line ${(round + 2) * 1000 - 1}`)).toEqual(numbers(0, (round + 2) * 1000))
  }
})
