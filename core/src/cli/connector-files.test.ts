import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { exitCodes } from './cli-error.ts'
import { isFile, readConnectorFile, readConnectorFiles } from './connector-files.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'connector-files-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function put(name: string, content: unknown): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

test('a folder: nested and flat JSON, lists, properties; other files are passed over', async () => {
  const nested = await put('b.json', { name: ' b ', config: { 'tasks.max': 2 }, initial_state: 'paused' })
  const list = await put('c.json', [
    { name: 'c1', config: { x: '1' } },
    { name: 'c2', x: true },
  ])
  const properties = await put('a.properties', 'name=a\nfile=C:\\\\in.txt\n')
  await put('notes.txt', 'name=no')
  await mkdir(join(folder, 'sub'))
  expect(await readConnectorFiles([folder])).toEqual([
    { name: 'a', config: { name: 'a', file: 'C:\\in.txt' }, path: properties },
    { name: 'b', config: { 'tasks.max': 2 }, initialState: 'PAUSED', path: nested },
    { name: 'c1', config: { x: '1' }, path: list },
    { name: 'c2', config: { name: 'c2', x: true }, path: list },
  ])
})

test('two connectors of one name are named with their files', async () => {
  const one = await put('1.json', { name: 'same', config: {} })
  const two = await put('2.json', { name: 'same', config: {} })
  await expect(readConnectorFiles([one, two])).rejects.toThrow(`${two} and ${one} both have a connector named same`)
})

test.each([
  ['{"name": ', 'is not JSON'],
  ['[]', 'has 0 connectors'],
  ['{"config": {}}', 'has no name'],
  ['"text"', 'expected {"name"'],
  ['{"name": "a", "config": {"b": {}}}', 'b must be a text'],
  ['{"name": "a", "config": {}, "state": "x"}', 'state: expected name, config and initial_state only'],
  ['{"name": "a", "config": {}, "initial_state": "GONE"}', 'initial_state: expected RUNNING, PAUSED, STOPPED'],
])('%s is refused: %s', async (content, message) => {
  const path = await put('x.json', content)
  await expect(readConnectorFile(path)).rejects.toThrow(message)
  await expect(readConnectorFile(path)).rejects.toThrow(path)
})

test('a file that is not there has the exit code for that', async () => {
  const path = join(folder, 'none.json')
  await expect(readConnectorFiles([path])).rejects.toMatchObject({
    message: `there is no file ${path}`,
    exitCode: exitCodes.notFound,
  })
})

test('files are told from names', () => {
  expect(['-', 'a.json', 'a/b', './a', 'a.properties'].map(isFile)).toEqual([true, true, true, true, true])
  expect(['orders', 'orders.v2'].map(isFile)).toEqual([false, false])
})
