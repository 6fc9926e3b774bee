import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newPlace, runTidewire, startPlatform, type Place } from '../support/tidewire.ts'

// What a user gets wrong on the command line is answered with one clear line and exit code 1.

let place: Place & { remove: () => Promise<void> }
beforeEach(async () => {
  place = await newPlace()
})
afterEach(async () => place.remove())

const flags = () => [
  ...['--data-dir', place.dataDir, '--log-port', String(place.logPort)],
  ...['--rest-port', String(place.restPort), '--mqtt-port', String(place.mqttPort)],
]

async function refused(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stderr, stdout } = await runTidewire(args, { env })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  return stderr
}

test.each(['logPort', 'restPort', 'mqttPort'] as const)('a taken port is named: %s', async (which) => {
  const port = place[which]
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  try {
    const line = await refused(['start', ...flags()])
    expect(line).toContain(String(port))
    expect(line).toContain('in use')
  } finally {
    other.close()
  }
})

test('a data directory in use by another process is named', async () => {
  const first = await startPlatform(place, { args: ['--empty'] })
  const second = await newPlace()
  try {
    const line = await refused([
      ...['start', '--data-dir', place.dataDir, '--log-port', String(second.logPort)],
      ...['--rest-port', String(second.restPort), '--mqtt-port', String(second.mqttPort)],
    ])
    expect(line).toContain(place.dataDir)
    expect(line).toContain('in use')
  } finally {
    await first.stop()
    await second.remove()
  }
})

test('an unreadable config file is named, with the reason', async () => {
  const missing = join(place.dataDir, 'none.json')
  expect(await refused(['start', ...flags(), '--config', missing])).toContain(missing)
  const broken = join(place.dataDir, 'broken.json')
  await writeFile(broken, '{"log.port": ')
  expect(await refused(['start', ...flags(), '--config', broken])).toContain('not JSON')
  const folder = join(place.dataDir, 'folder.json')
  await mkdir(folder)
  expect(await refused(['start', ...flags(), '--config', folder])).toContain(folder)
})

test('an unknown setting is answered with the nearest one', async () => {
  const file = join(place.dataDir, 'typo.json')
  await writeFile(file, '{"log.prot": 9092}')
  expect(await refused(['start', ...flags(), '--config', file])).toContain('did you mean log.port')
})

test('a wrong value is answered with what was expected', async () => {
  expect(await refused(['start', ...flags(), '--mqtt-port', 'many'])).toMatch(/mqtt\.port.*many|many.*mqtt\.port/)
  expect(await refused(['start', ...flags()], { TIDEWIRE_OFFSET_FLUSH_INTERVAL_MS: 'soon' })).toContain(
    'offset.flush.interval.ms',
  )
})

test.skipIf(process.platform !== 'linux')('a data directory that cannot be made is named', async () => {
  expect(await refused(['start', ...flags(), '--data-dir', '/proc/no/such'])).toMatch(
    /^tidewire: The data directory \/proc\/no\/such\/log cannot be made: .*'\/proc\/no'$/m,
  )
})

test('a data directory that is a file is named', async () => {
  const file = join(place.dataDir, 'plain-file')
  await writeFile(file, '')
  expect(await refused(['start', ...flags(), '--data-dir', file])).toContain(file)
})
