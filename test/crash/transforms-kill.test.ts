import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { readTopic } from '../support/read-topic.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// What transforms drop counts as delivered, and nothing else does: a source and a sink with transforms, killed again and
// again, lose nothing of what is left, and the source gives none of it twice.

const kills = Number(process.env['TIDEWIRE_KILLS'] ?? 4)
const end = 20_000
const plugins = ['countable', 'shaping'].map((name) => join(import.meta.dirname, '../fixtures/plugins', name))
const env = { TIDEWIRE_PLUGIN_PATH: plugins.join(','), TIDEWIRE_OFFSET_FLUSH_INTERVAL_MS: '100' }
let place: Place & { remove: () => Promise<void> }
let platform: Platform

beforeAll(async () => {
  place = await newPlace()
  platform = await startPlatform(place, { args: ['--empty'], env })
})

afterAll(async () => {
  await platform.stop()
  await place.remove()
})

async function deploy(name: string, config: Readonly<Record<string, string>>): Promise<void> {
  const { status, body } = await askRest(platform.rest, 'PUT', `/connectors/${name}/config`, { body: config })
  expect([status, body]).toEqual([201, expect.anything()])
}

/** Multiples of `step` below the end. */
const multiples = (step: number): string[] => Array.from({ length: Math.ceil(end / step) }, (_, i) => String(i * step))

test(`after ${kills} kills what the transforms left is all there, from the source once`, async () => {
  const file = join(place.dataDir, 'out.txt')
  const written = (): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
  const strings = { 'key.converter': 'string', 'value.converter': 'string' }
  await deploy('numbers', {
    'connector.class': 'counting',
    topic: 'numbers',
    end: String(end),
    'batch.size': '20',
    'pause.ms': '2',
    'exactly.once.support': 'required',
    ...strings,
    transforms: 'some,away',
    'transforms.some.type': 'sieve',
    'transforms.some.keep': '3',
    'transforms.away.type': 'route',
    'transforms.away.topic': 'thirds',
  })
  await deploy('out', {
    'connector.class': 'lines',
    file,
    topics: 'thirds',
    ...strings,
    transforms: 'some,later',
    'transforms.some.type': 'sieve',
    'transforms.some.keep': '6',
    'transforms.later.type': 'suffix',
    'transforms.later.text': '!',
  })
  for (let kill = 0; kill < kills; kill++) {
    const before = written().length
    await until('more to be written', () => written().length > before || written().includes(`${end - 2}!`))
    await platform.stop('SIGKILL')
    platform = await startPlatform(place, { args: ['--empty'], env })
  }
  const all = multiples(3)
  const records = await readTopic(
    place.logPort,
    'thirds',
    (seen) => seen.some(({ value }) => value === all.at(-1)),
    60_000,
  )
  expect(records.map(({ value }) => value)).toEqual(all)
  const wanted = multiples(6).map((value) => `${value}!`)
  await until('the last to be written', () => written().includes(wanted.at(-1)!))
  expect([...new Set(written())]).toEqual(wanted)
  await until('the source’s offset at its end', async () => {
    const { body } = await askRest(platform.rest, 'GET', '/connectors/numbers/offsets', {})
    return JSON.stringify(body).includes(`"next":${end}`)
  })
})
