import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import type { TryEnd } from './errand-messages.ts'
import { ErrandRunner } from './errand-runner.ts'
import type { TaskSpec } from './task-spec.ts'
import { hostSettings } from './testing/host-settings.ts'

const noLog = 'data:text/javascript,export const createClient = () => undefined'
let folder: string
let runner: ErrandRunner
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-errand-'))
  runner = new ErrandRunner({ ...hostSettings, clientModule: noLog }, silentLogger)
})
afterEach(async () => {
  await runner.close()
  await rm(folder, { recursive: true })
})

/** Has a connector try whose `tryOut` is this. */
async function tryOut(body: string, timeoutMs: number, head = ''): Promise<TryEnd> {
  const module = join(folder, 'index.mjs')
  const source = `${head}
    export default { name: 'p', version: '1', connectors: [{
      name: 'c', type: 'source', doc: '', config: {}, tasks: () => [{}], read() {}, tryOut: async (_, { signal }) => { ${body} },
    }] }`
  await writeFile(module, source)
  const plugin = { module: pathToFileURL(module).href, name: 'c', version: '1' }
  const converter = { ref: plugin, config: {} }
  const spec: TaskSpec = {
    connector: 'c',
    task: 0,
    type: 'source',
    plugin,
    config: {},
    keyConverter: converter,
    valueConverter: converter,
    headerConverter: converter,
    transforms: [],
    targetState: 'STARTED',
    generation: 0,
  }
  const calls = { signal: new AbortController().signal, onItem: () => undefined }
  return runner.run('try', { spec, timeoutMs }, calls)
}

test('a connector that tries says what it found', async () => {
  expect(await tryOut('return {}', 30_000)).toEqual({ ended: 'tried', problems: {} })
  await expect(tryOut('throw new Error("no login")', 30_000)).rejects.toThrow('no login')
})

test('one that never answers is told, and one that blocks its thread is cut off, when their time is over', async () => {
  expect(await tryOut('await new Promise(() => undefined)', 1000)).toEqual({ ended: 'timeout', problems: {} })
  await expect(tryOut('for (;;);', 300)).rejects.toThrow(
    'the try was cut off: it did not end within 0.3 s, and blocks its thread',
  )
})

test('so is one that blocks while it is loaded', async () => {
  await expect(tryOut('', 300, 'for (;;);')).rejects.toThrow('it did not end within 0.3 s, and blocks its thread')
})
