import { mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigProviders, type ProviderSpec } from '../config/config-providers.ts'
import { ReferenceWatch } from './reference-watch.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

let folder: string
const ends: (() => void)[] = []
const running: Fixture[] = []
const specs: ProviderSpec[] = [
  { name: 'file', kind: 'file' },
  { name: 'dir', kind: 'directory' },
  { name: 'env', kind: 'env' },
]
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'tidewire-watch-'))))
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await Promise.all(running.splice(0).map(({ herder }) => herder.close()))
  await rm(folder, { recursive: true })
})

const intervalMs = 5
const path = (name: string) => join(folder, name)
const write = (name: string, text: string) => writeFile(path(name), text)
/** Counts what is noticed of a config. */
async function watched(watch: ReferenceWatch, config: Record<string, string>): Promise<{ count: number }> {
  const noticed = { count: 0 }
  ends.push(await watch.watch(config, () => noticed.count++))
  return noticed
}

describe('a watch', () => {
  test('notices other values, in properties files, in directories and behind links; each only once', async () => {
    await write('db.properties', 'password=one\nother=1\n')
    await write('token-1', 'one')
    await symlink(path('token-1'), path('token'))
    const watch = new ReferenceWatch({ providers: new ConfigProviders(specs), intervalMs })
    const file = await watched(watch, { password: `\${file:${folder}/db.properties:password}` })
    const dir = await watched(watch, { password: `a\${dir:${folder}:token}b` })
    const none = await watched(watch, {
      password: `\${file:${folder}/db.properties:password}`,
      'config.action.reload': 'NONE',
    })
    await write('db.properties', 'password=two\nother=1\n')
    await until(() => file.count === 1)
    await write('token-2', 'two')
    await symlink(path('token-2'), path('next'))
    await rename(path('next'), path('token'))
    await until(() => dir.count === 1)
    // Another key of the file is nobody's business, nor is a time.
    await write('db.properties', 'password=two\nother=2\n')
    await utimes(path('db.properties'), 1, 1)
    await write('db.properties', 'password=three\nother=2\n')
    await until(() => file.count === 2)
    expect([file.count, dir.count, none.count]).toEqual([2, 1, 0])
  })

  test('waits for a file that is gone, or that lacks the key, and takes what comes then', async () => {
    const watch = new ReferenceWatch({ providers: new ConfigProviders(specs), intervalMs })
    const config = { password: `\${file:${folder}/late.properties:password}` }
    const late = await watched(watch, config)
    await write('late.properties', 'password=one\n')
    await until(() => late.count === 1)
    const again = await watched(watch, config)
    await rm(path('late.properties'))
    await write('late.properties', 'user=x\n')
    await write('late.properties', 'user=x\npassword=two\n')
    await until(() => late.count === 2 && again.count === 1)
  })

  test('reads again what could not be read, though the file has not changed since', async () => {
    await write('db.properties', 'password=one\n')
    let failures = 0
    class Failing extends ConfigProviders {
      override async resolve(config: Record<string, string>) {
        const resolved = await super.resolve(config)
        const isFailing = resolved.config['password'] === 'two' && failures++ === 0
        return isFailing ? { ...resolved, errors: { password: ['too many open files'] } } : resolved
      }
    }
    const watch = new ReferenceWatch({ providers: new Failing(specs), intervalMs })
    const seen = await watched(watch, { password: `\${file:${folder}/db.properties:password}` })
    await write('db.properties', 'password=two\n')
    await until(() => seen.count === 1)
    expect(failures).toBe(2)
  })

  test('that has ended notices nothing', async () => {
    await write('db.properties', 'password=one\n')
    const watch = new ReferenceWatch({ providers: new ConfigProviders(specs), intervalMs })
    const config = { password: `\${file:${folder}/db.properties:password}` }
    let count = 0
    const end = await watch.watch(config, () => count++)
    // Looked at after it.
    const other = await watched(watch, config)
    end()
    await write('db.properties', 'password=two\n')
    await until(() => other.count === 1)
    expect(count).toBe(0)
  })
})

describe('a worker', () => {
  async function start(): Promise<Fixture> {
    const fixture = await startHerder(new MemoryLog(), { configProviders: specs, referenceIntervalMs: intervalMs })
    running.push(fixture)
    return fixture
  }
  const source = (more: Record<string, string> = {}) => ({
    'connector.class': 'test-source',
    url: 'tcp://x',
    password: `\${file:${folder}/db.properties:password}`,
    'tasks.max': '2',
    ...more,
  })
  const states = ({ herder }: Fixture) => herder.views.status('a').tasks.map(({ state }) => state)

  test('restarts a connector and its tasks, and no others', async () => {
    await write('db.properties', 'password=one\n')
    const fixture = await start()
    const { herder, runner } = fixture
    const reference = source().password
    runner.plan = async (_, max) =>
      Array.from({ length: max }, (_, i) => ({ part: String(i), password: reference, url: 'tcp://x' }))
    await herder.writes.putConfig('a', source())
    await herder.writes.putConfig('b', source({ 'config.action.reload': 'none', 'tasks.max': '1' }))
    await until(() => runner.running.size === 3 && states(fixture).every((state) => state === 'RUNNING'))
    await until(() => herder.views.status('a').connector.state === 'RUNNING')
    runner.calls.length = 0
    await write('db.properties', 'password=two\n')
    await until(() => ['plan a', 'start a-0', 'start a-1'].every((call) => runner.calls.includes(call)))
    expect(runner.calls.toSorted()).toEqual(['plan a', 'start a-0', 'start a-1', 'stop a-0', 'stop a-1'])
    await until(() => states(fixture).every((state) => state === 'RUNNING'))
  })

  test('starts a task that has failed anew when its secret has come', async () => {
    await write('db.properties', 'password=wrong\n')
    const fixture = await start()
    const { herder, runner } = fixture
    runner.plan = async () => [{ password: source().password, url: 'tcp://x' }]
    await herder.writes.putConfig('a', source())
    await until(() => runner.running.has('a-0'))
    runner.tell('a-0', 'FAILED', 'login refused')
    await write('db.properties', 'password=right\n')
    await until(() => states(fixture)[0] === 'RUNNING')
  })
})
