import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testBroker } from '../support/broker.ts'
import { runTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { testWorker } from '../support/worker.ts'

// `tidewire new connector`, `tidewire new transform`: what they make passes its tests as it stands, and runs in a worker.

const run = promisify(execFile)
const templates = resolve(import.meta.dirname, '../../core/templates')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'new-connector-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** What the package's own test says: `# pass 12` and the like. */
async function npmTest(cwd: string): Promise<Record<string, number>> {
  // The runner tells whether it runs within another of its kind by this variable, and would then print for that one.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap'], { cwd, env })
  return Object.fromEntries([...stdout.matchAll(/^# (\w+) (\d+)$/gm)].map(([, name, count]) => [name!, Number(count)]))
}

test.each(['source', 'sink', 'transform'])('the template of a %s passes its own tests', async (type) => {
  expect(await npmTest(join(templates, type))).toMatchObject({ fail: 0, pass: expect.toSatisfy((count) => count > 5) })
})

test('a source: its tests pass with nothing installed, and a worker runs it', async () => {
  const made = await runTidewire(['new', 'connector', 'weather-feed'], { cwd: folder })
  expect(made).toMatchObject({ code: 0, stderr: '' })
  const own = join(folder, 'weather-feed')
  expect(await npmTest(own)).toMatchObject({ fail: 0, pass: expect.toSatisfy((count) => count > 5) })
  for (const file of (await readdir(own, { withFileTypes: true })).filter((entry) => entry.isFile())) {
    expect(await readFile(join(own, file.name), 'utf8'), file.name).not.toMatch(/example-source|exampleSource/)
  }

  const items = createServer((request, response) => {
    const after = Number(new URL(request.url!, 'http://items').searchParams.get('after'))
    response.end(JSON.stringify([1, 2, 3].filter((id) => id > after).map((id) => ({ id }))))
  }).listen(0, '127.0.0.1')
  await once(items, 'listening')
  const broker = await testBroker()
  const worker = await testWorker(broker.address, { 'plugin.path': own })
  const example = JSON.parse(await readFile(join(own, 'example.json'), 'utf8')) as { config: Record<string, string> }
  const url = `http://127.0.0.1:${(items.address() as AddressInfo).port}/`
  await worker.deploy('weather', { ...example.config, url })
  const tail = ['topic', 'tail', 'items', '--values', '--bootstrap', broker.address]
  await until('the records', async () => (await runTidewire(tail)).stdout === '{"id":1}\n{"id":2}\n{"id":3}\n')
  await worker.close()
  await broker.close()
  items.close()
  items.closeAllConnections()
})

test('a sink in a folder of another name', async () => {
  const made = await runTidewire(['new', 'connector', 'delete', '--sink', '--folder', 'own'], { cwd: folder })
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(await npmTest(join(folder, 'own'))).toMatchObject({ fail: 0, pass: expect.toSatisfy((count) => count > 5) })
})

test('a transform: its tests pass with nothing installed, and a worker runs it', async () => {
  const made = await runTidewire(['new', 'transform', 'double-it'], { cwd: folder })
  expect(made).toMatchObject({ code: 0, stderr: '' })
  const own = join(folder, 'double-it')
  expect(await npmTest(own)).toMatchObject({ fail: 0, pass: expect.toSatisfy((count) => count > 5) })
  for (const file of (await readdir(own, { withFileTypes: true })).filter((entry) => entry.isFile())) {
    expect(await readFile(join(own, file.name), 'utf8'), file.name).not.toMatch(/example-transform|exampleTransform/)
  }
  const broker = await testBroker()
  const worker = await testWorker(broker.address, { 'plugin.path': own })
  const described = await runTidewire(['plugin', 'describe', 'double-it', '--url', worker.url])
  expect(described.stdout).toMatch(/field +string +required/)
  const listed = await runTidewire(['plugin', 'list', '--all', '--url', worker.url])
  expect(listed.stdout).toMatch(/double-it +transformation +0\.1\.0/)
  const preview = await runTidewire(['connector', 'preview', join(own, 'example.json'), '--url', worker.url])
  expect(preview).toMatchObject({ code: 0 })
  await worker.close()
  await broker.close()
})

test('a name that will not do, and a folder with something in it, are refused', async () => {
  expect((await runTidewire(['new', 'connector', 'Weather Feed'], { cwd: folder })).code).toBe(2)
  await writeFile(join(folder, 'mine'), '')
  const { code, stderr } = await runTidewire(['new', 'connector', 'weather', '--folder', '.'], { cwd: folder })
  expect(code).toBe(1)
  expect(stderr).toContain('. is not empty')
  expect(await readdir(folder)).toEqual(['mine'])
})
